"""How far an outbox partition may be committed: up to its unbroken run of finished deliveries from the head. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field


@dataclass
class HeadRun:
    """One partition as one owner sees it. `position` is the next offset to commit: everything before it is finished.

    Records are taken in offset order and finished in any order. Gaps between offsets are lawful (retention, markers).
    """

    position: int
    held: int = 0
    held_bytes: int = 0
    _open: OrderedDict[int, tuple[int, bool]] = field(default_factory=OrderedDict)
    _taken: int = -1

    def take(self, offset: int, size: int) -> bool:
        """A record came; False when it was taken before and must be passed over."""
        if offset <= self._taken or offset < self.position:
            return False
        self._taken = offset
        self._open[offset] = (size, False)
        self.held += 1
        self.held_bytes += size
        return True

    def finish(self, offset: int) -> None:
        """The record's delivery has its end: receipt and audit are acknowledged. KeyError when it was never taken."""
        size, done = self._open[offset]
        if done:
            return
        self._open[offset] = (size, True)
        self.held -= 1
        self.held_bytes -= size
        while self._open:
            head, (_, over) = next(iter(self._open.items()))
            if not over:
                return
            del self._open[head]
            self.position = head + 1
