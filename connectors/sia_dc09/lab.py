"""Alarm panels for tests and the demo: they dial, number their messages, wait for the answer, send again."""

import asyncio
import socket
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from connectors.sia_dc09.frame import CR, STAMP, framed
from connectors.sia_dc09.settings import SiaSettings

ACCOUNT: Final = "1234"


def message(
    data: str = "Nri1/BA01",
    *,
    account: str = ACCOUNT,
    sequence: int = 1,
    kind: str = "SIA-DCS",
    stamp: datetime | None = None,
    line: str = "L0",
    receiver: str = "",
) -> bytes:
    """A frame as a panel sends it; `data` is what stands behind the bar."""
    inner = f"#{account}|{data}" if data else ""
    stamped = f"_{stamp.astimezone(UTC).strftime(STAMP)}" if stamp else ""
    return framed(f'"{kind}"{sequence:04d}{receiver}{line}#{account}[{inner}]{stamped}')


class Panel:
    """One panel on one line."""

    def __init__(self, host: str, port: int, account: str = ACCOUNT) -> None:
        self._host, self._port, self.account = host, port, account
        self._sequence = 0
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def say(self, raw: bytes, wait_seconds: float = 5.0) -> bytes:
        """Send bytes and give the answer; empty when the other side hung up or said nothing in time."""
        if self._line is None:
            self._line = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._line
        writer.write(raw)
        try:
            async with asyncio.timeout(wait_seconds):
                await writer.drain()
                return await reader.readuntil(CR)
        except (EOFError, OSError):
            await self.hang_up()
        except TimeoutError:
            pass
        return b""

    async def event(self, code: str, zone: str = "1", attempts: int = 3, wait_seconds: float = 5.0) -> bool:
        """Report an event, again with the same number until it is acknowledged; whether it was."""
        self._sequence = self._sequence % 9_999 + 1
        stamp = datetime.now(UTC)
        for _ in range(attempts):
            with suppress(OSError):
                raw = message(f"Nri1/{code}{zone}", account=self.account, sequence=self._sequence, stamp=stamp)
                answer = await self.say(raw, wait_seconds)
                if b'"ACK"' in answer:
                    return True
                if b'"NAK"' in answer:
                    stamp = datetime.now(UTC)
        return False

    async def hang_up(self) -> None:
        """Close the line. Also twice."""
        line, self._line = self._line, None
        if line is not None:
            line[1].close()
            with suppress(OSError):
                await line[1].wait_closed()


class SiaLab:
    """The far side of the source: a panel that dials to where it listens."""

    content_type = "application/sia-dc09"

    def __init__(self) -> None:
        self.port = 0
        self._panel: Panel | None = None

    async def start(self) -> None:
        """Choose a free port of the loopback for the source."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._panel = Panel("127.0.0.1", self.port)

    async def stop(self) -> None:
        """Hang up. Also twice."""
        if self._panel is not None:
            await self._panel.hang_up()

    def settings(self, name: str = "panels", **changes: Any) -> SiaSettings:
        """The source as our installation would configure it. Call after `start`."""
        place = {"name": "Sklep", "locality": "Kalisz", "street": "Łódzka", "building": "19", "teryt": "3061011"}
        accounts = {ACCOUNT: {**place, "lat": 51.757, "lon": 18.115}}
        told = {"name": name, "port": self.port, "accounts": accounts}
        return SiaSettings.model_validate({**told, **changes})

    async def tell(self, number: int) -> None:
        """A burglary in that zone; returns when it was acknowledged."""
        assert self._panel is not None
        acknowledged = False
        while not acknowledged:
            acknowledged = await self._panel.event("BA", str(number + 1))
            await asyncio.sleep(0.01)

    async def garble(self) -> None:
        """A message that arrives undamaged and means nothing to us."""
        assert self._panel is not None
        await self._panel.say(message("XYZ/7", kind="SIA-PUL"))
