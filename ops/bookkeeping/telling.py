"""What the verdict becomes for others: metrics, alarms that are raised and ended, the record for the page. Pure but
for the metrics' registry.

An unknown verdict raises nothing and ends nothing. A loss is told once two verdicts in a row have named it; a delivery
that is overdue once it has been so for a while with a broker in reach: after an outage everything late goes out first.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ops.alarms import alarm_output
from ops.bookkeeping.judging import Verdict
from ops.ledger import NOT_IN_JOURNAL
from ops.metrics import Metrics
from schemas.feed import AlarmClass
from schemas.ledger import ActOutcome, ActStage, LedgerTold, OverdueDelivery, ReconcilerActed
from schemas.topics import LEDGER_NOW
from schemas.wire import derived_id, record
from streams.contract import Output

SOURCE: Final = "/sztab/ledger"
MISSING, OVERDUE, UNPUBLISHED, GAVE_UP = (
    "ledger-missing",
    "delivery-overdue",
    "journal-not-published",
    "reconciler-gave-up",
)
STATES: Final = ("accepted", "delivered", "quarantined", "in_flight")
WHATS: Final = (
    "in_facts",
    "without_answer",
    "without_decision",
    "without_receipt",
    "not_in_quarantine",
    NOT_IN_JOURNAL,
    "decision_without_fact",
    "receipt_without_decision",
)
"""Everything that `ops.ledger` may name as missing."""
STAGES: Final = ("publish", "incidents", "route", "deliver")
SHOWN: Final = 50
OVERDUE_SECONDS: Final = 30.0
"""A delivery is overdue for so long, with a verdict at hand, before it is told."""


class Figures:
    """The metrics of the ledger. Names no id, only closed sets: states, stages, configured recipients."""

    def __init__(self, metrics: Metrics, recipients: Iterable[str]) -> None:
        gauge = metrics.gauge
        self._recipients = tuple(recipients)
        self._pairs = gauge("ledger", "pairs", "Pairs of report and recipient by state.", ("state",))
        self._balanced = gauge("ledger", "balanced", "1: all accounted for, 0: something is missing, -1: unknown.")
        self._age = gauge("ledger_verdict_age", "seconds", "Since the last verdict that was not unknown; -1: none.")
        self._missing = gauge("ledger", "missing", "Ids that are missing, by where.", ("what",))
        self._untraced = gauge("ledger", "untraced", "Documents lost with a journal, of which nothing else tells.")
        self._overdue = gauge("ledger", "overdue", "Deliveries past their deadline without a receipt.", ("recipient",))
        self._oldest = gauge("ledger_oldest", "seconds", "Age of the oldest work of a stage; 0: none.", ("stage",))
        self._records = metrics.counter("ledger", "records", "Records read.", ("source",))
        self._rebuilt = metrics.counter("ledger", "rebuilt", "How often the projection was built anew.")
        self._acted = metrics.counter("reconciler", "acted", "Acts of the reconciler.", ("stage", "outcome"))
        self._given_up = gauge("reconciler", "given_up", "Ids acted on in vain: a person must look.", ("stage",))
        self._counted: dict[str, int] = {}
        self._known_at: float | None = None
        self._age.set_function(lambda: -1.0 if self._known_at is None else time.monotonic() - self._known_at)
        self._balanced.set(-1)
        for stage in ("incidents", "deliver"):
            self._given_up.labels(stage).set(0)
            for outcome in ActOutcome:
                self._acted.labels(stage, outcome.value)  # what is first seen at one has not increased

    def verdict(self, verdict: Verdict | None) -> None:
        """The verdict; None when there is none, because a broker is away."""
        balanced = verdict.ledger.balanced if verdict is not None else None
        self._balanced.set(-1 if balanced is None else int(balanced))
        if verdict is None:
            return
        if balanced is not None:
            self._known_at = time.monotonic()
        ledger = verdict.ledger
        for state in STATES:
            self._pairs.labels(state).set(getattr(ledger, state))
        rest = ledger.accepted - ledger.delivered - ledger.quarantined - ledger.in_flight
        self._pairs.labels("missing").set(rest)
        for what in WHATS:
            self._missing.labels(what).set(len(ledger.missing.get(what, ())))
        self._untraced.set(len(ledger.untraced))
        overdue = [one["recipient"] for one in ledger.overdue]
        for who in self._recipients:
            self._overdue.labels(who).set(overdue.count(who))
        for stage in STAGES:
            since_ms = verdict.oldest_ms.get(stage)
            self._oldest.labels(stage).set(max(0, verdict.at_ms - since_ms) / 1000 if since_ms is not None else 0)

    def counted(self, counts: Mapping[str, int]) -> None:
        """Records read so far, by source; `rebuilt` counts apart."""
        for source, count in counts.items():
            more = count - self._counted.get(source, 0)
            (self._rebuilt if source == "rebuilt" else self._records.labels(source)).inc(more)
            self._counted[source] = count

    def acted(self, act: ReconcilerActed) -> None:
        """The reconciler did something."""
        self._acted.labels(act.stage.value, act.outcome.value).inc()

    def given_up(self, stages: Mapping[str, int]) -> None:
        """For how many ids a person was asked, by stage."""
        for stage in ("incidents", "deliver"):
            self._given_up.labels(stage).set(stages.get(stage, 0))


@dataclass
class Alarms:
    """Which alarms stand. `raised` is kept with the ledger: kind and subject -> since when (epoch ms).

    `unsure`: alarms of which that is not known, because the ledger's file was lost; those that do not hold are ended
    with the first verdict.
    """

    raised: dict[str, int] = field(default_factory=dict)
    unsure: set[str] = field(default_factory=set)
    _before: frozenset[str] = frozenset()
    _overdue_since: dict[str, int] = field(default_factory=dict)

    def of(self, verdict: Verdict, given_up: Mapping[str, int]) -> list[Output]:
        """What changed since the last verdict."""
        wanted = self._wanted(verdict, given_up)
        outputs: list[Output] = []
        for name, detail in wanted.items():
            if name not in self.raised:
                self.raised[name] = verdict.at_ms
                outputs.append(_alarm(name, verdict.at_ms, self.raised[name], detail, active=True))
        ended = {name for name in self.raised if name not in wanted}
        if verdict.ledger.balanced is not None:
            ended |= self.unsure - wanted.keys()
            self.unsure = set()
        for name in sorted(ended):
            raised_ms = self.raised.pop(name, verdict.at_ms)
            outputs.append(_alarm(name, verdict.at_ms, raised_ms, "it is over", active=False))
        return outputs

    def _wanted(self, verdict: Verdict, given_up: Mapping[str, int]) -> dict[str, str]:
        ledger = verdict.ledger
        found: dict[str, str] = {}
        named = frozenset(one for ids in ledger.missing.values() for one in ids)
        if named & self._before or (named and f"{MISSING}|ledger" in self.raised):
            counts = ", ".join(f"{len(ids)} {what.replace('_', ' ')}" for what, ids in ledger.missing.items())
            found[f"{MISSING}|ledger"] = f"missing: {counts}; sztab ledger names them"
        self._before = named
        for who, count in self._late(verdict).items():
            found[f"{OVERDUE}|{who}"] = f"{count} deliveries are past their deadline; sztab ledger overdue names them"
        for node, rows in verdict.stuck.items():
            found[f"{UNPUBLISHED}|{node}"] = f"{len(rows)} documents wait for their publisher though a broker answers"
        for stage, count in given_up.items():
            if count:
                found[f"{GAVE_UP}|{stage}"] = f"{count} ids were acted on three times in vain; sztab ledger show ID"
        return found

    def _late(self, verdict: Verdict) -> dict[str, int]:
        """Recipient -> deliveries that have been overdue for a while."""
        overdue = {one["delivery"]: one["recipient"] for one in verdict.ledger.overdue}
        self._overdue_since = {one: self._overdue_since.get(one, verdict.at_ms) for one in overdue}
        before_ms = verdict.at_ms - OVERDUE_SECONDS * 1000
        found: dict[str, int] = {}
        for delivery, who in overdue.items():
            if self._overdue_since[delivery] <= before_ms or f"{OVERDUE}|{who}" in self.raised:
                found[who] = found.get(who, 0) + 1
        return found


def subjects(recipients: Iterable[str], nodes: Iterable[str]) -> set[str]:
    """The names of every alarm that a ledger of these recipients and nodes may have raised."""
    return {
        f"{MISSING}|ledger",
        *(f"{OVERDUE}|{who}" for who in recipients),
        *(f"{UNPUBLISHED}|{node}" for node in nodes),
        *(f"{GAVE_UP}|{stage.value}" for stage in ActStage),
    }


def told(verdict: Verdict | None, now: datetime, since_ms: int, acts: Iterable[ReconcilerActed]) -> LedgerTold:
    """What is said of the whole, to the page and to programs."""
    whole: dict[str, Any] = {"balanced": None, "said_at": now, "since": _at(since_ms), "acts": tuple(acts)}
    if verdict is not None:
        ledger = verdict.ledger
        whole |= {name: getattr(ledger, name) for name in STATES}
        whole |= {
            "balanced": ledger.balanced,
            "judged_at": _at(verdict.at_ms),
            "missing": {what: len(ids) for what, ids in ledger.missing.items()},
            "missing_ids": {what: tuple(ids[:SHOWN]) for what, ids in ledger.missing.items()},
            "overdue_count": len(ledger.overdue),
            "overdue": tuple(
                OverdueDelivery(
                    delivery_id=one["delivery"], recipient=one["recipient"], deadline_at=_at(one["deadline_ms"])
                )
                for one in ledger.overdue[:SHOWN]
            ),
            "unreachable": tuple(ledger.unreachable),
            "untraced_count": len(ledger.untraced),
            "untraced": tuple(ledger.untraced[:SHOWN]),
        }
    return LedgerTold(**whole)


def output(told: LedgerTold) -> Output:
    """Its record."""
    payload, now = told, told.said_at
    value, headers = record(payload, id=derived_id("ledger", now.isoformat()), source=SOURCE, time=now.isoformat())
    return Output(LEDGER_NOW, b"ledger", value, headers)


def _alarm(name: str, at_ms: int, raised_ms: int, detail: str, *, active: bool) -> Output:
    kind, _, subject = name.partition("|")
    loud = AlarmClass.IMPORTANT if kind == OVERDUE else AlarmClass.URGENT
    at, raised_at = _at(at_ms), _at(raised_ms)
    return alarm_output(
        kind, subject, at, detail, active=active, raised_at=raised_at, loud=loud, source=SOURCE, extensions={}
    )


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
