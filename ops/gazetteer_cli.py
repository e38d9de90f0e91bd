"""`sztab gazetteer load`: official TERYT tables and boundaries into a folder that `[gazetteer] dir` names."""

from pathlib import Path
from typing import Any

import click
import orjson

from ops.gazetteer import Official, compiled, write

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("gazetteer")
def gazetteer() -> None:
    """Names of places and outlines of units."""


@gazetteer.command("load")
@click.option("--terc", required=True, type=_FILE, help="TERYT TERC table, CSV with semicolons.")
@click.option("--simc", type=_FILE, help="TERYT SIMC table; without it no localities are known.")
@click.option("--boundary", "boundaries", multiple=True, type=_FILE, help="Boundaries, GeoJSON (repeatable).")
@click.option("--error-m", default=50.0, show_default=True, help="How far the boundaries may be off, in metres.")
@click.option("--streets", type=_FILE, help="Streets: locality,teryt,name,lat,lon,radius_m.")
@click.option("--roads", type=_FILE, help="Road kilometres: road,km,lat,lon.")
@click.option("--name", default="teryt", show_default=True, help="Name of the data.")
@click.option("--valid-from", default="", help="Date of the register, YYYY-MM-DD.")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def load(
    terc: Path,
    simc: Path | None,
    boundaries: tuple[Path, ...],
    error_m: float,
    streets: Path | None,
    roads: Path | None,
    name: str,
    valid_from: str,
    out: Path,
    *,
    as_json: bool,
) -> None:
    """Check official files and compile them; nothing is written when anything in them is wrong."""
    official = Official(
        terc=(terc.name, terc.read_bytes()),
        simc=(simc.name, simc.read_bytes()) if simc else None,
        boundaries=[(one.name, one.read_bytes()) for one in boundaries],
        error_m=error_m,
        streets=streets.read_bytes() if streets else None,
        roads=roads.read_bytes() if roads else None,
    )
    made = write(compiled(official, name, valid_from), out)
    told: dict[str, Any] = {
        "folder": str(out),
        "version": made.version,
        "units": len([code for code in made.units if len(code) != 6]),
        "localities": sum(map(len, made.localities.values())),
        "outlines": len(made.areas),
    }
    if as_json:
        click.echo(orjson.dumps(told))
        return
    click.echo("\n".join(f"{key:<12}{value}" for key, value in told.items()))
    click.echo(f'use it with   [gazetteer] dir = "{out}"')
