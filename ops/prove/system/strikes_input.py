"""Faults of what comes in: poison, duplicates of every kind, more than can be taken."""

import asyncio
import gzip
import os
import random
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from connectors.journal_sql import digest_of
from ops.prove.system.battle import Battle, producer
from ops.prove.system.configured import SOURCES, UNITS
from ops.prove.system.history import Operation, read
from ops.prove.system.known import BAD
from ops.prove.system.load import Listed, Message

SHARED: Final = "SZTAB_SHARED"
POISONS: Final = ("badinput", "corpora/cap12/invalid", "corpora/cap12/nonconformant")
POISON_BYTES: Final = 900_000
"""Larger ones are refused unread (413) and are not kept: they are no poison."""
OWN: Final[tuple[bytes, ...]] = (
    b"",
    b" ",
    b"null",
    b"[]",
    b"{",
    b'{"cpr_id": "PL-1", "place": {"lat": 51.7',
    b'{"cpr_id": "PL-1", "cpr_id": "PL-2"}',
    b'{"revision": 1}',
    b'{"cpr_id": NaN}',
    b"[" * 100_000,
    b'{"cpr_id": "\xff\xfe"}',
    b"\xef\xbb\xbf[1]",
    b"\x00" * 64,
    b"<alert/>",
    b'{"cpr_id": ' + b"1" * 5_000 + b"}",
    b'{"a": ' * 500 + b"1" + b"}" * 500,
)
"""Poison of our own, so that the proof needs no corpus beside the checkout."""


def poisons(shared: Path | None) -> Iterator[bytes]:
    """Bodies that mean nothing to a call centre's connector: ours, and every public one where the corpora are."""
    seen = set()
    folders = [shared / name for name in POISONS] if shared else []
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    for body in (*OWN, *(file.read_bytes() for file in files)):
        if body not in seen and len(body) <= POISON_BYTES:
            seen.add(body)
            yield body


def corpora() -> Path | None:
    """The folder of public bad input beside the checkout, or what SZTAB_SHARED names; None where there is none."""
    folder = Path(os.environ.get(SHARED, Path.cwd().parent / "shared"))
    return folder if (folder / "badinput").is_dir() else None


async def poison(battle: Battle) -> None:
    """Every bad file in the middle of the load; ours twice, enough for the alarm also without corpora."""
    bodies = list(poisons(corpora()))
    battle.dice.shuffle(bodies)
    bodies += [body + b"\n" for body in bodies if body in OWN]
    # The same bytes of the same far system are one document for ever: each run has a source of its own.
    source = SOURCES[battle.seed % UNITS]
    messages = [Message(BAD, source, "", f"{source}|{digest_of(body).hex()}", body) for body in bodies]
    battle.notes["poison"] = len(messages)
    one = producer(battle, Listed(f"{battle.run}-poison", messages), rate=max(5.0, len(messages) / 20))
    battle.producers.append(one)
    await one.play()


async def duplicates(battle: Battle) -> None:
    """The same id with other content, revisions out of order, exact repeats many times, news a day late."""
    messages = list(odd(f"{battle.run}-odd", battle.dice))
    one = producer(battle, Listed(f"{battle.run}-odd", messages), rate=len(messages) / 20)
    battle.producers.append(one)
    await one.play()


def odd(name: str, dice: random.Random) -> Iterator[Message]:
    """Messages that come twice, wrongly ordered, contradicting or late; every one is to be kept."""
    for number in range(60):
        source = dice.choice(SOURCES[:12])
        far_id = f"{name}-{number}"
        form: dict[str, Any] = {
            "cpr_id": far_id,
            "revision": 1,
            "category": "crime.theft",
            "description": "Kradzież roweru, zmyślona",
            "place": {"lat": round(dice.uniform(51.6, 51.9), 5), "lon": round(dice.uniform(17.9, 18.4), 5)},
        }
        turn = number % 4
        if turn == 0:  # later revisions first
            for revision in (3, 2, 1):
                yield _form(source, {**form, "revision": revision, "description": f"Wersja {revision}"})
        elif turn == 1:  # ten times the same
            for _ in range(10):
                yield _form(source, form)
        elif turn == 2:  # one id and revision, two contents: a conflict, both kept
            yield _form(source, form)
            yield _form(source, {**form, "description": "Kradzież hulajnogi, zmyślona"})
        else:  # a day late
            yesterday = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 86_400 - 60))
            yield _form(source, {**form, "event_at": yesterday, "registered_at": yesterday})


def _form(source: str, form: dict[str, Any]) -> Message:
    identity = f"{source}|{form['cpr_id']}|{form['revision']}"
    return Message("duplicate", source, form["cpr_id"], identity, orjson.dumps(form))


async def overload(battle: Battle) -> None:
    """Tenfold load from an ordinary source, two thousand slow connections, bombs; emergency calls keep their share."""
    lines = await _slow_lines(battle, 2_000)
    bomb = await asyncio.to_thread(gzip.compress, b"{" + b" " * 100_000_000, 9)
    try:
        await asyncio.gather(_flood(battle), _bombs(battle, bomb))
    finally:
        for line in lines:
            line.close()


OVERLOAD_SECONDS: Final = 10.0


async def _flood(battle: Battle) -> None:
    """Ten times the rate, from a process of its own: what is measured is the installation, not its callers."""
    name, began = f"{battle.run}-flood", time.time()
    file = battle.field.folder / f"{name}.jsonl"
    told = {
        "run": battle.run,
        "name": name,
        "ids_key": battle.ids_key.hex(),
        "nodes": [one.removeprefix("http://") for one in battle.field.intakes()],
        "rate": battle.rate * 10,
        "count": int(battle.rate * 10 * OVERLOAD_SECONDS),
        "seed": battle.seed,
        "file": str(file),
    }
    process = battle.field.beside(name, "flood", told)
    status = await asyncio.to_thread(process.wait)
    battle.struck(f"{told['count']} ordinary reports", until=time.time(), at=began)
    if status:
        battle.missed.append(f"the flood ended {status}; see {battle.field.log_file(name).name}")
    battle.extra += [one for one in read(file) if isinstance(one, Operation)]


async def _slow_lines(battle: Battle, count: int) -> list[socket.socket]:
    """Connections that send the beginning of a request and nothing more."""
    lines = []
    for number in range(count):
        host, _, port = battle.field.intakes()[number % 2].removeprefix("http://").partition(":")
        line = socket.socket()
        line.setblocking(False)  # noqa: FBT003 - the interface of sockets
        with suppress(OSError):
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(line, (host, int(port))), 2)
            line.send(b"POST /v1/sources/cpr-1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        lines.append(line)
    battle.struck(f"{count} slow connections")
    return lines


async def _bombs(battle: Battle, bomb: bytes) -> None:
    """A body that inflates to a hundred megabytes must be refused, and cheaply."""
    assert battle.session is not None
    for _ in range(5):
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        with suppress(OSError, TimeoutError):
            async with battle.session.post(
                f"{battle.field.intakes()[0]}/v1/sources/cpr-1/documents", data=bomb, headers=headers
            ) as answer:
                if answer.status != 413:
                    battle.missed.append(f"a bomb was answered {answer.status}")
        await asyncio.sleep(1)
