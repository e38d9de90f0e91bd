"""Links that later word makes doubtful: told once, offered for undoing, and left to a person."""

from typing import Any

import pytest

from schemas.errors import Code
from tests.streams.incident_log import Territory, command, identity, kinds, place, report

CRASH = "zderzenie dwóch samochodów, jedna osoba ranna"


@pytest.fixture
def territory() -> Territory:
    """An accident, and a second caller whom the machine gave to it by weight."""
    made = Territory()
    made.put(report("first", category="traffic.accident", text=CRASH))
    facts = made.put(report("second", category="traffic.accident", system="psp", text=CRASH, seconds=30, at=place(40)))
    assert [(one.change.kind, one.change.explanation.rule) for one in facts] == [("ReportLinked", "weights")]
    return made


def corrected(territory: Territory, **told: Any) -> list[Any]:
    """The first caller's service corrects what it told."""
    told = {"category": "traffic.accident", "text": CRASH, "seconds": 60, **told}
    return territory.put(report("first again", thread="first", order=1, **told))


def doubts(facts: list[Any]) -> list[str]:
    """The reports of which it was told that they may not belong there."""
    flagged = [one.change for one in facts if one.change.kind == "IncidentFlagged"]
    return [one.report_id for one in flagged if one.flag == "link-doubtful"]


def incident(territory: Territory) -> Any:
    """The incident of both as it stands."""
    return territory.summary(territory.homes()[identity("second")])


def test_a_corrected_place_far_away_makes_the_link_doubtful(territory: Territory) -> None:
    """The first one happened at the other end of the town: the second caller's is another one, and that is offered."""
    facts = corrected(territory, at=place(6_000))
    assert doubts(facts) == [identity("second")]
    assert "link-doubtful" in incident(territory).flags
    assert incident(territory).reports == 3, "nothing is undone by the machine"
    assert doubts(corrected(territory, at=place(6_100), content="more")) == [], "told once"


def test_a_small_correction_doubts_nothing(territory: Territory) -> None:
    """Some streets further, and a collision instead of an accident: the same still."""
    assert doubts(corrected(territory, at=place(300), category="traffic.collision")) == []


def test_what_a_person_linked_is_not_doubted() -> None:
    """Who linked it knew more than place and kind say."""
    territory = Territory()
    territory.put(report("first", category="traffic.accident", text=CRASH))
    territory.put(report("second", category="traffic.accident", at=place(9_000)))
    one, other = (territory.homes()[identity(name)] for name in ("first", "second"))
    territory.put(command("link", "link", other, target_id=one, report_id=identity("second")))
    assert doubts(corrected(territory, at=place(6_000))) == []


def test_taking_it_out_ends_the_doubt(territory: Territory) -> None:
    """The report gets an incident of its own, and the flag goes."""
    corrected(territory, at=place(6_000))
    before = incident(territory).incident_id
    facts = territory.put(command("out", "unlink", before, report_id=identity("second"), reason="another accident"))
    assert kinds(facts) == ["ReportUnlinked", "ReportLinked"]
    assert "link-doubtful" not in territory.summary(before).flags
    assert territory.homes()[identity("second")] != before


def test_leaving_it_ends_the_doubt_too(territory: Territory) -> None:
    """A person says that it belongs there: told as a fact, and not doubted again."""
    corrected(territory, at=place(6_000))
    home = incident(territory).incident_id
    leave: dict[str, Any] = {"target_id": home, "report_id": identity("second")}
    (fact,) = territory.put(command("stay", "confirm", home, **leave))
    assert (fact.change.kind, fact.change.confirmed, fact.change.report_id) == (
        "SuggestionSettled",
        True,
        identity("second"),
    )
    assert "link-doubtful" not in territory.summary(home).flags
    (refused,) = territory.put(command("again", "confirm", home, **leave))
    assert refused.change.code is Code.STATE_FORBIDS
    (refused,) = territory.put(command("which", "confirm", home, target_id=home))
    assert refused.change.code is Code.FIELD_MISSING
    assert doubts(corrected(territory, at=place(7_000), content="more")) == []
