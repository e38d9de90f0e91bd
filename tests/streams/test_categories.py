"""The categories and their mappings."""

import csv
import gzip
from pathlib import Path

import pytest

from schemas.errors import Code, Misconfigured
from streams.categories import UNKNOWN, built_in, load

SMALL = """
version: 1
categories:
  unknown: {pl: "Nieznane", en: "Unknown", cap: Other, urgency: ordinary, window_minutes: 60, radius_m: 200}
  fire.building: {pl: "Pożar domu", en: "House on fire", cap: Fire, urgency: urgent, window_minutes: 60, radius_m: 200}
"""


def test_built_in_is_complete():
    """About sixty kinds and more, each with both titles, a window and a radius, and `unknown` among them."""
    catalogue = built_in()
    assert len(catalogue.categories) >= 60
    assert UNKNOWN in catalogue.categories
    assert all(set(one.title) == {"pl", "en"} and one.window_ms > 0 for one in catalogue.categories.values())
    assert {"cpr", "desk", "sia-dc09", "montgomery911", "chp_incidents"} <= set(catalogue.mappings)


@pytest.mark.parametrize(
    ("mapping", "code", "subcategory", "expected"),
    [
        ("cpr", "2", "2.1", "traffic.accident"),
        ("cpr", "2", "2.999", "traffic.collision"),
        ("cpr", "fire.building", None, "fire.building"),
        ("desk", "  Pożar   budynku ", None, "fire.building"),
        (None, "Fire of a building", None, "fire.building"),
        ("sia-dc09", "BA", None, "crime.burglary-alarm"),
        ("sia-dc09", "BR", None, "device.technical"),
        ("sia-dc09", "1122", None, "crime.hold-up"),
        ("montgomery911", "Traffic: VEHICLE ACCIDENT -", None, "traffic.collision"),
        ("chp_incidents", "1179-Trfc Collision-1141Enrt", None, "traffic.accident"),
        ("no-such-mapping", "fire.building", None, "fire.building"),
    ],
)
def test_codes_are_understood(mapping, code, subcategory, expected):
    """A subcategory before its category, the source's table before our own codes and titles, letter case aside."""
    found = built_in().understand(mapping, code, subcategory)
    assert (found.category.code, found.known) == (expected, True)


def test_unknown_code_is_unknown_and_said():
    """A code that nobody mapped is category `unknown` and known to be so; no code at all is no mistake."""
    catalogue = built_in()
    assert catalogue.understand("cpr", "99", "99.1").known is False
    assert catalogue.understand("cpr", "99", "99.1").category.code == UNKNOWN
    assert catalogue.understand("cpr", None, None) == (catalogue.categories[UNKNOWN], True)


def test_all_mistakes_at_once():
    """A broken catalogue is refused with every mistake, each with its path."""
    broken = SMALL.replace("cap: Fire", "cap: Blaze").replace("window_minutes: 60, radius_m: 200}\n  fire", "}\n  fire")
    with pytest.raises(Misconfigured) as caught:
        load(broken, [])
    assert caught.value.code is Code.CONFIGURATION_INVALID
    assert {"categories.unknown.window_minutes", "categories.unknown.radius_m", "categories.fire.building.cap"} <= {
        part.split(": ")[1] for part in caught.value.detail.split("; ")
    }


def test_mapping_mistakes_are_named():
    """A mapping to a category that is not there, and a pattern that is none, are refused by name."""
    with pytest.raises(Misconfigured, match=r"'no\.such' is not in the catalogue"):
        load(SMALL, [("m.yaml", "{version: 1, name: m, codes: {a: no.such}, patterns: []}")])
    with pytest.raises(Misconfigured, match="not a regular expression"):
        load(SMALL, [("m.yaml", "{version: 1, name: m, codes: {}, patterns: [{match: '(', category: unknown}]}")])
    with pytest.raises(Misconfigured, match=r"line \d"):
        load(SMALL, [("m.yaml", "a: [\nb: {")])
    with pytest.raises(Misconfigured, match="unknown: must be there"):
        load(SMALL.replace("unknown:", "other:"), [])


def test_version_names_the_content():
    """The same files give the same version, another word gives another."""
    assert load(SMALL, []).version == load(SMALL, []).version
    assert load(SMALL.replace("Pożar domu", "Pożar"), []).version != load(SMALL, []).version


@pytest.mark.parametrize(
    ("file", "mapping", "column"),
    [
        ("data/montgomery911_2015-12_2016-05.csv.gz", "montgomery911", "title"),
        ("data/chp_incidents_2017-10.csv.gz", "chp_incidents", "type"),
    ],
)
def test_real_codes_are_all_mapped(shared: Path, file, mapping, column):
    """Every kind that the two real call logs hold has a category."""
    with gzip.open(shared / file, "rt", encoding="utf-8") as lines:
        kinds = {row[column] for row in csv.DictReader(lines)}
    assert [kind for kind in sorted(kinds) if not built_in().understand(mapping, kind, None).known] == []


def test_published_sia_codes_are_all_mapped(shared: Path):
    """Every code of the published SIA list has a category."""
    text = (shared / "corpora/sia-dc09/pysiaalarm-codes.csv").read_text(encoding="utf-8-sig")
    codes = [row["CODE"] for row in csv.DictReader(text.splitlines())]
    assert [code for code in codes if not built_in().understand("sia-dc09", code, None).known] == []
