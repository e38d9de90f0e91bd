"""The settings: one file, the environment over it, every mistake at once."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from connectors.contract import Connector, SourceSettings
from ops import settings
from ops.mistakes import ConfigurationMistakes
from ops.settings_parts import Part

TOKEN = "ab" * 32


class PanelSettings(SourceSettings):
    """Settings of a made-up source."""

    port: int
    archive: Path = Path("archive")


class HookSettings(Part):
    """Settings of a made-up recipient."""

    name: str
    url: str
    secret: SecretStr = SecretStr("")


def _never(_: Any) -> Any:
    raise AssertionError


KNOWN = {
    "panel": Connector("panel", "Panels", PanelSettings, push=True),
    "hook": Connector("hook", "Hooks", HookSettings, sink=_never),
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SZTAB_"):
            monkeypatch.delenv(name)


def _file(folder: Path, text: str) -> Path:
    path = folder / "sztab.toml"
    path.write_text(text, encoding="utf-8")
    return path


def _mistakes(path: Path) -> dict[str, str]:
    with pytest.raises(ConfigurationMistakes) as caught:
        settings.load(path, KNOWN)
    return {one.path: str(one) for one in caught.value.mistakes}


def test_empty_file_is_a_working_installation(tmp_path: Path) -> None:
    """Nothing need be said: loopback, embedded broker, the prefix of a real installation."""
    told = settings.load(_file(tmp_path, ""), KNOWN)
    assert told.intake.host == "127.0.0.1"
    assert told.kafka.bootstrap_servers == ""
    assert told.topic("territory.log") == "sztab.territory.log"


def test_paths_start_at_the_files_folder(tmp_path: Path) -> None:
    """Relative paths mean the same wherever the command is run; an empty one is the built-in."""
    text = 'data_dir="d"\n[routing]\nfile="r.yaml"\n[territory]\nfile=""\n'
    text += '[[sources]]\nconnector="panel"\nname="p"\nport=1\n'
    told = settings.load(_file(tmp_path, text), KNOWN)
    assert told.data_dir == tmp_path / "d"
    assert told.routing.file == tmp_path / "r.yaml"
    assert told.territory.file is None
    assert told.sources[0].settings.archive == tmp_path / "archive"
    assert told.sources[0].connector is KNOWN["panel"]


def test_environment_stands_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container changes single values without a file of its own; the others stay."""
    monkeypatch.setenv("SZTAB_KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("SZTAB_RECIPIENTS", '[{"connector": "hook", "name": "far", "url": "http://x"}]')
    told = settings.load(_file(tmp_path, '[kafka]\nbootstrap_servers="here:1"\nwide=3\n'), KNOWN)
    assert told.kafka.bootstrap_servers == "kafka:9092"
    assert told.kafka.wide == 3
    assert told.recipients[0].settings.url == "http://x"


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    """Types, unknown names, unknown connectors, and values that contradict each other come in one answer."""
    text = f"""
    nodes = 3
    [kafka]
    nodes = 2
    bootstrap_server = "x:1"
    [installation]
    mode = "exercise"
    [operation]
    log_format = "xml"
    [[sources]]
    connector = "panel"
    name = "one"
    port = "many"
    prot = 2
    [[sources]]
    connector = "hook"
    [[accounts]]
    name = "desk"
    token_sha256 = "{TOKEN}"
    roles = ["boss"]
    """
    found = _mistakes(_file(tmp_path, text))
    assert set(found) == {
        "nodes",
        "kafka.nodes",
        "kafka.bootstrap_server",
        "installation.prefix",
        "operation.log_format",
        "sources[0].port",
        "sources[0].prot",
        "sources[1].connector",
        "accounts[0].roles[0]",
    }
    assert "did you mean bootstrap_servers" in found["kafka.bootstrap_server"]
    assert "did you mean port" in found["sources[0].prot"]
    assert "'officer', 'operator', 'reader'" in found["accounts[0].roles[0]"]
    assert "allowed: panel" in found["sources[1].connector"]


@pytest.mark.parametrize(("text", "mistaken"), [("nodes=3", False), ('bootstrap_servers="x:1"', False), ("", True)])
def test_replicas_fit_the_embedded_broker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, mistaken: bool
) -> None:
    """More replicas than the embedded broker has nodes would be waited for without end; of another we know nothing."""
    monkeypatch.setenv("SZTAB_KAFKA__REPLICAS", "3")
    file = _file(tmp_path, f"[kafka]\n{text}\n")
    if mistaken:
        assert "kafka.nodes: 1" in _mistakes(file)["kafka.replicas"]
    else:
        assert settings.load(file, KNOWN).kafka.replicas == 3


def test_beyond_loopback_needs_credentials(tmp_path: Path) -> None:
    """Nobody is heard from another machine without a token, and no page is shown there without accounts."""
    text = '[intake]\nhost="0.0.0.0"\n[console]\nhost="10.0.0.1"\n[[sources]]\nconnector="panel"\nname="p"\nport=1\n'
    assert set(_mistakes(_file(tmp_path, text))) == {"sources[0].token_sha256", "intake.host", "console.host"}


def test_names_are_unique_and_limits_hold(tmp_path: Path) -> None:
    """Two sources of one name would share ids; a document must fit a record; retention obeys the law's limits."""
    source = '[[sources]]\nconnector="panel"\nname="p"\nport=1\nmax_bytes=4000000\n'
    text = '[kafka.retention_days]\n"audit.log"=1\n"no.such"=2\n' + source * 2
    found = _mistakes(_file(tmp_path, text))
    assert set(found) == {
        "sources[0].name",
        "sources[1].name",
        "sources[0].max_bytes",
        "sources[1].max_bytes",
        "kafka.retention_days.audit.log",
        "kafka.retention_days.no.such",
    }
    assert "KRI" in found["kafka.retention_days.audit.log"]


def test_mistakes_of_the_environment_name_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the message knows where to look: not in the file."""
    monkeypatch.setenv("SZTAB_KAFKA__WIDE", "lots")
    (path,) = _mistakes(_file(tmp_path, ""))
    assert path == "kafka.wide (from the environment: SZTAB_KAFKA__WIDE)"


def test_a_list_in_the_environment_is_json_or_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no JSON is named by its variable, and so is what is wrong inside a list that came from there."""
    monkeypatch.setenv("SZTAB_SOURCES", "panel")
    (path,) = _mistakes(_file(tmp_path, ""))
    assert path == "sources (from the environment: SZTAB_SOURCES)"
    monkeypatch.setenv("SZTAB_SOURCES", '[{"connector": "panel", "name": "p", "port": "x"}]')
    (path,) = _mistakes(_file(tmp_path, ""))
    assert path == "sources[0].port (from the environment: SZTAB_SOURCES)"


def test_unused_variables_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error in a variable's name is said; the variables of the configuration's path and the token are none."""
    monkeypatch.setenv("SZTAB_KAFAK__WIDE", "3")
    monkeypatch.setenv("SZTAB_CONFIG", "x")
    monkeypatch.setenv("SZTAB_TOKEN", "x")
    monkeypatch.setenv("SZTAB_KAFKA__WIDE", "3")
    assert settings.unused_variables() == ["SZTAB_KAFAK__WIDE"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"[kafka", "not TOML"), (b"name = '\xff'", "not UTF-8")],
)
def test_broken_file_is_one_clear_mistake(tmp_path: Path, content: bytes, message: str) -> None:
    """A file that is no TOML gives a sentence, never a stack of calls."""
    path = tmp_path / "sztab.toml"
    path.write_bytes(content)
    (mistake,) = _mistakes(path).values()
    assert message in mistake


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A wrong path is not silently replaced by the example."""
    with pytest.raises(ConfigurationMistakes, match="no such file"):
        settings.load(tmp_path / "other.toml", KNOWN)


def test_secrets_are_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A printed configuration shows no password."""
    monkeypatch.setenv("SZTAB_KAFKA__SASL_PASSWORD", "hush-hush")
    text = '[kafka]\nbootstrap_servers="x:1"\nsecurity_protocol="SASL_SSL"\nsasl_username="u"\n'
    assert "hush-hush" not in repr(settings.load(_file(tmp_path, text), KNOWN))


def test_every_setting_is_described() -> None:
    """The generated reference has a sentence for each."""
    for name, field in settings.Settings.model_fields.items():
        assert field.description, name
        part = field.annotation
        if isinstance(part, type) and issubclass(part, Part):
            assert [one for one, each in part.model_fields.items() if not each.description] == []


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ('zone = "Europe/Warsw"', "zone"),
        ('lane = "emergncy"', "lane"),
        ('token_sha256 = "geheim"', "token_sha256"),
        ("max_bytes = -5", "max_bytes"),
        ("expected_every_seconds = -1", "expected_every_seconds"),
        ('placeholder_numbers = ["("]', "placeholder_numbers"),
        ('name = "Bad Name"', "name"),
        ('name = "commands"', "name"),
    ],
)
def test_a_source_that_could_not_work_is_a_mistake(tmp_path: Path, line: str, path: str) -> None:
    """With the real call centre's model: found by the check, not by the first caller."""
    told = line if line.startswith("name") else f'name = "cpr"\n{line}'
    with pytest.raises(ConfigurationMistakes) as caught:
        settings.load(_file(tmp_path, f'[[sources]]\nconnector = "cpr"\n{told}\n'))
    assert [one.path.partition(".")[2].split("[")[0] for one in caught.value.mistakes] == [path]


def test_a_missing_mapping_is_told_with_the_other_mistakes(tmp_path: Path) -> None:
    """The file's mapping is looked at like any other setting."""
    text = '[[sources]]\nconnector = "file"\nname = "f"\npath = "x.csv"\nmapping = "nowhere"\nmax_bytes = 0\n'
    with pytest.raises(ConfigurationMistakes) as caught:
        settings.load(_file(tmp_path, text))
    assert {one.path for one in caught.value.mistakes} == {"sources[0].mapping", "sources[0].max_bytes"}
