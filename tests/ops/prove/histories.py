"""Made histories of installations that keep the promise: whatever the judge says against one is a false accusation."""

import random
from dataclasses import dataclass, field, replace

from ops.prove.system.history import AsideRow, Attempt, Effect, Evidence, FactRow, Operation, Sample, Strike, outcome_of
from ops.prove.system.known import delivery_of

RECIPIENTS = ("dispatch", "fire", "crisis")
START = 1_760_000_000.0


@dataclass
class Made:
    """A history in the making. `fault_at`, `heal_at`: seconds after the start between which deliveries wait."""

    dice: random.Random
    rate: float
    fault_at: float
    heal_at: float
    operations: list[Operation] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    facts: list[FactRow] = field(default_factory=list)
    aside: list[AsideRow] = field(default_factory=list)
    superseded: set[str] = field(default_factory=set)
    sequences: dict[str, int] = field(default_factory=dict)
    busy: dict[tuple[str, str], float] = field(default_factory=dict)
    urgent: set[str] = field(default_factory=set)
    bad: int = 0
    numbered: dict[str, int] = field(default_factory=dict)

    def at(self) -> float:
        """When the next operation begins."""
        return START + len(self.operations) / self.rate

    def operation(self, identity, subject, what, recipients=(), *, urgent=False, certain=True, refused=False, **told):
        """One operation; `certain`: a yes or no was heard in the end."""
        dice, t0, tries = self.dice, self.at(), []
        if dice.random() < 0.1 or not certain:
            tries += [
                Attempt(t0 + 2 * n, t0 + 2 * n + 2, "info", dice.choice([None, 500])) for n in range(dice.randint(1, 2))
            ]
            t0 = tries[-1].t1
        if certain:
            refusal = dice.random() < 0.05 and not tries
            if refusal:
                tries.append(Attempt(t0, t0 + 0.01, "fail", 503))
                t0 += 0.1
            answer = ("fail", 400) if refused else ("ok", 202)
            tries.append(Attempt(t0, t0 + dice.uniform(0.002, 0.2), *answer))
        process = f"p{dice.randrange(3)}"
        counter = self.numbered[process] = self.numbered.get(process, -1) + 1
        outcome = outcome_of(tries)
        held = "broker" if outcome == "ok" else None
        number = len(self.operations)
        answered = told.pop("reports", ()) if outcome == "ok" else ()
        self.operations.append(
            Operation(
                f"o{number}", process, counter, "r", what, dice.choice("ab"), "cpr", identity, subject, urgent, urgent,
                tuple(recipients), outcome, tries[-1].status, None, held, told.pop("document", None), answered,
                told.pop("command", None), tuple(tries),
            )
        )  # fmt: skip
        return self.operations[-1]

    def fact(self, kind, incident, at, *, report=None, cause=None, identity=None):
        """The next fact of an incident; sometimes it stands there twice."""
        sequence = self.sequences[incident] = self.sequences.get(incident, -1) + 1
        known = identity if self.dice.random() < 0.5 else None
        row = FactRow(
            f"f{len(self.facts)}",
            kind,
            incident,
            "kmp",
            sequence,
            report,
            cause,
            0,
            len(self.facts),
            int(at * 1000),
            known,
        )
        self.facts.append(row)
        if self.dice.random() < 0.05:
            self.facts.append(replace(row, offset=len(self.facts)))
        return row

    def deliver(self, fact, recipients, *, urgent, reports):
        """The fact's deliveries: tried, tried again, taken, taken again; now and then refused or superseded."""
        dice = self.dice
        for recipient in recipients:
            delivery, at = delivery_of(fact, recipient), fact.at_ms / 1000 + dice.uniform(0.01, 0.3)
            place = recipient, fact.incident_id
            at = max(at, self.busy.get(place, at))
            fails = dice.random() < 0.1
            if START + self.fault_at <= at < START + self.heal_at:
                fails, later = True, START + self.heal_at + dice.uniform(0, 2)
            else:
                later = at + 1
            word = "urgent" if urgent else "ordinary"

            def request(at, status, applied, named=(recipient, delivery), word=word):
                self.effects.append(
                    Effect(
                        named[0],
                        at,
                        named[1],
                        fact.incident_id,
                        fact.sequence,
                        fact.kind,
                        word,
                        reports,
                        status,
                        applied,
                    )
                )

            if dice.random() < 0.03:
                request(at, 400, False)
                self.aside.append(
                    AsideRow(f"q{delivery}", "deliver", "refused", None, next(iter(reports), None), delivery)
                )
                continue
            if fails:
                request(at, dice.choice([0, 503, 429]), False)
                at = later
            request(at, 200, True)
            if dice.random() < 0.1:
                at += 0.5
                request(at, 200, False)
            self.busy[place] = at + 0.001


def perfect(
    dice: random.Random, count: int = 60, rate: float = 20.0, fault: tuple[float, float] = (0.0, 0.0)
) -> Evidence:
    """A run in which the promise was kept, with everything lawful that may look odd. `fault`: seconds from, to."""
    made = Made(dice, rate, *fault)
    told: list[tuple[str, str, str, tuple[str, ...], bool]] = []
    for number in range(count):
        kind = dice.choices(["new", "old", "command", "bad", "ghost", "refused"], [50, 30, 8, 5, 5, 2])[0]
        if kind == "old" and not told:
            kind = "new"
        if kind == "new":
            told.append(_new(made, number))
        elif kind == "old":
            _old(made, number, dice.choice(told), told)
        elif kind == "command":
            sent = made.operation(f"c{number}", "-", "command", command=f"c{number}", certain=dice.random() < 0.9)
            if sent.outcome == "ok" or dice.random() < 0.5:
                incident = f"i{dice.randrange(number + 1)}"
                fact = made.fact(
                    dice.choice(["StateChanged", "CommandRefused"]), incident, sent.attempts[-1].t1, cause=f"c{number}"
                )
                made.deliver(fact, ("dispatch",), urgent=False, reports=())
        else:
            _odd(made, number, kind)
    ends = [one.at for one in made.effects] or [START]
    strikes = [
        Strike(START + fault[0], START + fault[1], "recipient-down", "stop"),
        Strike(START + fault[1], None, "recipient-down", "heal"),
    ]
    accepted = {report for one in made.operations if one.outcome == "ok" for report in one.report_ids}
    ledger = {"balanced": True, "missing": {}, "in_flight": 0, "reports": len(accepted)}
    samples = [
        Sample(START + second, {"backlog": float(dice.randrange(50))}) for second in range(int(max(ends) - START) + 1)
    ]
    return Evidence(
        "r", "recipient-down", 1, made.operations, made.effects, made.facts, made.aside, ledger,
        strikes if fault[1] else (), samples, made.bad, superseded=frozenset(made.superseded),
    )  # fmt: skip


def _new(made, number):
    """A new report: it arrives, or it makes the step raise and is set aside, or a newer one is there before it."""
    dice = made.dice
    recipients = tuple(sorted(dice.sample(RECIPIENTS, dice.randint(0, 3))))
    identity, report, incident = f"cpr|{number}|1", f"rep{number}", f"i{number}"
    urgent = dice.random() < 0.3
    if urgent:
        made.urgent.add(incident)
    certain = dice.random() < 0.9
    raises = dice.random() < 0.04
    what = "bad" if raises else "new"
    sent = made.operation(
        identity,
        f"cpr|{number}",
        what,
        recipients,
        urgent=urgent,
        certain=certain,
        reports=(report,),
        document=f"d{number}",
    )
    if sent.outcome != "ok" and dice.random() < 0.5:
        return identity, report, incident, recipients, False
    if raises:
        made.aside.append(AsideRow(f"q{number}", "incidents", "step-bug", report_id=report))
        made.bad += sent.outcome == "ok"
        return identity, report, incident, recipients, False
    fact = made.fact("IncidentOpened", incident, sent.attempts[-1].t1, report=report, cause=report, identity=identity)
    made.deliver(fact, recipients, urgent=urgent, reports=(report,))
    return identity, report, incident, recipients, True


def _old(made, number, before, told):
    """Something about a known report: the same again, or a newer word of its thread."""
    dice = made.dice
    identity, report, incident, recipients, there = before
    urgent = incident in made.urgent
    if not there:
        return
    if dice.random() < 0.4:
        sent = made.operation(identity, incident, "duplicate", recipients, urgent=urgent, reports=(report,))
        made.fact("ReportRepeated", incident, sent.attempts[-1].t1, report=report, cause=report, identity=identity)
        return
    what = dice.choice(["update", "cancellation", "repeat-call"])
    identity, report = f"cpr|{incident}|{number}", f"rep{number}"
    sent = made.operation(identity, incident, what, recipients, urgent=urgent, reports=(report,))
    fact = made.fact("ReportLinked", incident, sent.attempts[-1].t1, report=report, cause=report, identity=identity)
    if recipients and dice.random() < 0.2:
        # A newer change of the incident goes by the other lane and is there first; this one is superseded.
        newer = made.fact("IncidentRecategorised", incident, fact.at_ms / 1000, cause=report)
        made.deliver(newer, recipients, urgent=urgent, reports=(report,))
        taken = {
            one.recipient
            for one in made.effects
            if one.applied and one.delivery_id == delivery_of(newer, one.recipient)
        }
        made.superseded |= {delivery_of(fact, recipient) for recipient in taken}
        recipients = tuple(one for one in recipients if one not in taken)
        _passed_by(made, fact, recipients)
        return
    made.deliver(fact, recipients, urgent=urgent, reports=(report,))
    if dice.random() < 0.1:
        moved = made.fact("ReportLinked", incident, fact.at_ms / 1000 + 1, report=report, cause=f"c{number}-by-hand")
        made.deliver(moved, recipients, urgent=urgent, reports=(report,))
    told.append((identity, report, incident, recipients, True))


def _passed_by(made, fact, recipients):
    """Those that refused the newer one refuse this one, too."""
    for recipient in recipients:
        delivery = delivery_of(fact, recipient)
        made.effects.append(
            Effect(recipient, made.busy.get((recipient, fact.incident_id), fact.at_ms / 1000), delivery,
                   fact.incident_id, fact.sequence, fact.kind, "ordinary", (fact.report_id,), 400, False)
        )  # fmt: skip
        made.aside.append(AsideRow(f"q{delivery}", "deliver", "refused", delivery_id=delivery))


def _odd(made, number, kind):
    """Rubbish that is refused and kept; what is refused and gone; what nobody ever answered and never came."""
    if kind == "bad":
        certain = made.dice.random() < 0.8
        sent = made.operation(f"bad{number}", "-", "bad", certain=certain, refused=True, document=f"d{number}")
        surely = sent.outcome == "fail"
        if surely or made.dice.random() < 0.5:
            made.aside.append(AsideRow(f"q{number}", "intake", "malformed", document_id=f"d{number}"))
        made.bad += surely
    elif kind == "ghost":
        made.operation(f"cpr|ghost{number}|1", "-", "new", ("dispatch",), certain=False)
    else:
        made.operation(f"cpr|no{number}|1", "-", "new", ("dispatch",), refused=True, reports=(f"no{number}",))
