"""What provisioning would do, without a cluster."""

import pytest

from ops.provision_plan import Alter, Create, Found, Grow, Leave, Wanted, plan, wanted
from schemas.errors import Code, Misconfigured
from schemas.topic import DAY_MS, YEAR_MS
from schemas.topics import AUDIT, FACTS, INCIDENTS_NOW, LOG, catalogue

CATALOGUE = catalogue(["dispatch", "fire"])
STREAM = Wanted("s.log", 12, 3, {"retention.ms": "5", "min.insync.replicas": "2"}, keyed_state=True)
OUTBOX = Wanted("s.outbox", 6, 3, {"retention.ms": "5"})


def as_wanted(one):
    """The cluster's view of a topic that is exactly as wanted."""
    return Found(one.partitions, one.replicas, dict(one.settings))


@pytest.mark.parametrize(("nodes", "replicas", "least"), [(1, 1, "1"), (3, 3, "2"), (5, 3, "2")])
def test_every_topic_survives_a_broker_where_it_can(nodes, replicas, least):
    """Each topic is replicated min(3, nodes) times, and with three nodes a write is on two before it counts."""
    for one in wanted(CATALOGUE, "s.", nodes, 12, {}):
        assert (one.replicas, one.settings["min.insync.replicas"]) == (replicas, least)
        assert one.name.startswith("s.")


def test_a_state_has_its_inputs_partitions():
    """Wide inputs and their state topics are widened together; otherwise keys and state part."""
    counts = {one.name: one.partitions for one in wanted(CATALOGUE, "", 3, 96, {})}
    assert counts[LOG] == counts[f"state.incidents.{LOG}"] == counts[f"state.route.{FACTS}"] == 96
    assert counts["outbox.fire.urgent"] == 3


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        (LOG, 6 * DAY_MS, "7 days to"),
        (LOG, 4 * YEAR_MS, "1095 days"),
        (AUDIT, YEAR_MS, "to no limit"),
        (INCIDENTS_NOW, DAY_MS, "last record of each key"),
        ("nonsense", DAY_MS, "no such topic"),
    ],
)
def test_a_retention_outside_its_limits_is_refused(name, value, why):
    """Shorter or longer than the law of the catalogue allows, or for a topic that has none: refused with the limits."""
    with pytest.raises(Misconfigured, match=why) as refused:
        wanted(CATALOGUE, "s.", 1, 12, {name: value})
    assert refused.value.code is Code.RETENTION_OUTSIDE_LIMITS


def test_all_wrong_retentions_are_named_at_once():
    """A person mends the file once, not once for each mistake."""
    with pytest.raises(Misconfigured) as refused:
        wanted(CATALOGUE, "s.", 1, 12, {LOG: 1, AUDIT: 1})
    assert LOG in refused.value.detail
    assert AUDIT in refused.value.detail


def test_a_retention_on_its_limit_is_taken():
    """Both limits belong to what is allowed."""
    for value in (7 * DAY_MS, 3 * YEAR_MS):
        (log,) = (one for one in wanted(CATALOGUE, "", 1, 12, {LOG: value}) if one.name == LOG)
        assert log.settings["retention.ms"] == str(value)


def test_what_is_as_wanted_needs_nothing():
    """Provisioning twice changes nothing."""
    assert plan([STREAM, OUTBOX], {one.name: as_wanted(one) for one in (STREAM, OUTBOX)}) == []


def test_what_is_absent_is_created():
    """A topic that the cluster lacks is created; the line says with what."""
    (action,) = plan([STREAM], {})
    assert action == Create(STREAM)
    assert str(action) == "create s.log: 12 partitions, 3 replicas, min.insync.replicas=2, retention.ms=5"


def test_settings_of_others_stay():
    """Kafka replaces all settings of a topic, so those that a person added are sent again."""
    found = Found(12, 3, {"retention.ms": "4", "segment.bytes": "99", "min.insync.replicas": "2"})
    (action,) = plan([STREAM], {"s.log": found})
    assert isinstance(action, Alter)
    assert action.settings == {"retention.ms": "5", "segment.bytes": "99", "min.insync.replicas": "2"}
    assert str(action) == "alter s.log: retention.ms: 4 -> 5"


def test_fewer_partitions_are_refused_by_name():
    """Kafka cannot take partitions away, so nothing at all is done, and every such topic is named."""
    more = Found(24, 3, {})
    with pytest.raises(Misconfigured, match=r"s\.log has 24.*s\.outbox has 24") as refused:
        plan([STREAM, OUTBOX], {"s.log": more, "s.outbox": more})
    assert refused.value.code is Code.PARTITIONS_FEWER


def test_keys_never_leave_their_state():
    """A wide topic grows only while it is empty; an outbox may grow at any time."""
    few, few_filled = (Found(2, 3, dict(STREAM.settings), filled) for filled in (False, True))
    assert plan([STREAM], {"s.log": few}) == [Grow("s.log", 2, 12)]
    with pytest.raises(Misconfigured, match="keys would leave their state"):
        plan([STREAM], {"s.log": few_filled})
    assert str(*plan([OUTBOX], {"s.outbox": Found(3, 3, {"retention.ms": "5"}, filled=True)})) == (
        "grow s.outbox: 3 -> 6 partitions"
    )


def test_replication_is_told_not_changed():
    """A topic of a one-node time on a cluster of three is named, with what a person can do."""
    (action,) = plan([OUTBOX], {"s.outbox": Found(6, 1, {"retention.ms": "5"})})
    assert isinstance(action, Leave)
    assert "1 replicas, 3 are wanted" in str(action)
