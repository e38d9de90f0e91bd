"""How old and how many: quarantine as metrics, so that a forgotten item becomes an alarm."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

import structlog

from ops.aside.shelf import Item, State
from ops.aside.topic import Shelved
from ops.metrics import Metrics
from schemas.errors import Code, SztabError
from streams.leaving import whereabouts

log = structlog.get_logger()

LOOK_SECONDS: Final = 15.0


class Gauges:
    """`sztab_quarantine_oldest_seconds`, `sztab_quarantine_open{code}`, `sztab_quarantine_read_seconds`.

    Ages are counted when they are asked for: they grow also while no broker answers. Every node that runs an intake
    tells the same, so whoever watches takes the largest.
    """

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._oldest_ms: int | None = None
        self._read_at: float | None = None
        oldest = metrics.gauge("quarantine", "oldest_seconds", "Age of the oldest open item, 0 when none is open.")
        oldest.set_function(self._age)
        read = metrics.gauge("quarantine", "read_seconds", "Since quarantine was last read; -1 before the first time.")
        read.set_function(self._since_read)
        self._open = metrics.gauge("quarantine", "open", "Open items by reason.", ("code",))

    def show(self, items: Iterable[Item]) -> None:
        """The items as they are now."""
        waiting = [one for one in items if one.state is State.OPEN]
        self._oldest_ms = min((one.first_seen_ms for one in waiting), default=None)
        self._read_at = time.monotonic()
        counts = Counter(one.code for one in waiting)
        for code in Code:
            if counts[code.value] or code.value in self._shown:
                self._open.labels(code.value).set(counts[code.value])

    @property
    def _shown(self) -> set[str]:
        return {sample.labels["code"] for family in self._open.collect() for sample in family.samples}

    def _age(self) -> float:
        return 0.0 if self._oldest_ms is None else max(0.0, self._clock() - self._oldest_ms / 1000)

    def _since_read(self) -> float:
        return -1.0 if self._read_at is None else time.monotonic() - self._read_at


async def keep(shelved: Shelved, gauges: Gauges, every_seconds: float = LOOK_SECONDS) -> None:
    """Read what came to quarantine, again and again, until cancelled; a broker that is away is waited for."""
    told = False
    while True:
        try:
            gauges.show((await shelved.fresh()).items.values())
            told = False
        except SztabError as error:
            if not told:
                log.warning("quarantine_not_read", code=error.code.value)
            told = True
        except Exception as error:  # noqa: BLE001 - nobody awaits this task; what ended it would never be seen
            if not told:
                log.error("quarantine_not_read", where=whereabouts(error))  # noqa: TRY400 - see whereabouts
            told = True
        await asyncio.sleep(every_seconds)
