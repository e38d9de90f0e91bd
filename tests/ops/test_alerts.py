"""The alert rules: they read metrics that exist, lead to the runbook, fire when they should and never in health."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ops import handbook_metrics
from ops.prove import alert_rules
from ops.prove.expected_alerts import EXPECTED

ROOT = Path(__file__).resolve().parent.parent.parent
ALERTS = ROOT / "ops" / "alerts"
REMEDY = "promtool is not installed; the rules are then not run: apt-get install prometheus"
METRIC = re.compile(r"\b(?:sztab|process)_[a-z_]+\b")
PARTS = re.compile(r"_(bucket|sum|count)$")
RULES = {rule.name: rule for rule in alert_rules.rules()}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run promtool; the test is skipped where it is absent."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip(REMEDY)
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False)


def sections() -> dict[str, str]:
    """The runbook's sections by their headings."""
    text = (ROOT / "ops" / "runbooks" / "alerts.md").read_text(encoding="utf-8")
    blocks = (block.partition("\n") for block in text.split("\n## ")[1:])
    return {title.strip(): body.strip() for title, _, body in blocks}


def series(name: str) -> str:
    """All input series of a test file, as one text."""
    tests = yaml.safe_load((ALERTS / "tests" / name).read_text(encoding="utf-8"))["tests"]
    return "\n".join(one["series"] for test in tests for one in test["input_series"])


def test_no_name_stands_twice() -> None:
    """Two alerts of one name could not be told apart."""
    assert len(RULES) == len(alert_rules.rules()) > 30


@pytest.mark.parametrize("name", RULES)
def test_every_metric_of_a_rule_is_exported(name: str) -> None:
    """A rule over a metric that nobody exports never fires."""
    exported = handbook_metrics.catalogue()
    used = METRIC.findall(RULES[name].expr)
    assert used or RULES[name].expr.startswith("up{")
    assert [one for one in used if one not in exported and PARTS.sub("", one) not in exported] == []


@pytest.mark.parametrize("name", RULES)
def test_every_label_of_a_rule_exists(name: str) -> None:
    """A rule that asks for a label which no metric has never fires, or fires for all alike."""
    exported, expr = handbook_metrics.catalogue(), RULES[name].expr
    known = {
        "job",
        "instance",
        "le",
        *(label for one in METRIC.findall(expr) if one in exported for label in exported[one][0]),
    }
    known |= {label for one in METRIC.findall(expr) for label in exported.get(PARTS.sub("", one), ((), "", ()))[0]}
    asked = set(re.findall(r"[{,]\s*([a-z_]+)\s*(?:=|!)", expr))
    asked |= {label for group in re.findall(r"(?:by|without) \(([^)]*)\)", expr) for label in group.split(", ")}
    told = " ".join(RULES[name].annotations.values())
    assert asked | set(re.findall(r"\$labels\.([a-z_]+)", told)) <= known


@pytest.mark.parametrize("name", RULES)
def test_every_alert_says_how_bad_it_is_what_it_is_and_what_to_do(name: str) -> None:
    """Severity from two, both languages, and the section of the runbook with a meaning and a remedy."""
    rule = RULES[name]
    assert rule.severity in {"critical", "warning"}
    assert set(rule.annotations) == {"summary", "summary_pl", "runbook"}
    assert rule.annotations["summary"] != rule.annotations["summary_pl"]
    assert rule.annotations["runbook"] == f"ops/runbooks/alerts.md#{name.lower()}"
    assert sections()[name].count("\n\n") >= 1


def test_no_section_outlives_its_alert() -> None:
    """The runbook has no section for an alert that cannot come."""
    assert set(sections()) == set(RULES)


def test_promtool_finds_the_rules_right_and_their_tests_hold() -> None:
    """Each fires in its case and alone, not too early; on a good day none does."""
    checked = promtool("check", "rules", str(ALERTS / "sztab.rules.yml"))
    assert checked.returncode == 0, checked.stderr
    tested = promtool("test", "rules", *(str(file) for file in sorted((ALERTS / "tests").glob("*.yml"))))
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("name", RULES)
def test_every_alert_has_a_case_and_its_metrics_stand_in_health(name: str) -> None:
    """Otherwise that it fires, and that it does not, is said by nobody."""
    fires = (ALERTS / "tests" / "fires.yml").read_text(encoding="utf-8")
    assert f'ALERTS{{alertname="{name}", alertstate="firing"' in fires
    health = series("health.yml")
    assert [one for one in METRIC.findall(RULES[name].expr) if f"{one}{{" not in health] == []


def test_a_rule_that_is_missing_or_deaf_is_found(tmp_path: Path) -> None:
    """The tests of the rules can fail: without one alert, and with one that waits too long."""
    (tmp_path / "tests").mkdir()
    shutil.copy(ALERTS / "tests" / "fires.yml", tmp_path / "tests")
    rules = alert_rules.text()
    for wrong in (rules.replace("alert: RecipientDown", "alert: Other"), rules.replace("> 60 # seconds", "> 600")):
        (tmp_path / "sztab.rules.yml").write_text(wrong, encoding="utf-8")
        assert promtool("test", "rules", str(tmp_path / "tests" / "fires.yml")).returncode != 0


def test_the_same_rules_only_faster(tmp_path: Path) -> None:
    """Divided are durations alone, a range keeps four scrapes, and promtool takes the result."""
    scaled = alert_rules.scaled(20)
    (tmp_path / "scaled.yml").write_text(scaled, encoding="utf-8")
    assert promtool("check", "rules", str(tmp_path / "scaled.yml")).returncode == 0
    by_name = {rule.name: rule for rule in alert_rules.rules(scaled)}
    assert list(by_name) == list(RULES)
    assert by_name["RecipientDown"].expr.strip().endswith("> 3 # seconds")
    assert by_name["RoleRestartsInLoop"].expr == "changes(process_start_time_seconds[45000ms]) >= 3"
    assert by_name["ClockSkewed"].expr == RULES["ClockSkewed"].expr
    assert "[4000ms]" in alert_rules.scaled(1000)
    assert "for: 1500ms" in scaled


def test_rules_are_never_made_slower() -> None:
    """A proof that waits longer than production would see alerts that production misses."""
    with pytest.raises(ValueError, match="never slower"):
        alert_rules.scaled(0.5)


def test_expected_alerts_exist() -> None:
    """What a fault should raise is an alert of the rules."""
    named = {name for one in EXPECTED.values() for name in (*one.must, *one.may)}
    assert named - set(RULES) == set()
