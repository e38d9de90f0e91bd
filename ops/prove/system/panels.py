"""Alarm panels of a proof: SIA DC-09 over TCP. They dial, tell, wait for the answer, hang up."""

import asyncio
import random
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from connectors.sia_dc09.frame import CR, LF, STAMP, framed
from ops.prove.system.configured import ACCOUNTS, PANELS
from ops.prove.system.history import FAIL, INFO, OK, Attempt
from ops.prove.system.load import Message
from ops.prove.system.sending import PATIENCE_SECONDS, Heard

CODES: Final = ("BA", "FA", "PA", "HA", "TA")
"""Burglary, fire, panic, hold-up, tamper (SIA DC-03)."""
DUPLICATES: Final = 0.1
SEQUENCES: Final = 9_999


@dataclass(slots=True)
class PanelScript:
    """What the panels of one listener tell; the same seed tells the same but for the time stamps, which are true."""

    name: str
    dice: random.Random
    number: int = 0
    before: list[Message] = field(default_factory=list)

    def next(self) -> Message:
        """The next event, or one of the last once more, byte by byte."""
        self.number += 1
        if self.before and self.dice.random() < DUPLICATES:
            known = self.dice.choice(self.before[-20:])
            return Message("duplicate", known.source, known.far_id, known.identity, known.body)
        told = self._event()
        self.before.append(told)
        return told

    def _event(self) -> Message:
        account, stamp = self.dice.choice(sorted(ACCOUNTS)), datetime.now(UTC).strftime(STAMP)
        sequence = f"{self.number % SEQUENCES + 1:04d}"
        data = f"#{account}|Nri1/{self.dice.choice(CODES)}{self.dice.randint(1, 99)}"
        # Two runs of one installation may come to the same account, number and second: their lines differ.
        line = f"L{zlib.crc32(self.name.encode()) & 0xFFFFFF:06X}"
        body = framed(f'"SIA-DCS"{sequence}{line}#{account}[{data}]_{stamp}').strip(LF + CR)
        far_id = f"{account}/R0/{line}/{sequence}/{stamp}/0"
        return Message("new", PANELS, far_id, f"{PANELS}|{far_id}|", body)


async def dial(message: Message, address: str) -> Heard:
    """Call the listener at host:port, tell, wait for the answer. ACK: kept; silence: nobody knows."""
    began = time.time()
    outcome = INFO
    said: dict[str, Any] = {}
    host, _, port = address.partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return Heard(Attempt(began, time.time(), FAIL), {})
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            writer.write(LF + message.body + CR)
            await writer.drain()
            outcome, said = _meant(await reader.readuntil(CR))
    except (EOFError, OSError, TimeoutError):
        outcome = INFO
    finally:
        writer.close()
    return Heard(Attempt(began, time.time(), outcome, 200 if outcome == OK else None), said)


def _meant(answer: bytes) -> tuple[str, dict[str, Any]]:
    """ACK, or NAK with our time: the event is kept."""
    return (OK, {}) if b'"ACK"' in answer or b'"NAK"' in answer else (INFO, {"code": answer[:40].decode("latin-1")})
