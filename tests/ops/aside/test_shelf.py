"""What was set aside and what became of it, from records alone."""

from typing import Any

import pytest

from ops.aside.shelf import State, Wanted, histogram
from schemas.delivery import Handling
from schemas.errors import Code
from tests.ops.aside.papers import AT, Topic

MINUTE_MS = 60_000
AT_MS = round(AT.timestamp() * 1000)


@pytest.fixture
def topic() -> Topic:
    """With one item in it."""
    made = Topic()
    made.seen()
    return made


def test_an_item_seen_twice_is_one_with_both_times(topic: Topic) -> None:
    """It is the last record that tells its reason and where its bytes are."""
    topic.seen(code=Code.FIELD_MISSING)
    item = topic.item
    assert (item.times, item.code, item.place) == (2, "field-missing", (0, 1))
    assert (item.first_seen_ms, item.last_seen_ms) == (AT_MS, AT_MS + MINUTE_MS)


@pytest.mark.parametrize(
    ("handling", "state"),
    [
        (Handling.REPLAYING, State.OPEN),
        (Handling.REFUSED, State.OPEN),
        (Handling.CORRECTED, State.CORRECTED),
        (Handling.DISCARDED, State.DISCARDED),
    ],
)
def test_what_an_act_makes_of_an_item(topic: Topic, handling: Handling, state: State) -> None:
    """Only what a person decided, or what re-entered, is settled; who, when and why stand with it."""
    topic.act(handling)
    assert topic.item.state is state
    shown = topic.item.shown()
    assert ("resolved" in shown) is (state is not State.OPEN)
    assert shown["history"][0]["actor"] == "local:anna"


def test_a_replay_settles_an_item_once_it_re_entered(topic: Topic) -> None:
    """Its beginning counts the try, its end settles it."""
    topic.act(Handling.REPLAYING)
    assert (topic.item.state, topic.item.tries) == (State.OPEN, 1)
    topic.act(Handling.REPLAYED)
    assert (topic.item.state, topic.item.tries) == (State.REPLAYED, 1)


def test_what_comes_back_is_open_whenever_the_end_of_its_replay_is_written(topic: Topic) -> None:
    """The processor may be quicker than whoever notes that the record re-entered: it must not be hidden by that."""
    topic.act(Handling.REPLAYING)
    topic.seen()
    topic.act(Handling.REPLAYED)
    assert topic.item.state == State.OPEN.value
    topic.act(Handling.REPLAYING, "h2")
    topic.act(Handling.REPLAYED, "h2")
    assert topic.item.state == State.REPLAYED.value
    topic.seen()
    assert (topic.item.state, topic.item.times, topic.item.tries) == (State.OPEN, 3, 2)


def test_a_refused_try_does_not_settle_with_a_late_end(topic: Topic) -> None:
    """Two persons at once: the one that was refused takes nothing away."""
    topic.act(Handling.REPLAYING)
    topic.act(Handling.REFUSED, code=Code.SYNTAX_INVALID)
    topic.act(Handling.REPLAYED, "other")
    assert topic.item.state == State.OPEN.value


@pytest.mark.parametrize("handling", [Handling.CORRECTED, Handling.DISCARDED])
def test_the_same_bytes_again_stay_as_a_person_left_them(topic: Topic, handling: Handling) -> None:
    """A partner that sends the broken form once more, to another node, opens nothing that was decided."""
    topic.act(handling)
    topic.seen()
    assert (topic.item.state.value, topic.item.times) == (handling.value, 2)


def test_a_discarded_delivery_that_fails_again_is_open() -> None:
    """Only the cause is the same; it may fail for another reason."""
    topic = Topic()
    topic.seen(stage="deliver", delivery_id="y")
    topic.act(Handling.DISCARDED)
    topic.seen(stage="deliver", delivery_id="y")
    assert topic.item.state == State.OPEN.value


def test_what_cannot_be_read_is_counted_and_hides_nothing(topic: Topic) -> None:
    """One foreign record does not take the list away."""
    topic.nonsense()
    topic.seen("item-2")
    assert (len(topic.shelf.items), topic.shelf.passed_over) == (2, 1)


def test_an_item_is_found_by_its_ids_and_their_beginnings(topic: Topic) -> None:
    """As long as only one is meant."""
    topic.seen("item-12")
    assert topic.shelf.find("item-1") == topic.shelf.items["item-1"]
    assert topic.shelf.find("d-item-12") == topic.shelf.items["item-12"]
    assert topic.shelf.find("item") is None
    assert topic.shelf.find("other") is None


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["a", "b", "c"]),
        ({"codes": ("step-bug",)}, ["b"]),
        ({"sources": ("cpr",)}, ["a", "c"]),
        ({"stages": ("route",)}, ["b"]),
        ({"states": ("open",)}, ["a", "b"]),
        ({"since_ms": AT_MS + MINUTE_MS}, ["b", "c"]),
        ({"until_ms": AT_MS + MINUTE_MS}, ["a"]),
        ({"stages": ("intake",), "states": ("discarded",)}, ["c"]),
    ],
)
def test_filters(wanted: dict[str, Any], ids: list[str]) -> None:
    """By reason, source, stage, state and time, all at once; oldest first."""
    topic = Topic()
    topic.seen("a")
    topic.seen("b", stage="route", code=Code.STEP_BUG)
    topic.seen("c", code=Code.TOO_DEEP)
    topic.act(Handling.DISCARDED, item_id="c")
    assert [one.item_id for one in Wanted(**wanted).of(topic.shelf.items.values())] == ids


def test_the_histogram_counts_by_reason_most_first() -> None:
    """With stage and source, and since when."""
    topic = Topic()
    topic.seen("a", code=Code.TOO_DEEP)
    topic.seen("b")
    topic.seen("c")
    rows = histogram(topic.shelf.items.values())
    assert [(one["code"], one["source"], one["items"]) for one in rows] == [
        ("syntax-invalid", "cpr", 2),
        ("too-deep", "cpr", 1),
    ]
    assert rows[0]["oldest"] == "2026-11-26T12:01:00+00:00"


def test_nothing_shown_holds_what_was_set_aside() -> None:
    """No bytes, no key, no header of the record."""
    topic = Topic()
    topic.seen(stage="normalise", record=b"Zmyslona", record_key=b"Zmyslona", record_headers=(("h", b"Zmyslona"),))
    assert "Wm15c2xvbmE" not in str(topic.item.shown())
    assert "record" not in str(topic.item.shown())
