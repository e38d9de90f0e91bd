"""route: who gets a fact, which fields of it, and until when.

Each fact of `incident.facts` leads to one RoutingDecided, also when nobody gets it, and to one Delivery per recipient
in that recipient's outbox. Urgency is sticky: what was once urgent for a recipient stays in its urgent lane. A delivery
can be asked for again (`DeliveryRequested`): the same bytes under the same delivery id, if this state still holds it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from schemas.delivery import Delivery, RoutingDecided
from schemas.envelope import attributes
from schemas.errors import Code, Rejected
from schemas.incident import Fact
from schemas.report import Mode, Urgency
from schemas.topics import DECISIONS, FACTS, LANES, outbox
from schemas.wire import derived_id, type_name
from streams.contract import Outcome, Output, Processor, Record, State
from streams.emit import moment, output
from streams.modes import allowed
from streams.route_memory import Deliveries
from streams.route_subject import Subject, body, decide, subject
from streams.routing import LEFT, Named, Routing, View

NAME: Final = "route"
FACT: Final = type_name(Fact)
TOLD_ON: Final = frozenset({"IncidentRecategorised", "StateChanged", "ReportUnlinked", "IncidentHandedOver"})
"""What a recipient is told of an incident that no rule gives to it any more."""
_MODES: Final = frozenset(mode.value for mode in Mode)


@dataclass(frozen=True)
class RouteReference:
    """The tree, what the installation is, and how much is remembered in each partition.

    So many pairs of incident and recipient, with what was urgent once; and so many deliveries that can be sent again.
    """

    routing: Routing
    mode: Mode = Mode.REAL
    remembered_deliveries: int = 5_000

    @property
    def versions(self) -> dict[str, str]:
        """Digest of the routing tree."""
        return {"routing": self.routing.version}


def processor(reference: RouteReference) -> Processor:
    """The processor of `incident.facts`."""

    def step(state: State, record: Record) -> Outcome:
        """Route one fact; called again after a crash with the same state, and then gives the same bytes."""
        told = attributes(record.headers)
        if told.get("type") != FACT:
            raise Rejected(Code.RECORD_INVALID, "a record of a type that is not read here", "/type")
        if told.get("mode") not in _MODES:
            raise Rejected(Code.RECORD_INVALID, "a fact whose headers name no mode", "/mode")
        fact = _read(record.value)
        if fact["change"]["kind"] == "DeliveryRequested":
            return _again(state, record, told, fact, reference)
        return _routed(state, record, told, fact, reference)

    outboxes = [outbox(who, lane) for who in sorted(reference.routing.recipients) for lane in LANES]
    return Processor(
        name=NAME,
        input=FACTS,
        outputs=(DECISIONS, *outboxes),
        step=step,
        encode=orjson.dumps,
        decode=orjson.loads,
    )


def _read(value: bytes | None) -> dict[str, Any]:
    """A fact as plain data. Only what profiles name is copied from it, so its full validation would buy nothing."""
    try:
        fact: dict[str, Any] = orjson.loads(value or b"")
        if isinstance(fact["fact_id"], str) and isinstance(fact["change"]["kind"], str) and fact["at"]:
            return fact
    except (orjson.JSONDecodeError, KeyError, TypeError):
        pass
    raise Rejected(Code.RECORD_INVALID, "not a fact", "/")


def _routed(
    state: State, record: Record, told: dict[str, str], fact: dict[str, Any], reference: RouteReference
) -> Outcome:
    one = subject(fact, told["mode"])
    allowed(Mode(one.view.mode), reference.mode)
    now = moment(record.timestamp_ms)
    decision = decide(reference.routing, one)
    memory = Deliveries(state, reference.remembered_deliveries)
    outputs: list[Output] = []
    deliveries: dict[str, str] = {}
    left = _left(reference.routing, memory, one, decision.named)
    for named in (*decision.named, *left):
        before = memory.last(one.id, named.recipient)
        urgent = bool(before and before["u"]) or one.view.urgency == Urgency.URGENT
        delivery = _delivery(fact, one, named, reference.routing, now, urgent=urgent)
        sent = _sent(delivery, told, now)
        outputs.append(sent)
        deliveries[named.recipient] = delivery.delivery_id
        text = (sent.value or b"").decode()
        was = None if named in left else _what(one.view)
        memory.keep(one.id, named.recipient, delivery.delivery_id, text, was, urgent=urgent)
    if one.merged_into:
        for recipient in sorted(reference.routing.recipients):
            memory.carry(one.id, one.merged_into, recipient)
    longest = max((named.deadline_seconds for named in decision.named if named.deadline_seconds), default=None)
    rules = (*decision.rules, LEFT) if left else decision.rules
    outputs.append(_decided(fact, one, rules, deliveries, reference.routing.version, longest, told, now))
    return Outcome(outputs, memory.puts, memory.deletes)


def _left(routing: Routing, memory: Deliveries, one: Subject, named: Collection[Named]) -> tuple[Named, ...]:
    """Who was told of the incident, and whom no rule names any more since it is another kind or less urgent.

    They are told what becomes of it, never in silence: as far as they would have been if it were still what it was,
    and no more than the profile `left` names, for the new kind may be none of theirs.
    """
    if one.view.kind not in TOLD_ON:
        return ()
    there, found = {each.recipient for each in named}, []
    for recipient in sorted(routing.recipients):
        known = memory.last(one.id, recipient) if recipient not in there else None
        if known is None or not known.get("v"):
            continue
        category, urgency, flags = known["v"]
        then = one.view._replace(
            category=category, group=category.split(".", 1)[0], urgency=urgency, flags=frozenset(flags)
        )
        if any(each.recipient == recipient for each in routing.decide(then).named):
            found.append(Named(recipient, LEFT, LEFT, None))
    return tuple(found)


def _what(view: View) -> tuple[str, str, list[str]]:
    return view.category, view.urgency, sorted(view.flags)


def _delivery(
    fact: dict[str, Any], one: Subject, named: Named, routing: Routing, now: datetime, *, urgent: bool
) -> Delivery:
    deadline = now + timedelta(seconds=named.deadline_seconds) if named.deadline_seconds else None
    return Delivery(
        delivery_id=derived_id("delivery", fact["fact_id"], named.recipient),
        recipient=named.recipient,
        fact_id=fact["fact_id"],
        subject_id=one.id,
        sequence=one.sequence,
        kind=one.view.kind,
        report_ids=one.report_ids,
        urgency=Urgency.URGENT if urgent else Urgency.ORDINARY,
        mode=Mode(one.view.mode),
        rule=named.rule,
        rules_version=routing.version,
        profile=named.profile,
        decided_at=now,
        deadline_at=deadline,
        body=body(routing, named.profile, one),
    )


def _sent(delivery: Delivery, told: dict[str, str], now: datetime) -> Output:
    lane = LANES[0] if delivery.urgency is Urgency.URGENT else LANES[1]
    incident = {} if delivery.kind.startswith("Notice") else {"incidentid": delivery.subject_id}
    return output(
        outbox(delivery.recipient, lane),
        delivery.subject_id,
        delivery,
        id=delivery.delivery_id,
        part=NAME,
        time=now,
        carried=told,
        extensions={
            "mode": delivery.mode.value,
            "deliveryid": delivery.delivery_id,
            "factid": delivery.fact_id,
            **incident,
            "recipient": delivery.recipient,
            "kind": delivery.kind,
        },
    )


def _decided(
    fact: dict[str, Any],
    one: Subject,
    rules: Collection[str],
    deliveries: dict[str, str],
    version: str,
    longest_seconds: float | None,
    told: dict[str, str],
    now: datetime,
) -> Output:
    payload = RoutingDecided(
        fact_id=fact["fact_id"],
        kind=one.view.kind,
        incident_id=fact.get("incident_id"),
        report_id=one.parts["report"].get("report_id") or fact["change"].get("report_id"),
        rules=tuple(rules),
        rules_version=version,
        deliveries=deliveries,
        decided_at=now,
        deadline_at=now + timedelta(seconds=longest_seconds) if longest_seconds else None,
    )
    ids = {"factid": fact["fact_id"], "kind": one.view.kind, "unit": one.view.unit, "mode": one.view.mode}
    if payload.incident_id:
        ids["incidentid"] = payload.incident_id
    if payload.report_id:
        ids["reportid"] = payload.report_id
    return output(
        DECISIONS,
        fact["fact_id"],
        payload,
        id=derived_id(NAME, fact["fact_id"]),
        part=NAME,
        time=now,
        carried=told,
        extensions=ids,
    )


def _again(
    state: State, record: Record, told: dict[str, str], fact: dict[str, Any], reference: RouteReference
) -> Outcome:
    """Send a delivery again under the same id, whatever it was about.

    What is no longer held, or has no recipient any more, is said so: rule `delivery-forgotten`.
    """
    one = subject(fact, told["mode"])
    now = moment(record.timestamp_ms)
    kept = Deliveries(state, reference.remembered_deliveries).by_id(str(fact["change"].get("delivery_id")))
    outputs: list[Output] = []
    deliveries: dict[str, str] = {}
    delivery = Delivery.model_validate_json(kept) if kept else None
    if kept and delivery and delivery.recipient in reference.routing.recipients:
        outputs.append(_sent(delivery, told, now)._replace(value=kept.encode()))
        deliveries[delivery.recipient] = delivery.delivery_id
    rules = ("delivery-again",) if deliveries else ("delivery-forgotten",)
    outputs.append(_decided(fact, one, rules, deliveries, reference.routing.version, None, told, now))
    return Outcome(outputs)
