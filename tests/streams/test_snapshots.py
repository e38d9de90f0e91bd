"""Snapshots of feeds become changes of warnings, whatever their order."""

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.envelope import attribute
from schemas.errors import Code, Rejected
from schemas.finding import Finding, FindingCode
from schemas.notice import Notice, NoticeChanged, SnapshotTaken
from schemas.report import Mode
from schemas.topics import CIVIL
from schemas.wire import payload
from streams.normalise import NormaliseReference, processor
from tests.schemas.samples import AT
from tests.streams.places import Memory, on_topic, reference, two_units


def notice(name: str, **changes: Any) -> Notice:
    """A storm warning for the county of Kalisz."""
    values = {"notice_id": name, "far_id": name, "event": "Burze", "teryt": ("3007", "3061"), "feed": "imgw"}
    return Notice.model_validate(values | changes)


def snapshot(*items: Notice, minutes: int = 0, complete: bool = True) -> SnapshotTaken:
    """What the feed shows so many minutes later."""
    at = AT + timedelta(minutes=minutes)
    return SnapshotTaken(snapshot_id=f"s-{minutes}", feed="imgw", taken_at=at, complete=complete, items=items)


class Feed:
    """A feed's snapshots through the step, with a state that survives restarts."""

    def __init__(self, which: NormaliseReference | None = None) -> None:
        self.memory = Memory(processor(CIVIL, which or two_units()))

    def take(self, one: SnapshotTaken) -> list[NoticeChanged]:
        """What a snapshot changes."""
        found = [payload(out.headers, out.value) for out in self.memory.step(on_topic(one, CIVIL)).outputs]
        return [one for one in found if isinstance(one, NoticeChanged)]


def told(changes: list[NoticeChanged]) -> list[tuple[str, str, bool]]:
    """Unit, warning, withdrawn."""
    return [(one.unit, one.notice.notice_id, one.withdrawn) for one in changes]


def test_new_warnings_reach_the_units_they_touch():
    """A warning for both codes reaches both units; one for elsewhere nobody; one for a voivodeship everybody in it."""
    feed = Feed()
    found = feed.take(snapshot(notice("a"), notice("b", teryt=("1465",)), notice("c", teryt=("30",))))
    assert told(found) == [
        ("city", "a", False),
        ("county", "a", False),
        ("city", "c", False),
        ("county", "c", False),
        ("far", "c", False),
    ]


def test_order_changes_nothing():
    """Shuffled rows and codes, doubled codes: no change."""
    feed = Feed()
    items = [notice("a"), notice("b", areas=("x", "y"))]
    feed.take(snapshot(*items))
    shuffled = [one.model_copy(update={"teryt": ("3061", "3007", "3061"), "areas": one.areas[::-1]}) for one in items]
    assert feed.take(snapshot(*shuffled[::-1], minutes=5)) == []


def test_changed_warnings_are_told_again():
    """Other content under the same id is told; a unit that is no longer touched hears that it is withdrawn there."""
    feed = Feed()
    feed.take(snapshot(notice("a")))
    found = feed.take(snapshot(notice("a", teryt=("3007",), degree="2"), minutes=5))
    assert told(found) == [("county", "a", False), ("city", "a", True)]


def test_withdrawn_only_by_complete_snapshots():
    """Missing from an incomplete snapshot: nothing is concluded. Missing from a complete one: withdrawn, as it was."""
    feed = Feed()
    feed.take(snapshot(notice("a", ends_at=AT + timedelta(hours=3)), notice("b")))
    assert feed.take(snapshot(notice("b"), minutes=5, complete=False)) == []
    found = feed.take(snapshot(notice("b"), minutes=10))
    assert told(found) == [("city", "a", True), ("county", "a", True)]
    assert found[0].notice.ends_at == AT + timedelta(hours=3)
    assert feed.take(snapshot(notice("b"), minutes=15)) == []


def test_a_warning_that_ended_by_itself_is_not_withdrawn():
    """Gone after its own end: nothing to say, and nothing is remembered of it."""
    feed = Feed()
    feed.take(snapshot(notice("a", ends_at=AT + timedelta(minutes=3))))
    assert feed.take(snapshot(minutes=5)) == []
    assert not [key for key in feed.memory.values if key.startswith("n|")]


def test_it_may_reappear():
    """A withdrawn warning that comes back is told again."""
    feed = Feed()
    feed.take(snapshot(notice("a")))
    feed.take(snapshot(minutes=5))
    assert told(feed.take(snapshot(notice("a"), minutes=10))) == [("city", "a", False), ("county", "a", False)]


def test_without_an_area_it_is_shown_to_all():
    """No TERYT code and no catchment of ours: every unit sees it, with a finding; it is never dropped."""
    found = Feed().take(snapshot(notice("a", teryt=())))
    assert [one.unit for one in found] == ["city", "county", "far", "foreign"]
    assert all(one.notice.findings[0].code is FindingCode.AREA_MISSING for one in found)


def test_catchments_lead_to_units():
    """A hydrological warning reaches the unit that names one of its catchments, and no other."""
    feed = Feed(reference())
    assert told(feed.take(snapshot(notice("a", teryt=(), areas=("Z_P_WP_1844",))))) == [("kmp-kalisz", "a", False)]
    assert (
        feed.take(snapshot(notice("b", teryt=(), areas=("Z_O_X",)), notice("a", teryt=(), areas=("Z_P_WP_1844",))))
        == []
    )


def test_an_older_snapshot_changes_nothing():
    """Published again after a crash, an old snapshot neither withdraws nor revives."""
    feed = Feed()
    old = snapshot(notice("a"), minutes=0)
    feed.take(old)
    feed.take(snapshot(notice("b"), minutes=5))
    before = dict(feed.memory.values)
    assert feed.take(old) == []
    assert feed.memory.values == before


def test_the_same_snapshot_twice_is_once():
    """Stepped again with its own result, nothing more happens."""
    feed = Feed()
    feed.take(snapshot(notice("a")))
    before = dict(feed.memory.values)
    assert feed.take(snapshot(notice("a"))) == []
    assert feed.memory.values == before


def test_ids_and_mode_are_in_the_headers():
    """Unit, mode and the snapshot that caused it travel beside the payload; an exercise is refused."""
    one = processor(CIVIL, two_units())
    (output, *_) = one.step({}, on_topic(snapshot(notice("a")), CIVIL, traceparent="00-1")).outputs
    names = {name: attribute(output.headers, name) for name in ("unit", "mode", "causeid", "traceparent")}
    assert names == {"unit": "city", "mode": "real", "causeid": "s-0", "traceparent": "00-1"}
    with pytest.raises(Rejected) as caught:
        one.step({}, on_topic(snapshot(notice("a", mode=Mode.EXERCISE)), CIVIL))
    assert caught.value.code is Code.MODE_MIXED


@settings(max_examples=60, deadline=None)
@given(
    sets=st.lists(st.tuples(st.sets(st.sampled_from("abcde")), st.booleans()), max_size=8),
    seed=st.integers(0, 2**16),
)
def test_what_is_shown_is_what_the_changes_add_up_to(sets, seed):
    """After any run of snapshots in any row order, issued minus withdrawn is what the last complete view must be."""
    feed = Feed()
    shown: set[str] = set()
    expected: set[str] = set()
    for number, (names, complete) in enumerate(sets):
        items = [notice(name) for name in sorted(names)]
        random.Random(seed + number).shuffle(items)
        for one in feed.take(snapshot(*items, minutes=5 * number, complete=complete)):
            if one.unit == "city":
                (shown.discard if one.withdrawn else shown.add)(one.notice.notice_id)
        expected = set(names) if complete else expected | set(names)
    assert shown == expected


def test_the_finding_is_not_doubled():
    """A source that says itself that the area is missing is not told so twice."""
    said = Finding(code=FindingCode.AREA_MISSING, at="/teryt", detail="x")
    found = Feed().take(snapshot(notice("a", teryt=(), findings=(said,))))
    assert {one.notice.findings for one in found} == {(said,)}
