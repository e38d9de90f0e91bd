"""A sample for a person to read: labels are a lower bound, so what they call false is often true.

Drawn at random among what the machine linked or suggested and no label confirms; written as CSV with an empty column
`same`. Read again with `yes` or `no` in it, it estimates how many of those are false in truth.
"""

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ops.correlating.evaluating import Evaluation, nearest, right
from ops.correlating.measuring import Interval, wilson
from ops.correlating.playing import LINKED, SUGGESTED, Decision
from ops.correlating.truth import metres
from schemas.errors import Code, Misconfigured

DRAWN: Final = 50
"""Of each kind of decision."""
KINDS: Final = (LINKED, SUGGESTED)
COLUMNS: Final = (
    "decision", "bits", "call", "partner", "minutes", "metres", "kind", "partner_kind", "place", "partner_place",
    "text", "partner_text", "same",
)  # fmt: skip
YES, NO, UNSURE = "yes", "no", "unsure"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a person said of one kind of decision; `false`: share of those read that are two matters."""

    read: int
    unsure: int
    false: Interval


def draw(told: Evaluation, seed: int, count: int = DRAWN) -> list[dict[str, str]]:
    """At most so many unconfirmed decisions of each kind, as rows; the same seed draws the same."""
    rows = []
    for kind in KINDS:
        found = [one for one in told.made if one.what == kind and not right(one, told.truth)]
        chosen = random.Random(seed).sample(found, min(count, len(found)))  # noqa: S311 - a sample, no secret
        rows += [_row(told, one) for one in sorted(chosen, key=lambda one: (one.at_ms, one.key))]
    return rows


def written(rows: Sequence[dict[str, str]]) -> str:
    """The CSV for the reader."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read(file: Path) -> dict[str, Reading]:
    """What was said, by kind of decision. Misconfigured for a file that is no sample, or another word in `same`."""
    try:
        rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8-sig"))))
    except (OSError, UnicodeDecodeError) as error:
        detail = f"{file}: cannot be read ({type(error).__name__})"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail, "/judged") from None
    if not rows or not {"decision", "same"} <= set(rows[0]):
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"{file}: no sample of decisions", "/judged")
    said: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for number, row in enumerate(rows, 2):
        word = (row["same"] or "").strip().casefold()
        if word not in {YES, NO, UNSURE, ""} or row["decision"] not in said:
            detail = f"{file}, line {number}: `same` must be yes, no, unsure or empty"
            raise Misconfigured(Code.CONFIGURATION_INVALID, detail, "/judged")
        said[row["decision"]].append(word)
    return {
        kind: Reading(
            words.count(YES) + words.count(NO),
            words.count(UNSURE),
            wilson(words.count(NO), words.count(YES) + words.count(NO)),
        )
        for kind, words in said.items()
    }


def _row(told: Evaluation, one: Decision) -> dict[str, str]:
    """The call beside the nearest one of the incident that it was linked with."""
    mine = told.heard[one.key]
    other = nearest(told, one, one.members)
    return {
        "decision": one.what,
        "bits": f"{one.bits:.1f}",
        "call": one.key,
        "partner": other.key,
        "minutes": f"{(mine.at_ms - other.at_ms) / 60_000:.1f}",
        "metres": f"{metres(mine, other):.0f}",
        "kind": mine.told.category,
        "partner_kind": other.told.category,
        "place": mine.where,
        "partner_place": other.where,
        "text": mine.told.report.told.description or "",
        "partner_text": other.told.report.told.description or "",
        "same": "",
    }
