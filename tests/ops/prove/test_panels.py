"""The panels of a proof speak the real protocol: the connector reads from a frame what the harness says of it."""

import asyncio
import random
from collections import Counter
from contextlib import suppress

from connectors.contract import Accepted, Document, Held
from connectors.sia_dc09.settings import SiaSettings
from connectors.sia_dc09.source import SiaSource
from connectors.sia_dc09.translate import translate
from ops.prove.system.configured import PANELS
from ops.prove.system.history import FAIL, INFO, OK
from ops.prove.system.panels import PanelScript, dial


def test_what_a_panel_tells_is_what_the_connector_reads() -> None:
    """One event for each message, under the far id by which the judge will know it; one in ten is a repeat."""
    script = PanelScript("run-panels", random.Random(1))
    messages = [script.next() for _ in range(500)]
    for one in messages:
        (told,) = translate(Document(one.body, "application/sia-dc09"), SiaSettings(name=PANELS)).events
        assert one.identity == f"{PANELS}|{told.far_id}|"
    counted = Counter(one.what for one in messages)
    assert 20 < counted["duplicate"] < 90
    assert len({one.identity for one in messages}) == counted["new"]


def test_two_runs_never_tell_the_same() -> None:
    """Account, number and second may be the same in another run of the installation; the line is not."""
    first, second = (PanelScript(f"none-{seed}-panels", random.Random(1)) for seed in (1, 2))
    assert first.next().identity != second.next().identity


async def test_a_call_is_acknowledged_once_it_is_kept() -> None:
    """ACK: done. Nobody listens: nothing was sent. Hung up on: unknown."""
    source = SiaSource(SiaSettings(name=PANELS))
    await source.connect()
    address = f"127.0.0.1:{source.port}"
    message = PanelScript("run", random.Random(1)).next()

    async def intake() -> None:
        batch = await source.read(None)
        assert [one.body for one in batch.documents] == [message.body]
        assert batch.settle is not None
        await batch.settle(batch.documents[0], Accepted("d", Held.JOURNAL, ("r",)))

    heard, _ = await asyncio.gather(dial(message, address), intake())
    assert (heard.attempt.outcome, heard.attempt.status) == (OK, 200)
    await source.close()
    assert (await dial(message, address)).attempt.outcome == FAIL

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await dial(message, f"127.0.0.1:{port}")).attempt.outcome == INFO
