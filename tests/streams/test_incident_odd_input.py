"""Reports that are odd: in time, in place, on the move. For each the decision of a good dispatcher, and its reason."""

from typing import Any

import pytest

from schemas.place import Place
from tests.streams.incident_log import Territory, kinds, place, report

CRASH = "zderzenie dwóch samochodów, jedna osoba ranna"
DRUNK = "biały bus jedzie od krawędzi do krawędzi, kierowca chyba pijany"
DAY, HOUR = 86_400, 3_600


def decided(facts: list[Any]) -> str:
    """What became of the report: linked, suggested or opened; deadlines that passed meanwhile do not matter."""
    names = {"ReportLinked": "linked", "LinkSuggested": "suggested"}
    return next((names[kind] for kind in kinds(facts) if kind in names), "opened")


def home(facts: list[Any]) -> str:
    """The incident that the report joined or opened."""
    (found,) = [one.incident_id for one in facts if one.change.kind in {"ReportLinked", "IncidentOpened"}]
    return str(found)


@pytest.fixture
def territory() -> Territory:
    """A territory with one accident in the middle of Kalisz."""
    made = Territory()
    made.put(report("first", category="traffic.accident", text=CRASH))
    return made


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        # A far system's clock is some minutes fast: people call about what they see, not about what will be.
        (300, "linked"),
        # Tomorrow: a planned closure, or a wrong date. Who links it hides what will happen.
        (DAY, "opened"),
        # Yesterday's accident at the same place, told late, is another accident.
        (-DAY, "opened"),
        # The ambulance service's form comes an hour after the call, and tells of the time of the call.
        (60, "linked"),
    ],
)
def test_event_times_before_and_after_now(territory: Territory, seconds: int, expected: str) -> None:
    """The time that is told counts, not the one at which it comes."""
    told: dict[str, Any] = {"category": "traffic.accident", "system": "prm", "text": CRASH, "seconds": seconds}
    assert decided(territory.at(HOUR // 2).put(report("second", at=place(30), **told))) == expected


def test_a_report_of_tomorrow_hides_nothing_of_today(territory: Territory) -> None:
    """A wrong date far ahead opens its own, and what comes today goes on meeting what is of today."""
    wrong = home(territory.put(report("wrong", category="traffic.accident", text=CRASH, seconds=DAY, system="psp")))
    facts = territory.at(120).put(
        report("third", category="traffic.accident", text=CRASH, seconds=120, at=place(20), system="desk")
    )
    assert decided(facts) == "linked"
    assert home(facts) != wrong


@pytest.mark.parametrize("name", ["Kalisz", "Górnośląska 12"])
def test_a_place_by_name_alone_is_no_place(territory: Territory, name: str) -> None:
    """Without a point only what both name joins them: every town has such a street, and every street its accidents."""
    facts = territory.put(report("second", category="traffic.accident", at=Place(text=name), text=CRASH, seconds=60))
    assert decided(facts) == "opened"


def test_two_kinds_of_one_source_stay_apart() -> None:
    """The call centre wrote a burglary and a disturbance at one address in one minute: it heard both, and kept them
    apart. Of two services that hear of one matter the kinds may differ; the machine still links those.
    """
    told: dict[str, Any] = {"at": place(), "seconds": 20}
    apart = Territory()
    apart.put(report("first", category="crime.burglary", text="ktoś wyłamał drzwi do piwnicy"))
    facts = apart.put(report("second", category="order.disturbance", text="krzyki i hałas na klatce", **told))
    assert decided(facts) in {"opened", "suggested"}
    services = Territory()
    services.put(report("first", category="traffic.accident", text=CRASH))
    facts = services.put(report("second", category="health.injury", system="prm", text="ranna kobieta, auto", **told))
    assert decided(facts) == "linked"
    same = Territory()
    same.put(report("first", category="traffic.accident", text=CRASH))
    facts = same.put(report("second", category="health.injury", text=CRASH, **told))
    assert decided(facts) == "linked", "the same words speak for one matter"


# Who moves: one drunk driver is one incident along twenty kilometres of road, two of them are two


def drive(territory: Territory, number: int, **told: Any) -> list[Any]:
    """Another driver calls: two minutes later, two kilometres on."""
    seconds = 120 * number
    told = {"category": "traffic.drunk-driver", "text": DRUNK, "system": f"s{number % 2}", **told}
    return territory.at(seconds).put(
        report(f"driver{number}", seconds=seconds, at=place(east_m=2_000 * number, uncertainty_m=200), **told)
    )


def test_a_drunk_driver_is_followed_along_the_road() -> None:
    """Each caller meets him further on, in the same words: a person is asked each time, and of two callers who read the
    plate the machine knows by itself.
    """
    asked, known = Territory(), Territory()
    assert [decided(drive(asked, number)) for number in range(8)] == ["opened", *["suggested"] * 7]
    assert [decided(drive(known, number, tokens=("plate",))) for number in range(8)] == ["opened", *["linked"] * 7]
    assert len(set(known.homes().values())) == 1


def test_the_same_plate_further_than_anything_else_is_looked_for() -> None:
    """Twenty kilometres and fourteen minutes on: by the plate it is asked or linked; on foot it would be neither."""
    for category, expected in (("traffic.drunk-driver", {"linked", "suggested"}), ("order.disturbance", {"opened"})):
        territory = Territory()
        drive(territory, 0, category=category, tokens=("plate",))
        far = report(
            "far",
            seconds=840,
            at=place(east_m=20_000, uncertainty_m=200),
            category=category,
            text=DRUNK,
            system="psp",
            tokens=("plate",),
        )
        assert decided(territory.at(840).put(far)) in expected


def test_faster_than_anybody_drives_is_another_one() -> None:
    """The same words eight kilometres on after one minute: nobody drives so fast."""
    territory = Territory()
    drive(territory, 0)
    facts = territory.at(60).put(
        report("other", seconds=60, at=place(east_m=8_000), category="traffic.drunk-driver", text=DRUNK, system="psp")
    )
    assert decided(facts) == "opened"


def test_two_drunk_drivers_are_two() -> None:
    """Other vehicles in other words, at one place: a question at the most."""
    territory = Territory()
    drive(territory, 0)
    facts = territory.put(
        report(
            "other",
            seconds=60,
            at=place(east_m=900),
            category="traffic.drunk-driver",
            text="czerwony motocykl bez świateł na chodniku",
        )
    )
    assert decided(facts) in {"opened", "suggested"}
