"""Reference data from the settings: built in where nothing is named, every mistake of every file otherwise."""

from pathlib import Path

import pytest

from connectors.file.mapping import load
from ops.reference import references
from ops.settings import Settings
from ops.settings_parts import Account, CataloguePart, CorrelationPart, RoutingPart, TerritoryPart
from schemas.errors import Code, Misconfigured
from streams.incidents import processor
from tests.streams.incident_log import UNIT, Territory, command, incident_of, kinds, place, report


def test_the_built_in_data_is_whole() -> None:
    """Without any file every processor has what it decides by, each part with a version."""
    found = references(Settings(connectors={}))
    assert set(found.versions) == {"catalogue", "territory", "urgency", "weights", "routing", "watch"}
    assert found.incidents.unanswered_ms == 45_000


def test_only_officers_decide_on_incidents() -> None:
    """An account without the role officer may ask for a delivery again, and nothing else of what officers may."""
    accounts = (
        Account(name="desk", token_sha256="0" * 64, roles=("operator", "officer")),
        Account(name="night-shift", token_sha256="1" * 64, roles=("operator",)),
        Account(name="looker", token_sha256="2" * 64, roles=("reader",)),
    )
    found = references(Settings(connectors={}, accounts=accounts)).incidents
    assert found.roles == {"desk": "officer", "night-shift": "system", "looker": "system", "reconciler": "system"}
    territory = Territory(processor(found))
    incident_id = incident_of(territory.put(report("one")))
    for verb, rest in (("accept", {}), ("refuse", {"reason": "x"}), ("hand-over", {"to_unit": "x"})):
        (fact,) = territory.put(command(verb, verb, incident_id, actor="night-shift", **rest))
        assert fact.change.code is Code.FORBIDDEN
    again = command("again", "redeliver", incident_id, actor="night-shift", delivery_id="d")
    assert kinds(territory.put(again)) == ["DeliveryRequested"]
    assert kinds(territory.put(command("go", "accept", incident_id, actor="desk"))) == ["StateChanged"]


def test_fed_history_never_sets_a_real_clock() -> None:
    """A configured unit keeps its clock whatever comes first; a fed file's own territory goes by its records."""
    settings = Settings(connectors={})
    found = references(settings).incidents
    assert found.clocks == {UNIT: "wall"}
    territory = Territory(processor(found))
    territory.put(report("fed", seconds=-300_000_000, clock="records"))
    incident_id = incident_of(territory.put(report("real", at=place(9_000))))
    assert incident_id in [fact.incident_id for fact in territory.tick(46) if fact.change.kind == "DeadlinePassed"]
    fed = load("montgomery911")
    told = report("old", seconds=-300_000_000, unit=fed.unit or "", clock=fed.clock)
    (opened,) = territory.put(told)
    assert (opened.unit, opened.at) == ("montgomery", told.event_at)


def test_wrong_files_are_named_together(tmp_path: Path) -> None:
    """Files that can be read and are wrong: all of them, not only the first."""
    (tmp_path / "t.yaml").write_text("units: []", encoding="utf-8")
    (tmp_path / "r.yaml").write_text("rout: {}", encoding="utf-8")
    settings = Settings(
        connectors={}, territory=TerritoryPart(file=tmp_path / "t.yaml"), routing=RoutingPart(file=tmp_path / "r.yaml")
    )
    with pytest.raises(Misconfigured) as caught:
        references(settings)
    assert "t.yaml: units" in caught.value.detail
    assert "r.yaml: rout" in caught.value.detail


def test_mistakes_of_all_files_come_together(tmp_path: Path) -> None:
    """One look is enough: a missing file, no YAML, a wrong shape, each named by its file."""
    broken, odd = tmp_path / "territory.yaml", tmp_path / "routing.yaml"
    broken.write_text("units: [", encoding="utf-8")
    odd.write_text("rout: {}", encoding="utf-8")
    settings = Settings(
        connectors={},
        territory=TerritoryPart(file=broken),
        routing=RoutingPart(file=odd),
        correlation=CorrelationPart(file=tmp_path / "none.yaml"),
        catalogue=CataloguePart(mappings_dir=tmp_path / "nowhere"),
    )
    with pytest.raises(Misconfigured) as caught:
        references(settings)
    told = caught.value.detail
    assert "territory.yaml" in told
    assert "routing.yaml: rout" in told
    assert "correlation.file" in told
    assert "catalogue.mappings_dir" in told
