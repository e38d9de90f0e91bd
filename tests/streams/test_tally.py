"""The faust application as it is set up; what it does on a broker is in tests/broker/test_tally.py."""

from pathlib import Path

import faust
import pytest
from faust.transport.producer import ProducerBuffer
from faust.types.enums import ProcessingGuarantee
from mode.utils.queues import FlowControlEvent

from schemas.topics import ALARMS_NOW, FACTS, catalogue, changelog
from streams.tally import TallySettings, create_app, options

TOLD = TallySettings("127.0.0.1:9092, 127.0.0.1:9093", Path("faust-data"), prefix="t.", instance_id="node-1")

STATED = {
    "processing_guarantee": ProcessingGuarantee.AT_LEAST_ONCE,
    "stream_wait_empty": False,
    "stream_buffer_maxsize": 4096,
    "broker_commit_interval": 0.5,
    "broker_session_timeout": 6.0,
    "broker_heartbeat_interval": 2.0,
    "broker_max_poll_interval": 1000.0,
    "broker_check_crcs": True,
    "consumer_auto_offset_reset": "earliest",
    "consumer_group_instance_id": "node-1",
    "producer_acks": -1,
    "producer_threaded": False,
    "producer_request_timeout": 30.0,
    "producer_linger": 0.005,
    "topic_allow_declare": False,
    "topic_disable_leader": True,
    "topic_replication_factor": 3,
    "table_standby_replicas": 0,
    "web_enabled": False,
    "web_tables_enabled": False,
    "web_router_enabled": False,
    "web_stats_enabled": False,
    "web_graph_enabled": False,
    "web_metrics_enabled": False,
}
"""Every setting with our value; `store`, `datadir` and the recovery delay are looked at by themselves."""


def test_the_live_application_has_every_setting():
    """Faust really holds what was decided; a renamed or ignored option is noticed here."""
    app = create_app(TOLD)
    assert {name: getattr(app.conf, name) for name in STATED} == STATED
    assert (str(app.conf.store), app.conf.datadir, app.conf.id) == ("memory:", Path("faust-data"), "t.tally")
    assert app.conf.stream_recovery_delay > 0
    assert set(STATED) | {"store", "datadir", "stream_recovery_delay"} == set(options(TOLD))
    assert ProducerBuffer.max_messages == 5_000


def test_topics_are_those_of_the_catalogue():
    """Inputs, changelogs and partitions bear the catalogue's names: nothing is declared by faust."""
    app = create_app(TOLD)
    known = {f"t.{name}": topic for name, topic in catalogue().items()}
    changelogs = {table.changelog_topic.get_topic_name(): table.partitions for table in app.tables.values()}
    assert changelogs == {
        f"t.{changelog('tally', source)}": known[f"t.{source}"].partitions for source in (FACTS, ALARMS_NOW)
    }
    assert set(changelogs) <= set(known)


def test_credentials_are_handed_on():
    """A cluster that asks who we are gets the same answer from faust as from every other client."""
    secured = TallySettings(
        "127.0.0.1:1",
        Path("x"),
        security={
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "u",
            "sasl_plain_password": "p",
        },
    )
    credentials = create_app(secured).conf.broker_credentials
    assert isinstance(credentials, faust.SASLCredentials)
    assert (credentials.username, credentials.password, credentials.mechanism.value) == ("u", "p", "SCRAM-SHA-512")
    assert create_app(TOLD).conf.broker_credentials is None


@pytest.mark.parametrize(("flow", "left"), [(None, 1), (FlowControlEvent, 0)])
async def test_a_record_between_two_resumes_stays(flow, left):
    """Recovery resumes a flow that runs already: our flow keeps what came in between, faust's own would drop it."""
    app = create_app(TOLD)
    if flow is not None:
        app.flow_control = flow()
    queue = app.FlowControlQueue(maxsize=10, clear_on_resume=True)
    queue.put_nowait("from before the rebalance")
    app.flow_control.resume()
    assert queue.qsize() == 0
    queue.put_nowait("the next record")
    app.flow_control.resume()
    assert queue.qsize() == left
    app.flow_control.suspend()
    app.flow_control.resume()
    assert queue.qsize() == 0
