"""Logs: constant event names with keys, JSON in production, readable on a terminal; never a payload or a secret."""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog
from structlog.typing import Processor

from ops.settings_parts import OperationPart
from schemas.errors import SztabError

MASKED: Final = frozenset(
    ("body", "payload", "value", "text", "document", "record", "token", "password", "secret", "authorization", "key")
)
"""Keys whose values never reach a log: they may hold what a far side sent, or let somebody in."""
LONGEST: Final = 500
FIRST: Final = ("timestamp", "level", "event")
QUIET: Final = ("aiokafka", "kafka", "faust", "mode", "aiohttp", "asyncio", "sqlalchemy", "urllib3")
"""Libraries that speak from warning on."""


def configure(told: OperationPart, role: str, node: str, stream: TextIO | None = None) -> None:
    """Set up logging of this process: our events and the libraries' go to standard error in one form."""
    out = stream or sys.stderr
    readable = told.log_format == "text" or (told.log_format == "auto" and out.isatty())
    level = logging.getLevelNamesMapping()[told.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _named(role, node),
        told_where,
        mask,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty()) if readable else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, escape_message],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, in_order, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _named(role: str, node: str) -> Processor:
    def add(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event.setdefault("role", role)
        event.setdefault("node", node)
        return event

    return add


MOST_INNER: Final = 5
"""Exceptions told of a group."""


def in_order(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """When, how bad, what: first in each line; then the keys."""
    return {name: event[name] for name in FIRST if name in event} | dict(event)


def told_where(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as its type and places in the code. Its words only if it is ours: others may quote what came in."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if info is True:
        error = sys.exc_info()[1]
    if error is not None:
        event["error"], event["at"] = _told(error)
        inner = _inner(error)
        if inner:
            event["of"] = [{"error": what, "at": at} for what, at in map(_told, inner)]
    return event


def _told(error: BaseException) -> tuple[str, list[str]]:
    frames = traceback.extract_tb(error.__traceback__)
    what = str(error) if isinstance(error, SztabError) else type(error).__name__
    return what, [f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}" for frame in frames]


def _inner(error: BaseException) -> list[BaseException]:
    """What a group of exceptions is made of: a group alone says nothing about what went wrong."""
    if not isinstance(error, BaseExceptionGroup):
        return []
    return [leaf for one in error.exceptions for leaf in (_inner(one) or [one])][:MOST_INNER]


def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide payloads and secrets by key, bytes by length; escape what could forge a line; cut what is too long."""
    for key, value in event.items():
        if key in MASKED:
            event[key] = "(not logged)"
        elif isinstance(value, bytes | bytearray | memoryview):
            event[key] = f"({len(value)} bytes)"
        elif isinstance(value, str):
            event[key] = escaped(value)
        elif isinstance(value, BaseException):
            event[key] = type(value).__name__
    return event


def escape_message(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A library's sentence is text from outside: escaped, and kept apart from our constant names."""
    event["message"] = escaped(str(event.pop("event", "")))
    event["event"] = "library_message"
    return event


def escaped(text: str) -> str:
    """The text on one line: control and separator characters as escapes, at most 500 characters."""
    if not text.isprintable():
        text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return text if len(text) <= LONGEST else text[:LONGEST] + f"... ({len(text)} characters)"
