"""What provisioning would do, without a cluster."""

import pytest

from ops.provision_cli import _text
from ops.provision_plan import Action, Alter, Create, Found, Grow, Leave, Wanted, plan, replicas_on, wanted
from schemas.errors import Code, Misconfigured, Unavailable
from schemas.topic import DAY_MS, IN_SYNC, YEAR_MS
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
    for one in wanted(CATALOGUE, "s.", replicas_on(nodes), 12, {}):
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
    assert plan([STREAM, OUTBOX], {one.name: as_wanted(one) for one in (STREAM, OUTBOX)}, 3) == []


def test_what_is_absent_is_created():
    """A topic that the cluster lacks is created; the line says with what."""
    (action,) = plan([STREAM], {}, 3)
    assert action == Create(STREAM)
    assert str(action) == "create s.log: 12 partitions, 3 replicas, min.insync.replicas=2, retention.ms=5"


def test_settings_of_others_stay():
    """Kafka replaces all settings of a topic, so those that a person added are sent again."""
    found = Found(12, 3, {"retention.ms": "4", "segment.bytes": "99", "min.insync.replicas": "2"})
    (action,) = plan([STREAM], {"s.log": found}, 3)
    assert isinstance(action, Alter)
    assert action.settings == {"retention.ms": "5", "segment.bytes": "99", "min.insync.replicas": "2"}
    assert str(action) == "alter s.log: retention.ms: 4 -> 5"


def test_fewer_partitions_are_refused_by_name():
    """Kafka cannot take partitions away, so nothing at all is done, and every such topic is named."""
    more = Found(24, 3, {})
    with pytest.raises(Misconfigured, match=r"s\.log has 24.*s\.outbox has 24") as refused:
        plan([STREAM, OUTBOX], {"s.log": more, "s.outbox": more}, 3)
    assert refused.value.code is Code.PARTITIONS_FEWER


def test_keys_never_leave_their_state():
    """A wide topic grows only while it is empty; an outbox may grow at any time."""
    few, few_filled = (Found(2, 3, dict(STREAM.settings), filled) for filled in (False, True))
    assert plan([STREAM], {"s.log": few}, 3) == [Grow("s.log", 2, 12)]
    with pytest.raises(Misconfigured, match="keys would leave their state"):
        plan([STREAM], {"s.log": few_filled}, 3)
    assert str(*plan([OUTBOX], {"s.outbox": Found(3, 3, {"retention.ms": "5"}, filled=True)}, 3)) == (
        "grow s.outbox: 3 -> 6 partitions"
    )


def test_replication_is_told_not_changed():
    """A topic of a one-node time on a cluster of three is named, with what a person can do."""
    (action,) = plan([OUTBOX], {"s.outbox": Found(6, 1, {"retention.ms": "5"})}, 3)
    assert isinstance(action, Leave)
    assert "1 replicas, 3 are wanted" in str(action)


def test_a_broker_that_is_down_weakens_nothing():
    """Provisioned with three brokers and again with two or one: nothing is altered, and each topic is left by name."""
    whole = wanted(CATALOGUE, "s.", replicas_on(3), 12, {})
    found = {one.name: as_wanted(one) for one in whole}
    for alive in (2, 1):
        actions = plan(wanted(CATALOGUE, "s.", replicas_on(alive), 12, {}), found, alive)
        assert [one.name for one in actions if isinstance(one, Leave)] == [one.name for one in whole]
        assert len(actions) == len(whole)
        assert all("min.insync.replicas stays 2, 1 is wanted" in str(one) for one in actions)
        assert not any("kafka-reassign-partitions" in str(one) for one in actions)


def test_another_setting_is_altered_without_weakening():
    """During an outage a new retention is set, and the least in sync is sent again as it is."""
    wished = Wanted("s.log", 12, 2, {"retention.ms": "6", IN_SYNC: "1"})
    alter, left = plan([wished], {"s.log": as_wanted(STREAM)}, 2)
    assert alter == Alter("s.log", {"retention.ms": ("5", "6")}, {"retention.ms": "6", IN_SYNC: "2"})
    assert isinstance(left, Leave)


@pytest.mark.parametrize(
    ("replicas", "now", "wished", "settled"),
    [
        (3, "1", "2", "2"),  # one broker of three was added by hand
        (3, "3", "2", "3"),  # a person wants more than the catalogue
        (1, "2", "1", "1"),  # takes no write now: lowering it mends the topic
        (1, "1", "2", "1"),  # would take no write: first it gets replicas
    ],
)
def test_the_least_in_sync_fits_the_topics_own_replicas(replicas, now, wished, settled):
    """Raised where the replicas are there, never lowered where they allow it, and never more than there are."""
    actions = plan([Wanted("s.log", 12, 3, {IN_SYNC: wished})], {"s.log": Found(12, replicas, {IN_SYNC: now})}, 3)
    altered = [one.settings[IN_SYNC] for one in actions if isinstance(one, Alter)]
    assert altered == ([] if settled == now else [settled])
    assert any("stays" in str(one) for one in actions) is (settled != wished)


def test_what_is_left_does_not_count_as_done():
    """The printed plan says how many topics stay as they are beside what was done."""
    actions: list[Action] = [Create(STREAM), Leave("s.outbox", "a reason")]
    assert _text(actions, dry_run=False).splitlines()[1:] == ["leave s.outbox: a reason", "1 done, 1 left"]
    assert _text(actions, dry_run=True).splitlines()[-1] == "1 to do, 1 left, nothing changed (dry run)"
    assert _text(actions[:1], dry_run=False).splitlines()[-1] == "1 done"


def test_new_topics_wait_for_their_brokers():
    """With `kafka.replicas` 3 and two brokers alive a new topic is not made weaker; what exists goes on as it is."""
    assert plan([STREAM], {"s.log": as_wanted(STREAM)}, 2) == []
    with pytest.raises(Unavailable, match=r"1 new topics want 3 replicas, and 2 brokers live.*kafka\.replicas") as told:
        plan([STREAM, OUTBOX], {"s.log": as_wanted(STREAM)}, 2)
    assert told.value.code is Code.BROKER_UNAVAILABLE


def test_what_cannot_be_mended_by_waiting_is_told_first():
    """A refusal that a person must mend is not hidden behind a broker that is down."""
    with pytest.raises(Misconfigured):
        plan([STREAM, OUTBOX], {"s.log": Found(24, 3, {})}, 2)
