"""The listener: what panels are answered, when, and what those get who mean harm."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.contract import Accepted, Document, Held, Refused
from connectors.sia_dc09.frame import framed, read, wired
from connectors.sia_dc09.lab import Panel, message
from connectors.sia_dc09.settings import SiaSettings
from connectors.sia_dc09.source import NOISE, SiaSource
from connectors.sia_dc09.translate import translate
from schemas.errors import Code, Unavailable
from tests.waiting import until

NOW = datetime(2026, 2, 14, 18, 0, tzinfo=UTC)
KEPT = Accepted("document", Held.JOURNAL)


class Desk:
    """Our side behind the source: keeps documents, answers as it is told."""

    def __init__(self, source: SiaSource) -> None:
        self.source = source
        self.documents: list[Document] = []
        self.settled: Any = KEPT
        self.go = asyncio.Event()
        self.go.set()

    async def work(self) -> None:
        """Take batch after batch."""
        while True:
            batch = await self.source.read(None)
            for document in batch.documents:
                self.documents.append(document)
                await self.go.wait()
                assert batch.settle is not None
                await batch.settle(document, self.settled)


@asynccontextmanager
async def listening(**changes):
    """A listening source with a desk behind it, at a fixed time."""
    source = SiaSource(SiaSettings.model_validate({"name": "panels", **changes}), lambda: NOW)
    await source.connect()
    desk = Desk(source)
    work = asyncio.create_task(desk.work())
    try:
        yield desk
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await source.close()


@asynccontextmanager
async def dialled(desk: Desk, **changes):
    """A panel on the line."""
    panel = Panel("127.0.0.1", desk.source.port, **changes)
    try:
        yield panel
    finally:
        await panel.hang_up()


async def test_the_answer_waits_for_the_journal():
    """No ACK before the document is settled; then one that echoes the message."""
    async with listening() as desk, dialled(desk) as panel:
        desk.go.clear()
        raw = message(sequence=7, stamp=NOW)
        asked = asyncio.create_task(panel.say(raw))
        await until(lambda: desk.documents)
        assert not asked.done()
        desk.go.set()
        assert await asked == framed('"ACK"0007L0#1234[]')
        assert desk.documents[0].body == raw[1:-1]


async def test_what_is_not_kept_is_not_answered():
    """A full journal: the panel hears nothing and sends again; then it is acknowledged."""
    async with listening() as desk, dialled(desk) as panel:
        desk.settled = Refused(Code.JOURNAL_FULL, "full")
        assert await panel.say(message(stamp=NOW), wait_seconds=0.2) == b""
        desk.settled = KEPT
        assert b'"ACK"' in await panel.say(message(stamp=NOW))
        assert [(one.body, one.occurrence) for one in desk.documents[:1]] == [
            (one.body, one.occurrence) for one in desk.documents[1:]
        ]


async def test_what_is_set_aside_is_answered_with_duh():
    """Undamaged, kept in quarantine, not processed: 5.5.3.3. So are encrypted messages."""
    async with listening() as desk, dialled(desk) as panel:
        desk.settled = Refused(Code.NOT_UNDERSTOOD, "?", "", "document")
        assert await panel.say(message(kind="SIA-PUL", stamp=NOW)) == framed('"DUH"0001L0#1234[]')
        desk.settled = KEPT
        assert await panel.say(framed('"*NULL"0000R0L0#AAAB[B4BC8B40')) == framed('"DUH"0000R0L0#AAAB[]')


async def test_a_damaged_message_is_kept_and_not_answered():
    """The panel sends again; a person may look at what came."""
    async with listening() as desk, dialled(desk) as panel:
        desk.settled = Refused(Code.CRC_MISMATCH, "crc", "", "document")
        damaged = b"\n0000" + message(stamp=NOW)[5:]
        assert await panel.say(damaged, wait_seconds=0.2) == b""
        assert len(desk.documents) == 1
        desk.settled = KEPT
        assert b'"ACK"' in await panel.say(message(stamp=NOW))


async def test_an_alarm_with_a_letter_outside_ascii_is_kept_and_answered():
    """Undamaged: acknowledged. Damaged: kept in front of a person like any damaged message, and not answered."""
    async with listening() as desk, dialled(desk) as panel:
        raw = wired(b'"SIA-DCS"0007L0#1234[#1234|Nri1/BA1^\xa3AZIENKA^]')
        assert await panel.say(raw) == framed('"ACK"0007L0#1234[]')
        desk.settled = Refused(Code.CRC_MISMATCH, "crc", "", "document")
        assert await panel.say(b"\n0000" + raw[5:], wait_seconds=0.2) == b""
        assert len(desk.documents) == 2


async def test_a_wrong_clock_is_told_our_time_once_and_loses_nothing():
    """NAK with our time, the event kept; the same clock again within ten minutes is acknowledged."""
    async with listening() as desk, dialled(desk) as panel:
        wrong = NOW - timedelta(hours=1)
        assert await panel.say(message(sequence=1, stamp=wrong)) == framed('"NAK"0000R0L0A0[]_18:00:00,02-14-2026')
        assert await panel.say(message(sequence=2, stamp=wrong)) == framed('"ACK"0002L0#1234[]')
        assert b'"NAK"' in await panel.say(message(sequence=1, stamp=wrong, account="77FF"))
        assert len(desk.documents) == 3


async def test_the_test_of_the_clock_can_be_switched_off():
    """Then a wrong clock is a finding only."""
    async with listening(stamp_failed="ack") as desk, dialled(desk) as panel:
        assert b'"ACK"' in await panel.say(message(stamp=NOW - timedelta(hours=1)))


async def test_a_message_without_a_time_stamp_is_no_failure():
    """The stamp is optional in unencrypted messages."""
    async with listening() as desk, dialled(desk) as panel:
        assert b'"ACK"' in await panel.say(message())


async def test_repeats_are_told_from_new_events():
    """With a good time stamp the bytes tell; without one equal bytes soon after are one; a link test is always new."""
    async with listening() as desk, dialled(desk) as panel:
        times = iter(range(100))
        desk.source._now = lambda: NOW + timedelta(seconds=next(times))
        for raw in (message(stamp=NOW), message(), message(kind="NULL", data="")):
            for _ in range(2):
                assert await panel.say(raw)
        shown = [one.occurrence for one in desk.documents]
        assert shown[0] == shown[1] == ""
        assert shown[2] == shown[3] != ""
        assert shown[4] != shown[5]
        desk.source._now = lambda: NOW + timedelta(hours=1)
        await panel.say(message())
        assert desk.documents[-1].occurrence != shown[2]


@pytest.mark.parametrize(
    ("first", "again"), [(35, 45), (45, 55), (-25, -15)], ids=["behind at last", "behind", "ahead at first"]
)
async def test_a_message_sent_again_stays_what_it_was(first, again):
    """Its time stamp comes to be too old, or near enough, while it is repeated: one document with one meaning."""
    stamp = NOW
    async with listening(stamp_failed="ack") as desk, dialled(desk) as panel:
        for seconds in (first, again):
            desk.source._now = lambda seconds=seconds: stamp + timedelta(seconds=seconds)
            assert b'"ACK"' in await panel.say(message(stamp=stamp))
        one, two = desk.documents
        assert (one.occurrence, one.context) == (two.occurrence, two.context)
        settings = SiaSettings(name="panels")
        assert translate(one, settings) == translate(two, settings)


async def test_a_clock_that_was_right_at_first_is_not_told_our_time():
    """The panel had to send again because we were slow: its clock is none the worse."""
    async with listening() as desk, dialled(desk) as panel:
        desk.source._now = lambda: NOW + timedelta(seconds=35)
        desk.settled = Refused(Code.JOURNAL_FULL, "full")
        assert await panel.say(message(stamp=NOW), wait_seconds=0.2) == b""
        desk.source._now = lambda: NOW + timedelta(seconds=45)
        desk.settled = KEPT
        assert await panel.say(message(stamp=NOW)) == framed('"ACK"0001L0#1234[]')


async def test_many_panels_at_once_are_each_answered():
    """Twenty lines, five messages each, every answer on its own line."""
    async with listening() as desk:

        async def report(number: int) -> list[str]:
            async with dialled(desk, account=f"{number:04d}") as panel:
                answers = [
                    await panel.say(message(account=f"{number:04d}", sequence=one, stamp=NOW)) for one in range(1, 6)
                ]
            return [f"{read(one[1:-1]).kind}{read(one[1:-1]).sequence}{read(one[1:-1]).account}" for one in answers]

        found = await asyncio.gather(*(report(number) for number in range(20)))
        assert found == [[f"ACK{one:04d}{number:04d}" for one in range(1, 6)] for number in range(20)]
        assert len(desk.documents) == 100


async def test_two_messages_in_one_packet_are_both_answered():
    """In their order."""
    async with listening() as desk, dialled(desk) as panel:
        first = await panel.say(message(sequence=1, stamp=NOW) + message(sequence=2, stamp=NOW))
        assert first == framed('"ACK"0001L0#1234[]')
        assert await panel.say(b"\n\r") == framed('"ACK"0002L0#1234[]')


async def test_noise_is_neither_kept_nor_answered_and_ends_the_line():
    """What is no frame of this protocol: HTTP, letters, bytes."""
    async with listening() as desk, dialled(desk) as panel:
        assert await panel.say(b"GET / HTTP/1.1\r" * (NOISE + 1)) == b""
        assert desk.documents == []
        assert b'"ACK"' in await panel.say(message(stamp=NOW))


async def test_a_frame_that_is_too_long_ends_the_line():
    """Memory stays bounded."""
    async with listening(max_bytes=256) as desk, dialled(desk) as panel:
        assert await panel.say(b"\n" + b"A" * 5_000) == b""
        assert desk.documents == []
        assert b'"ACK"' in await panel.say(message(stamp=NOW))


async def test_a_frame_that_trickles_ends_the_line():
    """Slowloris holds no line."""
    async with listening(frame_seconds=0.1) as desk:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.source.port)
        writer.write(b"\n12")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_an_idle_line_ends():
    """Its place is for others."""
    async with listening(idle_seconds=0.05) as desk:
        reader, writer = await asyncio.open_connection("127.0.0.1", desk.source.port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_one_address_has_only_so_many_lines():
    """The next one is turned away, and the others go on."""
    async with listening(lines_per_peer=2) as desk, dialled(desk) as one, dialled(desk) as two, dialled(desk) as three:
        assert await one.say(message(sequence=1, stamp=NOW))
        assert await two.say(message(sequence=2, stamp=NOW))
        assert await three.say(message(sequence=3, stamp=NOW)) == b""
        assert await one.say(message(sequence=4, stamp=NOW))


async def test_only_allowed_networks_are_heard():
    """A call from elsewhere is closed unread."""
    async with listening(allowed_networks=["10.20.0.0/16"]) as desk, dialled(desk) as panel:
        assert await panel.say(message(stamp=NOW)) == b""
        assert desk.documents == []


def test_beyond_loopback_it_wants_to_know_who_may_call():
    """The protocol has no credentials."""
    with pytest.raises(ValueError, match="allowed_networks"):
        SiaSettings(name="x", host="0.0.0.0")  # noqa: S104 - refused, that is the point
    guarded = SiaSettings(name="x", host="0.0.0.0", allowed_networks=("10.20.0.0/16",))  # noqa: S104 - likewise
    assert guarded.allowed_networks == ("10.20.0.0/16",)


async def test_an_address_that_is_taken_is_unavailable():
    """The runner tries again."""
    async with listening() as desk:
        other = SiaSource(SiaSettings(name="other", port=desk.source.port))
        with pytest.raises(Unavailable):
            await other.connect()
        await other.close()


async def test_a_panel_goes_on_over_our_outage():
    """Closed and opened again on the same port: the event that was not acknowledged comes again."""
    async with listening() as desk, dialled(desk) as panel:
        desk.go.clear()
        asked = asyncio.create_task(panel.say(message(stamp=NOW)))
        await until(lambda: desk.documents)
        port = desk.source.port
        await desk.source.close()
        assert await asked == b""
        await desk.source.connect()
        assert desk.source.port == port
        desk.go.set()
        assert b'"ACK"' in await panel.say(message(stamp=NOW))
