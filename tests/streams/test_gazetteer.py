"""The gazetteer: names, outlines, road kilometres, and the files it comes from."""

import json
from pathlib import Path

import pytest
import shapely
from shapely.geometry import shape

from schemas.errors import Misconfigured
from schemas.place import Obtained, Place
from streams import gazetteer_files
from streams.gazetteer import plain, to_plane
from streams.gazetteer_files import FILES, geometry, load

FOLDER = Path(gazetteer_files.__file__).parent / "gazetteer_data" / "kalisz"


def contents(**changes: str) -> dict[str, bytes]:
    """The built-in files, some of them replaced (name without its ending)."""
    found = {name: (FOLDER / name).read_bytes() for name in FILES}
    for name in FILES:
        if (text := changes.get(name.split(".")[0])) is not None:
            found[name] = text.encode()
    return found


@pytest.mark.parametrize(
    ("place", "expected", "obtained", "sure"),
    [
        (Place(locality="Kalisz", street="ul. Śródmiejska"), "3061011", Obtained.ADDRESS, True),
        (Place(locality="KALISZ", street="SRODMIEJSKA"), "3061011", Obtained.ADDRESS, True),
        (Place(teryt="3061011", street="Łódzka"), "3061011", Obtained.ADDRESS, True),
        (Place(locality="Opatówek"), "3007083", Obtained.LOCALITY, False),
        (Place(locality="Opatówek", powiat="kaliski", gmina="Opatówek"), "3007083", Obtained.LOCALITY, True),
        (Place(locality="Kalisz", street="No Such Street"), "3061011", Obtained.LOCALITY, False),
        (Place(simc="0936569"), "3061011", Obtained.LOCALITY, True),
        (Place(simc="0936569", street="Łódzka"), "3061011", Obtained.ADDRESS, True),
        (Place(gmina="Żelazków"), "3007112", Obtained.TERRITORY, True),
        (Place(powiat="kaliski"), "3007", Obtained.TERRITORY, True),
        (Place(teryt="3007052"), "3007052", Obtained.TERRITORY, True),
    ],
)
def test_places_are_found(place, expected, obtained, sure):
    """Words and codes lead to a place, the surest first; a bare name is found but not sure."""
    found = gazetteer_files.built_in().find(place)
    assert found is not None
    assert (found.spot.teryt, found.obtained, found.sure) == (expected, obtained, sure)


@pytest.mark.parametrize(
    "place", [Place(), Place(locality="Nowhere"), Place(locality="Opatówek", teryt="3061"), Place(road="A2", road_km=3)]
)
def test_nothing_is_made_up(place):
    """What does not fit, or contradicts the code beside it, leads nowhere."""
    found = gazetteer_files.built_in().find(place)
    assert found is None or found.obtained is Obtained.TERRITORY


def test_a_name_of_several_villages_is_no_place():
    """Two villages of one name: the name alone leads nowhere, with its gmina to the right one."""
    gazetteer = load(
        contents(
            localities="simc,name,teryt,lat,lon,radius_m\n,Borów,3007083,51.7,18.2,900\n,Borów,3007102,51.7,18.3,900\n"
        )
    )
    assert gazetteer.find(Place(locality="Borów")) is None
    found = gazetteer.find(Place(locality="Borów", gmina="Szczytniki", powiat="kaliski"))
    assert found is not None
    assert (found.spot.lon, found.sure) == (18.3, True)


def test_road_and_kilometre():
    """Between two posts the point is on the line; outside the known stretch there is none."""
    gazetteer = load(contents(roads="road,km,lat,lon\nDK25,10,51.70,18.00\nDK25,20,51.80,18.10\n"))
    found = gazetteer.find(Place(road="dk 25".replace(" ", ""), road_km=12.5))
    assert found is not None
    assert (found.spot.lat, found.spot.lon, found.obtained) == (51.725, 18.025, Obtained.ROAD)
    assert gazetteer.find(Place(road="DK25", road_km=9.9)) is None
    assert gazetteer.find(Place(road="DK25", road_km=20.1)) is None


def test_locality_without_coordinates_stands_in_its_gmina():
    """A register without coordinates still gives a point: the gmina's middle, as uncertain as it is large."""
    gazetteer = load(contents(localities="simc,name,teryt,lat,lon,radius_m\n0211240,Borków,3007112,,,\n"))
    found = gazetteer.find(Place(simc="0211240"))
    assert found is not None
    assert (found.spot.lat, found.spot.radius_m) == (51.85, 7000)


def test_names_are_compared_plain():
    """Case, marks over letters and abbreviations do not matter; the last word is never cut off."""
    assert plain("Ul. Śródmiejska") == plain("ŚRÓDMIEJSKA") == "srodmiejska"
    assert plain("Aleja Wolności") == plain("al. wolnosci")
    assert plain("Plac") == "plac"


def test_all_mistakes_of_all_files_at_once():
    """Nothing is loaded from a broken folder, and every mistake has its file and line."""
    bad = contents(
        units="teryt,name,kind,lat,lon,radius_m\n3,Kalisz,powiat,,,\n",
        localities="simc,name,teryt,lat,lon,radius_m\n12,Kalisz,3061011,151.7,18.0,1\n",
        roads="road,km,lat,lon\nA2,-1,51,18\n",
        areas='{"features": [{"properties": {"teryt": "3061", "name": "x"}, "geometry": null}, {"geometry": {}}]}',
    )
    with pytest.raises(Misconfigured) as caught:
        load(bad)
    for part in ("units.csv: line 2: teryt", "localities.csv: line 2: simc", "localities.csv: line 2: lat"):
        assert part in caught.value.detail
    for part in ("roads.csv: line 2: km", "features.0: error_m", "features.1: teryt"):
        assert part in caught.value.detail
    with pytest.raises(Misconfigured, match=r"roads\.csv: is missing"):
        load({name: raw for name, raw in contents().items() if name != "roads.csv"})
    with pytest.raises(Misconfigured, match="not a GeoJSON"):
        load(contents(areas="[1]"))


def test_version_follows_every_file():
    """Another byte in any file is another version."""
    versions = {load(contents()).version}
    for name in ("units.csv", "localities.csv", "streets.csv", "about.yaml", "areas.geojson", "roads.csv"):
        changed = contents()
        changed[name] += b"\n"
        versions.add(load(changed).version)
    assert len(versions) == len(FILES) + 1


def test_invalid_outlines_are_refused(shared: Path):
    """No published invalid geometry is taken for an outline, and none ends in anything but a sentence."""
    cases = sorted((shared / "badinput" / "geojson-invalid-geometry").rglob("*.json"))
    for case in cases:
        data = json.loads(case.read_text(encoding="utf-8"))
        try:
            outline = geometry(data.get("geometry", data))
        except ValueError:
            continue
        assert outline.is_valid


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"type": "Point", "coordinates": [1, 2]}, "no Polygon"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, "not valid"),
        ({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}, "cannot be read"),
        ({"type": "Polygon", "coordinates": [[["a", 0], [1, 1], [2, 2], [0, 0]]]}, "cannot be read"),
        ({"type": "Polygon", "coordinates": []}, "empty"),
        ({"type": "Polygon", "coordinates": [[[500, 0], [501, 1], [500, 1], [500, 0]]]}, "degrees"),
        (None, "no Polygon"),
    ],
)
def test_what_is_wrong_with_an_outline_is_said(data, reason):
    """A broken geometry is refused with what is wrong about it."""
    with pytest.raises(ValueError, match=reason):
        geometry(data)


@pytest.mark.parametrize(("code", "file"), [("3061", "powiat_m_kalisz_3061"), ("3007", "powiat_kaliski_3007")])
def test_built_in_outlines_lie_within_their_error(shared: Path, code, file):
    """The outlines that we wrote ourselves are no further from published ones than they admit."""
    gazetteer = gazetteer_files.built_in()
    ours = next(area for area in gazetteer.areas if area.teryt == code)
    published = json.loads((shared / "data" / f"{file}.geojson").read_text(encoding="utf-8"))["features"][0]
    theirs = shapely.transform(
        shape(published["geometry"]), lambda points: [to_plane(gazetteer.origin, lat, lon) for lon, lat in points]
    )
    distance = shapely.hausdorff_distance(ours.shape.boundary, theirs.boundary, densify=0.05)
    assert distance <= ours.error_m


def test_tables_that_cannot_be_read_are_named():
    """Bytes that are no UTF-8 and an outline that is none are mistakes like any other, all named."""
    bad = contents(
        areas='{"features": [{"properties": {"teryt": "3061", "name": "x", "error_m": 1}, "geometry": {}}, 7]}'
    )
    bad["units.csv"] = b"\xff\xfe"
    with pytest.raises(Misconfigured) as caught:
        load(bad)
    for part in ("units.csv: not a UTF-8 table", "features.0: the geometry is no Polygon", "features.1: "):
        assert part in caught.value.detail
    with pytest.raises(Misconfigured, match=r"about\.yaml"):
        load(contents() | {"about.yaml": b"\xff: ["})


def test_a_gazetteer_may_know_little():
    """No outlines, no points, a gmina whose powiat is not told: names still lead to codes, and to no point."""
    gazetteer = load(
        contents(
            areas='{"features": []}',
            units="teryt,name,kind,lat,lon,radius_m\n3007112,Żelazków,gmina,,,\n",
            localities="simc,name,teryt,lat,lon,radius_m\n0211240,Borków,3007112,,,\n",
        )
    )
    found = gazetteer.find(Place(locality="Borków", gmina="Żelazków"))
    assert found is not None
    assert (found.spot.teryt, found.spot.lat) == ("3007112", None)
    assert gazetteer.area_at(0, 0) is None
