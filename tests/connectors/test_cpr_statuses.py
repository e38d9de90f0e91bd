"""The call centre as a recipient: the sink contract, and statuses by form."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.cpr import CONNECTOR
from connectors.cpr.sink import CprStatusSink
from connectors.cpr.sink_lab import CprStatusLab, Heard
from connectors.cpr.sink_settings import CprStatusSettings
from connectors.cpr.statuses import AFTER, BY_STATE, CprStatus, follows, sayings
from schemas.delivery import Delivery
from schemas.summary import IncidentState
from tests.contract.sink_suite import SinkContract, Stage, delivery


class TestCprStatuses(SinkContract):
    """The whole contract of the sink half."""

    connector = CONNECTOR
    sink_lab = CprStatusLab

    async def marks(self, stage: Stage, these: list[Delivery]) -> list[str]:
        """The centre keeps statuses, not deliveries."""
        return [one.id for item in these for one in sayings(item)]


def change(number: int, state: str, *forms: str, **summary: Any) -> Delivery:
    """A delivery of an incident in that state, with these forms; the last one is what came."""
    references = [{"system": "cpr_id", "id": form} for form in forms] + [{"system": "jed", "id": "J-1"}]
    body = {"report": came("cpr", forms[-1]), "summary": {"state": state, "references": references, **summary}}
    return delivery(number).model_copy(update={"body": body})


def came(far_system: str, cpr_id: str, far_id: str | None = None) -> dict[str, Any]:
    """A report that names this form; without another id of its own it is the form."""
    references = [{"system": "cpr_id", "id": cpr_id}]
    return {"far_system": far_system, "far_id": far_id or cpr_id, "told": {"references": references}}


async def told(*deliveries: Delivery, far_system: str = "") -> list[tuple[str, str]]:
    """What a centre hears of these deliveries, in order."""
    lab = CprStatusLab()
    await lab.start()
    sink = CprStatusSink(lab.settings().model_copy(update={"far_system": far_system}))
    await sink.connect()
    for one in deliveries:
        await sink.write(one)
    await sink.close()
    await lab.stop()
    return [(one.cpr_id, one.status) for one in lab.heard]


async def test_a_form_hears_its_life() -> None:
    """DELIVERED, ACCEPTED, DISPATCHED, ON_SCENE, ENDED, each once, however many changes bring them."""
    states = ["open", "open", "accepted", "accepted", "dispatched", "on-scene", "on-scene", "ended"]
    heard = await told(*(change(n, state, "A") for n, state in enumerate(states)))
    assert heard == [("A", s) for s in ("DELIVERED", "ACCEPTED", "DISPATCHED", "ON_SCENE", "ENDED")]


async def test_statuses_are_keyed_by_form() -> None:
    """A second form that joins an accepted incident hears ACCEPTED; the first hears nothing twice."""
    heard = await told(change(1, "open", "A"), change(2, "accepted", "A"), change(3, "accepted", "A", "B"))
    assert heard == [("A", "DELIVERED"), ("A", "ACCEPTED"), ("B", "ACCEPTED")]


async def test_a_form_that_never_came_is_not_called_delivered() -> None:
    """The officer typed its number, or the incident has it from elsewhere: DELIVERED would end the centre's watch."""
    call = change(1, "open", "A")
    typed = call.model_copy(update={"body": call.body | {"report": came("desk", "A", far_id="entry-7")}})
    silent = call.model_copy(update={"body": {"summary": call.body["summary"]}})
    assert await told(typed, silent) == []
    assert await told(typed, change(2, "open", "A"), change(3, "open", "A", "B")) == [
        ("A", "DELIVERED"),
        ("B", "DELIVERED"),
    ]


async def test_what_becomes_of_a_matter_is_told_by_its_number() -> None:
    """The form was passed by telephone: that the matter was accepted is true whoever named its number."""
    accepted = change(1, "accepted", "A")
    typed = accepted.model_copy(update={"body": accepted.body | {"report": came("desk", "A", far_id="entry-7")}})
    assert await told(typed) == [("A", "ACCEPTED")]


async def test_each_of_two_centres_hears_of_its_own_forms_alone() -> None:
    """Also later, when a change names the incident's numbers without saying whose they are."""
    first, second, third = change(1, "open", "A"), change(2, "open", "A", "B"), change(3, "accepted", "A", "B")
    life = (
        first.model_copy(update={"body": first.body | {"report": came("cpr-a", "A")}}),
        second.model_copy(update={"body": second.body | {"report": came("cpr-b", "B")}}),
        third.model_copy(update={"body": {"summary": third.body["summary"]}}),
    )
    assert await told(*life, far_system="cpr-a") == [("A", "DELIVERED"), ("A", "ACCEPTED")]
    assert await told(*life, far_system="cpr-b") == [("B", "DELIVERED"), ("B", "ACCEPTED")]


async def test_a_number_that_two_centres_use_is_told_to_both() -> None:
    """Two centres number by themselves; better told twice than not at all."""
    ours, theirs, accepted = change(1, "open", "A"), change(2, "open", "A"), change(3, "accepted", "A")
    life = (
        ours.model_copy(update={"body": ours.body | {"report": came("cpr-a", "A")}}),
        theirs.model_copy(update={"body": theirs.body | {"report": came("cpr-b", "A")}}),
        accepted.model_copy(update={"body": {"summary": accepted.body["summary"]}}),
    )
    assert await told(*life, far_system="cpr-a") == [("A", "DELIVERED"), ("A", "ACCEPTED")]
    assert await told(*life, far_system="cpr-b") == [("A", "DELIVERED"), ("A", "ACCEPTED")]


async def test_a_refusal_carries_its_reason_and_a_reopening_says_nothing_backwards() -> None:
    """REFUSED with the reason; reopened is not DELIVERED again, but its acceptance is told."""
    refused = change(2, "refused", "A", refused_reason="not a police matter")
    assert sayings(refused)[0].reason == "not a police matter"
    reopened = change(3, "open", "A", refused_reason="not a police matter")
    heard = await told(change(1, "open", "A"), refused, reopened, change(4, "accepted", "A"))
    assert heard == [("A", "DELIVERED"), ("A", "REFUSED"), ("A", "ACCEPTED")]


def test_the_time_is_the_stages_and_the_id_follows_from_it() -> None:
    """Two deliveries of one acceptance say the same thing under the same id, so that a repeat changes nothing."""
    stages = [{"stage": "accepted_at", "at": "2026-11-24T12:00:05Z", "how": "measured", "by": "officer"}]
    first, second = (sayings(change(n, "accepted", "A", stages=stages))[0] for n in (2, 7))
    assert first.at == datetime(2026, 11, 24, 12, 0, 5, tzinfo=UTC)
    assert first.id == second.id
    assert sayings(change(2, "accepted", "B", stages=stages))[0].id != first.id


@pytest.mark.parametrize("body", [{}, {"summary": {}}, {"summary": {"state": "open"}}, {"summary": {"state": "x"}}])
def test_without_form_or_state_nothing_is_said(body: dict[str, Any]) -> None:
    """An incident that no form belongs to is none of the centre's business."""
    assert sayings(delivery(1).model_copy(update={"body": body})) == ()


def test_every_state_and_every_pair_of_statuses_is_decided() -> None:
    """The tables have a cell for each state and each pair; nothing follows itself, nothing becomes DELIVERED."""
    assert set(BY_STATE) == set(IncidentState)
    assert set(AFTER) == {None, *CprStatus}
    for last in CprStatus:
        for status in CprStatus:
            expected = status in AFTER[last]
            assert follows(last, status) is expected
            assert not (expected and (status is last or status is CprStatus.DELIVERED))
    assert all(follows(None, status) for status in CprStatus)


async def test_switched_off_nothing_is_sent_and_the_receipt_says_so() -> None:
    """`answers_cpr` is off by default: the receipt is no delivery, and the centre hears nothing."""
    lab = CprStatusLab()
    await lab.start()
    told_off = lab.settings().model_dump(exclude={"answers_cpr", "keys"}) | {"keys": lab.keys}
    sink = CprStatusSink(CprStatusSettings.model_validate(told_off))
    await sink.connect()
    receipt = await sink.write(change(1, "open", "A"))
    await sink.close()
    await lab.stop()
    assert (receipt.superseded, receipt.far_reference) == (True, "answers_cpr is off: nothing was sent")
    assert not receipt.sent
    assert lab.heard == []
    assert Heard("A", "DELIVERED") not in lab.heard


def test_a_recipient_without_credentials_is_refused() -> None:
    """Statuses never go out unsigned and without a token."""
    with pytest.raises(ValidationError, match="token or a signing key"):
        CprStatusSettings(name="x", url="https://cpr.example/")
