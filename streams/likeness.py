"""How alike two short texts are: the share of the shorter one's words that the other has too, weighty words first.

Numbers (of houses, roads, plates) say more than words, long words (names) more than short ones. Words are compared by
their beginnings, as Polish declines them (`Górnośląska`, `na Górnośląskiej`); a misspelt one counts almost whole. Pure.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from rapidfuzz import fuzz

STEM: Final = 6
"""Letters of a word that are compared; endings come after."""
NUMBER: Final = 4.0
"""What a number weighs; a word weighs a quarter for each letter of its stem."""
LIKE: Final = 80.0
"""Percent from which two stems are one, misspelt."""
FUZZY: Final = 4
"""Shorter stems are not looked at for misspellings: too many are alike."""
REMEMBERED: Final = 16_384
_WORD: Final = re.compile(r"[^\W\d_]{2,}|\d+")
_PLAIN: Final = str.maketrans({"ł": "l", "Ł": "l", "ß": "ss", "ø": "o", "đ": "d"})


class Words(NamedTuple):
    """The words of a text: what they weigh together, their stems in order, what each weighs."""

    total: float
    stems: tuple[str, ...]
    weights: dict[str, float]
    long: tuple[str, ...]
    """Those that may be misspelt."""


@lru_cache(maxsize=REMEMBERED)
def words(text: str) -> Words:
    """The words of a text without accents. The result is shared: not to be changed."""
    even = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    bare = "".join(one for one in even if not unicodedata.combining(one))
    weights = {word if word.isdecimal() else word[:STEM]: _weight(word) for word in _WORD.findall(bare)}
    stems = tuple(sorted(weights))
    long = tuple(stem for stem in stems if len(stem) >= FUZZY and not stem.isdecimal())
    return Words(sum(weights.values()), stems, weights, long)


def percent(one: str, other: str) -> float | None:
    """0 (no word in common) to 100 (all words of the shorter one); None where one of them has no words."""
    few, many = words(one), words(other)
    if not few.stems or not many.stems:
        return None
    if many < few:
        few, many = many, few
    total, theirs = few.total, many.weights
    common = 0.0
    for stem, weight in few.weights.items():
        if stem in theirs:
            common += weight
    if common < total:
        others = [stem for stem in many.long if stem not in few.weights]
        for stem in few.long if others else ():
            if stem not in theirs:
                common += few.weights[stem] * max([_misspelt(stem, other) for other in others]) / 100
    return min(100.0, 100.0 * common / total)


@lru_cache(maxsize=REMEMBERED)
def _misspelt(one: str, other: str) -> float:
    """How alike two stems are in percent; 0 below what a misspelling leaves. The words of a place come again."""
    return fuzz.ratio(one, other, score_cutoff=LIKE)


def _weight(word: str) -> float:
    return NUMBER if word.isdecimal() else min(len(word), STEM) / 4
