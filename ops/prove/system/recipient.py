"""A recipient in a process of its own, which writes down what it got: `python -m ops.prove.system.recipient`.

Told by the JSON in SZTAB_PROVE: name, keys, port (0: the system chooses), file. It tells its port in `<file>.port`,
appends one line for each request to the file before it answers, and ignores repeats by their id, also after a restart.
`POST /mood` sets how it answers from then on.
"""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from connectors.kits.receiver import Mood
from connectors.webhook.lab import WebhookLab
from ops.prove.system.history import Effect, Writer, read

ENVIRONMENT: Final = "SZTAB_PROVE"


class RecordingLab(WebhookLab):
    """A webhook receiver that writes each request down, durable for its own restart, before it answers."""

    def __init__(self, name: str, keys: tuple[str, ...], file: Path, port: int) -> None:
        super().__init__(*keys)
        self.name, self._port = name, port
        self._log = Writer(file)
        self._had = {one.delivery_id for one in read(file) if isinstance(one, Effect) and one.applied}

    def routes(self) -> list[web.RouteDef]:
        """Beside the hook: how it answers from now on."""
        return [web.post("/mood", self._set_mood)]

    async def _set_mood(self, request: web.Request) -> web.Response:
        told = orjson.loads(await request.read())
        self.mood = Mood(told["mood"])
        self.delay_seconds = float(told.get("delay_seconds", 0.0))
        return web.Response(status=204)

    def answered(self, mark: str, body: bytes, status: int, *, kept: bool) -> None:
        """One request: `kept`, whether this far side now holds the message."""
        message: dict[str, Any] = orjson.loads(body)
        data = message.get("data", {})
        report = data.get("report", {}).get("report_id")
        self._log.append(
            Effect(
                recipient=self.name,
                at=time.time(),
                delivery_id=mark,
                subject_id=message.get("subject", ""),
                sequence=int(message.get("sequence", 0)),
                kind=str(message.get("type", "")).removeprefix("sztab."),
                urgency=str(message.get("urgency", "")),
                report_ids=(report,) if isinstance(report, str) else (),
                status=status,
                applied=kept and mark not in self._had,
            )
        )
        if kept:
            self._had.add(mark)


async def main() -> None:
    """Serve until SIGTERM."""
    told = orjson.loads(os.environ[ENVIRONMENT])
    file = Path(told["file"])
    lab = RecordingLab(told["name"], tuple(told["keys"]), file, int(told["port"]))
    await lab.start()
    file.with_suffix(".port").write_text(f"{lab.port}\n", "ascii")
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    await lab.stop()


if __name__ == "__main__":
    asyncio.run(main())
