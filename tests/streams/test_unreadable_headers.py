"""A header that is null or no text is no step's bug: the record is set aside as `record-invalid`."""

from typing import Any

import pytest

from schemas.delivery import Quarantined
from schemas.errors import Code, Rejected
from schemas.feed import FeedState, FeedStatus
from schemas.model import Message
from schemas.topics import COMMANDS, FACTS, FEEDS, LOG, POLICE
from schemas.wire import payload
from streams import incidents, normalise, route, watch
from streams.contract import Output, Processor, Record
from streams.quarantine import quarantined
from tests.schemas.samples import AT
from tests.streams import incident_log
from tests.streams.facts import opened
from tests.streams.places import on_topic, reference, report
from tests.streams.test_route import small

UNREADABLE = [pytest.param(b"\xff", id="no UTF-8"), pytest.param(None, id="null")]
COMMAND = incident_log.command("c-1", "accept", "i-1")


def status() -> FeedStatus:
    """What a node says of a feed."""
    return FeedStatus(feed="cpr", system="cpr", node="n", state=FeedState.UP, since=AT, said_at=AT)


STEPS: dict[str, tuple[Processor, Message]] = {
    "normalise": (normalise.processor(POLICE, reference()), report()),
    "normalise, a command": (normalise.processor(COMMANDS, reference()), COMMAND),
    "incidents": (incidents.processor(incident_log.reference()), incident_log.report("r-1")),
    "route": (route.processor(route.RouteReference(small())), opened()),
    "watch": (watch.processor(watch.WatchReference()), status()),
}


def came(record: Record, name: str, raw: bytes | None) -> Record:
    """The record with this header instead of its own of that name, or beside the others."""
    return record._replace(headers=(*((key, one) for key, one in record.headers if key != name), (name, raw)))


def stepped(processor: Processor, record: Record) -> Any:
    """What the step gives from an empty state."""
    return processor.step({}, record)


@pytest.mark.parametrize("raw", UNREADABLE)
@pytest.mark.parametrize("name", ["ce_type", "ce_id", "ce_traceparent", "ce_unit"])
@pytest.mark.parametrize("step", STEPS)
def test_a_header_that_is_no_text_rejects_the_record(step: str, name: str, raw: bytes | None) -> None:
    """Rejected, so that neighbours go on and the breaker for bugs does not count it; quarantine takes the record."""
    processor, message = STEPS[step]
    record = came(on_topic(message, processor.input, reportid="r-1", mode="real"), name, raw)
    with pytest.raises(Rejected) as caught:
        stepped(processor, record)
    assert caught.value.code is Code.RECORD_INVALID
    aside = quarantined(processor.name)(record, caught.value)
    told = payload(aside.headers, aside.value)
    assert isinstance(told, Quarantined)
    assert (told.code, told.report_id, told.record) == (Code.RECORD_INVALID, "r-1", record.value)


@pytest.mark.parametrize("raw", UNREADABLE)
@pytest.mark.parametrize("step", STEPS)
def test_a_foreign_header_may_be_anything(step: str, raw: bytes | None) -> None:
    """What is no attribute of a CloudEvent is not looked at; no output carries a null header, which no batch takes."""
    processor, message = STEPS[step]
    plain = on_topic(message, processor.input, mode="real")
    outcome = stepped(processor, came(plain, "x-foreign", raw))
    assert [without(one, "x-foreign") for one in outcome.outputs] == list(stepped(processor, plain).outputs)
    assert all(text is not None for one in outcome.outputs for _, text in one.headers)


def without(output: Output, name: str) -> Output:
    """The output without a header."""
    return output._replace(headers=tuple(pair for pair in output.headers if pair[0] != name))


def test_a_tombstone_of_a_feed_that_cannot_be_named_is_rejected() -> None:
    """The name of a feed is text; a key that is none is nobody's."""
    processor = STEPS["watch"][0]
    record = on_topic(status(), FEEDS)._replace(key=b"\xff", value=None)
    with pytest.raises(Rejected) as caught:
        stepped(processor, record)
    assert caught.value.code is Code.RECORD_INVALID


def test_the_samples_are_whole() -> None:
    """Each of the records above steps where nothing is wrong with it."""
    assert {one.input for one, _ in STEPS.values()} >= {POLICE, COMMANDS, LOG, FACTS, FEEDS}
    for processor, message in STEPS.values():
        stepped(processor, on_topic(message, processor.input, mode="real"))
