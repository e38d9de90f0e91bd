"""What a row of a file is taken to say."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Document
from connectors.file.lab import MAPPING
from connectors.file.mapping import Mapping, load
from connectors.file.rows import Limits, rows
from connectors.file.translate import TEXT_LIMIT, translate
from schemas.errors import Code, Rejected
from schemas.finding import FindingCode
from tests.connectors import golden

FOLDER = Path(translate.__code__.co_filename).parent / "golden"
CALLS = load("montgomery911")
CALLS_HEADER = "lat,lng,title,timeStamp,twp,addr"


def mapping(**fields) -> Mapping:
    """A mapping of these fields."""
    return Mapping.model_validate({"name": "m", "title": "t"} | fields)


def told(row: str | bytes, rules: Mapping = CALLS, header: str = CALLS_HEADER):
    """The telling of a row and its findings."""
    body = row if isinstance(row, bytes) else row.encode()
    done = translate(Document(body, context={"header": header}), rules)
    return done.events[0].payload, [(one.code, one.at) for one in done.findings]


def test_a_call_is_told_in_full():
    """Place, time in UTC, category, service, unit, clock."""
    telling, findings = told('40.2978759,-75.5812935,EMS: BACK PAINS/INJURY,2015-12-10 17:10:52,NEW HANOVER,"A, B"')
    assert telling.event_at == datetime(2015, 12, 10, 22, 10, 52, tzinfo=UTC)
    assert (telling.place.position.lat, telling.place.position.lon) == (40.2978759, -75.5812935)
    assert (telling.place.locality, telling.place.text) == ("NEW HANOVER", "A, B")
    assert telling.addressed_services == ("medical",)
    assert (telling.unit, telling.clock, telling.channel) == ("montgomery", "records", "phone")
    assert findings == []


@pytest.mark.parametrize(
    ("row", "code", "at"),
    [
        (b"1,2,3", Code.SYNTAX_INVALID, ""),
        (b"40.2,-75.5,EMS: X,2015-12-10 17:10:52,A,B,C", Code.SYNTAX_INVALID, ""),
        (b'40.2,-75.5,"EMS: X,2015-12-10 17:10:52,A,B', Code.SYNTAX_INVALID, ""),
        (b"40.2,-75.5,EMS: X,2015-12-10 17:10:52,A,B\xff", Code.ENCODING_INVALID, ""),
        (b"40.2,-75.5,EMS: X,2015-02-30 17:10:52,A,B", Code.FIELD_INVALID, "/timeStamp"),
        (b"40.2,-75.5,EMS: X,,A,B", Code.FIELD_INVALID, "/timeStamp"),
        (b"40.2,-75.5,EMS: X,2035-12-10 17:10:52,A,B", Code.FIELD_INVALID, "/timeStamp"),
    ],
)
def test_a_row_that_cannot_be_trusted_is_rejected(row, code, at):
    """Fed history is moved by its times, so a row without a usable one is set aside too."""
    with pytest.raises(Rejected) as caught:
        told(row)
    assert (caught.value.code, caught.value.at) == (code, at)


@pytest.mark.parametrize(
    ("flaw", "code"),
    [("cut", Code.TOO_LARGE), ("broken", Code.COMPRESSION_INVALID), ("bomb", Code.COMPRESSION_INVALID)],
)
def test_what_the_reader_found_wrong_is_rejected(flaw, code):
    """A flaw of the file stands in front of a person, as a document in quarantine."""
    with pytest.raises(Rejected) as caught:
        translate(Document(b"x", context={"flaw": flaw}), CALLS)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("lat", "lon", "finding", "kept"),
    [
        ("", "", None, False),
        ("41.2", "-76.9", FindingCode.COORDINATES_OUTSIDE, True),
        ("-75.5", "40.2", FindingCode.COORDINATES_SWAPPED, True),
        ("91", "0", FindingCode.COORDINATES_INVALID, False),
        ("nan", "-75.5", FindingCode.COORDINATES_INVALID, False),
        ("1e400", "-75.5", FindingCode.COORDINATES_INVALID, False),
        ("40.2", "", FindingCode.COORDINATES_INVALID, False),
        ("40,2", "-75,5", FindingCode.COORDINATES_INVALID, False),
    ],
)
def test_odd_coordinates_spoil_only_themselves(lat, lon, finding, kept):
    """The call goes on; what was told is kept where it is a point at all."""
    telling, findings = told(f'"{lat}","{lon}",EMS: X,2015-12-10 17:10:52,A,B')
    assert (telling.place.position is not None) is kept
    assert findings == ([(finding, "/lat")] if finding else [])


@pytest.mark.parametrize(
    ("time", "utc", "finding"),
    [
        ("2015-11-01 01:30:00", "2015-11-01T05:30:00", FindingCode.TIME_AMBIGUOUS),
        ("2016-03-13 02:30:00", "2016-03-13T07:30:00", FindingCode.TIME_IMPLAUSIBLE),
        ("2016-03-13 03:30:00", "2016-03-13T07:30:00", None),
    ],
)
def test_the_odd_hours_of_the_clock_carry_a_finding(time, utc, finding):
    """Doubled in autumn, skipped in spring."""
    telling, findings = told(f"40.2,-75.5,EMS: X,{time},A,B")
    assert telling.event_at == datetime.fromisoformat(utc).replace(tzinfo=UTC)
    assert findings == ([(finding, "/timeStamp")] if finding else [])


def test_codes_go_by_table_then_longest_prefix_then_pattern_then_otherwise():
    """The order of the rules is a promise of the README."""
    rules = mapping(
        category={
            "column": "c",
            "trim": "-",
            "table": {"FIRE": "table"},
            "prefixes": {"FI": "short", "FIR": "long"},
            "patterns": [{"regex": "F.*", "code": "pattern"}, {"regex": "FO.*", "code": "never"}],
        }
    )
    found = {value: told(value, rules, "c") for value in ("FIRE -", "FIRES", "FIB", "FOG", "RAIN")}
    assert {value: telling.category for value, (telling, _) in found.items()} == {
        "FIRE -": "table",
        "FIRES": "long",
        "FIB": "short",
        "FOG": "pattern",
        "RAIN": "RAIN",
    }
    assert [value for value, (_, findings) in found.items() if findings] == ["RAIN"]
    assert found["RAIN"][1] == [(FindingCode.UNKNOWN_CODE, "/c")]


def test_otherwise_is_the_code_of_the_rest():
    """With `otherwise` nothing is unknown."""
    rules = mapping(category={"column": "c", "table": {"A": "a"}, "otherwise": "rest"})
    assert [told(value, rules, "c")[0].category for value in ("A", "B", "' '")] == ["a", "rest", "rest"]


def test_a_column_that_nobody_named_is_kept_with_a_finding():
    """Unless the mapping ignores it, or it is empty."""
    rules = mapping(text={"description": "d"}, ignore=["i"])
    telling, findings = told("x,1,2,", rules, "d,i,new,empty")
    assert telling.unknown == {"new": "2"}
    assert findings == [(FindingCode.UNKNOWN_FIELD, "/new")]


def test_an_id_names_the_matter():
    """A row without it is rejected: it could not be told from another."""
    rules = mapping(id="id")
    assert translate(Document(b"7", context={"header": "id"}), rules).events[0].far_id == "7"
    assert translate(Document(b"7", context={"header": "id"}), mapping()).events[0].far_id is None
    with pytest.raises(Rejected):
        told('""', rules, "id")


def test_a_bad_time_under_the_wall_clock_is_only_a_finding():
    """There receipt takes its place, and the call is not lost."""
    rules = mapping(time={"column": "t", "zone": "Europe/Warsaw", "format": "%d.%m.%Y %H:%M"})
    telling, findings = told("31.02.2025 10:00", rules, "t")
    assert telling.event_at is None
    assert findings == [(FindingCode.FIELD_UNREADABLE, "/t")]
    assert told("26.10.2025 02:30", rules, "t")[0].event_at == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def test_a_text_beyond_the_schema_is_cut_with_a_finding():
    """The document keeps all of it."""
    telling, findings = told("x" * (TEXT_LIMIT + 1), mapping(text={"description": "d"}), "d")
    assert len(telling.description) == TEXT_LIMIT
    assert findings == [(FindingCode.FIELD_UNREADABLE, "/d")]


def test_json_lines_are_read_by_the_same_mapping():
    """Numbers may be numbers; what is unknown keeps its shape."""
    rules = mapping(format="jsonl", id="n", point={"lat": "y", "lon": "x"}, text={"description": ["a", "b"]})
    telling, findings = told('{"n": 7, "y": 51.7, "x": 18.1, "a": "one", "b": " two ", "z": [1]}', rules)
    assert telling.description == "one; two"
    assert telling.place.position.lat == 51.7
    assert telling.unknown == {"z": [1]}
    assert findings == [(FindingCode.UNKNOWN_FIELD, "/z")]
    for line in ("[1]", "{", '{"n": 1, "n": 2}', "nul", '{"n": NaN}'):
        with pytest.raises(Rejected):
            told(line, rules)


@given(st.binary(max_size=300), st.sampled_from(["csv", "jsonl"]), st.text(max_size=30))
def test_translation_is_total(body, form, header):
    """Any bytes, any header: a translation or Rejected, nothing else."""
    rules = mapping(format=form, time={"column": "t", "zone": "Europe/Warsaw"}, text={"description": "d"})
    with contextlib.suppress(Rejected):
        translate(Document(body, context={"header": header}), rules).events[0].payload.to_json()


@pytest.mark.parametrize("case", golden.cases(FOLDER))
def test_golden(case):
    """Every written file means, row by row, what it meant when it was judged."""
    rules = Mapping.model_validate(yaml.safe_load(MAPPING))
    with (FOLDER / f"{case}.in.csv").open("rb") as file:
        header, *found = rows(file, Limits(4_096, 1 << 20, 200), ",")
    context = {"header": header.body.decode()}
    told_by_row = [
        golden.meaning(lambda document: translate(document, rules), Document(row.body, context=context))
        for row in found
    ]
    golden.check(FOLDER, case, told_by_row)


def test_fields_stand_within_a_value():
    """The id of a dispatch log holds centre and service; its place begins with road and direction of travel."""
    header = "id,created_local,lat,lon,type,place"
    rows_ = {
        "171018LAFSP00024": ("chp-la", "FSP"),
        "171018LA00024": ("chp-la", None),
        "odd": ("chp", None),
    }
    for name, (unit, agency) in rows_.items():
        row = f"{name},2017-10-18T06:39:00,34.0,-118.0,1125-Traffic Hazard,Sr60 W / Wo I605"
        telling, findings = told(row, load("chp_incidents"), header)
        assert (telling.unit, telling.agency) == (unit, agency)
        assert (telling.place.road, telling.place.direction, telling.place.text) == ("Sr60", "W", "Sr60 W / Wo I605")
        assert findings == []


def test_a_column_of_its_own_goes_before_a_part():
    """What a value holds besides is only taken where nothing says it outright; of two parts the first counts."""
    rules = mapping(
        place={"road": "road"},
        parts=[
            {"column": "text", "regex": r"(?P<road>A\d+) (?P<direction>\w+)"},
            {"column": "text", "regex": r"(?P<direction>N|S)$"},
        ],
        ignore=["text"],
    )
    assert told("A2,A4 Poznań S", rules, "road,text")[0].place.model_dump(exclude_none=True) == {
        "road": "A2",
        "direction": "Poznań",
    }
    assert told(",A4 Poznań S", rules, "road,text")[0].place.road == "A4"
    assert told("A2,nothing", rules, "road,text")[0].place.direction is None


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"column": "c", "regex": "no group"}, "no named group"),
        ({"column": "c", "regex": "(?P<colour>x)"}, "colour"),
        ({"column": "c", "regex": "(?P<unit>x)"}, "which is missing"),
        ({"column": "c", "regex": "("}, "regex"),
    ],
)
def test_a_part_that_tells_nothing_is_refused(part, says):
    """No group, a group that is no field, a unit without one to add it to, no expression at all."""
    with pytest.raises(ValueError, match=says):
        mapping(parts=[part])
