"""The demo's script and its scripted officer."""

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ops.demo.evening import Act, Far, evening
from ops.demo.officer import ACCEPTED_PER_LOOK, ACCEPTED_PER_UNDONE, decide, name_of


@given(st.integers(min_value=0, max_value=1_000))
def test_the_same_seed_plays_the_same_evening(seed: int) -> None:
    """A demo that showed something can be shown again."""
    assert list(evening(20, seed)) == list(evening(20, seed))


def test_the_shortest_evening_has_one_of_everything() -> None:
    """Within a few seconds there are a repeat, a cancellation, a malformed form, a desk entry, a panel."""
    acts = list(evening(1))
    assert {act.far for act in acts} == set(Far)
    assert any(act.fields.get("handling_status") == "CANCELLED" for act in acts)


def test_the_evening_is_dense_and_in_order() -> None:
    """About ten messages a second, never back in time."""
    acts = list(evening(60))
    assert len(acts) == 600
    assert [act.second for act in acts] == sorted(act.second for act in acts)


def test_a_far_id_and_revision_always_mean_the_same_content() -> None:
    """The script repeats and updates as a real sender does: it never contradicts itself."""
    told: dict[tuple[str, int], dict[str, Any]] = {}
    forms = [act for act in evening(120) if act.far is Far.CPR]
    for form in forms:
        key = (form.fields["cpr_id"], form.fields["revision"])
        assert told.setdefault(key, form.fields) == form.fields
    assert Counter(len(str(act)) > 0 for act in forms)[True] == len(forms)


def incident(number: int, **changes: Any) -> dict[str, Any]:
    """An incident as the page gives it."""
    view = {"id": f"i-{number}", "urgency": "ordinary", "opened_at": f"2026-01-01T00:00:{number:02}", "state": "open"}
    return {**view, "suggestions": [], "unread": 0, "version": 1, "unit": "u", **changes}


def test_the_officer_takes_urgent_ones_first_and_not_all_at_once() -> None:
    """As a person would."""
    page = [incident(n) for n in range(9)] + [incident(20, urgency="urgent")]
    chosen = decide(page, set())
    assert [one["id"] for one, _ in chosen] == ["i-20", "i-0", "i-1"][:ACCEPTED_PER_LOOK]


def test_the_officer_asks_nothing_twice_and_settles_both_ways() -> None:
    """One suggestion confirmed, the next rejected with a reason."""
    page = [incident(n, state="accepted", suggestions=[{"target": "t"}]) for n in range(2)]
    asked: set[str] = set()
    verbs = []
    for _ in range(3):
        for one, command in decide(page, asked):
            asked.add(name_of(one, command))
            verbs.append(command["verb"])
    assert verbs == ["confirm", "reject"]


def test_the_officer_undoes_a_link_and_splits_the_incident() -> None:
    """A report is taken out; once it stands alone, its neighbour follows. Neither is asked twice."""
    by_machine = [{"id": f"r-{n}", "why": {"rule": "weights"} if n else None} for n in range(4)]
    before = incident(1, state="accepted", report_list=by_machine)
    asked = {f"accept i-{n}" for n in range(ACCEPTED_PER_UNDONE)}
    ((one, command),) = decide([before], asked)
    assert (one["id"], command["verb"], command["report_id"]) == ("i-1", "unlink", "r-3")
    asked.add(name_of(one, command))
    left = incident(1, state="accepted", report_list=by_machine[:3])
    new = incident(2, state="accepted", report_list=by_machine[3:])
    assert decide([left], asked) == [], "not on the page yet"
    ((one, command),) = decide([left, new], asked)
    assert (one["id"], command["verb"], command["report_id"], command["target_id"]) == ("i-1", "link", "r-2", "i-2")
    asked.add(name_of(one, command))
    assert decide([left, new], asked) == []


def test_acts_are_values() -> None:
    """Two equal acts are equal: the script can be compared."""
    assert Act(1.0, Far.CPR, {"a": 1}) == Act(1.0, Far.CPR, {"a": 1})
