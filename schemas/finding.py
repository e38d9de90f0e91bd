"""Findings: what was odd and did not stop us. They travel with the report and are shown."""

from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about


class FindingCode(StrEnum):
    """The closed list of oddities."""

    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_CODE = "unknown-code"
    TIME_IMPLAUSIBLE = "time-implausible"
    TIME_AMBIGUOUS = "time-ambiguous"
    COORDINATES_SWAPPED = "coordinates-swapped"
    COORDINATES_OUTSIDE = "coordinates-outside"
    COORDINATES_INVALID = "coordinates-invalid"
    CHECKSUM_WRONG = "checksum-wrong"
    PLACE_UNKNOWN = "place-unknown"
    NEAR_BORDER = "near-border"
    TERRITORY_ASSUMED = "territory-assumed"
    SAME_ID_OTHER_CONTENT = "same-id-other-content"
    FIELD_UNREADABLE = "field-unreadable"
    SNAPSHOT_INCOMPLETE = "snapshot-incomplete"
    AREA_MISSING = "area-missing"
    LOOP = "loop"
    LATE = "late"
    CLOCK_SKEW = "clock-skew"


class Finding(Message):
    """One oddity. Names the field, never its value."""

    code: Annotated[FindingCode, about("What kind.", Privacy.PUBLIC)]
    at: Annotated[
        str,
        about(
            "JSON pointer or column into the document; empty for the whole.",
            Privacy.PUBLIC,
        ),
    ] = ""
    detail: Annotated[str, about("For a person, in English, without input text.", Privacy.PUBLIC)] = ""
