"""Match weights: monotone where nature is, explained, and careful where a mistake hides a second victim."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import Misconfigured
from schemas.report import Urgency
from streams import correlate, match_weights
from streams.categories import built_in
from streams.first_look import worth_a_look
from streams.incident_summary import gist, sighting
from tests.streams.incident_log import Territory, command, incident_of, kinds, place, report

CATALOGUE = built_in()
WEIGHTS = match_weights.built_in(CATALOGUE)
TEXT = match_weights.built_in_text()
CODES = st.sampled_from(sorted(CATALOGUE.categories))


@given(st.floats(0, 20_000), st.floats(0, 20_000), st.floats(10, 5_000))
def test_farther_never_counts_more(one, other, sigma):
    """At the same uncertainty a longer distance never has more bits."""
    near, far = sorted((one, other))
    assert WEIGHTS.distance_bits(near, sigma) >= WEIGHTS.distance_bits(far, sigma) - 1e-9


@given(st.integers(0, 10**8), st.integers(0, 10**8), CODES)
def test_later_never_counts_more(one, other, code):
    """A longer gap never has more bits, in any category's window."""
    window = CATALOGUE.category(code).window_ms
    soon, late = sorted((one, other))
    assert WEIGHTS.time_bits(soon, window) >= WEIGHTS.time_bits(late, window) - 1e-9


@given(st.floats(0, 100), st.floats(0, 100))
def test_more_likeness_never_counts_less(one, other):
    """Between the points of the table it is a straight line, rising."""
    less, more = sorted((one, other))
    for table in (WEIGHTS.text, WEIGHTS.street):
        assert table.bits(less) <= table.bits(more) + 1e-9


@given(CODES, CODES)
def test_kinds_are_symmetric(one, other):
    """The order of two kinds does not matter; the same kind never counts less than two of one group."""
    assert WEIGHTS.category_bits(one, other) == WEIGHTS.category_bits(other, one)


def test_vague_points_say_less():
    """The same point told by two vague sources is worth less than by two sure ones."""
    assert WEIGHTS.distance_bits(0, 50) > WEIGHTS.distance_bits(0, 500) > WEIGHTS.distance_bits(0, 3_000)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("prior_bits: -6.08", "prior_bits: lots", "prior_bits"),
        ("false_suggestion: 0.7", "false_suggestion: 23", "must not be above"),
        ("person.missing: 90", "person.mising: 90", "'person.mising'"),
        ("source:\n", "source:\n  pairs: {psp: 1}\n", "must be two systems"),
        ("traffic.accident|traffic.collision", "traffic.accident|nonsense", "'nonsense' is not in the catalogue"),
        ("[person.missing,", "[person.mising,", "'person.mising'"),
        ("[[0, -1.0], [40", "[[0, 9.0], [40", "more likeness must not count less"),
        ("[100, 4.0]]", "[90, 4.0]]", "from 0 to 100"),
        ("version: 1", "version: 2", "version"),
        ("name: built-in", "name: built-in\nsurprise: 1", "surprise"),
    ],
)
def test_mistakes_in_the_file_are_named(old, new, says):
    """A file with a mistake is refused before anything starts, and the mistake is named."""
    assert old in TEXT
    with pytest.raises(Misconfigured, match=says.replace("[", r"\[")):
        match_weights.load(TEXT.replace(old, new, 1), CATALOGUE)


def test_digest_names_the_content():
    """Another number is another version; the same file is the same."""
    assert match_weights.load(TEXT, CATALOGUE).version == WEIGHTS.version
    assert match_weights.load(TEXT.replace("-6.08", "-6.0", 1), CATALOGUE).version != WEIGHTS.version


@given(
    st.integers(0, 12_000),
    st.integers(-3_600, 90 * 60),
    CODES,
    CODES,
    st.sampled_from([20, 150, 900, 4_000]),
    st.booleans(),
)
def test_the_first_look_leaves_out_nothing_that_matches(metres, seconds, one, other, sigma, spoken):
    """What is not looked at again could not have been suggested, whatever it is and however it was told."""
    territory = Territory()
    told: dict[str, Any] = (
        {"text": "biały bus stoi w poprzek", "system": "psp"} if spoken else {"text": "x", "system": "psp"}
    )
    territory.put(report("first", category=one, at=place(uncertainty_m=sigma), text="biały bus stoi w poprzek"))
    (incident,) = [one for key, one in territory.memory.values.items() if key.startswith("i|")]
    put = report("second", category=other, seconds=seconds, at=place(metres, uncertainty_m=sigma), **told)
    seen = sighting(gist(put), WEIGHTS.shape)
    if correlate.best(WEIGHTS, seen, frozenset(), [incident]) is not None:
        assert worth_a_look(WEIGHTS, seen, [incident.listed]).ids


# Decisions, through the real step


@pytest.fixture
def territory():
    """A territory with one accident in the middle of Kalisz."""
    made = Territory()
    made.put(report("first", category="traffic.accident", text="zderzenie dwóch samochodów, jedna osoba ranna"))
    return made


def decision(facts):
    """What was decided about the report: linked, suggested or opened."""
    names = {("ReportLinked",): "linked", ("IncidentOpened", "LinkSuggested"): "suggested"}
    return names.get(tuple(kinds(facts))[:2], "opened" if kinds(facts) == ["IncidentOpened"] else "?")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        # Another witness, a street further, three minutes later, in other words.
        (
            {"seconds": 180, "at": place(120), "system": "desk", "text": "zderzyły się dwa samochody, są ranni"},
            "linked",
        ),
        # The ambulance service's own form for the injured of it.
        ({"seconds": 60, "at": place(30), "system": "prm", "category": "health.injury"}, "linked"),
        # The same crossing three quarters of an hour later: another accident, or somebody who calls late.
        (
            {"seconds": 2_700, "at": place(20), "category": "traffic.collision", "text": "stłuczka, sprawca odjechał"},
            "suggested",
        ),
        # An hour and twenty minutes later it is another one.
        (
            {"seconds": 4_800, "at": place(20), "category": "traffic.collision", "text": "stłuczka, sprawca odjechał"},
            "opened",
        ),
        # Noise in the same street.
        ({"seconds": 60, "at": place(80), "category": "order.noise", "text": "głośna muzyka u sąsiada"}, "opened"),
        # The same kind, three kilometres off.
        ({"seconds": 60, "at": place(3_000), "system": "desk"}, "opened"),
        # A caller whose phone is known within five kilometres only.
        ({"seconds": 60, "at": place(400, uncertainty_m=5_000), "category": "traffic.accident"}, "opened"),
    ],
)
def test_what_a_good_dispatcher_would_do(territory, told, expected):
    """Obvious ones are linked, other matters are not; each with the reason beside it."""
    assert decision(territory.put(report("second", **told))) == expected


def test_a_suggestion_holds_nothing_up(territory):
    """Between the thresholds the report opens its own incident at once, and a person is asked."""
    facts = territory.put(report("second", seconds=240, at=place(220), category="traffic.obstruction", system="psp"))
    assert decision(facts) == "suggested"
    assert facts[0].incident_id == facts[1].incident_id
    suggestion = facts[1].change.suggestion
    least, most = WEIGHTS.suggest_bits, WEIGHTS.auto_bits("traffic.accident", "traffic.obstruction")
    assert least <= suggestion.explanation.weight_bits < most
    assert facts[1].summary.suggestions == (suggestion,)


def test_every_link_explains_itself(territory):
    """The features add up to the weight, and the version of the weights is named; no word of the texts is in it."""
    facts = territory.put(
        report(
            "second",
            seconds=90,
            at=place(60),
            system="psp",
            category="traffic.accident",
            text="zderzenie dwóch samochodów",
            tokens=("t",),
        )
    )
    why = facts[0].change.explanation
    assert {one.feature for one in why.evidence} == {
        "prior",
        "distance",
        "time-gap",
        "category-pair",
        "source-pair",
        "text",
    }
    assert sum(one.weight_bits for one in why.evidence) == pytest.approx(why.weight_bits, abs=0.05)
    assert why.version == WEIGHTS.version
    assert "zderzenie" not in why.model_dump_json()


@pytest.mark.parametrize("category", WEIGHTS.shape.careful.categories)
def test_careful_kinds_never_on_place_alone(category):
    """A missing child and another missing child at the same corner are two until words or ids say otherwise."""
    territory = Territory()
    boy = "chłopiec w czerwonej kurtce, lat siedem"
    territory.put(report("one", category=category, urgency=Urgency.URGENT, text=boy))
    other = territory.put(
        report("two", category=category, system="psp", seconds=30, text="dziewczynka z psem, lat dwanaście")
    )
    assert decision(other) in {"opened", "suggested"}


def test_careful_kinds_with_the_same_words():
    """The same knife man told in the same words by two services is one."""
    territory = Territory()
    told: dict[str, Any] = {"category": "crime.weapon", "text": "mężczyzna z nożem przed sklepem na rynku"}
    territory.put(report("one", **told))
    assert decision(territory.put(report("two", system="psp", seconds=30, at=place(20), **told))) == "linked"


@pytest.mark.parametrize("verb", ["end", "refuse"])
def test_what_is_over_is_only_suggested(territory, verb):
    """A report beside an incident that has ended or was refused opens its own; a person sees the relation."""
    (incident_id,) = territory.homes().values()
    if verb == "end":
        territory.put(command("1", "accept", incident_id))
    territory.put(command("2", verb, incident_id, reason="a matter of others"))
    told: dict[str, Any] = {"seconds": 30, "at": place(30), "system": "psp", "category": "traffic.accident"}
    assert decision(territory.put(report("second", **told))) == "suggested"


def test_the_same_words_for_different_accidents(territory):
    """The same text at the other end of the town is another accident."""
    same = "zderzenie dwóch samochodów, jedna osoba ranna"
    told: dict[str, Any] = {"category": "traffic.accident", "text": same, "seconds": 60, "system": "psp"}
    assert decision(territory.put(report("second", at=place(4_000), **told))) == "opened"


def test_incidents_do_not_drift():
    """A row of collisions 400 m apart, one a minute, does not become one incident along its neighbours."""
    territory = Territory()
    for at in range(30):
        territory.at(at * 60).put(report(f"c{at}", seconds=at * 60, at=place(at * 400), system=f"s{at % 2}"))
    spread: dict[str, list[int]] = {}
    homes = territory.homes()
    for at, home in enumerate(homes[key] for key in homes):
        spread.setdefault(home, []).append(at)
    assert max(400 * (max(row) - min(row)) for row in spread.values()) <= WEIGHTS.shape.search_m + 50


def test_best_of_several_wins_and_equal_ones_are_stable(territory):
    """Of two incidents the nearer is taken; of two equal ones always the same."""
    far = incident_of(
        territory.put(report("far", at=place(600), category="fire.vehicle", text="pali się auto osobowe"))
    )
    facts = territory.put(
        report("third", seconds=20, at=place(590), category="fire.vehicle", system="psp", text="auto osobowe się pali")
    )
    assert facts[0].incident_id == far


def test_features_that_overlap_can_be_scaled_down():
    """Half the scale is half the bits, at any distance and gap, and the first look still leaves out nothing."""
    half = match_weights.load(TEXT.replace("scale: 1.0", "scale: 0.5"), CATALOGUE)
    for metres in (0, 100, 900, 5_000):
        assert half.distance_bits(metres, 120) == pytest.approx(WEIGHTS.distance_bits(metres, 120) / 2)
    slow = match_weights.load(TEXT.replace("scale: 0.657", "scale: 0.3285"), CATALOGUE)
    assert slow.time_bits(600_000, 5_400_000) == pytest.approx(WEIGHTS.time_bits(600_000, 5_400_000) / 2)


def test_two_agencies_of_one_feed_are_two_sources():
    """Their reports of one matter are explained as of two; the same agency's as of one."""
    for name, agency in (("other", "fire"), ("same", "ems")):
        territory = Territory()
        territory.put(report("first", text="dym z okna na drugim piętrze", agency="ems"))
        told = territory.at(60).put(
            report(name, seconds=60, text="dym z okna na drugim piętrze", agency=agency, at=place(30))
        )
        (linked,) = [one.change for one in told if one.change.kind == "ReportLinked"]
        (pair,) = [one for one in linked.explanation.evidence if one.feature == "source-pair"]
        assert pair.value == f"cpr/{agency} / cpr/ems"
        assert (pair.weight_bits > 0) == (agency == "fire")
