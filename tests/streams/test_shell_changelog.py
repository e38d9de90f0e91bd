"""The changelog: marker, fold, overlay, repair."""

from hypothesis import given
from hypothesis import strategies as st

from streams.changelog import MARKER_KEY, Changes, Fold, Marker, PartitionState, batch, decode_marker, repairs
from tests.streams.shell_fake import Batch

TOPIC = b"t" * 16


def write(fold, applied, **changes):
    """One changelog batch."""
    fold.take(MARKER_KEY, Marker(TOPIC, applied).encode())
    for key, value in changes.items():
        fold.take(key.encode(), value)


def test_marker_survives_the_wire():
    """Topic id and offset come back as they were written, also the offset before the first record."""
    for applied in (-1, 0, 2**40):
        assert decode_marker(Marker(TOPIC, applied).encode()) == Marker(TOPIC, applied)


def test_fold_applies_in_order_and_forgets_deleted_keys():
    """The last value of a key counts, a tombstone removes it, the marker stands at the last batch."""
    fold = Fold()
    write(fold, 3, x=b"1", y=b"1")
    write(fold, 7, x=b"2", y=None)
    assert (fold.values, fold.applied, fold.repair) == ({b"x": b"2"}, 7, set())


def test_a_batch_whose_marker_goes_back_is_skipped_and_repaired():
    """A zombie's late write changes nothing, and its keys are named for repair; a later write of one settles it."""
    fold = Fold()
    write(fold, 9, x=b"new", y=b"new")
    write(fold, 4, x=b"old", z=b"old")
    assert (fold.values, fold.applied) == ({b"x": b"new", b"y": b"new"}, 9)
    assert fold.repair == {b"x", b"z"}
    write(fold, 9, x=b"new")
    assert fold.repair == {b"z"}


def test_without_rule_fold_the_zombie_wins():
    """Conviction: with the rule off, the stale value is what a restart would go on with."""
    fold = Fold(skip_stale=False)
    write(fold, 9, x=b"new")
    write(fold, 4, x=b"old")
    assert fold.values == {b"x": b"old"}


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=40), st.data())
def test_fold_equals_the_owner_whatever_zombies_write(turns, data):
    """The owner's state comes out, wherever batches of a process that stopped earlier are mixed in."""
    fold, owner, applied = Fold(), {}, -1
    past: list[tuple[int, dict[str, bytes]]] = []
    for key, zombie in turns:
        if zombie and past:
            stale_at, stale = data.draw(st.sampled_from(past))
            if stale_at < applied:
                write(fold, stale_at, **stale)
                continue
        applied += 1
        owner[f"k{key}"] = b"%d" % applied
        past.append((applied, {f"k{key}": b"%d" % applied}))
        write(fold, applied, **past[-1][1])
    assert fold.values == {key.encode(): value for key, value in owner.items()}
    for portion in repairs(fold, 10_000):
        write(fold, fold.applied, **{key: entry[1] for key, entry in portion.items()})
    assert not fold.repair
    assert fold.values == {key.encode(): value for key, value in owner.items()}


def test_repairs_fit_into_batches():
    """Many keys are written in several portions, none of them larger than a batch may be, none forgotten."""
    fold = Fold()
    write(fold, 5, **{f"key{n}": b"v" * 50 for n in range(40)})
    write(fold, 1, **{f"key{n}": b"old" for n in range(40)}, gone=b"old")
    portions = repairs(fold, 500)
    assert len(portions) > 1
    assert sum(map(len, portions)) == 41
    assert all(sum(len(k) + len(e[1] or b"") for k, e in one.items()) <= 500 for one in portions)
    assert {k: e[1] for one in portions for k, e in one.items()}["gone"] is None


def test_state_is_overlaid_until_saved():
    """A step sees what was stepped before it; what is saved stays, what is deleted is gone, at every moment."""
    state = PartitionState({"x": 1, "y": 1})
    first: Changes = {"x": (2, b"2"), "y": (None, None)}
    state.dirty.update(first)
    assert (state.get("x"), state.get("y"), state.get("z")) == (2, None, None)
    assert state.snapshot() == {"x": 1, "y": 1}
    state.saved(first)
    assert (state.get("x"), state.get("y"), state.dirty, state.snapshot()) == (2, None, {}, {"x": 2})


def test_a_later_change_stays_in_the_overlay_when_an_equal_earlier_one_is_saved():
    """Three units put A, B, A: saving the first and the second never shows B again."""
    state, value = PartitionState(), "A"
    units: list[Changes] = [{"x": (value, b"A")}, {"x": ("B", b"B")}, {"x": (value, b"A")}]
    for unit in units:
        state.dirty.update(unit)
    for unit in units:
        state.saved(unit)
        assert state.get("x") == "A"


def test_a_batch_begins_with_the_marker():
    """The unit that is appended whole: first the marker, then every change."""
    built = batch(Batch, Marker(TOPIC, 5), {"x": (1, b"1"), "y": (None, None)}, 1000)
    assert [record[1] for record in built.records] == [MARKER_KEY, b"x", b"y"]
    assert decode_marker(built.records[0][2]) == Marker(TOPIC, 5)
