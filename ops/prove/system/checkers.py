"""The checkers of FAULTS 3, each a pure function over the indexed evidence that names what is wrong.

An answer is a list of names, one for each thing wrong, in a stable order; empty means that nothing is. Their names
are those of the public tests that they come from (jepsen.tests.kafka, jepsen.checker, Jepsen's report on NATS).
"""

from collections import Counter, defaultdict
from collections.abc import Collection
from typing import Any, Final

from ops.prove.system.history import FAIL, INFO, OK, FactRow
from ops.prove.system.known import ARRIVALS, BAD, COMMAND, Known, Told, applied, delivery_of

DELIVER: Final = "deliver"


def lost(known: Known) -> list[tuple[str, str]]:
    """Total-queue, lost: what was accepted and is neither with one of its recipients nor in quarantine.

    Also what was accepted and became no report, and a report that stands in no fact. Pairs of identity and where it is
    missing.
    """
    wrong = [
        (one.identity, recipient)
        for one, report, recipient in known.pairs()
        if not known.settled(one, report, recipient)
    ]
    for one in known.accepted:
        if not one.reports and one.documents.isdisjoint(known.aside):
            wrong.append((one.identity, "(became no report)"))
        wrong += [
            (one.identity, "(in no fact)")
            for report in sorted(one.reports)
            if report not in known.arrivals and not known.set_aside(one, report)
        ]
    return list(dict.fromkeys(wrong))


def lost_commands(known: Known) -> list[str]:
    """Commands that were accepted and of which no fact tells, not even that they were refused."""
    causes = {fact.cause_id for fact in known.evidence.facts}
    return [
        operation.command_id or operation.id
        for operation in known.evidence.operations
        if operation.what == COMMAND and operation.outcome == OK
        if operation.command_id not in causes and operation.document_id not in known.aside
    ]


def lost_places(known: Known) -> dict[str, int]:
    """Where the losses lie in what each process told each recipient: `prefix`, `middle`, `postfix`.

    A missing middle is certain loss; a missing end may be a recipient that is slow. A report counts where it was first
    accepted.
    """
    counted: set[str] = set()
    there: defaultdict[tuple[str, str], dict[int, bool]] = defaultdict(dict)
    for operation in known.evidence.operations:
        if operation.what == COMMAND or operation.outcome != OK or operation.identity in counted:
            continue
        counted.add(operation.identity)
        one = known.told[operation.identity]
        for recipient in operation.recipients:
            ended = all(known.settled(one, report, recipient) for report in one.reports)
            there[operation.process, recipient][operation.counter] = ended and bool(
                one.reports or one.documents & known.aside
            )
    places: Counter[str] = Counter(prefix=0, middle=0, postfix=0)
    for counters in there.values():
        have = [counter for counter, ended in counters.items() if ended]
        first, last = min(have, default=None), max(have, default=None)
        for counter, ended in counters.items():
            if not ended:
                places[_place(counter, first, last)] += 1
    return dict(places)


def _place(counter: int, first: int | None, last: int | None) -> str:
    if last is None or counter > last:
        return "postfix"
    return "prefix" if first is not None and counter < first else "middle"


def doubled(known: Known) -> list[str]:
    """Effects: a report that came twice to one recipient, a delivery applied twice, a report with two arrivals."""
    wrong = []
    for (report, recipient), effects in known.seen.items():
        if len({one.delivery_id for one in effects}) > 1:
            wrong.append(f"{report} -> {recipient}")
    times = Counter((one.delivery_id, one.recipient) for one in known.evidence.effects if one.applied)
    wrong += [f"delivery {delivery} -> {recipient}" for (delivery, recipient), count in times.items() if count > 1]
    wrong += [f"{report}: {len(facts)} arrivals" for report, facts in known.arrivals.items() if len(facts) > 1]
    return sorted(wrong)


def order_inversions(known: Known) -> list[str]:
    """Order: an effect older than one that the recipient has applied already, of the same incident."""
    last: dict[tuple[str, str], int] = {}
    wrong = []
    for one in applied(known.evidence):
        place = one.recipient, one.subject_id
        if one.sequence < last.get(place, one.sequence):
            wrong.append(f"{one.subject_id} -> {one.recipient}: {one.sequence} after {last[place]}")
        last[place] = max(one.sequence, last.get(place, one.sequence))
    return wrong


def unexpected(known: Known) -> list[str]:
    """Total-queue, unexpected: an effect or a fact that nobody asked for, or one at a recipient it is not meant for.

    A report is somebody's if an operation was answered with its id, or if its fact names the identity of an operation
    that may have come through. Facts that name no identity are granted, as far as they go, to those operations of
    unknown outcome whose report nobody knows yet; an effect without any fact is granted to nobody.
    """
    facts = {fact.report_id: fact for fact in known.evidence.facts if fact.report_id}
    reports = dict.fromkeys([*known.arrivals, *(report for one in known.evidence.effects for report in one.report_ids)])
    strange: list[str] = []
    nameless: list[str] = []
    for report in reports:
        if report in known.of_report:
            continue
        fact = facts.get(report)
        (strange if fact is None or fact.identity is not None else nameless).append(report)
    unknown = sum(one.possible and not one.reports for one in known.told.values())
    return strange + nameless[unknown:] + _misrouted(known)


def _misrouted(known: Known) -> list[str]:
    wrong = []
    for (report, recipient), effects in known.seen.items():
        one = known.of_report.get(report)
        if one is not None and recipient not in one.recipients:
            wrong.append(f"{report} at {recipient}")
        facts = known.arrivals.get(report, {}).values()
        rightful = {delivery_of(fact, recipient) for fact in facts}
        wrong += [f"delivery {each.delivery_id}" for each in effects if rightful and each.delivery_id not in rightful]
    return wrong


def aborted_reads(known: Known) -> list[str]:
    """G1a: what was refused for good, by whoever told it, and came to light all the same."""
    there = {*known.arrivals, *(report for one in known.evidence.effects for report in one.report_ids)}
    return [
        report
        for report, one in known.of_report.items()
        if not one.possible and report in there and not known.set_aside(one, report)
    ]


def conflicting(known: Known) -> list[str]:
    """Inconsistent-offset: one id with two contents (fact, delivery), or two facts at one offset."""
    wrong = []
    facts: dict[str, tuple[Any, ...]] = {}
    places: dict[tuple[int, int], str] = {}
    for fact in known.evidence.facts:
        if facts.setdefault(fact.fact_id, _content(fact)) != _content(fact):
            wrong.append(f"fact {fact.fact_id}")
        if places.setdefault((fact.partition, fact.offset), fact.fact_id) != fact.fact_id:
            wrong.append(f"facts at {fact.partition}/{fact.offset}")
    deliveries: dict[tuple[str, str], tuple[Any, ...]] = {}
    for one in known.evidence.effects:
        told = one.subject_id, one.sequence, one.kind, one.urgency, one.report_ids
        if deliveries.setdefault((one.recipient, one.delivery_id), told) != told:
            wrong.append(f"delivery {one.delivery_id}")
    return list(dict.fromkeys(wrong))


def _content(fact: FactRow) -> tuple[Any, ...]:
    return fact.kind, fact.incident_id, fact.unit, fact.sequence, fact.report_id, fact.cause_id


def quarantine(known: Known) -> tuple[int, int, int]:
    """How many items of ours were set aside, and how many at least and at most should be.

    A bad document whose outcome is unknown may lie there or not.
    """
    sure = {one.identity for one in known.evidence.operations if one.what == BAD and one.outcome in {OK, FAIL}}
    open_ = {one.identity for one in known.evidence.operations if one.what == BAD and one.outcome == INFO} - sure
    least = known.evidence.expected_bad
    return len(ours_aside(known)), least, least + len(open_)


def ours_aside(known: Known) -> set[str]:
    """Items of the quarantine but for deliveries that their recipient refused: that is its doing, not ours."""
    refused = {one.delivery_id for one in known.evidence.effects if not 200 <= one.status < 300}
    return {row.item_id for row in known.evidence.aside if row.stage != DELIVER or row.delivery_id not in refused}


def set_aside_wrongly(known: Known) -> list[str]:
    """Accepted reports in quarantine that were not sent to end there; for a person, who must find out why."""
    return [one.identity for one in known.accepted if not one.bad and _aside(known, one)]


def _aside(known: Known, one: Told) -> bool:
    if any(known.set_aside(one, report) for report in one.reports) or one.documents & known.aside:
        return True
    facts = [fact for report in one.reports for fact in known.arrivals.get(report, {}).values()]
    if any(fact.fact_id in known.aside for fact in facts):
        return True
    return any(delivery_of(fact, recipient) in known.aside for fact in facts for recipient in one.recipients)


def ends(known: Known, missing: Collection[str]) -> tuple[int, int]:
    """The equation's right side: accepted reports that are delivered, and those set aside. Sets, not a remainder.

    `missing`: identities of what is lost.
    """
    ended = [one for one in known.accepted if one.identity not in missing]
    aside = sum(_aside(known, one) for one in ended)
    return len(ended) - aside, aside


def equation(known: Known) -> list[str]:
    """What the installation's own ledger says against it, and where it differs from what partners were told."""
    ledger = known.evidence.ledger
    if not ledger:
        return ["no ledger"]
    wrong = []
    if ledger.get("balanced") is not True:
        wrong.append(f"ledger: balanced is {ledger.get('balanced')}")
    wrong += [f"ledger: {name}: {len(ids)} missing" for name, ids in (ledger.get("missing") or {}).items() if ids]
    if ledger.get("in_flight"):
        wrong.append(f"ledger: {ledger['in_flight']} in flight")
    reports = {report for one in known.accepted for report in one.reports}
    if "reports" in ledger and ledger["reports"] < len(reports):
        wrong.append(f"ledger: knows {ledger['reports']} reports, {len(reports)} were accepted")
    return wrong


def total_queue(known: Known) -> dict[str, int]:
    """Figures, no faults: unknown outcomes that came to light, facts written again, requests a recipient got again."""
    there = {*known.arrivals}
    recovered = sum(one.accepted is None and not one.reports.isdisjoint(there) for one in known.told.values())
    facts = known.evidence.facts
    requests = known.evidence.effects
    return {
        "recovered": recovered,
        "repeated_facts": len(facts) - len({fact.fact_id for fact in facts}),
        "repeated_requests": len(requests) - len({(one.recipient, one.delivery_id) for one in requests}),
        "reports_without_identity": sum(fact.kind in ARRIVALS and fact.identity is None for fact in facts),
    }
