"""Where something is, how sure we are, and who answers for that place."""

from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about


class Obtained(StrEnum):
    """How a position came about; decides how far it may be trusted."""

    MEASURED = "measured"
    """By a device at the scene: AML, eCall, GPS of a unit."""
    TYPED = "typed"
    """Coordinates that a person gave or picked on a map."""
    ADDRESS = "address"
    """Found from street and number, or from a register (alarm account)."""
    LOCALITY = "locality"
    """Only the town or village is known: its middle."""
    ROAD = "road"
    """Road and kilometre."""
    CELL = "cell"
    """Network termination of a call: hundreds of metres to kilometres."""
    TERRITORY = "territory"
    """Only the unit or the municipality is known."""


class Position(Message):
    """A point, WGS 84, with its uncertainty."""

    lat: Annotated[float, about("Latitude, WGS 84.", Privacy.OPERATIONAL, "degree", ge=-90, le=90)]
    lon: Annotated[
        float,
        about("Longitude, WGS 84.", Privacy.OPERATIONAL, "degree", ge=-180, le=180),
    ]
    uncertainty_m: Annotated[
        float,
        about(
            "Radius that holds the true place in about two of three cases.",
            Privacy.OPERATIONAL,
            "m",
            ge=0,
        ),
    ]
    obtained: Annotated[Obtained, about("How the point came about.", Privacy.OPERATIONAL)]


class Place(Message):
    """A place as it was told.

    Any part may be missing (CPR Reg. § 11(1)(3), (2)(1)-(2)).
    """

    position: Annotated[Position | None, about("The point, when one was given.", Privacy.OPERATIONAL)] = None
    teryt: Annotated[
        str | None,
        about(
            "TERC code, 2 to 7 digits, valid at the time of the report.",
            Privacy.OPERATIONAL,
        ),
    ] = None
    simc: Annotated[str | None, about("SIMC code of the locality, 7 digits.", Privacy.OPERATIONAL)] = None
    voivodeship: Annotated[str | None, about("Województwo, as told.", Privacy.OPERATIONAL)] = None
    powiat: Annotated[str | None, about("Powiat, as told.", Privacy.OPERATIONAL)] = None
    gmina: Annotated[str | None, about("Gmina, as told.", Privacy.OPERATIONAL)] = None
    locality: Annotated[str | None, about("Town or village.", Privacy.OPERATIONAL)] = None
    hamlet: Annotated[str | None, about("Przysiółek.", Privacy.OPERATIONAL)] = None
    street: Annotated[str | None, about("Street.", Privacy.OPERATIONAL)] = None
    building: Annotated[str | None, about("House number.", Privacy.OPERATIONAL)] = None
    flat: Annotated[str | None, about("Flat.", Privacy.SENSITIVE)] = None
    storey: Annotated[str | None, about("Floor.", Privacy.OPERATIONAL)] = None
    object_name: Annotated[
        str | None,
        about("Name of the object: school, shop, bridge.", Privacy.OPERATIONAL),
    ] = None
    road: Annotated[
        str | None,
        about("Road number with its kind: A2, DK25, DW470.", Privacy.OPERATIONAL),
    ] = None
    direction: Annotated[
        str | None,
        about("Direction of travel on the road, as told: N, towards Poznań.", Privacy.OPERATIONAL),
    ] = None
    road_km: Annotated[float | None, about("Kilometre of the road.", Privacy.OPERATIONAL, "km", ge=0)] = None
    text: Annotated[str | None, about("The place in the words of the source.", Privacy.SENSITIVE)] = None
