"""`sztab route test`: who gets what, and which fields."""

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.invocation import Invocation
from ops.route_cli import route
from schemas.incident import IncidentDormant
from schemas.report import Mode
from tests.streams.facts import opened, summary

TREE = """
version: 1
recipients: {partner: {}}
profiles: {p: {fields: [summary.state, report.place]}}
route:
  name: rest
  profile: p
  deadline_seconds: 30
  recipients: [partner]
  routes: [{name: fires, match: {group: [fire]}}]
"""
SETTINGS = f"""
[installation]
name = "t"
[routing]
file = "routing.yaml"
[[recipients]]
connector = "webhook"
name = "partner"
url = "https://127.0.0.1/hook"
keys = ["whsec_{base64.b64encode(bytes(32)).decode()}"]
allowed_networks = ["127.0.0.0/8"]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """An installation with a routing tree of its own and one recipient."""
    (tmp_path / "routing.yaml").write_text(TREE, encoding="utf-8")
    file = tmp_path / "sztab.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    return file


def asked(config: Path, *arguments: str, given: bytes = b""):
    """What the command prints."""
    return CliRunner().invoke(route, ["test", *arguments], obj=Invocation(config), input=given)


def test_rules_are_named(config: Path):
    """The rule that would decide is named, also where nobody gets it."""
    result = asked(config, "--category", "fire.building")
    assert (result.exit_code, result.output.splitlines()) == (0, ["rules: fires", "nobody gets it"])


def test_recipients_and_fields_are_named(config: Path):
    """Recipient, rule, profile and deadline; with `--fields` each field, and no sensitive one that nobody named."""
    told = json.loads(asked(config, "--json", "--fields", "--category", "crime.theft").output)
    (one,) = told["recipients"]
    assert (told["rules"], one["recipient"], one["profile"], one["deadline_seconds"]) == (["rest"], "partner", "p", 30)
    assert {"summary.state", "report.place.locality"} <= set(one["fields"])
    assert "report.place.flat" not in one["fields"]
    text = asked(config, "--fields", "--category", "crime.theft").output
    assert "partner: rule rest, profile p, within 30 s" in text
    assert "    report.place.street" in text
    assert asked(config, "--mode", "test", "--category", "crime.theft").output.splitlines()[1] == "nobody gets it"


def test_a_category_that_is_not_there_is_refused(config: Path):
    """A typing error is no answer."""
    assert asked(config, "--category", "fire.bilding").exit_code == 2


def test_a_fact_may_be_given(config: Path):
    """A fact from the topic is routed as it stands; what is no fact is refused."""
    result = asked(config, "--fact", "-", "--json", given=opened().to_json())
    told = json.loads(result.output)
    assert told["rules"] == ["rest"]
    assert told["recipients"][0]["body"]["summary"] == {"state": "open"}
    assert "flat" not in told["recipients"][0]["body"]["report"]["place"]
    assert asked(config, "--fact", "-", given=b"{}").exit_code == 2


def test_a_given_fact_has_its_own_mode(config: Path):
    """Its summary, report or notice names the mode, unless the caller does; what holds none is the installation's."""
    test = opened(summary=summary(mode=Mode.TEST)).to_json()
    bare = opened(change=IncidentDormant(), summary=None).to_json()
    assert asked(config, "--fact", "-", given=test).output.splitlines()[1] == "nobody gets it"
    for arguments, fact in (((), bare), (("--mode", "real"), test)):
        assert "partner" in asked(config, *arguments, "--fact", "-", given=fact).output
