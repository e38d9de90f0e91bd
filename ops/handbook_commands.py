"""Pages of the handbook made from the command line and from the topic catalogue."""

from collections.abc import Iterator

import click

from ops.handbook_settings import MADE
from schemas.topic import DAY_MS, Topic
from schemas.topics import catalogue

EXAMPLE = "example"


def commands_page(root: click.Group) -> str:
    """`commands.md`: every command with its help, as it prints itself."""
    lines = ["# Commands", "", MADE, "Exit status: 0 done, 2 misconfigured or wrongly called, 1 anything else."]
    context = root.make_context("sztab", [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    for name, command in _commands(root, context, "sztab"):
        lines += ["", f"## {name}", "", "```text", command, "```"]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context, path: str) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        below = command.make_context(name, [], parent=context, resilient_parsing=True)
        yield f"{path} {name}", "\n".join(line.rstrip() for line in command.get_help(below).splitlines())
        if isinstance(command, click.Group):
            yield from _commands(command, below, f"{path} {name}")


def retention_page() -> str:
    """`retention.md`: how long each topic keeps what, within which limits, by which rule."""
    lines = [
        "# Retention",
        "",
        MADE,
        (
            "Provisioning refuses a retention outside minimum and maximum. `kafka.retention_days` changes the default. "
            "Persons travel sealed, so that erasing a thread's keys erases the person whatever the retention."
        ),
        "",
        "| topic | holds | privacy | clean-up | default | minimum | maximum | rule |",
        "|---|---|---|---|---|---|---|---|",
        *(_row(topic) for topic in catalogue([EXAMPLE]).values()),
        "",
        "Topics named `outbox.example.*` exist for every configured recipient.",
    ]
    return "\n".join(lines) + "\n"


def _row(topic: Topic) -> str:
    holds = ", ".join(payload.__name__ for payload in topic.payloads) or "a processor's state"
    kept = topic.retention
    cleaning = "last value of each key" if topic.compacted else "by age"
    if kept is None:
        times, rule = ("-", "-", "-"), "as long as its subject"
    else:
        longest = _days(kept.maximum_ms) if kept.maximum_ms is not None else "none"
        times, rule = (_days(kept.default_ms), _days(kept.minimum_ms), longest), kept.base
    if topic.compacted and kept is not None:
        cleaning += ", then by age"
    return f"| `{topic.name}` | {holds} | {topic.privacy.value} | {cleaning} | {' | '.join(times)} | {rule} |"


def _days(milliseconds: int) -> str:
    return f"{milliseconds / DAY_MS:g} d"
