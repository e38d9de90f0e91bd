"""A feed goes on while intake, processors and the feed itself are killed: every row ends in one incident, once told."""

import asyncio
import json
import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime, timedelta
from os import kill
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from connectors.webhook.lab import WebhookLab
from ops import kafka, settings
from ops.demo.stage import Stage, quoted, toml
from ops.reading import Reading
from schemas.envelope import attribute
from schemas.topics import FACTS

ROLES = ("intake", "streams")
MAPPING = """\
name: storm
title: A night of our own
unit: storm
clock: records
time: {column: at, zone: Europe/Warsaw}
point: {lat: lat, lon: lon, uncertainty_m: 50}
text: {description: what}
category: {column: kind}
"""


def rows(count: int, seed: int) -> str:
    """A night of our own: one call a second, some of them twice with equal bytes."""
    dice = random.Random(seed)
    start = datetime(2026, 2, 14, 18, tzinfo=UTC)
    lines = ["at,lat,lon,kind,what"]
    for number in range(count):
        at = (start + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S+00:00")
        kind = dice.choice(("traffic.obstruction", "env.weather", "infra.power", "traffic.collision"))
        line = f"{at},{dice.uniform(51.6, 51.9):.4f},{dice.uniform(17.9, 18.4):.4f},{kind},drzewo {number}"
        lines.append(lines[-1] if dice.random() < 0.02 and number else line)
    return "\n".join(lines) + "\n"


class Feeding:
    """The installation under attack, and the feed that is started again until it is done."""

    def __init__(self, stage: Stage, file: Path, mapping: Path, dice: random.Random) -> None:
        self.stage, self.dice = stage, dice
        self.words = ("feed", str(file), "--mapping", str(mapping), "--speed", "60x", "--json", "--wait", "90")
        self.process: asyncio.subprocess.Process | None = None
        self.killed: Counter[str] = Counter()

    async def start(self) -> None:
        """Start the feed, or start it again."""
        self.process = await asyncio.create_subprocess_exec(
            *self.stage.command(*self.words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )

    async def stop(self) -> None:
        """End the feed, whatever it is doing. Also when it has ended."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()

    async def strike(self) -> None:
        """SIGKILL intake, streams or the feed, whichever the dice say; the feed is started again at once."""
        assert self.process is not None
        victim = self.dice.choice((*ROLES, "feed"))
        if victim == "feed":
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.communicate()
            await self.start()
        else:
            told = json.loads((self.stage.folder / "data" / "run" / f"{victim}.json").read_text())
            with suppress(ProcessLookupError):
                kill(told["pid"], signal.SIGKILL)
        self.killed[victim] += 1

    async def finish(self) -> dict[str, Any]:
        """Let the feed come to its end; what it said."""
        assert self.process is not None
        for _ in range(5):
            printed, _ = await self.process.communicate()
            if self.process.returncode == 0:
                return dict(json.loads(printed.decode().strip().splitlines()[-1]))
            await self.start()
        pytest.fail("the feed did not come to its end")


async def under_fire(
    folder: Path, count: int, kills: int, seed: int, stack: AsyncExitStack
) -> tuple[Feeding, WebhookLab]:
    """Feed that many rows while that many processes are killed, then wait until the ledger has nothing in flight."""
    receiver, stage, dice = WebhookLab(), Stage(folder), random.Random(seed)
    await receiver.start()
    stack.push_async_callback(receiver.stop)
    keys = ", ".join(quoted(key) for key in receiver.keys)
    where = f'url = {quoted(receiver.url)}\nallowed_networks = ["127.0.0.0/8"]\nkeys = [{keys}]'
    recipients = [f'connector = "webhook"\nname = "{name}"\n{where}' for name in ("dispatch", "fire", "crisis")]
    sources = ['connector = "desk"\nname = "desk"']
    extra = "[operation]\nrestart_longest_seconds = 2.0\n[streams]\nsession_seconds = 6.0\n"
    stack.push_async_callback(stage.stop)
    text = toml("kills", prefix="kills.", sources=sources, recipients=recipients)
    await stage.start(text.replace("[installation]", extra + "[installation]", 1))
    session = await stack.enter_async_context(aiohttp.ClientSession())
    await stage.ready(session)
    file, mapping = folder / "storm.csv", folder / "storm.yaml"
    file.write_text(rows(count, seed), "utf-8")
    mapping.write_text(MAPPING, "utf-8")
    feeding = Feeding(stage, file, mapping, dice)
    stack.push_async_callback(feeding.stop)
    await feeding.start()
    pause = count / 60 / (kills + 1)
    for _ in range(kills):
        await _passed(dice.uniform(0.6 * pause, 1.4 * pause))
        await feeding.strike()
    return feeding, receiver


async def _passed(seconds: float) -> None:
    """Wait for the moment of the next kill: a schedule, not a synchronisation."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)


async def told(stage: Stage) -> Counter[str]:
    """How many facts with effect each report has."""
    counted: Counter[str] = Counter()
    seen: set[str] = set()
    reading = Reading(kafka.cluster(settings.load(stage.config)), (FACTS,))
    async for _, records in reading.on():
        for record in records:
            fact, kind = attribute(record.headers, "factid"), attribute(record.headers, "kind")
            report = attribute(record.headers, "reportid")
            if fact and report and fact not in seen and kind in ("IncidentOpened", "ReportLinked"):
                seen.add(fact)
                counted[report] += 1
    return counted


async def ledger(stage: Stage, wait_seconds: int) -> dict[str, Any]:
    """What `sztab ledger` says."""
    _, printed = await stage.run("ledger", "--json", "--wait", str(wait_seconds))
    return dict(json.loads(printed.strip().splitlines()[-1]))


@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    ("count", "kills", "seed"),
    [
        (1200, 5, 1),
        pytest.param(4500, 20, 2, marks=pytest.mark.slow),
        pytest.param(4500, 20, 3, marks=pytest.mark.slow),
    ],
)
async def test_nothing_fed_is_lost_or_told_twice_while_processes_are_killed(
    tmp_path: Path, count: int, kills: int, seed: int
) -> None:
    """Every row is in exactly one incident, every fact had one effect, the ledger balances; the verdict can fail."""
    async with AsyncExitStack() as stack:
        feeding, receiver = await under_fire(tmp_path, count, kills, seed, stack)
        said = await feeding.finish()
        account = await ledger(feeding.stage, 120)
        facts = await told(feeding.stage)
        assert said["complete"], said
        assert (account["balanced"], account["in_flight"], account["missing"]) == (True, 0, {}), account
        assert account["accepted"] >= count
        assert len(facts) == count
        assert set(facts.values()) == {1}
        assert receiver.kept
        assert receiver.forged == 0
        _remove_one_row(tmp_path / "data" / "journal")
        assert (await ledger(feeding.stage, 0))["balanced"] is False


def _remove_one_row(journals: Path) -> None:
    """Take one report out of the feed's journal by hand, as a faulty disk would."""
    (file,) = journals.glob("feed-*.db")
    began = time.monotonic()
    while True:
        try:
            with sqlite3.connect(file, timeout=5) as db:
                row = db.execute("SELECT row FROM documents ORDER BY row LIMIT 1 OFFSET 100").fetchone()[0]
                db.execute("DELETE FROM documents WHERE row = ?", (row,))
            db.close()
        except sqlite3.OperationalError:
            assert time.monotonic() - began < 20, "the feed's journal is still locked"
        else:
            return
