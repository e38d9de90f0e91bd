"""How an installation reaches its cluster."""

import ssl

import pytest
from pydantic import SecretStr

from ops import kafka
from ops.broker import layout
from ops.settings import Settings
from ops.settings_parts import KafkaPart
from schemas.errors import Misconfigured


def settings(tmp_path, **told):
    """An installation in a folder of its own, with this `[kafka]`."""
    return Settings(connectors={}, data_dir=tmp_path, kafka=KafkaPart(**told))


def test_the_embedded_broker_is_reached_where_it_was_put(tmp_path):
    """Without addresses in the configuration the embedded broker's remembered ones are used."""
    one = settings(tmp_path)
    with pytest.raises(Misconfigured, match="sztab broker up"):
        kafka.bootstrap_servers(one)
    (tmp_path / kafka.FOLDER).mkdir()
    layout.write(tmp_path / kafka.FOLDER / "cluster.json", layout.new(3))
    assert kafka.bootstrap_servers(one).count("127.0.0.1:") == 3
    assert kafka.embedded(one).numbers == (1, 2, 3)


def test_configured_addresses_make_the_embedded_broker_unnecessary(tmp_path):
    """`bootstrap_servers` is taken as it stands, and no folder is looked at."""
    one = settings(tmp_path / "absent", bootstrap_servers="k1:9092,k2:9092", request_seconds=5)
    assert kafka.client_options(one) == {
        "bootstrap_servers": "k1:9092,k2:9092",
        "security_protocol": "PLAINTEXT",
        "request_timeout_ms": 5000,
    }


def test_a_guarded_cluster_gets_password_and_certificates(tmp_path):
    """With SASL over TLS clients get the account and verify the brokers' names."""
    told = {"security_protocol": "SASL_SSL", "sasl_username": "sztab", "sasl_password": SecretStr("s3cret")}
    one = settings(tmp_path, bootstrap_servers="k1:9093", **told)
    options = kafka.client_options(one)
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("sztab", "s3cret")
    assert options["ssl_context"].verify_mode is ssl.CERT_REQUIRED
    assert options["ssl_context"].check_hostname


def test_missing_certificates_are_a_mistake_of_the_configuration(tmp_path):
    """A certificate file that is not there stops us with our error, not with a bare one."""
    one = settings(tmp_path, bootstrap_servers="k1:9093", security_protocol="SSL", ssl_ca_file=tmp_path / "absent.pem")
    with pytest.raises(Misconfigured, match="certificates"):
        kafka.client_options(one)
