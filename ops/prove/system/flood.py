"""A flood of ordinary reports from a process of its own: `python -m ops.prove.system.flood`.

Told by the JSON in SZTAB_PROVE: run, name, ids_key (hexadecimal), nodes, rate, count, seed, file. It keeps to its rate
whatever the answers are, on plain keep-alive connections that cost next to nothing, so that what is measured is the
installation. A message that is refused for want of room is sent again when the answer says so, `TRIES` times at most.
At the end its operations stand in the file, whole, and it exits.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from ops.prove.system.configured import ORDINARY
from ops.prove.system.history import FAIL, INFO, OK, Attempt, Operation, Writer
from ops.prove.system.load import BOX, Message
from ops.prove.system.recipient import ENVIRONMENT
from ops.prove.system.sending import BUSY, FINAL, PATIENCE_SECONDS, Heard, Teller, document_outcome

TRIES: Final = 4
LONGEST_PAUSE_SECONDS: Final = 10.0
PARALLEL: Final = 1_000
"""Messages on their way at once, for each node: a city has so many callers, not more."""


class Line:
    """One keep-alive connection to a node: a request, its answer, the next. OSError or EOFError when it broke."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer."""
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = header(head, b"content-length") or b"0"
        body = await self._reader.readexactly(int(length))
        return int(head[9:12]), head, body

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


def header(head: bytes, name: bytes) -> bytes | None:
    """The value of a header line; None where there is none."""
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key.strip().lower() == name:
            return value.strip()
    return None


@dataclass(slots=True)
class Node:
    """One intake node as the flood sees it: its free lines, and how many messages are on their way to it."""

    host: str
    port: int
    free: list[Line] = field(default_factory=list)
    room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(PARALLEL))

    async def ask(self, message: Message) -> tuple[Heard, float]:
        """Send, and hear; with the seconds after which the node wants to be asked again."""
        async with self.room:
            began = time.time()
            line = None
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    line = self.free.pop() if self.free else await self._dialled()
                    status, head, body = await line.ask(request(message, self.host))
            except (OSError, EOFError, TimeoutError, ValueError):
                outcome = FAIL if line is None else INFO  # without a line nothing was sent
                if line is not None:
                    line.close()
                return Heard(Attempt(began, time.time(), outcome), {}), 1.0
            self.free.append(line)
        said = orjson.loads(body)
        again = float(header(head, b"retry-after") or 1.0)
        attempt = Attempt(began, time.time(), document_outcome(status, said), status)
        return Heard(attempt, said, status in BUSY and header(head, b"retry-after") is None), again

    async def _dialled(self) -> Line:
        return Line(*await asyncio.open_connection(self.host, self.port))


def request(message: Message, host: str) -> bytes:
    """The bytes of the request."""
    return (
        f"POST /v1/sources/{message.source}/documents HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: {message.content_type}\r\nContent-Length: {len(message.body)}\r\n\r\n"
    ).encode() + message.body


def messages(name: str, count: int, seed: int) -> Iterator[Message]:
    """Small reports of the ordinary sources. The same seed gives the same."""
    dice = random.Random(f"{name} {seed}")
    south, north, west, east = BOX
    for number in range(count):
        source, far_id = ORDINARY[number % len(ORDINARY)], f"{name}-{number}"
        place = {"lat": round(dice.uniform(south, north), 5), "lon": round(dice.uniform(west, east), 5)}
        form = {"cpr_id": far_id, "revision": 1, "category": "traffic.obstruction", "place": place}
        yield Message("new", source, far_id, f"{source}|{far_id}|1", orjson.dumps(form))


async def told(nodes: list[Node], teller: Teller, number: int, message: Message) -> tuple[Operation, int]:
    """Tell one message until it is answered for good or was refused often enough; and the refusals without a word."""
    attempts: list[Attempt] = []
    said: Mapping[str, Any] = {}
    rude = 0
    for turn in range(number, number + TRIES):
        heard, again = await nodes[turn % len(nodes)].ask(message)
        attempts.append(heard.attempt)
        said, rude = heard.said, rude + heard.rude
        if heard.attempt.outcome == OK or heard.attempt.status in FINAL:
            break
        if turn < number + TRIES - 1:
            await asyncio.sleep(min(again, LONGEST_PAUSE_SECONDS))
    return teller.operation(number, message, attempts, said, str(turn % len(nodes))), rude


async def main(told_: Mapping[str, Any]) -> None:
    """Pour."""
    nodes = [Node(host, int(port)) for host, _, port in (one.rpartition(":") for one in told_["nodes"])]
    teller = Teller(told_["run"], told_["name"], bytes.fromhex(told_["ids_key"]))
    poured = list(messages(told_["name"], told_["count"], told_["seed"]))
    began, tasks = time.monotonic(), []
    for number, message in enumerate(poured):
        wait = began + number / told_["rate"] - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.create_task(told(nodes, teller, number, message)))
    done = await asyncio.gather(*tasks)
    for line in (line for node in nodes for line in node.free):
        line.close()
    file = Path(told_["file"])
    with Writer(file.with_suffix(".part")) as writer:
        writer.append(*(operation for operation, _ in done))
    file.with_suffix(".part").rename(file)
    if rude := sum(count for _, count in done):
        raise SystemExit(f"{rude} refusals without Retry-After")


if __name__ == "__main__":
    uvloop.run(main(orjson.loads(os.environ[ENVIRONMENT])))
