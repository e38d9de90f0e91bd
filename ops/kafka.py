"""How this installation reaches its cluster: the embedded one or an external one, and the options of every client."""

import ssl
from collections.abc import Sequence
from typing import Any

from ops.broker import EmbeddedKafka
from ops.settings import Settings
from ops.settings_parts import KafkaPart
from schemas.errors import Code, Misconfigured

FOLDER = "broker"


def embedded(settings: Settings, nodes: int | None = None, ports: Sequence[int] | None = None) -> EmbeddedKafka:
    """The embedded cluster of the installation's data folder, whether it runs or not.

    Its number of nodes is what was asked for, else what the folder holds already, else what the settings say.
    """
    folder = settings.data_dir / FOLDER
    return EmbeddedKafka(folder, nodes or len(EmbeddedKafka(folder).numbers) or settings.kafka.nodes, ports)


def bootstrap_servers(settings: Settings) -> str:
    """The configured cluster's addresses, else the embedded one's; Misconfigured if that was never started."""
    return settings.kafka.bootstrap_servers or embedded(settings).bootstrap_servers


def client_options(settings: Settings) -> dict[str, Any]:
    """Options that every aiokafka client takes: addresses, security, patience. Nothing about acknowledgements.

    Holds the password in clear: for clients, never for logs. Misconfigured if the address or a certificate is missing.
    """
    kafka = settings.kafka
    options: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers(settings),
        "security_protocol": kafka.security_protocol,
        "request_timeout_ms": int(kafka.request_seconds * 1000),
    }
    if kafka.security_protocol.endswith("SSL"):
        options["ssl_context"] = _certificates(kafka)
    if kafka.security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password.get_secret_value(),
        }
    return options


def _certificates(kafka: KafkaPart) -> ssl.SSLContext:
    """Whom we trust, and our own certificate where there is one."""
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_ca_file)
        if kafka.ssl_certificate_file:
            context.load_cert_chain(kafka.ssl_certificate_file, kafka.ssl_key_file)
    except (OSError, ssl.SSLError) as wrong:
        detail = f"certificates for the cluster: {wrong.strerror or type(wrong).__name__}"
        raise Misconfigured(Code.CONFIGURATION_INVALID, detail, "/kafka") from wrong
    return context
