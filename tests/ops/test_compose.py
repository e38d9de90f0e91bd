"""docker-compose.yml: valid by the specification's own schema, careful with rights, and made of real commands.

No container is started here; what the commands do is proved by the tests of the commands. Settings are read as each
container would read them, after the steps that README.md gives.
"""

import json
import os
import re
import shlex
from importlib.metadata import distribution
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from jsonschema.validators import validator_for

from ops import runtime
from ops.cli import sztab
from ops.mistakes import ConfigurationMistakes
from ops.settings import Settings, load, unused_variables
from tests import snippets

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES = COMPOSE["services"]
BROKERS = {name: one for name, one in SERVICES.items() if name.startswith("kafka-")}
ROLES = {name: one for name, one in SERVICES.items() if name not in BROKERS}
DOCKERFILE = (ROOT / "ops" / "Dockerfile").read_text(encoding="utf-8")
IMAGE = dict(re.findall(r"(SZTAB_\w+)=(\S+)", DOCKERFILE))
"""What the image itself sets of our variables."""


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
    assert set(ROLES) == {"provision", "intake", "streams", "tally", "deliver", "ledger", "console"}


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


def test_each_container_stands_alone():
    """No container lives in another's network or among its processes: one that dies and comes back takes none along."""
    for one in SERVICES.values():
        assert not {"network_mode", "pid", "ipc"} & set(one)


def test_the_console_finds_the_intake(configuration, monkeypatch):
    """By name, in a network that both are in, at the port where the intake listens; and so does `sztab command`."""
    intake = as_container("intake", configuration, monkeypatch)
    for name in ("console", "intake"):
        told = as_container(name, configuration, monkeypatch)
        assert runtime.address(told, "intake") == f"http://intake:{intake.intake.port}"
    assert set(SERVICES["console"]["networks"]) & set(SERVICES["intake"]["networks"])


@pytest.mark.parametrize("name", ["intake", "console"])
def test_what_is_published_is_what_is_served(name, configuration, monkeypatch):
    """The page and the intake listen beyond their container's loopback, at the port that is published."""
    part = getattr(as_container(name, configuration, monkeypatch), name)
    assert part.host == "0.0.0.0"  # noqa: S104 - inside the container
    (published,) = SERVICES[name]["ports"]
    assert published.split(":")[-1] == str(part.port)
    assert f"`http://{published.rpartition(':')[0]}`" in snippets.README.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ROLES)
def test_every_container_reads_its_settings_without_mistake(name, configuration, monkeypatch):
    """After README's steps nothing is missing, and no variable is misspelt."""
    told = as_container(name, configuration, monkeypatch)
    assert unused_variables() == []
    assert told.kafka.bootstrap_servers.split(",") == [f"{broker}:9092" for broker in BROKERS]
    assert [one for one in told.accounts if "officer" in one.roles]
    assert all(one.settings.token_sha256 for one in told.sources)


@pytest.mark.parametrize("variable", ["SZTAB_INTAKE__HOTS", "SZTAB_INTAEK__HOST"])
def test_a_misspelt_variable_would_be_noticed(variable, configuration, monkeypatch):
    """The test above can fail: a wrong part is unused, a wrong setting is a mistake."""
    monkeypatch.setitem(SERVICES["intake"]["environment"], variable, "x")
    try:
        as_container("intake", configuration, monkeypatch)
    except ConfigurationMistakes as error:
        assert variable in str(error)  # noqa: PT017 - the other way of noticing raises nothing
    else:
        assert unused_variables() == [variable]


def test_nothing_starts_with_the_example_as_it_is_shipped(monkeypatch):
    """No secret is shipped: without tokens of one's own, intake and console say what is missing."""
    for name in ("intake", "console"):
        with pytest.raises(ConfigurationMistakes, match=r"accounts\[0\]\.token_sha256"):
            as_container(name, ROOT / "ops" / "example" / "compose.toml", monkeypatch)


def test_every_role_mounts_configuration_and_data_where_the_image_looks():
    """And a configuration that is not there stops the start; Docker makes no folder in its place."""
    for one in ROLES.values():
        data, file = one["volumes"]
        assert data.split(":")[1] == IMAGE["SZTAB_DATA_DIR"]
        assert (file["source"], file["target"]) == ("./sztab.toml", IMAGE["SZTAB_CONFIG"])
        assert (file["type"], file["read_only"], file["bind"]) == ("bind", True, {"create_host_path": False})
        assert one["image"] == SERVICES["provision"]["image"]


def test_readme_builds_the_image_that_is_run():
    """The commands of README.md and the file speak of one image, built in one way."""
    build = shlex.split(next(one for one in snippets.commands() if one.startswith("docker build")))
    image = SERVICES["provision"]["image"]
    assert build[2:] == ["--tag", image, "--file", SERVICES["provision"]["build"]["dockerfile"], "."]
    assert image in filling()[0]


@pytest.mark.parametrize("name", BROKERS)
def test_a_health_check_fits_beside_its_broker(name):
    """The check is a JVM of its own: both heaps leave a third of the memory for what a JVM needs beside its heap."""
    one = BROKERS[name]
    heaps = [most_heap_mb(one["environment"]["KAFKA_HEAP_OPTS"]), most_heap_mb(" ".join(one["healthcheck"]["test"]))]
    assert one["healthcheck"]["test"][:2] == ["CMD", "env"]
    assert sum(heaps) * 3 <= int(one["mem_limit"].removesuffix("g")) * 1024 * 2


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
    assert "--require-hashes -r requirements.lock" in DOCKERFILE
    assert all(f"COPY {package} {package}\n" in DOCKERFILE for package in ("schemas", "connectors", "streams", "ops"))
    assert DOCKERFILE.rindex("USER 10001:10001") > DOCKERFILE.rindex("FROM ")


@pytest.fixture
def configuration(tmp_path):
    """`sztab.toml` as README's command makes it from what is shipped."""
    words, example, made = filling()
    assert made == "sztab.toml"
    given = (ROOT / example).read_text(encoding="utf-8")
    done = CliRunner().invoke(sztab, words[words.index("sztab") + 1 :], input=given)
    assert done.exit_code == 0, done.stderr
    (tmp_path / made).write_text(done.stdout, encoding="utf-8")
    return tmp_path / made


def filling():
    """README's command that makes the configuration: its words, the file it reads, the file it writes."""
    command = next(one for one in snippets.commands() if "--fill" in one)
    found = re.fullmatch(r"(docker run [^<>]+) < (\S+) > (\S+)", command)
    assert found is not None
    return shlex.split(found[1]), found[2], found[3]


def as_container(name, configuration, monkeypatch) -> Settings:
    """The settings as the container of this service reads them: the image's variables, and the service's over them."""
    for variable in [one for one in os.environ if one.startswith("SZTAB_")]:
        monkeypatch.delenv(variable)
    for variable, value in {**IMAGE, **SERVICES[name]["environment"]}.items():
        monkeypatch.setenv(variable, value)
    return load(configuration)


def most_heap_mb(options):
    """Megabytes of -Xmx in a JVM's options."""
    return int(re.findall(r"-Xmx(\d+)m", options)[0])


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
