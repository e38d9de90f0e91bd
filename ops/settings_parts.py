"""The parts of `sztab.toml`: one frozen model for each, every field described, units in names, secrets hidden."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from schemas.report import Mode
from schemas.topics import WIDE

NAME = r"[a-z0-9][a-z0-9-]{0,62}"
"""What instances, nodes and accounts may be called: they stand in addresses, topics and metrics."""

Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Port = Annotated[int, Field(ge=0, le=65_535)]
Url = Annotated[str, Field(pattern=r"^(https?://[^\s/?#]+)?$")]
"""Scheme, host and port, without a path; empty where it may be left out."""
Seconds = Annotated[float, Field(gt=0)]
Niceness = Annotated[int, Field(ge=0, le=19)]
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: None if value == "" else value)]
"""A path; empty or absent means the built-in."""


class Part(BaseModel):
    """Base of every part: unknown names are mistakes, values never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class InstallationPart(Part):
    """Who we are. An exercise is an installation of its own, with its own prefix."""

    name: Annotated[str, Field(min_length=1, max_length=80)] = "Sztab"
    """Name shown to people and given to partners."""
    prefix: Annotated[str, Field(pattern=r"^[a-z0-9-]+\.$", max_length=60)] = "sztab."
    """Stands before every topic and consumer group; ends with a dot."""
    mode: Literal[Mode.REAL, Mode.EXERCISE] = Mode.REAL
    """`real`, or `exercise`, which must not use the prefix `sztab.`."""


class KafkaPart(Part):
    """The cluster: our embedded one, or an external one by its addresses."""

    bootstrap_servers: str = ""
    """Addresses `host:port`, comma separated; empty: the embedded broker on this machine."""
    nodes: Literal[1, 3] = 1
    """Nodes of the embedded broker, the first time it is started."""
    replicas: Annotated[int | None, Field(ge=1, le=3)] = None
    """Replicas of every topic; while fewer brokers live, new topics wait. Empty: as many as brokers live, at most 3."""
    wide: Annotated[int, Field(ge=1, le=960)] = WIDE
    """Partitions of intake, log, facts and state; fixed at provisioning (a city: 12, a country: 96)."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How clients speak to the cluster."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How clients prove who they are, with a SASL protocol."""
    sasl_username: str = ""
    """Account on the cluster, with a SASL protocol."""
    sasl_password: SecretStr = SecretStr("")
    """Its password; better given by the environment (SZTAB_KAFKA__SASL_PASSWORD)."""
    ssl_ca_file: OptionalPath = None
    """Certificates that sign the brokers'; empty: the system's."""
    ssl_certificate_file: OptionalPath = None
    """Our own certificate, where the cluster asks for one."""
    ssl_key_file: OptionalPath = None
    """The key of our certificate."""
    request_seconds: Seconds = 30.0
    """A request that is not answered for so long has failed."""
    retention_days: dict[str, Annotated[float, Field(gt=0)]] = {}
    """Days that records of a topic stay, by logical topic name; within the limits of the retention table."""


class IntakePart(Part):
    """Where partners and people speak to us over HTTP."""

    host: str = "127.0.0.1"
    """Address to listen on. Beyond loopback every pushing source needs a token and commands need accounts."""
    port: Port = 0
    """Port; 0: the system chooses, and `run/intake.json` in the data folder tells it."""
    url: Url = ""
    """Where console and `sztab command` find it, as `http://intake:8080`; empty: `run/intake.json` tells. Officers'
    tokens go there: `https` through a proxy where the network between is not yours alone."""


class JournalPart(Part):
    """How much the journal may hold. What is not yet published never leaves."""

    max_bytes: Annotated[int, Field(ge=1_048_576)] = 2 * 1024**3
    """Room for the journal's file."""
    alarm_share: Annotated[float, Field(gt=0, lt=1)] = 0.70
    """Share of the room at which an alarm is raised."""
    keep_hours: Seconds = 72.0
    """Published bytes younger than this stay at the alarm too; from 75 % on the oldest leave, whatever their age."""
    keep_longest_days: Seconds = 14.0
    """Published bytes older than this leave even when there is room."""


class ConsolePart(Part):
    """The web page for the duty desk."""

    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback only with accounts."""
    port: Port = 0
    """Port; 0: the system chooses, and `run/console.json` in the data folder tells it."""


class OperationPart(Part):
    """Logs, metrics and health of every role."""

    host: str = "127.0.0.1"
    """Address of `/metrics` and `/health`; they name no person."""
    port: Port = 0
    """Port of a role started alone; 0, and every role under `run all`: the system chooses."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: readable on a terminal, JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is written."""
    ready_seconds: Seconds = 30.0
    """A partition with lag and without a commit for so long makes its process not ready."""
    blocked_seconds: Annotated[float, Field(ge=5)] = 60.0
    """A process whose event loop has not turned for so long ends itself, and is started again."""
    stop_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """A role that is told to stop and has not ended by then is killed."""
    restart_seconds: Seconds = 0.5
    """First pause before a dead role is started again; doubled at each death, up to `restart_longest_seconds`."""
    restart_longest_seconds: Seconds = 30.0
    """Longest such pause."""


class StreamsPart(Part):
    """The processors."""

    session_seconds: Annotated[float, Field(ge=2, le=300)] = 6.0
    """A processor silent for so long loses its partitions; a pause of half of it ends the process."""
    commit_seconds: Seconds = 0.5
    """How often offsets are committed."""
    silent_seconds: Annotated[float, Field(ge=10)] = 120.0
    """A partition with lag and without a commit for so long ends its process, so that a new client takes over."""
    round_records: Annotated[int, Field(ge=1, le=100_000)] = 4_000
    """Most records stepped before outputs go out."""


class RoutingPart(Part):
    """Who gets what."""

    file: OptionalPath = None
    """Routing tree and profiles, YAML; empty: the built-in example."""


class TerritoryPart(Part):
    """Which units answer for which places."""

    file: OptionalPath = None
    """Units with their TERYT codes, clocks and neighbours, YAML; empty: Kalisz and its county."""


class CataloguePart(Part):
    """Categories of events."""

    file: OptionalPath = None
    """Categories, YAML; empty: the built-in catalogue."""
    mappings_dir: OptionalPath = None
    """Folder of mappings from sources' codes, YAML; empty: the built-in ones."""
    urgency_file: OptionalPath = None
    """Rules of urgency, YAML; empty: the built-in ones."""


class GazetteerPart(Part):
    """Names of places and outlines of municipalities."""

    dir: OptionalPath = None
    """Folder made by `sztab gazetteer load`; empty: the small built-in one of Kalisz and its county."""


class CorrelationPart(Part):
    """Which reports speak of the same incident."""

    file: OptionalPath = None
    """Weights and thresholds, YAML; empty: the built-in ones."""


class TallyPart(Part):
    """The derived figures."""

    window_seconds: Annotated[int, Field(ge=10, le=86_400)] = 600
    """Length of a figure's window."""
    keep_days: Annotated[int, Field(ge=1, le=365)] = 30
    """Age at which a window is dropped."""
    niceness: Niceness = 10
    """How far the process stands back behind others on a busy machine."""


class LedgerPart(Part):
    """Is everything that was accepted delivered, quarantined or in flight? And what is done about what is not."""

    nodes: dict[Name, Url] = {}
    """Other intake nodes by name, as `http://intake-2:8080`; those with their journals on this machine need none."""
    gone: tuple[Name, ...] = ()
    """Nodes that were taken out of service: their journals are not asked for."""
    reconcile: bool = True
    """Whether what is missing is asked for again by machine, a few times, before a person is told."""
    keep_hours: Seconds = 336.0
    """Settled deliveries stay in the ledger's own file for so long; the topics keep them longer."""
    keep_settled: Annotated[int, Field(ge=1_000)] = 500_000
    """And at most so many reports and changes."""
    judge_seconds: Seconds = 5.0
    """How often the account is made up."""
    niceness: Niceness = 10
    """How far the process stands back behind others on a busy machine."""


class Account(Part):
    """Who may use the commands API and the console."""

    name: Name
    """Name of the account; stands in facts and the audit log, never a person's name."""
    token_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the account's token, hexadecimal; `sztab token` makes a pair."""
    roles: tuple[Literal["officer", "operator", "reader"], ...]
    """`officer`: commands on incidents; `operator`: quarantine, ledger, redelivery; `reader`: may look."""


def is_loopback(host: str) -> bool:
    """Whether a listener on this address can be reached from this machine only."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
