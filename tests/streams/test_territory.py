"""Units, their codes and outlines."""

import pytest

from schemas.errors import Misconfigured
from streams import gazetteer_files
from streams.territory import load
from tests.streams.places import default_territory, two_units


def test_codes_lead_to_units():
    """The longest code that fits decides; a code of nobody leads to nobody."""
    territory = two_units().territory
    assert territory.unit_of("3061011") == "city"
    assert territory.unit_of("3007083") == "county"
    assert territory.unit_of("30") is None
    assert territory.unit_of("1465011") is None
    assert territory.unit_of(None) is None


def test_touched_units():
    """A warning for a voivodeship touches every unit in it, one for a gmina only its unit, one elsewhere nobody."""
    territory = two_units().territory
    assert territory.touched(("30",)) == ("city", "county", "far")
    assert territory.touched(("3007083",)) == ("county",)
    assert territory.touched(("1465",)) == ()


@pytest.mark.parametrize(
    ("lat", "lon", "unit", "near"),
    [
        (51.760, 18.085, "city", None),
        (51.700, 18.300, "county", None),
        (51.740, 18.140, "city", "county"),
        (51.730, 18.150, "county", "city"),
        (52.230, 21.010, None, None),
    ],
)
def test_points_lead_to_units(lat, lon, unit, near):
    """Deep inside a territory nobody else learns of it; near the line the other side does; elsewhere is nobody's."""
    located = two_units().territory.at(lat, lon, 100)
    assert located.unit == unit
    assert (near in located.near) is (near is not None)
    assert located.near_border is (near is not None)


def test_just_outside_counts_as_ours_near_the_border():
    """A point outside every outline, but within the error of one, belongs to it, and the neighbours learn of it."""
    located = two_units().territory.at(51.750, 17.995, 50)
    assert (located.unit, located.near_border) == ("city", True)
    assert "far" in located.near


def test_uncertainty_counts_up_to_a_limit():
    """A vaguer point is near more borders, but a phone cell is not near every border."""
    territory = two_units().territory
    assert not territory.at(51.760, 18.085, 10).near_border
    assert not territory.at(51.760, 18.085, 1e6).near_border


def test_default_territory_is_kalisz():
    """What holds without a file: Kalisz and its county under one unit, whose inner border is none."""
    territory = load(default_territory(), gazetteer_files.built_in())
    assert territory.default == "kmp-kalisz"
    assert not territory.at(51.735, 18.146, 50).near_border
    assert territory.at(51.735, 18.146, 50).unit == "kmp-kalisz"


def test_all_mistakes_at_once():
    """Codes given twice, names given twice, an unknown default: all named."""
    data = {"units": [{"name": "a", "teryt": [3061]}, {"name": "b", "teryt": [3061]}, {"name": "b"}], "default": "c"}
    with pytest.raises(Misconfigured) as caught:
        load(data, gazetteer_files.built_in())
    for part in ("'b' stands twice", "3061 belongs to a already", "no unit 'c'; there are a, b, b"):
        assert part in caught.value.detail
    with pytest.raises(Misconfigured, match=r"units\.0\.teryt\.0"):
        load({"units": [{"name": "a", "teryt": [201]}]}, gazetteer_files.built_in())
    with pytest.raises(Misconfigured, match=r"units\.0\.clock"):
        load({"units": [{"name": "a", "clock": "sun"}]}, gazetteer_files.built_in())
