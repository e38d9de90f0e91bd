"""Unit and point of a report."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.finding import FindingCode
from schemas.place import Obtained
from streams.gazetteer import Spot
from streams.placing import place_report
from tests.streams.places import reference, report, two_units


def placed(place: dict[str, Any], remembered: str | None = None, **told: Any):
    """Where the built-in Kalisz puts a report with this place and without a phone cell."""
    told = {"caller_network": None, "place": place} | told
    return place_report(report(told).told, reference().territory, remembered)


def position(lat: float, lon: float, uncertainty_m: float = 20, obtained: str = "typed") -> dict[str, Any]:
    """A told point."""
    return {"position": {"lat": lat, "lon": lon, "uncertainty_m": uncertainty_m, "obtained": obtained}}


def codes(found) -> set[FindingCode]:
    """Which findings there are."""
    return {finding.code for finding in found.findings}


def test_coordinates_decide():
    """A good point gives unit and TERYT code, and nothing odd is said."""
    found = placed(position(51.7612, 18.0910))
    assert (found.unit, found.place.teryt, codes(found)) == ("kmp-kalisz", "3061", set())
    assert found.place.position.uncertainty_m == 20


def test_address_decides_without_coordinates():
    """Street and town give a point with the street's uncertainty; what was told stays as it was told."""
    found = placed({"locality": "Kalisz", "street": "Łódzka", "building": "7"})
    assert found.place.position.obtained is Obtained.ADDRESS
    assert (found.place.street, found.place.building, found.place.teryt) == ("Łódzka", "7", "3061011")
    assert codes(found) == set()


def test_the_surer_point_wins():
    """An address beats a phone cell told as the place; a measured point beats the address."""
    address = {"locality": "Kalisz", "street": "Łódzka"}
    rough = placed(address | position(51.60, 18.25, 5_000, "cell"))
    assert rough.place.position.obtained is Obtained.ADDRESS
    good = placed(address | position(51.7540, 18.1210, 15, "measured"))
    assert good.place.position.obtained is Obtained.MEASURED


def test_swapped_coordinates_are_put_right():
    """Latitude and longitude exchanged: put right, and said."""
    found = placed(position(18.0910, 51.7612))
    assert (found.place.position.lat, found.place.position.lon) == (51.7612, 18.0910)
    assert codes(found) == {FindingCode.COORDINATES_SWAPPED}


def test_coordinates_outside_the_country_are_not_used():
    """A point in another country decides no unit; the told value is kept, and it is said."""
    found = placed({"locality": "Kalisz", "street": "Łódzka"} | position(40.1, -75.1))
    assert found.unit == "kmp-kalisz"
    assert FindingCode.COORDINATES_OUTSIDE in codes(found)
    nowhere = placed(position(40.1, -75.1))
    assert nowhere.place.position.lat == 40.1
    assert {FindingCode.COORDINATES_OUTSIDE, FindingCode.TERRITORY_ASSUMED} <= codes(nowhere)


def test_nothing_told_is_nobodys_and_kept():
    """No place at all: the default unit, assumed and said; nothing is dropped."""
    found = placed({})
    assert found.unit == "kmp-kalisz"
    assert codes(found) == {FindingCode.PLACE_UNKNOWN, FindingCode.TERRITORY_ASSUMED}


def test_a_bare_name_is_said_to_be_one():
    """A village by name alone is believed only with a finding."""
    assert codes(placed({"locality": "Opatówek"})) == {FindingCode.TERRITORY_ASSUMED}
    assert codes(placed({"locality": "Opatówek", "powiat": "kaliski", "gmina": "Opatówek"})) == set()


def test_the_phone_cell_is_the_last_resort():
    """Only the caller's network location: a rough point, and the unit is assumed."""
    cell = position(51.76, 18.09, 300, "cell")
    found = placed({}, caller_network=cell)
    assert (found.place.position.obtained, found.place.position.uncertainty_m) == (Obtained.CELL, 1_000)
    assert FindingCode.TERRITORY_ASSUMED in codes(found)


def test_revisions_stay_with_the_first():
    """A later revision that lies elsewhere stays in the log that has the thread, and it is said."""
    told = report({"place": position(51.70, 18.30)}).told
    found = place_report(told, two_units().territory, "city")
    assert found.unit == "city"
    assert FindingCode.TERRITORY_ASSUMED in codes(found)


def test_what_the_source_fixes_wins():
    """A unit fixed by the source or its mapping beats everything; abroad nothing is looked up or complained of."""
    told = report({"unit": "foreign", "place": position(40.1, -75.1)}).told
    found = place_report(told, two_units().territory, None)
    assert (found.unit, found.place, found.findings) == ("foreign", told.place, ())
    told = report({"unit": "city", "place": position(51.70, 18.30)}).told
    assert place_report(told, two_units().territory, "county").unit == "city"
    told = report({"unit": "no-such-unit"}).told
    found = place_report(told, two_units().territory, None)
    assert (found.unit, codes(found)) == ("no-such-unit", {FindingCode.TERRITORY_ASSUMED})


def test_near_the_border_the_told_code_decides():
    """Within the outline's error the code that somebody told is better than the line; the neighbour learns of it."""
    told = report({"caller_network": None, "place": {"teryt": "3061011"} | position(51.730, 18.150)}).told
    found = place_report(told, two_units().territory, None)
    assert (found.unit, found.near) == ("city", ("county",))
    assert FindingCode.NEAR_BORDER in codes(found)
    without = report({"caller_network": None, "place": position(51.730, 18.150)}).told
    assert place_report(without, two_units().territory, None).unit == "county"


@pytest.mark.parametrize("remembered", [None, "city", "county"])
def test_every_report_gets_a_unit(remembered):
    """Whatever is told, there is a unit."""
    for place in ({}, {"locality": "x"}, position(0, 0), {"teryt": "1465011"}, {"road": "A2", "road_km": 9.0}):
        assert place_report(report({"place": place}).told, two_units().territory, remembered).unit


def test_a_code_without_a_point_still_decides():
    """A gazetteer that has a name but no coordinates: the unit is known, the point is not, and that is said."""
    base = reference().territory
    bare = replace(base.gazetteer, simc={"0211240": Spot("Borków", "3007112", "0211240", None, None, 3_000)})
    told = report({"caller_network": None, "place": {"simc": "0211240"}}).told
    found = place_report(told, replace(base, gazetteer=bare), None)
    assert (found.unit, found.place.teryt, codes(found)) == ("kmp-kalisz", "3007112", {FindingCode.PLACE_UNKNOWN})
