"""What the tests of a territory begin with."""

import pytest

from tests.streams.incident_log import Territory, incident_of, report


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


@pytest.fixture
def incident_id(territory):
    """An incident of one report."""
    return incident_of(territory.put(report("one")))
