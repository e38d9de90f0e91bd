"""What route remembers of its deliveries: urgency that sticks, and sending again."""

from typing import Any

import orjson

from schemas.delivery import RoutingDecided
from schemas.envelope import attribute
from schemas.incident import DeliveryRequested
from schemas.report import Urgency
from schemas.wire import payload
from streams import route_memory
from streams.contract import Output
from streams.route import RouteReference, processor
from tests.streams.facts import issued, opened, summary
from tests.streams.places import Memory
from tests.streams.test_route import small, told


def test_urgency_is_sticky():
    """Once urgent, always urgent for that recipient and incident; another incident is not touched."""
    one = processor(RouteReference(small()))
    memory = Memory(one)
    calm = summary(urgency=Urgency.ORDINARY)
    topics = [
        memory.step(told(fact)).outputs[0].topic
        for fact in (
            opened(fact_id="1", summary=calm),
            opened(fact_id="2"),
            opened(fact_id="3", summary=calm),
            opened(fact_id="4", incident_id="i-2", summary=calm),
        )
    ]
    assert topics == ["outbox.a.routine", "outbox.a.urgent", "outbox.a.urgent", "outbox.a.routine"]


def test_the_same_delivery_goes_again():
    """Asked for again: the same bytes under the same id, and a decision that names it."""
    one = processor(RouteReference(small()))
    memory = Memory(one)
    first = memory.step(told(opened())).outputs[0]
    wanted = attribute(first.headers, "deliveryid") or ""
    change = DeliveryRequested(delivery_id=wanted, actor="reconciler")
    again, decided = memory.step(told(opened(fact_id="f-9", change=change))).outputs
    assert (again.topic, again.key, again.value) == (first.topic, first.key, first.value)
    assert attribute(again.headers, "deliveryid") == wanted
    decision = payload(decided.headers, decided.value)
    assert isinstance(decision, RoutingDecided)
    assert (decision.rules, decision.deliveries) == (("delivery-again",), {"a": wanted})
    unknown = DeliveryRequested(delivery_id="other", actor="reconciler")
    (decided,) = memory.step(told(opened(fact_id="f-10", change=unknown))).outputs
    decision = payload(decided.headers, decided.value)
    assert isinstance(decision, RoutingDecided)
    assert (decision.rules, decision.deliveries) == (("delivery-forgotten",), {})


def asked_again(memory: Memory, delivery_id: str, **changes: Any) -> tuple[tuple[str, ...], list[Output]]:
    """The rules that decide when a delivery is asked for again, and what goes out."""
    change = DeliveryRequested(delivery_id=delivery_id, actor="reconciler")
    *sent, decided = memory.step(told(opened(**{"fact_id": "f-9", "change": change, **changes}))).outputs
    decision = payload(decided.headers, decided.value)
    assert isinstance(decision, RoutingDecided)
    return decision.rules, sent


def test_a_delivery_is_known_by_its_id():
    """Of a forgotten incident the request names none, and a notice is no incident: the delivery's id is enough."""
    memory = Memory(processor(RouteReference(small())))
    for fact in (opened(), issued()):
        first = memory.step(told(fact)).outputs[0]
        wanted = attribute(first.headers, "deliveryid") or ""
        rules, (again,) = asked_again(memory, wanted, incident_id=None, summary=None)
        assert (rules, again.topic, again.value) == (("delivery-again",), first.topic, first.value)


def test_a_delivery_without_its_recipient_is_forgotten():
    """A recipient that was taken out of the tree has no outbox."""
    memory = Memory(processor(RouteReference(small())))
    first = attribute(memory.step(told(opened())).outputs[0].headers, "deliveryid") or ""
    other = small(recipients={"b": {}, "t": {}}, route={"name": "rest", "recipients": ["b"], "profile": "p"})
    memory.processor = processor(RouteReference(other))
    assert asked_again(memory, first) == (("delivery-forgotten",), [])
    memory.processor = processor(RouteReference(small()))
    assert asked_again(memory, first)[0] == ("delivery-again",)


def test_a_delivery_that_others_followed_goes_again():
    """A lost delivery is missed only after the next ones about its incident have gone out: its bytes are still held."""
    memory = Memory(processor(RouteReference(small())))
    first = memory.step(told(opened())).outputs[0]
    memory.step(told(opened(fact_id="f-2")))
    memory.step(told(opened(fact_id="f-3")))
    rules, (again,) = asked_again(memory, attribute(first.headers, "deliveryid") or "")
    assert (rules, again.topic, again.value) == (("delivery-again",), first.topic, first.value)


def test_an_older_state_still_sends_again():
    """A state whose pairs hold the bytes themselves, as they did before deliveries had a ring of their own."""
    memory = Memory(processor(RouteReference(small())))
    first = memory.step(told(opened())).outputs[0]
    wanted = attribute(first.headers, "deliveryid") or ""
    key = next(one for one in memory.values if one.startswith("d|"))
    older = {**memory.get(key), "b": memory.get(f"b|{wanted}")}
    del memory.values[f"b|{wanted}"]
    memory.values |= {key: orjson.dumps(older), f"i|{wanted}": orjson.dumps(key)}
    rules, (again,) = asked_again(memory, wanted)
    assert (rules, again.value) == (("delivery-again",), first.value)
    memory.step(told(opened(fact_id="f-2")))
    assert f"i|{wanted}" not in memory.values


def test_memory_of_deliveries_is_bounded():
    """So many pairs of incident and recipient are kept, and the bytes of so many deliveries, the last ones."""
    memory = Memory(processor(RouteReference(small(), remembered_deliveries=4)))
    sent: list[str] = []
    for number in range(30):
        for name in ("f", "g"):
            outputs = memory.step(told(opened(fact_id=f"{name}-{number}", incident_id=f"i-{number}"))).outputs
            sent.append(attribute(outputs[0].headers, "deliveryid") or "")
    kept = [key for key in memory.values if key.startswith("d|")]
    assert len(kept) == 4
    assert {key for key in memory.values if key.startswith("b|")} == {f"b|{one}" for one in sent[-4:]}
    assert len(memory.values) == 2 * (4 + 4 + 1)
    assert asked_again(memory, sent[-5]) == (("delivery-forgotten",), [])


def test_the_same_fact_again_takes_no_room():
    """A repeat of an older fact pushes no other delivery out."""
    memory = Memory(processor(RouteReference(small(), remembered_deliveries=2)))
    first = opened(fact_id="f-1")
    one = attribute(memory.step(told(first)).outputs[0].headers, "deliveryid") or ""
    memory.step(told(opened(fact_id="f-2")))
    memory.step(told(first))
    assert asked_again(memory, one)[0] == ("delivery-again",)
    assert memory.get("b#") == 2


def test_what_is_in_use_is_not_forgotten():
    """Urgency holds as long as something goes out for the incident, however many others come meanwhile."""
    memory = Memory(processor(RouteReference(small(), remembered_deliveries=4)))
    calm = summary(urgency=Urgency.ORDINARY)
    memory.step(told(opened(incident_id="long")))
    for number in range(30):
        memory.step(told(opened(fact_id=f"f-{number}", incident_id=f"i-{number}", summary=calm)))
        sent = memory.step(told(opened(fact_id=f"g-{number}", incident_id="long", summary=calm))).outputs[0]
        assert sent.topic == "outbox.a.urgent"
    for number in range(8):
        memory.step(told(opened(fact_id=f"h-{number}", incident_id=f"j-{number}", summary=calm)))
    sent = memory.step(told(opened(fact_id="end", incident_id="long", summary=calm))).outputs[0]
    assert sent.topic == "outbox.a.routine", "nothing went out for it while all the others came"


def test_one_step_forgets_within_bounds(monkeypatch):
    """Where everything is in use the hand looks at so many slots and takes the last of them."""
    monkeypatch.setattr(route_memory, "LOOKS", 3)
    memory = Memory(processor(RouteReference(small(), remembered_deliveries=8)))
    for lap in range(2):
        for number in range(8):
            memory.step(told(opened(fact_id=f"{lap}-{number}", incident_id=f"i-{number}")))
    memory.step(told(opened(fact_id="new", incident_id="new")))
    assert {f"i-{number}" for number in range(8) if f"d|i-{number}|a" not in memory.values} == {"i-2"}


def test_more_recipients_than_are_remembered():
    """A step that forgets what it has just remembered leaves its state whole."""
    routing = small(route={"name": "rest", "recipients": ["a", "b"], "profile": "p"})
    memory = Memory(processor(RouteReference(routing, remembered_deliveries=1)))
    for number in range(3):
        outputs = memory.step(told(opened(fact_id=f"f-{number}"))).outputs
        assert [one.topic for one in outputs[:2]] == ["outbox.a.urgent", "outbox.b.urgent"]
        assert len(memory.values) == 6
