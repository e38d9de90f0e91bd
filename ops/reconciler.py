"""What is to be done about what the ledger misses (ARCHITECTURE 2.7). Pure: the role acts, this chooses.

Only what two verdicts in a row named is acted on, so never while a broker is away (there is no verdict then) or while
a stage still moves (nothing is named then). At most so many acts a minute; each id waits longer after each act; after
three a person is told instead.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ops.bookkeeping.book import Part
from ops.bookkeeping.judging import Verdict
from schemas.ledger import ActOutcome, ActStage, ReconcilerActed

ACTS: Final = 3
PAUSES_MS: Final = (0, 60_000, 300_000, 300_000)
"""After so many acts on an id, so long until the next; the last is the wait before a person is told."""
GRACE_MS: Final = 60_000
"""A delivery without a deadline may take so long from its decision."""
PUBLISHED_AGAIN: Final = ("in_facts", "without_answer", "not_in_quarantine")
"""What is missing behind the journal: its row goes to the broker again."""


class Act(NamedTuple):
    """One thing to do. `document_id` and `node`: publish again; `incident_id`, `unit`, `mode`: ask for a delivery."""

    stage: ActStage
    subject_id: str
    why: str
    attempt: int
    since_ms: int
    give_up: bool = False
    document_id: str | None = None
    node: str | None = None
    incident_id: str | None = None
    unit: str | None = None
    mode: str | None = None
    recipient: str | None = None


@dataclass
class Reconciler:
    """Remembers since when what was missed, and what was done a moment ago; the rest is in the acts' own records."""

    per_minute: int = 10
    pauses_ms: Sequence[int] = PAUSES_MS
    _missed: dict[str, int] = field(default_factory=dict)
    _acted_ms: list[int] = field(default_factory=list)

    def choose(self, verdict: Verdict, book: Part, acts: Iterable[ReconcilerActed]) -> list[Act]:
        """What to do now. `acts` are those on record; what is done is recorded before this is asked again."""
        now_ms = verdict.at_ms
        # Deliveries first: what is published again may lead to newer ones, by which they would be superseded.
        named = sorted(verdict.ledger.missing.items(), key=lambda one: one[0] in PUBLISHED_AGAIN)
        missing = {one: what for what, ids in named for one in ids}
        before = self._missed
        self._missed = {one: before.get(one, now_ms) for one in missing}
        done = _by_subject(acts)
        self._acted_ms = [at for at in self._acted_ms if at > now_ms - 60_000]
        chosen: list[Act] = []
        found = _Found(book)
        for one, what in missing.items():
            if one not in before or len(self._acted_ms) + len(chosen) >= self.per_minute:
                continue
            act = self._act(one, what, found, done[one], now_ms)
            if act is not None:
                chosen.append(act)
        self._acted_ms += [now_ms] * len(chosen)
        return chosen

    def _act(self, one: str, what: str, found: "_Found", done: list[ReconcilerActed], now_ms: int) -> Act | None:
        counted = [act for act in done if act.outcome in {ActOutcome.ASKED, ActOutcome.REFUSED}]
        if any(act.outcome is ActOutcome.GIVEN_UP for act in done):
            return None
        last_ms = max((round(act.acted_at.timestamp() * 1000) for act in done), default=0)
        if now_ms < last_ms + self.pauses_ms[min(max(len(counted), bool(done)), ACTS)]:
            return None
        act = found.act(one, what, len(counted) + 1, self._missed[one], now_ms)
        return act._replace(give_up=True, attempt=ACTS) if act and len(counted) >= ACTS else act


def given_up(verdict: Verdict, acts: Iterable[ReconcilerActed]) -> Counter[str]:
    """For how many ids that are still missing a person was told, by stage."""
    missing = {one for ids in verdict.ledger.missing.values() for one in ids}
    named = {(act.stage.value, act.subject_id) for act in acts if act.outcome is ActOutcome.GIVEN_UP}
    return Counter(stage for stage, one in named if one in missing)


class _Found:
    """Where what is missing stands in the book."""

    def __init__(self, book: Part) -> None:
        self._book = book
        self._rows: dict[str, str] = {}
        for document, placed in book.rows.items():
            for name in (document, *placed.row.reports, *placed.row.commands):
                self._rows[name] = document
        self._deliveries: dict[str, str] = {}
        for fact_id, decision in sorted(book.decisions.items(), key=lambda one: one[1].at_ms, reverse=True):
            for delivery in decision.deliveries.values():
                self._deliveries[delivery] = fact_id  # the first decision stays: later ones asked for it again

    def act(self, one: str, what: str, attempt: int, since_ms: int, now_ms: int) -> Act | None:
        """What can be done about it; None: nothing by machine, or not yet."""
        if what in PUBLISHED_AGAIN and one in self._rows:
            document = self._rows[one]
            node = self._book.rows[document].node
            return Act(ActStage.INCIDENTS, one, what, attempt, since_ms, document_id=document, node=node)
        if what != "without_receipt" or one not in self._deliveries:
            return None
        fact_id = self._deliveries[one]
        decision, fact = self._book.decisions[fact_id], self._book.facts.get(fact_id)
        due_ms = decision.deadline_ms if decision.deadline_ms is not None else decision.at_ms + GRACE_MS
        if fact is None or now_ms < due_ms:
            return None
        who = next(who for who, delivery in decision.deliveries.items() if delivery == one)
        return Act(
            ActStage.DELIVER,
            one,
            what,
            attempt,
            since_ms,
            incident_id=fact.incident_id or fact_id,
            unit=fact.unit,
            mode=fact.mode,
            recipient=who,
        )


def _by_subject(acts: Iterable[ReconcilerActed]) -> Mapping[str, list[ReconcilerActed]]:
    found: defaultdict[str, list[ReconcilerActed]] = defaultdict(list)
    for act in acts:
        found[act.subject_id].append(act)
    return found
