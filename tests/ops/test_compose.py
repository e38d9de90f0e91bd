"""docker-compose.yml: valid by the specification's own schema, careful with rights, and made of real commands.

No container is started here; what the commands do is proved by the tests of the commands.
"""

import json
from importlib.metadata import distribution
from pathlib import Path

import click
import pytest
import yaml
from jsonschema.validators import validator_for

from ops.cli import sztab

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
BROKERS = {name: one for name, one in SERVICES.items() if name.startswith("kafka-")}
ROLES = {name: one for name, one in SERVICES.items() if name not in BROKERS}


def test_the_file_is_valid():
    """The schema of the Compose specification, as check-jsonschema carries it, accepts the file."""
    specification().validate(COMPOSE)


def test_the_schema_refuses_what_is_wrong():
    """The schema is the real one: a misspelt key of a service is refused by it."""
    wrong = {"services": {"intake": {**SERVICES["intake"], "comand": ["sztab"]}}}
    assert not specification().is_valid(wrong)


def test_every_role_and_three_brokers_are_there():
    """Nothing of the installation is missing."""
    assert len(BROKERS) == 3
    assert set(ROLES) == {"provision", "intake", "streams", "tally", "deliver", "console"}


@pytest.mark.parametrize("name", ROLES)
def test_commands_are_commands_of_sztab(name):
    """Each container's command is parsed by the command line itself: a renamed command or role is noticed here."""
    program, *words = ROLES[name]["command"]
    assert program == "sztab"
    _parsed(sztab, words)
    with pytest.raises(click.UsageError):
        _parsed(sztab, [*words, "no-such-word"])


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_has_more_than_it_needs(name):
    """Not root, no capabilities, no new privileges, bounded memory; what runs on is watched."""
    one = SERVICES[name]
    assert one["user"].split(":")[0] not in {"0", "root", ""}
    assert one["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in one["security_opt"]
    assert one["mem_limit"]
    assert name == "provision" or one["healthcheck"]["test"]
    assert "privileged" not in one


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_loopback_only(name):
    """Nothing listens on this machine's other addresses, and brokers on none at all."""
    published = SERVICES[name].get("ports", [])
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not (name in BROKERS and published)


def test_the_console_finds_the_intake():
    """Console and intake share network, processes and data folder: the note that the one writes holds for the other."""
    console, intake = SERVICES["console"], SERVICES["intake"]
    assert console["network_mode"] == console["pid"] == "service:intake"
    assert console["volumes"] == intake["volumes"]
    ports = [one["environment"]["SZTAB_OPERATION__PORT"] for one in (console, intake)]
    assert len(set(ports)) == 2


@pytest.mark.parametrize("name", ROLES)
def test_health_is_asked_at_the_port_that_is_served(name):
    """A role's health check asks the port that its environment sets."""
    one = ROLES[name]
    if name != "provision":
        assert f"127.0.0.1:{one['environment']['SZTAB_OPERATION__PORT']}/health/live" in one["healthcheck"]["test"][-1]


def test_roles_start_after_provisioning_and_provisioning_after_the_brokers():
    """A role never meets a cluster without its topics."""
    for name, one in ROLES.items():
        wanted = dict.fromkeys(BROKERS, "service_healthy")
        if name != "provision":
            wanted = {"provision": "service_completed_successfully"}
        assert {after: how["condition"] for after, how in one["depends_on"].items()} == wanted


def test_topics_are_made_for_every_broker():
    """Provisioning waits for all brokers, rather than make topics that a dead broker would have weakened for good."""
    assert ROLES["provision"]["environment"]["SZTAB_KAFKA__REPLICAS"] == str(min(3, len(BROKERS)))


def test_the_image_is_built_of_what_is_locked():
    """The Dockerfile takes the locks with hashes, copies every package, and ends as a user without rights."""
    lines = (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8")
    assert "--require-hashes -r requirements.lock" in lines
    assert all(f"COPY {package} {package}\n" in lines for package in ("schemas", "connectors", "streams", "ops"))
    assert lines.rindex("USER 10001:10001") > lines.rindex("FROM ")


def specification():
    """A validator of the vendored schema. The package itself is not imported: it asks for a later click than faust."""
    vendored = distribution("check-jsonschema").locate_file("check_jsonschema/builtin_schemas/vendor/compose-spec.json")
    schema = json.loads(Path(str(vendored)).read_text(encoding="utf-8"))
    return validator_for(schema)(schema)


def _parsed(command, words):
    """Parse the words as the command line would, without running anything; UsageError for a word it does not know."""
    name, *rest = words
    found = command.get_command(click.Context(command), name)
    assert found is not None, f"no command {name}"
    if isinstance(found, click.Group):
        _parsed(found, rest)
    else:
        found.make_context(name, rest)
