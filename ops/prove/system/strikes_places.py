"""Faults of disks: power lost, no room, a bit flipped, yesterday's backup put back."""

import asyncio
import shutil
import signal
import sqlite3
import time
from pathlib import Path
from typing import Final

import orjson

from connectors.journal_reader import JournalReader
from ops import runtime
from ops.backup import back_up
from ops.prove.system.battle import LOOK_SECONDS, Battle, producer
from ops.prove.system.configured import SOURCES
from ops.prove.system.field import SMALL
from ops.prove.system.load import Listed, Message
from ops.prove.system.role import FSYNC
from ops.prove.unsynced import fill_disk, free_disk, lose_power
from ops.restore import restore as put_back

LOSSES: Final = 4
FULL_SECONDS: Final = 6.0
LARGE: Final = 30
LARGE_BYTES: Final = 300_000
REFUSED: Final = 503
REACHED_SECONDS: Final = 20.0
FLIPS: Final = 3
PUBLISHED: Final = 1
BROKER_SECONDS: Final = 30.0


async def power_loss(battle: Battle) -> None:
    """Each node loses power between write and fsync; what was not synced is gone when it comes back."""
    lost = 0
    for turn in range(LOSSES):
        node = turn % 2 + 1
        name = f"intake-{node}"
        await battle.field.kill(name)
        child = battle.field.again(name, armed=(FSYNC, battle.dice.randint(20, 120)))
        child.kept = False  # not before its files are what the disk kept
        if not await battle.field.ended(name, REACHED_SECONDS):
            battle.missed.append(f"{name} did not come to its fsync")
            await battle.field.kill(name)
        place = runtime.journal_file(battle.field.settings(node)).parent
        told = await asyncio.to_thread(lose_power, place, Path(battle.field.images(node)), battle.dice)
        lost += told.writes
        battle.struck(f"{name} lost power, {told.writes} writes with it")
        battle.field.again(name)
        await asyncio.sleep(battle.dice.uniform(1.0, 3.0))
    battle.notes["writes_lost"] = lost
    if not lost:
        battle.missed.append("no unsynced write was lost: nothing is proved")


async def disk_full(battle: Battle) -> None:
    """Each node's disk is full for a while: refused with 503 and Retry-After, and taken again when there is room."""
    for node in (1, 2):
        await asyncio.sleep(2)
        images, began = Path(battle.field.images(node)), time.time()
        fill_disk(images)
        large = [_large(f"{battle.run}-large-{node}-{number}", battle) for number in range(LARGE)]
        one = producer(battle, Listed(f"{battle.run}-large-{node}", large), LARGE / FULL_SECONDS, prefer=node - 1)
        battle.producers.append(one)
        playing = asyncio.create_task(one.play())
        await asyncio.sleep(FULL_SECONDS)
        free_disk(images)
        battle.struck(f"the disk of intake-{node} is full", until=time.time(), at=began)
        await playing
        if not any(attempt.status == REFUSED for told in one.operations for attempt in told.attempts):
            battle.missed.append(f"nothing was refused while the disk of intake-{node} was full")
    if battle.field.shape.small_disk:
        await _broker_full(battle)


async def _broker_full(battle: Battle) -> None:
    """The disk of one broker is full: it ends, as Kafka does; the others go on. With room again it comes back."""
    began = time.time()
    await asyncio.to_thread(battle.field.disk.fill)
    while await asyncio.to_thread(battle.field.kafka.process_id, SMALL) is not None:
        if time.time() > began + BROKER_SECONDS:
            battle.missed.append("a broker with a full disk did not notice")
            break
        await asyncio.sleep(LOOK_SECONDS)
    await asyncio.to_thread(battle.field.disk.empty)
    await asyncio.to_thread(battle.field.kafka.kill, SMALL)
    await asyncio.to_thread(battle.field.kafka.start, SMALL)
    battle.struck(f"the disk of broker {SMALL} is full", until=time.time(), at=began)


def _large(far_id: str, battle: Battle) -> Message:
    """A form that the file must grow for."""
    source, form = SOURCES[0], {"cpr_id": far_id, "revision": 1, "category": "crime.theft", "notes": "x" * LARGE_BYTES}
    place = {"lat": round(battle.dice.uniform(51.6, 51.9), 5), "lon": round(battle.dice.uniform(17.9, 18.4), 5)}
    return Message("new", source, far_id, f"{source}|{far_id}|1", orjson.dumps({**form, "place": place}))


async def bit_flip(battle: Battle) -> None:
    """Bits flip in a journal at rest: each damaged row is named, the rest is served."""
    await asyncio.sleep(5)
    await battle.field.kill("intake-2", signal.SIGTERM)
    file, key = runtime.journal_file(battle.field.settings(2)), battle.field.key()
    flipped = await asyncio.to_thread(_flip, file, battle)
    named = await asyncio.to_thread(_damaged, file, key)
    battle.struck(f"{len(flipped)} bits flipped in the journal of intake-2")
    if not flipped or named != flipped:
        battle.missed.append(f"rows {sorted(flipped)} were damaged, {sorted(named)} are named")
    battle.field.again("intake-2")


def _flip(file: Path, battle: Battle) -> set[int]:
    """Flip one bit in the sealed bytes of some published rows, in the raw file; their numbers."""
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        text = "SELECT row, body FROM documents JOIN bodies USING (row) WHERE state = ? ORDER BY row DESC LIMIT 200"
        rows = db.execute(text, (PUBLISHED,)).fetchall()
    db.close()
    content = bytearray(file.read_bytes())
    found = set()
    for row, body in battle.dice.sample(rows, min(FLIPS, len(rows))):
        at = content.find(body[:64])
        if at >= 0:
            content[at + battle.dice.randrange(64)] ^= 1 << battle.dice.randrange(8)
            found.add(row)
    file.write_bytes(content)
    return found


def _damaged(file: Path, key: bytes) -> set[int]:
    reader = JournalReader(file, key)
    try:
        return {fault.row for fault in reader.verify()}
    finally:
        reader.close()


async def restore(battle: Battle) -> None:
    """A node's journal is destroyed and an older backup put back: nothing is dispatched again, the gap is named."""
    await asyncio.sleep(4)
    settings, folder = battle.field.settings(1), battle.field.folder / f"backup-{battle.run}"
    await asyncio.to_thread(back_up, settings, folder, battle.field.configs[1])
    await asyncio.sleep(4)
    # Asked to stop it publishes what it holds: what stood on the lost disk alone would be lost with it.
    await battle.field.kill("intake-1", signal.SIGTERM)
    await asyncio.to_thread(shutil.rmtree, runtime.journal_file(settings).parent)
    found = await asyncio.to_thread(put_back, settings, folder)
    battle.also_aside += found.held + 1
    battle.notes["held"] = found.held
    battle.struck(f"yesterday's journal put back, {found.held} rows held")
    battle.field.again("intake-1")
