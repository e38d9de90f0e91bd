"""The installation's event categories, and what the codes of the sources mean in them.

Data: `schemas/catalogue/categories.yaml` and `schemas/catalogue/mappings/*.yaml`; an installation may bring its
own. A code that nobody mapped is category `unknown`, with a finding, and is routed all the same (issue 3, "Bad input").
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import Field, field_validator

from schemas.report import Urgency
from streams.loading import Shape, checked, digest, read_yaml, refused

UNKNOWN: Final = "unknown"
REMEMBERED_CODES: Final = 8_192
"""How many codes of far sides keep their translation in memory; a hostile source cannot fill it."""

CapCategory = Literal[
    "Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other"
]
"""CAP 1.2, element info/category."""


class CategoryShape(Shape):
    """One entry of `categories.yaml`."""

    pl: str
    en: str
    cap: CapCategory
    urgency: Urgency
    window_minutes: Annotated[int, Field(gt=0, le=10_080)]
    radius_m: Annotated[float, Field(gt=0, le=50_000)]


class CategoriesShape(Shape):
    """`categories.yaml` as a whole."""

    version: Literal[1]
    categories: dict[str, CategoryShape]


class PatternShape(Shape):
    """A regular expression for the whole code, letter case aside, and the category it means."""

    match: str
    category: str

    @field_validator("match")
    @classmethod
    def compiles(cls, text: str) -> str:
        """Refuse what is no regular expression."""
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return text


class MappingShape(Shape):
    """One file of `mappings/`: exact codes first, then patterns in order."""

    version: Literal[1]
    name: str
    codes: dict[str, str]
    patterns: tuple[PatternShape, ...]


@dataclass(frozen=True, slots=True)
class Category:
    """One kind of event. `window_ms` and `radius_m` are for correlation; `title` is by language (`pl`, `en`)."""

    code: str
    group: str
    title: Mapping[str, str]
    cap: str
    urgency: Urgency
    window_ms: int
    radius_m: float


class Understood(NamedTuple):
    """The category of a source's code; `known` is false when nobody mapped the code."""

    category: Category
    known: bool


@dataclass(frozen=True)
class Catalogue:
    """All categories, with the mappings by name. Immutable; `version` names exactly this content."""

    categories: Mapping[str, Category]
    mappings: Mapping[str, MappingShape]
    version: str
    _words: Mapping[str, str] = field(repr=False)
    _seen: Any = field(repr=False, compare=False)

    def category(self, code: str) -> Category:
        """The category of this code of ours; `unknown` for any other text."""
        return self.categories.get(code) or self.categories[UNKNOWN]

    def understand(self, mapping: str | None, code: str | None, subcategory: str | None) -> Understood:
        """What a source's code means.

        Looked up in the mapping (subcategory, then code), then among our own codes and titles. `mapping` None or
        not there: our own only. No code at all is `unknown` without being wrong: `known` stays true.
        """
        found: Understood = self._seen(mapping, code, subcategory)
        return found


def load(categories: str, mappings: Sequence[tuple[str, str]], where: str = "categories.yaml") -> Catalogue:
    """A catalogue from the texts of its files; `mappings` are (file name, text).

    Misconfigured names all mistakes: shapes, a missing `unknown`, a mapping to a category that is not there.
    """
    data = read_yaml(categories, where)
    shape = checked(CategoriesShape, data, where)
    raw = [(name, read_yaml(text, name)) for name, text in mappings]
    shapes = [(name, checked(MappingShape, one, name)) for name, one in raw]
    mistakes = [f"{where}: categories.{UNKNOWN}: must be there"] if UNKNOWN not in shape.categories else []
    for name, one in shapes:
        targets = {*one.codes.values(), *(pattern.category for pattern in one.patterns)}
        mistakes += [f"{name}: category {code!r} is not in the catalogue" for code in targets - set(shape.categories)]
    if mistakes:
        raise refused(sorted(mistakes))
    known = {code: _category(code, one) for code, one in shape.categories.items()}
    by_name = {one.name: one for _, one in shapes}
    words = {_plain(text): code for code, one in known.items() for text in (code, *one.title.values())}
    return Catalogue(
        categories=known,
        mappings=by_name,
        version=digest([data, *(one for _, one in raw)]),
        _words=words,
        _seen=_lookup(known, by_name, words),
    )


@lru_cache(maxsize=1)
def built_in() -> Catalogue:
    """The catalogue that comes with the project."""
    folder = files("schemas") / "catalogue"
    mappings = sorted((folder / "mappings").iterdir(), key=lambda one: one.name)
    return load(
        (folder / "categories.yaml").read_text(encoding="utf-8"),
        [_named(one) for one in mappings if one.name.endswith(".yaml")],
    )


def _named(path: Traversable) -> tuple[str, str]:
    return path.name, path.read_text(encoding="utf-8")


def _category(code: str, shape: CategoryShape) -> Category:
    return Category(
        code=code,
        group=code.split(".", 1)[0],
        title={"pl": shape.pl, "en": shape.en},
        cap=shape.cap,
        urgency=shape.urgency,
        window_ms=shape.window_minutes * 60_000,
        radius_m=shape.radius_m,
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _lookup(known: Mapping[str, Category], mappings: Mapping[str, MappingShape], words: Mapping[str, str]) -> Any:
    tables = {
        name: (
            {_plain(code): category for code, category in one.codes.items()},
            [(re.compile(pattern.match, re.IGNORECASE), pattern.category) for pattern in one.patterns],
        )
        for name, one in mappings.items()
    }

    def one_code(mapping: str | None, code: str) -> str | None:
        exact, patterns = tables.get(mapping or "", ({}, []))
        plain = _plain(code)
        by_pattern = (category for pattern, category in patterns if pattern.fullmatch(code.strip()))
        return exact.get(plain) or next(by_pattern, None) or words.get(plain)

    @lru_cache(maxsize=REMEMBERED_CODES)
    def lookup(mapping: str | None, code: str | None, subcategory: str | None) -> Understood:
        told = [text for text in (subcategory, code) if text]
        found = next((category for category in (one_code(mapping, text) for text in told) if category), UNKNOWN)
        return Understood(known[found], found != UNKNOWN or not told or told == [UNKNOWN])

    return lookup
