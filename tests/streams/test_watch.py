"""Watch: feeds that are silent, down, failing or out of time become alarms, and stop being some."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import Code, Misconfigured, Rejected
from schemas.feed import Alarm, AlarmClass, FeedState, FeedStatus
from schemas.topics import FEEDS
from schemas.wire import payload
from streams.contract import Record
from streams.emit import moment
from streams.watch import WatchReference, due, load, processor, tick
from tests.streams.places import AT_MS, Memory, on_topic, report


class Desk:
    """Watch with its state; time is given in seconds since the start."""

    def __init__(self) -> None:
        self.processor = processor(WatchReference())
        self.memory = Memory(self.processor)

    def say(self, second: float, **changes: Any) -> list[tuple[str, bool]]:
        """A status at a second; the alarms that begin and end."""
        now = moment(AT_MS) + timedelta(seconds=second)
        values = {
            "feed": "cpr",
            "system": "cpr",
            "node": "n",
            "state": FeedState.UP,
            "since": moment(AT_MS),
            "said_at": now,
            "last_document_at": moment(AT_MS),
        }
        status = FeedStatus.model_validate(values | changes)
        return self.see(on_topic(status, FEEDS)._replace(timestamp_ms=AT_MS + round(second * 1000)))

    def pass_to(self, second: float) -> list[tuple[str, bool]]:
        """A tick at a second."""
        ms = AT_MS + round(second * 1000)
        out = tick(0, ms)
        return self.see(Record(FEEDS, 0, 0, out.key, out.value, out.headers, ms))

    def see(self, record: Record) -> list[tuple[str, bool]]:
        """Kind and whether it holds, of each alarm that changed."""
        self.alarms = [payload(out.headers, out.value) for out in self.memory.step(record).outputs]
        return [(one.kind, one.active) for one in self.alarms if isinstance(one, Alarm)]

    def due_in(self) -> float | None:
        """Seconds from the start to the earliest deadline."""
        ms = due(self.memory)
        return None if ms is None else (ms - AT_MS) / 1000


def test_silence_beyond_the_rhythm_is_an_alarm_and_ends():
    """No document within the expected rhythm: an alarm at that very moment; the next document ends it."""
    desk = Desk()
    assert desk.say(0, expected_every_seconds=90) == []
    assert desk.due_in() == 90
    assert desk.pass_to(89.999) == []
    assert desk.pass_to(90) == [("feed-silent", True)]
    assert desk.pass_to(100) == []
    heard_again = moment(AT_MS) + timedelta(seconds=110)
    assert desk.say(111, expected_every_seconds=90, last_document_at=heard_again) == [("feed-silent", False)]
    assert desk.due_in() == 200


def test_a_restart_does_not_hide_silence():
    """A node that starts anew has no last document yet: silence is counted from the one that was known."""
    desk = Desk()
    desk.say(0, expected_every_seconds=100)
    again = moment(AT_MS) + timedelta(seconds=50)
    assert desk.say(50, expected_every_seconds=100, last_document_at=None, since=again) == []
    assert desk.pass_to(100) == [("feed-silent", True)]


@pytest.mark.parametrize(("emergency", "loud"), [(True, AlarmClass.URGENT), (False, AlarmClass.IMPORTANT)])
def test_an_emergency_feed_alarms_louder(emergency, loud):
    """Silence of an emergency feed is urgent."""
    desk = Desk()
    desk.say(0, expected_every_seconds=10, emergency=emergency)
    desk.pass_to(10)
    (alarm,) = desk.alarms
    assert isinstance(alarm, Alarm)
    assert (alarm.alarm_class, alarm.subject, alarm.raised_at) == (loud, "cpr@n", moment(AT_MS + 10_000))


def test_down_is_told_after_a_minute():
    """A short outage is nobody's business; a minute of it is; up ends it."""
    desk = Desk()
    assert desk.say(0, state=FeedState.DOWN, code="far-side-unavailable") == []
    assert desk.due_in() == 60
    assert desk.pass_to(60) == [("feed-down", True)]
    assert desk.say(70) == [("feed-down", False)]


def test_denied_is_told_at_once():
    """Wrong credentials never mend themselves."""
    assert Desk().say(0, state=FeedState.DENIED, code="unauthenticated") == [("feed-down", True)]


def test_a_stopped_feed():
    """A batch that ended is no alarm; an emergency feed or one with a rhythm that stands still is."""
    quiet = Desk()
    assert quiet.say(0, state=FeedState.STOPPED) == []
    assert quiet.due_in() is None
    loud = Desk()
    loud.say(0, state=FeedState.STOPPED, emergency=True)
    assert loud.pass_to(60) == [("feed-down", True)]


def test_an_intake_node_that_says_nothing_is_down():
    """Three missed statuses: the feed counts as down, whatever it said last."""
    desk = Desk()
    desk.say(0)
    assert desk.pass_to(179) == []
    assert desk.pass_to(180) == [("feed-down", True)]
    assert desk.say(181) == [("feed-down", False)]


def test_failing_is_a_share_of_a_window():
    """Many documents not understood: an alarm; it ends when a whole window was better."""
    desk = Desk()
    assert desk.say(0, documents=100, rejected=0) == []
    assert desk.say(60, documents=110, rejected=2) == []
    assert desk.say(120, documents=120, rejected=30) == [("feed-failing", True)]
    assert desk.say(600, documents=130, rejected=30) == []
    assert desk.say(660, documents=200, rejected=31) == []
    assert desk.say(1200, documents=300, rejected=31) == [("feed-failing", False)]


def test_counters_that_go_back_start_anew():
    """A restarted node counts from nothing, and that is no success and no failure."""
    desk = Desk()
    desk.say(0, documents=1_000, rejected=0)
    assert desk.say(10, documents=4, rejected=4) == [("feed-failing", True)]


def test_clock_skew():
    """A far clock too far from ours is an alarm until it is right again."""
    desk = Desk()
    assert desk.say(0, skew_seconds=-61) == [("clock-skew", True)]
    assert desk.say(10, skew_seconds=59) == [("clock-skew", False)]


def test_a_louder_class_is_told():
    """An alarm whose feed became an emergency feed is told again, louder, with its first time."""
    desk = Desk()
    desk.say(0, state=FeedState.DENIED)
    assert desk.say(30, state=FeedState.DENIED, emergency=True) == [("feed-down", True)]
    (alarm,) = desk.alarms
    assert isinstance(alarm, Alarm)
    assert (alarm.alarm_class, alarm.raised_at) == (AlarmClass.URGENT, moment(AT_MS))


def test_a_feed_configured_away_leaves():
    """A tombstone ends its alarms and forgets it; twice is once."""
    desk = Desk()
    desk.say(0, state=FeedState.DENIED)
    gone = Record(FEEDS, 0, 0, b"cpr@n", None, (), AT_MS + 1)
    assert desk.see(gone) == [("feed-down", False)]
    assert desk.due_in() is None
    assert desk.see(gone) == []


def test_time_never_goes_back():
    """A late or zombie tick changes nothing."""
    desk = Desk()
    desk.say(0, expected_every_seconds=10)
    desk.pass_to(10)
    before = dict(desk.memory.values)
    assert desk.pass_to(3) == []
    assert desk.memory.values == before


def test_feeds_do_not_meddle():
    """Each feed has its own alarms and its own deadline."""
    desk = Desk()
    desk.say(0, feed="a", expected_every_seconds=50)
    desk.say(0, feed="b", expected_every_seconds=20)
    assert desk.due_in() == 20
    assert desk.pass_to(20) == [("feed-silent", True)]
    assert desk.due_in() == 50


def test_what_is_not_ours_is_set_aside():
    """Another type is refused."""
    with pytest.raises(Rejected) as caught:
        Desk().see(on_topic(report()))
    assert caught.value.code is Code.RECORD_INVALID


def test_a_feed_whose_picture_is_not_understood_is_failing():
    """One document is enough where it shows all that holds; the next that is understood ends it."""
    desk = Desk()
    assert desk.say(0, documents=1, rejected=0) == []
    assert desk.say(30, documents=2, rejected=1, code="not-understood") == [("feed-failing", True)]
    assert desk.say(60, documents=2, rejected=1, code="not-understood") == []
    assert desk.say(90, documents=3, rejected=1) == [("feed-failing", False)]


def test_limits_come_from_the_configuration():
    """A wrong limit is named; another limit is another version."""
    assert load({"clock_skew_seconds": 5}).versions != load({}).versions
    with pytest.raises(Misconfigured, match=r"watch: failing_share"):
        load({"failing_share": 2})


ACTS = st.one_of(
    st.fixed_dictionaries(
        {
            "state": st.sampled_from(FeedState),
            "documents": st.integers(0, 50),
            "rejected": st.integers(0, 20),
            "skew_seconds": st.none() | st.floats(-100, 100),
            "code": st.none() | st.just("not-understood"),
            "expected_every_seconds": st.none() | st.floats(1, 500),
            "emergency": st.booleans(),
        }
    ),
    st.none(),
)


@settings(max_examples=100, deadline=None)
@given(acts=st.lists(st.tuples(st.floats(0, 300), ACTS), max_size=20))
def test_begins_and_ends_alternate(acts):
    """Whatever happens, an alarm ends only after it began and does not begin twice; a second look changes nothing."""
    desk, second = Desk(), 0.0
    held: dict[str, bool] = {}
    louder: set[str] = set()
    for pause, act in acts:
        second += pause
        changes = desk.pass_to(second) if act is None else desk.say(second, **act)
        for kind, active in changes:
            if held.get(kind, False) == active:
                assert active, "ended twice"
                louder.add(kind)
            held[kind] = active
        before = dict(desk.memory.values)
        assert desk.pass_to(second) == []
        assert desk.memory.values == before
