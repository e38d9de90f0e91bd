"""Two processes under one static id: the broker lets the newer in and puts the other out, which comes back, for ever.

A member's client id says who it is: `<static id>@<host>@<process id>@<start in ms>`. So before a shell joins it sees
whether somebody else holds its place, and when it was put out, whether that one is older. The second one ends (code
79) and does not disturb the first. `ops/runbooks/alerts.md`, RoleRestartsInLoop, says what to do.
"""

import asyncio
import os
import socket
import time
from typing import Final, NamedTuple

import structlog
from aiokafka.errors import KafkaError

from streams.clients import Clients
from streams.gear import Gear
from streams.leaving import Exit

log: Final = structlog.get_logger("streams.shell")
LOOK_SECONDS: Final = 0.5
ASK_SECONDS: Final = 5.0


class Member(NamedTuple):
    """Who holds a static id."""

    instance: str
    host: str
    pid: int
    started_ms: int

    def client_id(self) -> str:
        """As the broker is told it."""
        return "@".join(map(str, self))

    @classmethod
    def of(cls, client_id: str) -> "Member | None":
        """None for a client id that is not ours."""
        parts = client_id.rsplit("@", 3)
        return cls(parts[0], parts[1], int(parts[2]), int(parts[3])) if _ours(parts) else None

    def dead(self, me: "Member") -> bool:
        """Whether it certainly ran before us and runs no more: here, under a process id that is ours or nobody's."""
        if self.host != me.host:
            return False
        return self.pid == me.pid or not _runs(self.pid)


def myself(instance: str) -> Member:
    """This process as a member, from now on."""
    return Member(instance, socket.gethostname(), os.getpid(), time.time_ns() // 1_000_000)


class Twins:
    """Looks after the static id of one shell. `me` is None for a membership that is not static."""

    def __init__(self, gear: Gear, clients: Clients, me: Member | None) -> None:
        self._gear, self._clients, self._me = gear, clients, me

    async def first(self) -> None:
        """Called before the group is joined: returns when nobody else holds the place, or leaves.

        One that was killed holds it until its session ends; one that still holds it then is alive.
        """
        limit = time.monotonic() + 1.5 * self._gear.settings.session_seconds
        while (other := await self._other()) is not None and self._me is not None and not other.dead(self._me):
            if other.host == self._me.host or time.monotonic() > limit:
                self._leave(other)
            log.warning("static_id_held", group=self._gear.group, by_host=other.host, by_pid=other.pid)
            await asyncio.sleep(LOOK_SECONDS)

    async def put_out(self) -> None:
        """Called when we are no member any more: leaves when an older process took our place, else we come back."""
        other = await self._other()
        if other is not None and self._me is not None and _age(other) < _age(self._me):
            self._leave(other)

    async def _other(self) -> Member | None:
        """Who holds our static id and is not us; None also where the cluster does not tell."""
        if self._me is None:
            return None
        try:
            async with asyncio.timeout(ASK_SECONDS):
                told = await self._clients.members(self._gear.settings, self._gear.group)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("members_unknown", group=self._gear.group, error=type(error).__name__)
            return None
        known = [member for one in told if (member := Member.of(one)) is not None]
        return next((one for one in known if one.instance == self._me.instance and one != self._me), None)

    def _leave(self, other: Member) -> None:
        assert self._me is not None
        why = f"{self._me.instance} runs already, as process {other.pid} on {other.host}: give one of them another name"
        self._gear.leave(Exit.TWIN, why)


def _age(one: Member) -> tuple[int, int]:
    return one.started_ms, one.pid


def _ours(parts: list[str]) -> bool:
    return len(parts) == 4 and parts[2].isdigit() and parts[3].isdigit()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
