"""`sztab ledger show`, `overdue`, `acts`: what the ledger's file tells, for people and programs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from ops.bookkeeping import telling
from ops.bookkeeping.book import Book, Part, Placed
from ops.bookkeeping.store import Saving, Store
from ops.cli import sztab
from ops.ledger_rows import AsideRow, DecisionRow, FactRow, Row
from schemas.ledger import ActOutcome, ActStage, ReconcilerActed
from tests.ops.test_ledger_telling import LATE, verdict

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
ACT = ReconcilerActed(
    act_id="a",
    stage=ActStage.DELIVER,
    subject_id="d2",
    why="without_receipt",
    attempt=1,
    outcome=ActOutcome.ASKED,
    acted_at=NOW,
    missed_since=NOW,
)


def component(number: int, deliveries: dict[str, str], receipts: dict[str, str]) -> Part:
    """A report with one fact and its deliveries."""
    report, fact = f"r{number}", f"f{number}"
    return Part(
        {f"doc{number}": Placed("intake-1", number, Row(f"doc{number}", "published", 1_000, (report,)))},
        {fact: FactRow("IncidentOpened", report, report, 2_000, f"doc{number}", "i", "kmp", "real")},
        {fact: DecisionRow("IncidentOpened", report, ("crime",), deliveries, 9_000, 3_000)},
        {name: (frozenset({outcome}), 4_000) for name, outcome in receipts.items()},
    )


@pytest.fixture
def configuration(tmp_path: Path) -> str:
    """An installation whose ledger has a settled report, an open one, an act and a last word."""
    file = tmp_path / "sztab.toml"
    file.write_text('data_dir = "data"\n', encoding="utf-8")
    store, book = Store(tmp_path / "data" / "ledger" / "ledger.db", "x"), Book()
    book.add(component(2, {"lab": "d2", "fire": "e2"}, {"e2": "quarantined"}), 5_000)
    told = telling.told(verdict(0, missing={"without_receipt": ["d2"]}, overdue=LATE), NOW, 0, [ACT])
    settled = component(1, {"lab": "d1"}, {"d1": "delivered"})
    saving = Saving({"said": told.model_dump(mode="json")}, [settled])
    saving.aside["q"] = (5_000, AsideRow("deliver", delivery_id="e2"))
    saving.acts["a"] = (5_000, "d2", ACT.model_dump(mode="json"))
    store.save(book, saving, 6_000)
    store.close()
    return str(file)


def asked(configuration: str, *words: str) -> tuple[int, str]:
    """Exit status and output of `sztab ledger ...`."""
    result = CliRunner().invoke(sztab, ["--config", configuration, "ledger", *words])
    return result.exit_code, result.output


@pytest.mark.parametrize("name", ["doc1", "r1", "f1", "d1"])
def test_a_settled_report_by_any_of_its_ids(configuration: str, name: str) -> None:
    """Who was to get it, by which rule, and that it was delivered."""
    status, output = asked(configuration, "show", name, "--json")
    told = orjson.loads(output)
    assert status == 0
    assert told["settled_at"] == "1970-01-01T00:00:06+00:00"
    (fact,) = told["facts"]
    assert (fact["rules"], fact["deadline_at"]) == (["crime"], "1970-01-01T00:00:09+00:00")
    assert [(one["recipient"], one["state"]) for one in fact["deliveries"]] == [("lab", "delivered")]
    assert asked(configuration, "show", name)[1].count("lab: delivered") == 1


def test_an_open_one_says_what_is_missing_and_what_was_done(configuration: str) -> None:
    """Overdue, set aside, missing, and the reconciler's act."""
    told: dict[str, Any] = orjson.loads(asked(configuration, "show", "r2", "--json")[1])
    states = {one["recipient"]: one["state"] for one in told["facts"][0]["deliveries"]}
    assert states == {"lab": "overdue", "fire": "quarantined"}
    assert told["missing"] == {"d2": "without_receipt"}
    assert [act["outcome"] for act in told["acts"]] == ["asked"]
    output = asked(configuration, "show", "d2")[1]
    assert "MISSING without receipt: d2" in output
    assert "reconciler, deliver, try 1: asked" in output
    assert "set aside at deliver" in output


def test_what_it_does_not_know_and_what_is_not_there(configuration: str, tmp_path: Path) -> None:
    """An unknown id is status 1 with a way on; without the role's file the remedy is told."""
    status, output = asked(configuration, "show", "nobody")
    assert (status, "sztab trace nobody" in output) == (1, True)
    other = tmp_path / "other.toml"
    other.write_text('data_dir = "elsewhere"\n', encoding="utf-8")
    status, output = asked(str(other), "overdue")
    assert status != 0
    assert "sztab run ledger" in output


def test_overdue_and_acts(configuration: str) -> None:
    """Named one by one; a program reads the same."""
    status, output = asked(configuration, "overdue")
    assert (status, "lab: delivery d9" in output) == (1, True)
    assert orjson.loads(asked(configuration, "overdue", "--json")[1])["overdue_count"] == 1
    status, output = asked(configuration, "acts")
    assert (status, "d2 without receipt" in output) == (0, True)
    assert [one["act_id"] for one in orjson.loads(asked(configuration, "acts", "--json")[1])] == ["a"]
