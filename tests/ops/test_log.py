"""Logs: one line each, constant names, nothing that a far side sent."""

import ast
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import structlog

from ops import log
from ops.settings_parts import OperationPart

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("connectors", "ops", "streams")
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged as JSON in the test; the process's logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    kept = {name: logging.getLogger(name).level for name in log.QUIET}
    stream = io.StringIO()
    log.configure(OperationPart(log_format="json"), "tests", "node-1", stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, one in kept.items():
        logging.getLogger(name).setLevel(one)


def test_an_event_is_one_json_line_with_its_keys(written: io.StringIO) -> None:
    """A program can read every line: name, keys, role, node, level, time."""
    structlog.get_logger().info("feed_up", feed="cpr")
    told = orjson.loads(written.getvalue())
    assert (told["event"], told["feed"], told["role"], told["node"], told["level"]) == (
        "feed_up",
        "cpr",
        "tests",
        "node-1",
        "info",
    )


def test_a_group_of_exceptions_tells_what_it_is_made_of(written: io.StringIO) -> None:
    """A task group's end names the error that ended it, nested ones too, and still never their words."""
    group = ExceptionGroup("outer", [ExceptionGroup("inner", [KeyError("Kowalski")])])
    structlog.get_logger().error("role_failed", exc_info=group)
    told = orjson.loads(written.getvalue())
    assert [one["error"] for one in told["of"]] == ["KeyError"]
    assert "Kowalski" not in written.getvalue()


def test_no_value_forges_a_line_or_shows_a_payload(written: io.StringIO) -> None:
    """Line breaks and control characters of a far side are escaped; payloads, secrets and bytes never appear."""
    structlog.get_logger().warning(
        "odd", peer='x\n{"event":"forged"}\x1b[2J\u2028', body="Jan Kowalski", raw=b"Kowalski"
    )
    text = written.getvalue()
    assert text.count("\n") == 1
    assert "Kowalski" not in text
    assert "\x1b" not in text
    assert "\u2028" not in text
    assert orjson.loads(text)["raw"] == "(8 bytes)"


def test_a_failure_tells_its_place_and_not_its_words(written: io.StringIO) -> None:
    """An unforeseen exception may quote a report; its type and the places in the code are enough to find it."""
    caller = "Jan Kowalski"
    try:
        int(caller)
    except ValueError:
        structlog.get_logger().exception("step_failed")
    text = written.getvalue()
    assert "Kowalski" not in text
    told = orjson.loads(text)
    assert told["error"] == "ValueError"
    assert told["at"][0].startswith("test_log.py:")


def test_libraries_speak_in_our_form_and_only_when_it_matters(written: io.StringIO) -> None:
    """A library's warning is one escaped line of ours; its chatter is not written."""
    logging.getLogger("aiokafka.consumer").info("chatter")
    logging.getLogger("aiokafka.consumer").warning("lost %s", "a\nb")
    told = orjson.loads(written.getvalue())
    assert told["event"] == "library_message"
    assert told["message"] == "lost a\\nb"


def test_event_names_are_constant() -> None:
    """Every log call names its event by a snake_case constant: lines can be counted, nothing leaks into them."""
    bad = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for line in _odd_calls(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert bad == []


def _odd_calls(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS):
            continue
        if not (isinstance(node.func.value, ast.Name) and node.func.value.id in {"log", "_log", "logger", "LOG"}):
            continue
        name = node.args[0] if node.args else None
        constant = isinstance(name, ast.Constant) and isinstance(name.value, str)
        if not constant or not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", str(getattr(name, "value", ""))):
            yield node.lineno
