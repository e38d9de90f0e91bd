"""Mappings: the shipped ones hold, mistakes are told all at once before anything starts."""

import pytest

from connectors.file.mapping import SHIPPED, load
from connectors.file.settings import FileSettings
from schemas.errors import Misconfigured
from streams.categories import built_in


@pytest.mark.parametrize("name", sorted(path.stem for path in SHIPPED.glob("*.yaml")))
def test_a_shipped_mapping_is_valid_and_named_like_its_file(name):
    """`--mapping montgomery911` finds it."""
    assert load(name).name == name


def test_every_mistake_is_told_with_its_place(tmp_path):
    """One run shows all of them."""
    path = tmp_path / "m.yaml"
    path.write_text(
        "name: m\ntitle: t\nclock: sundial\nencoding: utf-16\ndelimiter: ';;'\ncolour: red\n"
        "time: {column: t, zone: Europe/Kalisz}\n"
    )
    with pytest.raises(Misconfigured) as caught:
        load(str(path))
    for place in ("/clock", "/encoding", "/delimiter", "/colour", "/time/zone"):
        assert place in caught.value.detail


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("clock: records", "needs the time"),
        ("clock: records\ntime: {column: t, zone: Europe/Warsaw}", "needs a unit of its own"),
        ("delimiter: '\"'", "neither quote nor line end"),
        ("place: {planet: p}", "planet; allowed: building"),
        ("text: {description: d, casualties: c}", "casualties; allowed"),
        ("fixed: {unit: x}", "unit; allowed"),
        ("category: {column: c, patterns: [{regex: '(', code: x}]}", "/category/patterns/0/regex"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused(tmp_path, more, says):
    """What would only show at the first row is told before."""
    path = tmp_path / "m.yaml"
    path.write_text(f"name: m\ntitle: t\n{more}\n")
    with pytest.raises(Misconfigured, match=r"m\.yaml") as caught:
        load(str(path))
    assert says in caught.value.detail


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"a: [", b"- 1"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, content):
    """Absent, not text, not YAML, not a mapping; an absent one names the shipped ones."""
    path = tmp_path / "m.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        load(str(path))
    if content is None:
        assert "montgomery911" in caught.value.detail


def test_a_source_tells_which_mapping_of_the_catalogue_is_meant(tmp_path):
    """That of its own mapping's name: connector `file` has no codes of its own."""
    settings = FileSettings(name="x", path=tmp_path / "x.csv", mapping="montgomery911")
    assert settings.codes == "montgomery911"
    assert settings.codes in built_in().mappings
