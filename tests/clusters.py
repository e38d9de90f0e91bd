"""Real brokers for tests/broker and tests/faults: `kafka` is one node, `cluster` three; started when first asked for.

Topics live as long as the session, so a test puts a prefix of its own before each name (fixture `prefix`).
"""

import atexit
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ops.broker import EmbeddedKafka
from ops.prove.cluster_io import CLEANING


def _running(folder: Path, nodes: int, extra: Mapping[str, str] | None = None) -> Iterator[EmbeddedKafka]:
    """A started cluster, killed at the end of the session, also if the session is broken off."""
    embedded = EmbeddedKafka(folder, nodes, extra=extra)
    atexit.register(embedded.down, 0)
    try:
        embedded.up()
        yield embedded
    finally:
        embedded.down(0)
        atexit.unregister(embedded.down)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """One node, shared by the session; no test stops it."""
    yield from _running(tmp_path_factory.mktemp("kafka"), 1)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """Three nodes, shared by the session; what a test killed or froze is mended after it."""
    yield from _running(tmp_path_factory.mktemp("cluster"), 3, CLEANING)


@pytest.fixture(autouse=True)
def _mend_cluster(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test with `cluster` every node runs and answers again."""
    yield
    if "cluster" in request.fixturenames:
        embedded: EmbeddedKafka = request.getfixturevalue("cluster")
        for number in embedded.numbers:
            embedded.thaw(number)
        embedded.up()


@pytest.fixture
def prefix() -> str:
    """A topic prefix that no other test of the session has."""
    return f"t{uuid.uuid4().hex[:8]}."
