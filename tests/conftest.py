"""What every test gets: markers by folder, the shared data, and a guard against what a test leaves behind."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from ops.compiled import refuse_other_sources
from schemas.errors import Misconfigured
from tests import leftovers
from tests.clusters import _mend_cluster as _mend_cluster
from tests.clusters import cluster as cluster
from tests.clusters import kafka as kafka
from tests.clusters import prefix as prefix

ROOT = Path(__file__).resolve().parent.parent
FOLDER_MARKERS = ("broker", "faults", "browser", "compiled")


def pytest_configure() -> None:
    """Tests judge the sources that stand here, or machine code of just these."""
    try:
        refuse_other_sources()
    except Misconfigured as refused:
        raise pytest.UsageError(str(refused)) from None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of tests/broker, faults, browser and compiled, so that none slips into the quick ones."""
    for item in items:
        for marker in FOLDER_MARKERS:
            if item.path.is_relative_to(ROOT / "tests" / marker):
                item.add_marker(marker)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of public corpora and data beside the checkout (or SZTAB_SHARED); a test without it is skipped."""
    folder = Path(os.environ.get("SZTAB_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip("no folder ../shared beside the checkout (SZTAB_SHARED names another)")
    return folder


@pytest.fixture(autouse=True)
def _nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a non-daemon thread or a listening socket behind; runs after the loop was closed."""
    threads, listening = leftovers.threads(), leftovers.listening()
    yield
    if left := leftovers.left_by_thread_or_socket(threads, listening):
        pytest.fail(f"left behind: {', '.join(sorted(left))}")


@pytest.fixture(autouse=True)
def _no_task_left_by_coroutine(_nothing_left: None, request: pytest.FixtureRequest) -> None:
    """Let `_no_task_left` watch the tests that are coroutines; the others get no loop for it."""
    if isinstance(request.node, pytest.Function) and inspect.iscoroutinefunction(request.node.obj):
        request.getfixturevalue("_no_task_left")


@pytest.fixture
async def _no_task_left() -> AsyncIterator[None]:
    """Fail a test whose loop still runs a task that the test started, after all its other fixtures were closed."""
    before = asyncio.all_tasks()
    yield
    if left := await leftovers.tasks_left(before):
        pytest.fail(f"left behind: {', '.join(sorted(left))}")
