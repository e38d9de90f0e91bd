"""Watch: several intake nodes with the same feed, and nodes and feeds that leave."""

from datetime import timedelta

import orjson

from schemas.feed import Alarm, FeedState
from schemas.topics import FEEDS
from streams.contract import Record
from streams.emit import moment
from tests.streams.places import AT_MS
from tests.streams.test_watch import Desk


def test_a_dead_node_is_not_hidden_by_another_with_the_same_feed():
    """Two nodes take calls of one call centre: the silence of one is an alarm, whatever the other says."""
    desk = Desk()
    desk.say(0, node="intake-1", emergency=True)
    for second in (0, 60, 120, 179):
        assert desk.say(second, node="intake-2", emergency=True) == []
    assert desk.pass_to(180) == [("feed-down", True)]
    (alarm,) = desk.alarms
    assert isinstance(alarm, Alarm)
    assert alarm.subject == "cpr@intake-1"
    assert desk.say(200, node="intake-1", emergency=True) == [("feed-down", False)]


def test_counters_of_two_nodes_are_no_restarts():
    """Each node counts for itself: the smaller numbers of the other are not taken for a start anew."""
    desk = Desk()
    for second in range(0, 300, 30):
        assert desk.say(second, node="intake-1", documents=1_000 + second, rejected=100) == []
        assert desk.say(second, node="intake-2", documents=5, rejected=0) == []


def test_documents_by_any_node_are_no_silence():
    """The far side chooses the node: the other is not silent for that; when none hears anything, both are."""
    desk = Desk()
    desk.say(0, node="intake-2", expected_every_seconds=100)
    late = moment(AT_MS) + timedelta(seconds=90)
    desk.say(91, node="intake-1", expected_every_seconds=100, last_document_at=late)
    assert desk.say(120, node="intake-2", expected_every_seconds=100) == []
    assert desk.pass_to(189) == []
    assert desk.pass_to(190) == [("feed-silent", True), ("feed-silent", True)]


def test_a_node_stopped_on_purpose_is_no_alarm_while_another_goes_on():
    """Taken out of service: no alarm as long as the other node has the feed; when that stops as well, there is one."""
    desk = Desk()
    desk.say(0, node="intake-1", emergency=True, state=FeedState.STOPPED)
    assert desk.pass_to(60) == [("feed-down", True)]
    assert desk.say(70, node="intake-2", emergency=True) == [("feed-down", False)]
    stopped = moment(AT_MS) + timedelta(seconds=80)
    assert desk.say(80, node="intake-2", emergency=True, state=FeedState.STOPPED, since=stopped) == [
        ("feed-down", True)
    ]


def test_when_a_node_is_configured_away_the_other_is_judged_alone():
    """What excused a stopped node leaves, and with it the excuse."""
    desk = Desk()
    desk.say(0, node="intake-1", emergency=True, state=FeedState.STOPPED)
    desk.say(0, node="intake-2", emergency=True)
    assert desk.pass_to(61) == []
    gone = Record(FEEDS, 0, 0, b"cpr@intake-2", None, (), AT_MS + 62_000)
    assert desk.see(gone) == [("feed-down", True)]
    assert desk.due_in() is None


def test_what_an_earlier_version_kept_without_a_node_leaves():
    """Its deadline is dropped with the first look; the tombstone that the node writes ends its alarm."""
    desk = Desk()
    desk.say(0, state=FeedState.DENIED)
    values = desk.memory.values
    values["f|cpr"], values["dues"] = values.pop("f|cpr@n"), orjson.dumps({"cpr": AT_MS})
    del values["nodes"]
    assert desk.pass_to(1) == []
    assert desk.due_in() is None
    assert desk.see(Record(FEEDS, 0, 0, b"cpr", None, (), AT_MS + 2_000)) == [("feed-down", False)]
