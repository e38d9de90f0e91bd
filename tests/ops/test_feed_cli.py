"""The words of `sztab feed`: speeds, and an end that is honest."""

import click
import pytest

from ops.feed_cli import Speed, text
from ops.feed_summary import Summary


@pytest.mark.parametrize(("said", "speed"), [("max", None), ("60x", 60.0), ("0.5x", 0.5)])
def test_a_speed_is_a_factor_or_max(said, speed):
    """60x plays an hour in a minute."""
    assert Speed().convert(said, None, None) == speed


@pytest.mark.parametrize("said", ["", "fast", "60", "-1x", "0x", "1e9x", "nanx"])
def test_another_word_is_no_speed(said):
    """Told at once."""
    with pytest.raises(click.BadParameter):
        Speed().convert(said, None, None)


def summary(**changes) -> Summary:
    """A feed that ended well."""
    told = {"rows": 10, "accepted": 9, "quarantined": 1, "seconds": 2.0, "complete": True, **changes}
    return Summary("f.csv", "m", "calls", "feed-calls", **told)


def test_the_end_says_what_became_of_the_rows():
    """Rows, accepted, repeated, quarantined, speed."""
    said = text(summary())
    assert "10 rows: 9 accepted, 0 repeated, 1 quarantined" in said
    assert "5 messages/s" in said
    assert "nothing new" not in said
    assert summary().good


def test_nothing_new_is_said():
    """Whether the rows were skipped or came again."""
    assert "nothing new" in text(summary(rows=0, accepted=0, quarantined=0, before=10))
    assert "10 fed before" in text(summary(rows=0, accepted=0, quarantined=0, before=10))
    assert summary(rows=10, accepted=0, quarantined=0, repeated=10).as_json()["nothing_new"]


def test_what_went_wrong_is_said_and_is_no_success():
    """A broken file, a clock that could not be set."""
    assert "breaks" in text(summary(complete=False))
    assert not summary(complete=False).good
    unset = summary(ticked=False, clock="normalise stands still")
    assert "clock not set: normalise stands still" in text(unset)
    assert not unset.good
