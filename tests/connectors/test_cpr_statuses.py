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
    """A delivery of an incident in that state, with these forms."""
    references = [{"system": "cpr_id", "id": form} for form in forms] + [{"system": "jed", "id": "J-1"}]
    body = {"summary": {"state": state, "references": references, **summary}}
    return delivery(number).model_copy(update={"body": body})


async def told(*deliveries: Delivery) -> list[tuple[str, str]]:
    """What a centre hears of these deliveries, in order."""
    lab = CprStatusLab()
    await lab.start()
    sink = CprStatusSink(lab.settings())
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
