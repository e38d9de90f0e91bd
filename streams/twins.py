"""Two processes under one static id: the broker lets the newer in at once, while the older still writes.

So before a shell joins it looks whether somebody holds its place. Its own predecessor, whose member id it kept in a
file, is dead (a role's lock file sees to that): it is replaced at once. Anybody else gets time to leave, and if he is
still there when a dead member's session would have ended, he lives: the second one ends (code 79) and has not disturbed
the first. Where both joined at the same moment, one that is put out twice within its first minute leaves.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from streams.clients import Clients
from streams.gear import Gear
from streams.leaving import Exit

log: Final = structlog.get_logger("streams.shell")
UUID_LENGTH: Final = 36
LOOK_SECONDS: Final = 0.25
ASK_SECONDS: Final = 5.0
PATIENCE: Final = 1.5
"""Sessions after which a member that is still there is alive."""
TIMES: Final = 2
"""How often a young member is put out before it leaves: once may be a session that ended in an outage."""


class Twins:
    """Looks after the static id of one shell; a membership that is not static has no twins."""

    def __init__(self, gear: Gear, clients: Clients, now: Callable[[], float] = time.monotonic) -> None:
        self._gear, self._clients, self._now = gear, clients, now
        self._began = now()
        self._times = 0

    async def first(self) -> None:
        """Called before the group is joined: returns when nobody else holds our place, or leaves."""
        settings, told = self._gear.settings, False
        until = self._now() + PATIENCE * settings.session_seconds
        while (holder := await self._holder()) is not None and holder != self._kept():
            if self._now() > until:
                self._leave("runs already")
            if not told:
                log.warning("static_id_held", group=self._gear.group, instance=settings.instance_id)
            told = True
            await asyncio.sleep(LOOK_SECONDS)

    def joined(self, member_id: str) -> None:
        """Called when partitions were assigned: the next process in our place knows us by it."""
        file = self._gear.settings.member_file
        if file is not None and self._kept() != member_id:
            scratch = file.with_suffix(".new")
            try:
                scratch.write_text(member_id, encoding="utf-8")
                scratch.replace(file)
            except OSError as error:  # then the next one waits for the end of our session
                log.warning("member_not_kept", file=str(file), error=type(error).__name__)

    def put_out(self) -> None:
        """Called when the group does not know us any more, though we did not leave it."""
        settings = self._gear.settings
        log.warning("put_out_of_group", group=self._gear.group, instance=settings.instance_id)
        if settings.instance_id is None or self._now() - self._began > settings.young_seconds:
            return
        self._times += 1
        if self._times >= TIMES:
            self._leave("seems to be another process, too")

    async def _holder(self) -> str | None:
        """The member id under our static id; None also where the cluster does not tell."""
        settings = self._gear.settings
        if settings.instance_id is None or settings.member_file is None:
            return None
        try:
            async with asyncio.timeout(ASK_SECONDS):
                members = await self._clients.members(settings, self._gear.group)
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("members_unknown", group=self._gear.group, error=type(error).__name__)
            return None
        # A broker makes the member id of a static member: its static id, a hyphen and 36 characters (KIP-345).
        return next((one for one in members if one[:-UUID_LENGTH] == f"{settings.instance_id}-"), None)

    def _kept(self) -> str | None:
        file = self._gear.settings.member_file
        try:
            return file.read_text(encoding="utf-8") if file is not None else None
        except (OSError, UnicodeDecodeError):
            return None

    def _leave(self, what: str) -> None:
        instance = self._gear.settings.instance_id
        self._gear.leave(Exit.TWIN, f"{instance} {what}: end one of them, or give it another node or --worker")
