"""The moments of a document's way through the intake at which a test may end the process.

A hook is a constructor parameter that only tests and the fault harness pass; without one nothing is called. It is told
the name of the moment, on the thread at which it happens: `written` and `synced` on the journal's writer, the others on
the event loop. It returns or ends the process; it must not raise.
"""

from collections.abc import Callable
from typing import Final

Hook = Callable[[str], object]

BEFORE_JOURNAL: Final = "before-journal"
"""The documents are read, nothing of them is written."""
WRITTEN: Final = "written"
"""The transaction's writes are made, its commit is not: nothing is forced to disk."""
SYNCED: Final = "synced"
"""The commit came back: the rows are durable, nobody knows."""
PRODUCED: Final = "produced"
"""The broker acknowledged a row's records; its mark is not noted, its answer not given."""
BEFORE_REPLY: Final = "before-reply"
"""Everything is done but the answer to whoever sent the document."""

POINTS: Final = (BEFORE_JOURNAL, WRITTEN, SYNCED, PRODUCED, BEFORE_REPLY)
