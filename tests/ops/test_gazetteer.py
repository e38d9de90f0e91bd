"""`sztab gazetteer load`: official files become a gazetteer, or every mistake is named."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.gazetteer import Official, compiled, write
from ops.gazetteer_cli import gazetteer as command
from schemas.errors import Misconfigured
from schemas.place import Obtained, Place
from streams.territory import load as load_territory

TERC = "WOJ;POW;GMI;RODZ;NAZWA;NAZWA_DOD;STAN_NA\n"
SIMC = "WOJ;POW;GMI;RODZ_GMI;RM;MZ;NAZWA;SYM;SYMPOD;STAN_NA\n"
SQUARE = '{"type": "Polygon", "coordinates": [[[18.0, 51.0], [18.2, 51.0], [18.2, 51.2], [18.0, 51.2], [18.0, 51.0]]]}'


def official(terc: str, simc: str, boundary: str) -> Official:
    """Files as a register gives them."""
    return Official(
        terc=("terc.csv", (TERC + terc).encode("utf-8-sig")),
        simc=("simc.csv", (SIMC + simc).encode()),
        boundaries=[("b.geojson", boundary.encode())],
        error_m=20,
    )


def feature(code: str, geometry: str = SQUARE) -> str:
    """A boundary of one unit."""
    return f'{{"features": [{{"properties": {{"teryt": "{code}", "nazwa": "x"}}, "geometry": {geometry}}}]}}'


UNITS = "30;07;;;kaliski;powiat;\n30;07;08;3;Opatówek;gmina;\n30;07;08;4;Opatówek;miasto;\n"
PLACES = (
    "30;07;08;4;96;1;Opatówek;0211111;0211111;\n30;07;08;5;01;1;Borów;0211112;0211112;\n"
    "30;07;08;5;00;1;Borów;0211113;0211112;\n30;07;08;5;00;1;Kolonia;0211114;0211112;\n"
)


def test_registers_become_a_gazetteer(tmp_path: Path):
    """Units, localities and outlines come back; town and rural part are one gmina."""
    made = write(compiled(official(UNITS, PLACES, feature("3007")), "t", "2026-01-01"), tmp_path / "out")
    found = made.find(Place(locality="Borów", gmina="Opatówek", powiat="kaliski"))
    assert found is not None
    assert (found.spot.simc, found.spot.teryt, found.obtained) == ("0211112", "3007083", Obtained.LOCALITY)
    assert found.spot.lat == pytest.approx(51.1, abs=0.11)
    assert made.find(Place(locality="Kolonia", teryt="3007085")) is not None
    assert {code for code in made.units if len(code) == 7} == {"3007083"}
    assert load_territory({"units": [{"name": "a", "teryt": [3007]}]}, made).at(51.1, 18.1, 5).unit == "a"


def test_every_mistake_is_named():
    """Wrong codes, unknown gminas, broken outlines, missing columns: all of all files, with file and line."""
    bad = official(
        "3;07;;;kaliski;powiat;\n30;07;;;;powiat;\n30;61;01;1;Kalisz;;\n",
        "30;61;01;1;01;1;Kalisz;12;12;\n30;09;01;1;01;1;X;0211112;0211112;\n",
        '{"features": [{"properties": {"teryt": "9"}}, {"properties": {"teryt": "3061011"}, "geometry": null}, 7]}',
    )
    with pytest.raises(Misconfigured) as caught:
        compiled(bad, "t", "")
    for part in (
        "terc.csv: line 2: WOJ, POW, GMI, RODZ make no TERYT code",
        "terc.csv: line 3: NAZWA is empty",
        "simc.csv: line 2: SYM is no code",
        "simc.csv: line 3: gmina 300901 is not in the TERC table",
        "b.geojson: features.0: its code",
        "b.geojson: features.1: the geometry is no Polygon",
        "b.geojson: features.2: its code",
    ):
        assert part in caught.value.detail
    with pytest.raises(Misconfigured, match=r"terc\.csv: no column WOJ"):
        compiled(Official(("terc.csv", b"a;b\n1;2\n"), None, [], 1), "t", "")
    twice = official(UNITS, "", feature("3007"))
    with pytest.raises(Misconfigured, match="3007 stands twice"):
        compiled(Official(twice.terc, None, [*twice.boundaries, *twice.boundaries], 1), "t", "")
    with pytest.raises(Misconfigured, match="not a GeoJSON"):
        compiled(official(UNITS, "", "[]"), "t", "")
    with pytest.raises(Misconfigured, match=r"terc\.csv: not a UTF-8 table"):
        compiled(Official(("terc.csv", b"\xff\xfe\x00"), None, [], 1), "t", "")


def test_the_command_compiles_the_real_registers(shared: Path, tmp_path: Path):
    """The extracts for Kalisz and its county load, and the official names and outlines are found again."""
    data, out = shared / "data", tmp_path / "gazetteer"
    arguments = ["load", "--terc", str(data / "terc_kalisz_3061_3007.csv"), "--out", str(out), "--json"]
    arguments += ["--simc", str(data / "simc_kalisz_3061_3007.csv"), "--error-m", "300"]
    for name in ("powiat_m_kalisz_3061", "powiat_kaliski_3007"):
        arguments += ["--boundary", str(data / f"{name}.geojson")]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    told = json.loads(result.output)
    assert (told["outlines"], told["units"]) == (2, 14)
    assert told["localities"] > 350
    assert sorted(one.name for one in out.iterdir()) == [
        "about.yaml",
        "areas.geojson",
        "localities.csv",
        "roads.csv",
        "streets.csv",
        "units.csv",
    ]


def test_nothing_is_written_when_anything_is_wrong(tmp_path: Path):
    """A broken file leaves no folder behind."""
    terc = tmp_path / "terc.csv"
    terc.write_text("a;b\n", encoding="utf-8")
    with pytest.raises(Misconfigured):
        CliRunner().invoke(command, ["load", "--terc", str(terc), "--out", str(tmp_path / "o")], catch_exceptions=False)
    assert not (tmp_path / "o").exists()
