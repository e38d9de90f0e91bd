"""What a panel's message is taken to say."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Document, Told
from connectors.sia_dc09.codes import Event
from connectors.sia_dc09.frame import framed, wired
from connectors.sia_dc09.lab import message
from connectors.sia_dc09.settings import SiaSettings
from connectors.sia_dc09.translate import MET_AT, translate, translate_for
from schemas.errors import Code, Rejected
from schemas.finding import FindingCode
from schemas.report import Mode, Telling
from tests.connectors import golden

FOLDER = Path(translate.__code__.co_filename).parent / "golden"
SETTINGS = SiaSettings.model_validate(
    {
        "name": "panels",
        "accounts": {"12ab": {"name": "Sklep", "locality": "Kalisz", "lat": 51.757, "lon": 18.115}},
    }
)
NOW = datetime(2026, 2, 14, 18, 0, tzinfo=UTC)


def told(raw: bytes, met_at: datetime | None = None) -> tuple[tuple[Told, ...], list[tuple[FindingCode, str]]]:
    """Events and findings of a frame."""
    context = {MET_AT: met_at.isoformat()} if met_at else {}
    done = translate(Document(raw[1:-1], context=context), SETTINGS)
    return done.events, [(one.code, one.at) for one in done.findings]


def telling(event: Told) -> Telling:
    """Its payload."""
    assert isinstance(event.payload, Telling)
    return event.payload


@pytest.mark.parametrize("case", golden.cases(FOLDER))
def test_golden(case):
    """Every written case means what it meant when it was judged."""
    body = (FOLDER / f"{case}.in.txt").read_bytes().rstrip(b"\n")
    golden.check(FOLDER, case, golden.meaning(translate_for(SETTINGS), Document(body)))


def test_an_alarm_of_a_known_account_has_its_place():
    """The register tells where the panel stands."""
    (event,), findings = told(message("Nri1/BA12^ZAPLECZE^", account="12AB", stamp=NOW), NOW)
    one = telling(event)
    assert (one.category, one.channel, one.event_at) == ("BA", "panel", NOW)
    assert one.description == "włamanie, strefa 12, ZAPLECZE"
    assert (one.place.object_name, one.place.locality) == ("Sklep", "Kalisz")
    assert one.place.position is not None
    assert [(ref.system, ref.id) for ref in one.references] == [("alarm_account", "12AB")]
    assert event.far_id == "12AB/R0/L0/0001/18:00:00,02-14-2026/0"
    assert findings == []


def test_an_unknown_account_is_reported_all_the_same():
    """With a finding: a register is never complete."""
    (event,), findings = told(message(account="9999", stamp=NOW), NOW)
    assert telling(event).references[0].id == "9999"
    assert findings == [(FindingCode.PLACE_UNKNOWN, "/account")]


def test_several_events_are_several_reports():
    """Each with its own id."""
    events, _ = told(message("Nri2/BA1/FA7/UA003", account="12AB", stamp=NOW), NOW)
    assert [telling(one).category for one in events] == ["BA", "FA", "UA"]
    assert len({one.far_id for one in events}) == 3


@pytest.mark.parametrize(
    ("data", "category", "words", "flags"),
    [
        ("1130 01 012", "1130", "włamanie, strefa 12", ()),
        ("3130 01 012", "3130", "włamanie: koniec lub powrót do normy, strefa 12", ("restoral",)),
        ("1110 00 129", "1110", "pożar, strefa 129", ()),
    ],
)
def test_contact_id_is_read(data, category, words, flags):
    """Qualifier, code, area, zone (SIA DC-05)."""
    (event,), _ = told(message(data, account="12AB", kind="ADM-CID", stamp=NOW), NOW)
    one = telling(event)
    assert (one.category, one.description, one.flags) == (category, words, flags)


@pytest.mark.parametrize("data", ["Nri1/RP000", "602"])
def test_a_link_test_is_no_report(data):
    """NULL and periodic tests show that the panel is there, and nothing else."""
    kind = "SIA-DCS" if data.startswith("N") else "ADM-CID"
    data = data if kind == "SIA-DCS" else "1602 00 000"
    assert told(message(data, account="12AB", kind=kind, stamp=NOW), NOW) == ((), [])
    assert told(message("", account="12AB", kind="NULL")) == ((), [])


def test_a_trial_is_of_mode_test():
    """It never meets a real report."""
    (trial, real), _ = told(message("Nri1/BX1/BA1", account="12AB", stamp=NOW), NOW)
    assert (trial.mode, real.mode) == (Mode.TEST, None)


def test_an_unknown_code_is_reported_with_a_finding():
    """Still routed, as category unknown."""
    (event,), findings = told(message("Nri1/EW4", account="12AB"))
    assert telling(event).description == "kod EW, strefa 4"
    assert findings == [(FindingCode.UNKNOWN_CODE, "/events/0/code")]


@pytest.mark.parametrize(("seconds", "trusted"), [(-40, True), (-41, False), (20, True), (21, False)])
def test_a_time_stamp_far_from_ours_is_not_believed(seconds, trusted):
    """DC-09 5.5.1.8: 40 s behind to 20 s ahead. Otherwise receipt counts, and the bytes alone name the matter."""
    (event,), findings = told(message(account="12AB", stamp=NOW + timedelta(seconds=seconds)), NOW)
    assert (telling(event).event_at is not None) is trusted
    assert (event.far_id is not None) is trusted
    assert findings == ([] if trusted else [(FindingCode.CLOCK_SKEW, "/stamp")])
    assert telling(event).registered_at == NOW + timedelta(seconds=seconds)


def test_a_time_stamp_that_is_none_is_a_finding():
    """Receipt counts."""
    (event,), findings = told(framed('"SIA-DCS"0001L0#12AB[#12AB|Nri1/BA1]_25:61:00,02-14-2026'), NOW)
    assert telling(event).event_at is None
    assert findings == [(FindingCode.FIELD_UNREADABLE, "/stamp")]


def test_an_account_without_a_point_has_its_address():
    """The gazetteer finds the point later."""
    settings = SiaSettings.model_validate({"name": "p", "accounts": {"77FF": {"street": "Łódzka", "building": "19"}}})
    (event,) = translate(Document(message(account="77FF")[1:-1]), settings).events
    assert telling(event).place.position is None
    assert (telling(event).place.street, telling(event).place.building) == ("Łódzka", "19")


def test_a_length_that_does_not_fit_is_a_finding():
    """The CRC does, so nothing was lost on the way."""
    raw = message(account="12AB", stamp=NOW)
    _, findings = told(raw[:5] + b"0FFF" + raw[9:], NOW)
    assert findings == [(FindingCode.CHECKSUM_WRONG, "/length")]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1250"])
def test_an_alarm_with_letters_outside_ascii_is_reported(encoding):
    """With a finding; what the installer called the zone is what a person reads."""
    (event,), findings = told(wired('"SIA-DCS"0001L0#12AB[#12AB|Nri1/BA7^ŁAZIENKA^]'.encode(encoding)))
    assert telling(event).description == "włamanie, strefa 7, ŁAZIENKA"
    assert findings == [(FindingCode.FIELD_UNREADABLE, "/data")]


@pytest.mark.parametrize(
    "body",
    [
        '"*SIA-DCS"5994L0#AAA[5AB718E008C6',
        '"SIA-PUL"0001L0#12AB[|XYZ]',
        '"SIA-DCS"0001L0#12AB[|]',
        '"SIA-DCS"0001L0#12AB[|Nri1/]',
        '"SIA-DCS"0001L0#12AB[|nonsense]',
        '"ADM-CID"0001L0#12AB[#12AB|9130 01 012]',
    ],
)
def test_what_is_not_understood_is_rejected(body):
    """It is answered with DUH and stands in quarantine."""
    with pytest.raises(Rejected) as caught:
        told(framed(body))
    assert caught.value.code is Code.NOT_UNDERSTOOD


def test_an_encrypted_link_test_is_no_quarantine():
    """It comes every minute and holds nothing to be rescued; a finding says that it could not be read."""
    assert told(framed('"*NULL"0000R0L0#AAAB[B4BC8B40'))[1] == [(FindingCode.FIELD_UNREADABLE, "/data")]


def test_two_accounts_in_one_message_are_a_finding():
    """The header's counts."""
    (event,), findings = told(framed('"SIA-DCS"0001L0#12AB[#77777|Nri1/BA1]'))
    assert telling(event).references[0].id == "12AB"
    assert findings == [(FindingCode.SAME_ID_OTHER_CONTENT, "/account")]


def test_extended_data_are_kept():
    """With a finding, for nobody reads them yet."""
    (event,), findings = told(framed('"SIA-DCS"0001L0#12AB[#12AB|Nid7ri1/BA1][X018E20.0]'))
    assert telling(event).unknown == {"modifiers": ["id7ri1"], "extended": ["X018E20.0"]}
    assert findings == [(FindingCode.UNKNOWN_FIELD, "/extended")]


@given(st.text(alphabet='|#[]Nri1/BAFO ^_0123:,-"', max_size=60), st.sampled_from(["SIA-DCS", "ADM-CID", "NULL"]))
def test_translation_is_total(inside, kind):
    """Anything inside a sound frame: a translation or Rejected, nothing else."""
    with contextlib.suppress(Rejected):
        for event in told(framed(f'"{kind}"0001L0#12AB[{inside}'))[0]:
            event.payload.to_json()


def test_every_public_alarm_has_words(shared):
    """Every alarm of the public list; other codes may come with a finding."""
    lines = (shared / "corpora" / "sia-dc09" / "pysiaalarm-codes.csv").read_text("utf-8-sig").splitlines()[1:]
    codes = [line.partition(",")[0] for line in lines]
    alarms = [code for code in codes if code.endswith("A") and code[0] in "BFGHKMPQSTUWZ"]
    assert alarms
    assert all(Event(code, code).known for code in alarms)


def test_the_public_vectors_are_understood_once_their_frame_is_sound(shared):
    """Text, zone and code of the vectors; the encrypted one and the template are set aside."""
    lines = json.loads((shared / "corpora" / "sia-dc09" / "sia_lines.json").read_text())["lines"]
    found = []
    for line in lines:
        try:
            found.append([telling(one).category for one in told(framed(line[8:]))[0]])
        except Rejected as refused:
            found.append([refused.code.value])
    set_aside = [Code.NOT_UNDERSTOOD.value]
    assert found == [["CL"], ["1110"], ["JC"], set_aside, set_aside, ["CL"], [], ["WA"]]
