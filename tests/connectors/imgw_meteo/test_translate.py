"""What IMGW's answers are taken to say: golden files of our own, the traps one by one, public samples."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.contract import Document
from connectors.imgw_meteo.settings import ImgwSettings
from connectors.imgw_meteo.translate import translate_for
from schemas.errors import Code, Rejected
from schemas.finding import FindingCode
from schemas.notice import Severity, SnapshotTaken
from tests.connectors import golden

FOLDER = Path(translate_for.__code__.co_filename).parent / "golden"
SETTINGS = ImgwSettings(name="imgw-meteo")
ROW = {
    "id": "Wr20260810041907317",
    "nazwa_zdarzenia": "Burze",
    "stopien": "1",
    "obowiazuje_od": "2026-08-10 12:00:00",
    "obowiazuje_do": "2026-08-10 22:00:00",
    "teryt": ["3061"],
}


def shown_by(body: bytes) -> SnapshotTaken:
    """What an answer shows."""
    payload = translate_for(SETTINGS)(Document(body)).events[0].payload
    assert isinstance(payload, SnapshotTaken)
    return payload


def snapshot(*rows) -> SnapshotTaken:
    """What an answer with these rows shows."""
    return shown_by(orjson.dumps(list(rows)))


def codes(notice) -> list[tuple[FindingCode, str]]:
    """The findings of a notice."""
    return [(one.code, one.at) for one in notice.findings]


@pytest.mark.parametrize("case", golden.cases(FOLDER))
def test_golden(case):
    """Every written case means what it meant when it was judged."""
    body = (FOLDER / f"{case}.in.json").read_bytes()
    golden.check(FOLDER, case, golden.meaning(translate_for(SETTINGS), Document(body)))


@pytest.mark.parametrize(
    ("degree", "severity"),
    [("1", Severity.MODERATE), ("2", Severity.SEVERE), ("3", Severity.EXTREME), (2, Severity.SEVERE)],
)
def test_a_degree_is_a_cap_severity(degree, severity):
    """Degrees 1, 2, 3 = Moderate, Severe, Extreme."""
    assert snapshot(ROW | {"stopien": degree}).items[0].severity is severity


def test_an_unknown_degree_is_shown_with_a_finding():
    """It makes the severity unknown, not the warning."""
    shown = snapshot(ROW | {"stopien": "-1"})
    assert shown.complete
    assert (shown.items[0].severity, shown.items[0].degree) == (Severity.UNKNOWN, "-1")
    assert codes(shown.items[0]) == [(FindingCode.UNKNOWN_CODE, "/stopien")]


def test_times_are_warsaw_times():
    """Summer and winter."""
    notice = snapshot(ROW | {"obowiazuje_do": "2026-12-01 00:30:00"}).items[0]
    assert notice.starts_at == datetime(2026, 8, 10, 10, 0, tzinfo=UTC)
    assert notice.ends_at == datetime(2026, 11, 30, 23, 30, tzinfo=UTC)


def test_the_doubled_hour_makes_a_warning_longer_never_shorter():
    """Earlier reading for a start, later one for an end, each with a finding."""
    notice = snapshot(ROW | {"obowiazuje_od": "2026-10-25 02:30:00", "obowiazuje_do": "2026-10-25 02:30:00"}).items[0]
    assert (notice.starts_at, notice.ends_at) == (
        datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
    assert codes(notice) == [
        (FindingCode.TIME_AMBIGUOUS, "/obowiazuje_od"),
        (FindingCode.TIME_AMBIGUOUS, "/obowiazuje_do"),
    ]


def test_the_order_of_rows_and_codes_means_nothing():
    """Two polls of the same warnings, shuffled, show equal items, also where a row has findings."""
    other = ROW | {"id": "Wr2", "stopien": "9", "teryt": ["3007", "3061", "3007"]}
    assert snapshot(ROW, other).items == snapshot(other | {"teryt": ["3061", "3007"]}, ROW).items


def test_a_warning_without_area_is_shown():
    """Never dropped: a person decides."""
    areas: tuple[object, ...] = ([], None, "3061")
    for area in areas:
        notice = snapshot(ROW | {"teryt": area}).items[0]
        assert notice.teryt == ()
        assert codes(notice) == [(FindingCode.AREA_MISSING, "/teryt")]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"id": None}, 1),
        ({"id": " "}, 1),
        ({"id": None, "nazwa_zdarzenia": " "}, 0),
        ({"obowiazuje_od": "soon"}, 1),
        ({"nazwa_zdarzenia": None}, 1),
    ],
)
def test_a_row_that_is_not_understood_makes_the_snapshot_incomplete(changes, kept):
    """Nothing is then concluded about missing rows; the neighbour and what is readable are shown."""
    shown = snapshot(ROW | {"id": "Wr2"}, ROW | changes)
    assert not shown.complete
    assert [(one.code, one.at) for one in shown.findings] == [(FindingCode.SNAPSHOT_INCOMPLETE, "/1")]
    assert len(shown.items) == 1 + kept


def test_a_number_is_an_id_too():
    """As every text of the feed."""
    shown = snapshot(ROW | {"id": 20260810041907317})
    assert (shown.complete, shown.items[0].far_id) == (True, "20260810041907317")


def test_a_warning_without_an_id_is_shown_and_known_again():
    """By its content, whatever its order; changed it is another one. A finding says so."""
    row = {name: value for name, value in ROW.items() if name != "id"} | {"teryt": ["3007", "3061"]}
    shuffled = dict(reversed(row.items())) | {"teryt": ["3061", "3007"]}
    one, two, changed = (snapshot(each).items[0] for each in (row, shuffled, row | {"stopien": "3"}))
    assert one.far_id == two.far_id != changed.far_id
    assert codes(one) == [(FindingCode.FIELD_UNREADABLE, "/id")]
    assert not snapshot(row).complete


@pytest.mark.parametrize("rows", [["Burze"], [{}], [{"zdarzenia": 1}, None]])
def test_rows_of_which_none_is_a_warning_are_refused(rows):
    """The feed has changed its form: that must not look like calm weather."""
    with pytest.raises(Rejected) as refused:
        snapshot(*rows)
    assert refused.value.code is Code.NOT_UNDERSTOOD


def test_none_is_said_as_brak():
    """The comment that says "none" is none; another is kept."""
    assert snapshot(ROW | {"komentarz": "Brak."}).items[0].comment is None
    assert snapshot(ROW | {"komentarz": " Obniżenie stopnia. "}).items[0].comment == "Obniżenie stopnia."


def test_the_source_is_named():
    """IMGW-PIB must be named wherever a warning is shown."""
    assert snapshot(ROW).items[0].attribution == "IMGW-PIB"


def test_a_wrong_zone_refuses_to_start():
    """Told with the configuration, before the first poll."""
    with pytest.raises(ValidationError, match="Europe/Kalisz"):
        ImgwSettings(name="x", zone="Europe/Kalisz")


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(0, 9999),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ROW, "x/y"]), inner, max_size=6),
).map(orjson.dumps))  # fmt: skip
def test_translation_is_total(body):
    """Any bytes, any JSON: a translation or Rejected, nothing else."""
    with contextlib.suppress(Rejected):
        for event in translate_for(SETTINGS)(Document(body)).events:
            event.payload.to_json()


def test_the_public_sample_is_understood_in_full(shared):
    """Nine warnings of July 2025; the time inside each summer id agrees with publication in Warsaw time."""
    body = (shared / "corpora" / "polish-feeds" / "imgw-pib-weather_alerts.json").read_bytes()
    shown = shown_by(body)
    assert shown.complete
    assert len(shown.items) == 9
    assert shown.findings == ()
    assert all(not one.findings and one.teryt and one.ends_at for one in shown.items)
    assert {one.severity for one in shown.items} == {Severity.MODERATE, Severity.SEVERE}
    published = [(one.far_id, one.published_at) for one in shown.items if one.published_at]
    stamped = [(far_id, at) for far_id, at in published if at.year == 2025]
    assert len(stamped) >= 8
    for far_id, at in stamped:
        inside = datetime.strptime(far_id[2:14], "%Y%m%d%H%M").replace(tzinfo=UTC)
        assert abs((inside - at).total_seconds()) <= 60


def test_of_two_warnings_with_one_id_the_same_is_shown_at_each_poll():
    """Whatever their order; a finding says that there were two."""
    other = ROW | {"stopien": "2"}
    one, two = snapshot(ROW, other), snapshot(other, ROW)
    assert one.items == two.items
    assert [finding.code for finding in one.findings] == [FindingCode.SAME_ID_OTHER_CONTENT]


def test_hydrological_warnings_are_not_taken_for_meteorological_ones(shared):
    """Another feed's rows have no id and no event of that name: the answer is refused."""
    body = (shared / "corpora" / "polish-feeds" / "imgw-pib-hydrological_alerts.json").read_bytes()
    with pytest.raises(Rejected) as refused:
        shown_by(body)
    assert refused.value.code is Code.NOT_UNDERSTOOD
