"""The keys that seal persons: one random key per thread, kept wrapped in the journal's file before anything uses it.

A key is made once and never derived, so that destroying it erases its thread's persons everywhere.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.journal_reader import JournalReader
from connectors.journal_rows import StoredKey
from schemas.privacy import KEY_BYTES, WrappedKey, new_key_id, unwrap, wrap

_KEPT: Final = 20_000
"""Keys held in memory; older ones are read again from the journal."""


@dataclass(slots=True)
class ThreadKey:
    """A thread's key, clear and wrapped; `durable` once the journal holds it, `published` once the broker does."""

    thread_id: str
    key: bytes
    wrapped: WrappedKey
    durable: bool
    published: bool

    @property
    def key_id(self) -> str:
        """Names the key in `keys.current` and in what it sealed."""
        return self.wrapped.key_id

    def stored(self) -> StoredKey:
        """The form that the journal keeps."""
        return StoredKey(self.thread_id, self.key_id, self.wrapped.nonce, self.wrapped.wrapped, self.published)


class ThreadKeys:
    """The thread keys of one intake node. `of` is called while a report is built; it reads at most one row."""

    def __init__(self, journal_path: Path, installation: bytes) -> None:
        self._installation = installation
        self._reader = JournalReader(journal_path)
        self._kept: OrderedDict[str, ThreadKey] = OrderedDict()

    def of(self, thread_id: str) -> ThreadKey:
        """The thread's key, made now when there is none.

        A new one must be durable (publisher) before anything sealed with it leaves. Unavailable when the journal
        cannot be read.
        """
        found = self._kept.get(thread_id)
        if found is None:
            found = self._kept[thread_id] = self._load(thread_id) or self._make(thread_id)
            self._let_go()
        self._kept.move_to_end(thread_id)
        return found

    def close(self) -> None:
        """Give the file back."""
        self._reader.close()

    def _load(self, thread_id: str) -> ThreadKey | None:
        stored = self._reader.key(thread_id)
        if stored is None:
            return None
        wrapped = WrappedKey(key_id=stored.key_id, nonce=stored.nonce, wrapped=stored.wrapped)
        key = unwrap(self._installation, wrapped)
        return ThreadKey(thread_id, key, wrapped, durable=True, published=stored.published)

    def _make(self, thread_id: str) -> ThreadKey:
        key = os.urandom(KEY_BYTES)
        wrapped = wrap(self._installation, new_key_id(thread_id), key)
        return ThreadKey(thread_id, key, wrapped, durable=False, published=False)

    def _let_go(self) -> None:
        """Forget the key used longest ago, unless nobody else has it yet."""
        if len(self._kept) > _KEPT:
            oldest = next(iter(self._kept))
            if self._kept[oldest].durable:
                del self._kept[oldest]
            else:
                self._kept.move_to_end(oldest)
