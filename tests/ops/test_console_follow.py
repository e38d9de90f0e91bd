"""What a record of the page's topics does to the page."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from ops.console.board import Board
from ops.console.follow import read_ms, take
from ops.console.hub import Hub
from schemas.feed import FeedState, FeedStatus
from schemas.notice import Notice
from schemas.topics import FEEDS, NOTICES_NOW
from tests.schemas.samples import AT


@dataclass
class Record:
    """As the client gives it."""

    topic: str
    key: bytes | None
    value: bytes | None = None
    headers: Iterable[tuple[str, bytes | None]] = ()


class Reader:
    """A consumer, by when the broker last answered for each partition."""

    def __init__(self, *answered: int | None) -> None:
        self._answered = answered

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[Any, list[Any]]:
        """Nothing."""
        return {}

    def assignment(self) -> Iterable[int]:
        """Partitions by number."""
        return range(len(self._answered))

    def last_poll_timestamp(self, partition: int) -> int | None:
        """As it was told."""
        return self._answered[partition]


@pytest.mark.parametrize(
    ("answered", "age"), [((9_000, 9_900), 1_000), ((10_500,), 0), ((9_900, None), None), ((), None)]
)
def test_the_age_of_the_page_is_that_of_its_oldest_partition(answered: tuple[int | None, ...], age: int | None) -> None:
    """One partition without a broker is enough for the page to be out of date; one never read has no age at all."""
    assert read_ms(Reader(*answered), lambda: 10.0) == age


def warned() -> tuple[Board, Hub]:
    """A page with one warning until further notice."""
    board = Board()
    board.apply(Notice(notice_id="n-1", feed="imgw", far_id="1", event="Burze", teryt=("3061",)))
    return board, Hub("e", board.snapshot)


def test_a_withdrawn_warning_leaves_the_page_and_the_browsers_hear_it() -> None:
    """A tombstone is the withdrawal: a warning without an end would stand there for ever. Again changes nothing."""
    board, hub = warned()
    for _ in range(2):
        take(board, hub, Record("sztab." + NOTICES_NOW, b"n-1"), "sztab.")
    assert board.snapshot()["notices"] == []
    (told,) = [framed for _, framed in hub.ring]
    assert b"event: notice-gone" in told
    assert b'{"id":"n-1"}' in told


def test_a_feed_that_a_node_has_no_more_leaves_the_page() -> None:
    """What was configured away is no feed that went silent."""
    board, hub = warned()
    board.apply(FeedStatus(feed="cpr", system="cpr", node="n-1", state=FeedState.UP, since=AT, said_at=AT))
    (shown,) = board.snapshot()["feeds"]
    take(board, hub, Record("sztab." + FEEDS, b"cpr@n-1"), "sztab.")
    assert shown["id"] == "cpr@n-1"
    assert board.snapshot()["feeds"] == []
    assert b"event: feed-gone" in hub.ring[-1][1]


def test_other_tombstones_take_no_warning_off() -> None:
    """Another topic's key, an unknown warning, a record without a key."""
    board, hub = warned()
    for record in (Record("sztab." + FEEDS, b"n-1"), Record("sztab." + NOTICES_NOW, b"n-2"), Record(NOTICES_NOW, None)):
        take(board, hub, record, "sztab.")
    assert len(board.snapshot()["notices"]) == 1
    assert hub.number == 0


def test_a_record_of_no_known_form_is_passed_over() -> None:
    """It changes nothing and ends nothing."""
    board, hub = warned()
    take(board, hub, Record("sztab." + FEEDS, b"x", b"{"), "sztab.")
    assert hub.number == 0
