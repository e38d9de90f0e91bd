"""The catalogue is complete and says the same everywhere."""

import pytest

from schemas.topics import (
    AUDIT,
    INTAKE,
    KEYS,
    LANES,
    PROCESSORS,
    UNITS_NOW,
    Topic,
    catalogue,
    changelog,
    outbox,
    partitions,
    settings,
)

TOPICS = catalogue(["dispatch"])
NOT_YET_WRITTEN = {UNITS_NOW}
NOT_YET_READ = {UNITS_NOW, KEYS, AUDIT}
"""Whoever begins to write or read one of these says so in the catalogue, and takes it off this list."""


@pytest.mark.parametrize("topic", TOPICS.values(), ids=lambda topic: topic.name)
def test_each_topic_says_who_why_and_how_long(topic: Topic) -> None:
    """Nobody writes or reads a topic by accident, and personal data never stays without a legal bound."""
    assert topic.key
    assert bool(topic.writers) is (topic.name not in NOT_YET_WRITTEN)
    assert bool(topic.readers) is (topic.name not in NOT_YET_READ)
    assert topic.compacted or topic.retention
    if topic.retention:
        assert topic.retention.base
        assert topic.retention.minimum_ms <= topic.retention.default_ms
        assert topic.retention.maximum_ms is None or topic.retention.default_ms <= topic.retention.maximum_ms


def test_each_processor_has_a_state_as_wide_as_its_input() -> None:
    """Changelog partition n belongs to input partition n."""
    for name, source in PROCESSORS:
        state, given = TOPICS[changelog(name, source)], TOPICS[source]
        assert partitions(state, 96) == partitions(given, 96)
        assert state.compacted
        assert int(settings(state, 3)["min.compaction.lag.ms"]) >= 3_600_000


def test_each_recipient_has_two_lanes_that_no_other_sink_reads() -> None:
    """Nobody gets what is not routed to them; a trace shows its ids only, a replay gives it to nobody else."""
    for lane in LANES:
        assert TOPICS[outbox("dispatch", lane)].readers == ("deliver:dispatch", "replay", "trace")
    assert outbox("fire", "urgent") not in TOPICS


def test_three_nodes_keep_two_copies_before_yes() -> None:
    """min.insync.replicas is 2 where there are three brokers, 1 on one."""
    assert settings(TOPICS[INTAKE[0]], 3)["min.insync.replicas"] == "2"
    assert settings(TOPICS[INTAKE[0]], 1)["min.insync.replicas"] == "1"


def test_the_log_takes_the_time_of_the_broker() -> None:
    """A step's time comes from the log, not from a sender's clock."""
    assert settings(TOPICS["territory.log"], 1)["message.timestamp.type"] == "LogAppendTime"
