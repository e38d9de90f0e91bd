"""What a command of `sztab` was called with: the global options, and the settings read once, when first asked for."""

import asyncio
from collections.abc import Coroutine
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click

from ops import settings as settings_module
from ops.settings import Settings

T = TypeVar("T")


class Invocation:
    """The object behind `click.Context.obj` of every command."""

    def __init__(self, config: Path | None = None) -> None:
        self.config = config

    @cached_property
    def settings(self) -> Settings:
        """The installation's settings. Misconfigured with every mistake; `ops/cli.py` prints it."""
        return settings_module.load(self.config)


def settings_of(context: click.Context) -> Settings:
    """The settings for a command (`@click.pass_context`), also where it is tested alone, without the group."""
    if context.find_object(Invocation) is None:
        context.obj = Invocation()
    invocation = context.find_object(Invocation)
    assert invocation is not None
    return invocation.settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)
