"""Profiles: what is not named is not sent."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.model import Privacy
from streams.profiles import compiled, expand, leaves, project
from streams.route_subject import subject
from tests.streams.facts import issued, linked, opened

PATHS = [leaf.path for leaf in leaves()]
PARTS = sorted({path.rsplit(".", n)[0] for path in PATHS for n in range(1, path.count("."))} - {""})


def marked(fact: dict[str, Any]) -> dict[str, Any]:
    """The fact with every value replaced by its own path, but for those that rules need."""
    kept = {"kind", "at", "severity", "notice_id", "code"}

    def mark(value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {name: one if name in kept else mark(one, f"{path}.{name}") for name, one in value.items()}
        if isinstance(value, list):
            return [mark(one, path) for one in value]
        return f"<{path}>"

    parts = subject(fact, "real").parts
    return {root: mark(part, root) for root, part in parts.items()}


def markers(value: Any) -> Iterator[str]:
    """The paths of every marker inside a value."""
    if isinstance(value, dict):
        for one in value.values():
            yield from markers(one)
    elif isinstance(value, list):
        for one in value:
            yield from markers(one)
    elif isinstance(value, str) and value.startswith("<"):
        yield value[1:-1]


FACTS = [orjson.loads(fact.to_json()) for fact in (opened(), linked(), issued())]


@settings(max_examples=200, deadline=None)
@given(fact=st.sampled_from(FACTS), paths=st.lists(st.sampled_from(PATHS + PARTS), min_size=1, max_size=6))
def test_nothing_but_what_a_profile_names_leaves(fact, paths):
    """Every value carries its own path as a marker: only markers of named fields come out, and all of them do."""
    named = {leaf.path for path in paths for leaf in expand(path)}
    data = marked(fact)
    out = set(markers(project(compiled(paths), data)))

    def covered(path: str) -> bool:
        return any(path == one or path.startswith(f"{one}.") for one in named)

    assert all(covered(path) for path in out)
    assert out == {path for path in markers(data) if covered(path)}


@pytest.mark.parametrize("path", PARTS)
def test_a_part_never_brings_sensitive_or_personal_fields(path):
    """Naming a part sends its public and operational fields; the others must be named themselves."""
    assert all(leaf.privacy in {Privacy.PUBLIC, Privacy.OPERATIONAL} for leaf in expand(path))


def test_personal_fields_exist_and_can_be_named():
    """Caller, subscriber and persons are fields of their own, of class personal, whole and sealed."""
    personal = {leaf.path for leaf in leaves() if leaf.privacy is Privacy.PERSONAL}
    assert personal == {"report.caller", "report.subscriber", "report.persons"}
    data = subject(FACTS[0], "real").parts
    assert set(project(compiled(["report.caller"]), data)["report"]["caller"]) == {"key_id", "nonce", "ciphertext"}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("report", "a whole root"),
        ("reprt.unit", "no 'reprt' in a fact; there is change, fact, report, summary"),
        ("report.place.flatt", "no 'flatt' in report.place; there is building"),
        ("report.report.told", "no 'report' in report"),
        ("report.caller.key_id", "nothing below"),
        ("change.report", "no 'report' in change"),
        ("summary.stages.0", "no '0'"),
    ],
)
def test_wrong_paths_are_explained(path, reason):
    """A path that names nothing is refused, with what there is instead."""
    with pytest.raises(ValueError, match=reason):
        expand(path)


def test_lists_keep_only_named_fields_of_their_elements():
    """A path may go into a list: each element keeps only that."""
    data = subject(FACTS[0], "real").parts
    assert project(compiled(["summary.references.system"]), data) == {"summary": {"references": [{"system": "cpr_id"}]}}


def test_fields_that_a_newer_version_adds_stay_out():
    """A field that our models do not know is in no profile, even inside a named part."""
    data = {"summary": {"place": {"locality": "Kalisz", "of_tomorrow": "x"}}}
    assert project(compiled(["summary.place"]), data) == {"summary": {"place": {"locality": "Kalisz"}}}


def test_odd_shapes_give_nothing():
    """A value where a part was expected leaves nothing behind and breaks nothing."""
    assert project(compiled(["summary.place.locality"]), {"summary": {"place": "x"}}) == {}
    assert project(compiled(["summary.references.system"]), {"summary": {"references": ["x", 3]}}) == {}
