"""How alike two short texts are: the share of the shorter one's words that the other has too, weighty words first.

Numbers (of houses, roads, plates) say more than words, long words (names) more than short ones. Words are compared by
their beginnings, as Polish declines them (`Górnośląska`, `na Górnośląskiej`); a misspelt one counts almost whole. Pure.
"""

import re
import sys
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
END: Final = 2
"""Letters at the beginning and the end of a word of which a slip of the pen spares one or the other."""
INSIDE: Final = 3
"""Letters within a long word, which was cut and whose last ones a slip has moved."""
REMEMBERED: Final = 16_384
"""Pairs of stems."""
TEXTS: Final = 8_192
"""Remembered with their words: two to three kilobytes for a text of sixty letters."""
_WORD: Final = re.compile(r"[^\W\d_]{2,}|\d+")
_PLAIN: Final = str.maketrans({"ł": "l", "Ł": "l", "ß": "ss", "ø": "o", "đ": "d"})


class Words(NamedTuple):
    """The words of a text: what they weigh together, their stems in order, what each weighs."""

    total: float
    stems: tuple[str, ...]
    weights: dict[str, float]
    ends: dict[str, tuple[str, ...]]
    """Those that may be misspelt, by letters of which a slip leaves some."""


@lru_cache(maxsize=TEXTS)
def words(text: str) -> Words:
    """The words of a text without accents. The result is shared: not to be changed."""
    even = unicodedata.normalize("NFKD", text.casefold().translate(_PLAIN))
    bare = "".join(one for one in even if not unicodedata.combining(one))
    weights = {word if word.isdecimal() else word[:STEM]: _weight(word) for word in _WORD.findall(bare)}
    stems = tuple(sorted(weights))
    ends: dict[str, tuple[str, ...]] = {}
    for stem in stems:
        if len(stem) >= FUZZY and not stem.isdecimal():
            alone = (stem,)
            for end in _ends(stem):
                ends[end] = (*ends[end], stem) if end in ends else alone
    return Words(sum(weights.values()), stems, weights, ends)


def percent(one: Words, other: Words) -> float | None:
    """0 (no word in common) to 100 (all words of the shorter one); None where one of them has no words."""
    if not one.stems or not other.stems:
        return None
    fewer = other.total < one.total or (other.total == one.total and other.stems < one.stems)
    few, many = (other, one) if fewer else (one, other)
    total, theirs = few.total, many.weights
    common = 0.0
    for stem, weight in few.weights.items():
        if stem in theirs:
            common += weight
    if common < total:
        ends = [end for end in few.ends if end in many.ends]
        if ends:
            common += _misspellings(few, many, ends)
    return min(100.0, 100.0 * common / total)


def _ends(stem: str) -> list[str]:
    """The letters of which one slip of the pen leaves some, for each of both words. Two slips may leave none."""
    found = [f"{stem[:END]}-", f"-{stem[-END:]}"]
    if len(stem) == STEM:
        found += [stem[at : at + INSIDE] for at in range(STEM - INSIDE)]
    return [sys.intern(end) for end in found]  # words have few of them, and a text is remembered with all of its own


def _misspellings(few: Words, many: Words, ends: list[str]) -> float:
    """What those words weigh that are in both, but misspelt in one."""
    best: dict[str, float] = {}
    for end in ends:
        meant = [stem for stem in many.ends[end] if stem not in few.weights]
        for stem in few.ends[end] if meant else ():
            if stem not in many.weights:
                best[stem] = max([best.get(stem, 0.0)] + [_misspelt(stem, other) for other in meant])
    common = 0.0
    for stem, like in sorted(best.items()):
        common += few.weights[stem] * like / 100
    return common


@lru_cache(maxsize=REMEMBERED)
def _misspelt(one: str, other: str) -> float:
    """How alike two stems are in percent; 0 below what a misspelling leaves. The words of a place come again."""
    return fuzz.ratio(one, other, score_cutoff=LIKE)


def _weight(word: str) -> float:
    return NUMBER if word.isdecimal() else min(len(word), STEM) / 4
