"""The role that runs the processors: which ones, under which name; the whole is proved in tests/broker."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.cli import sztab
from ops.kafka import shell_settings
from ops.reference import processors, references
from ops.roles import streams
from ops.settings import Settings
from ops.settings_parts import KafkaPart
from ops.silence import Silence
from ops.watchdog import Looker, Watchdog
from schemas.errors import Code, Misconfigured
from schemas.topics import PROCESSORS


def _settings(folder: Path) -> Settings:
    return Settings(connectors={}, data_dir=folder, kafka=KafkaPart(bootstrap_servers="127.0.0.1:1"))


async def test_a_name_that_is_no_processor_refuses_to_start(tmp_path: Path) -> None:
    """A typing error must not leave a topic without its processor in silence."""
    with pytest.raises(Misconfigured, match="there are incidents, normalise, route, watch"):
        await streams.run(_settings(tmp_path), only=("normalize",))


async def test_silence_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watchdog stands beside the shells, over every processor, with the limit of the settings."""
    made: list[Looker] = []

    def watching(watchdog: Watchdog) -> None:
        made.append(watchdog._make())
        raise Misconfigured(Code.CONFIGURATION_INVALID, "enough is seen")

    monkeypatch.setattr(Watchdog, "watching", watching)
    with pytest.raises(Misconfigured, match="enough is seen"):
        await streams.run(_settings(tmp_path), only=("route", "watch"))
    (silence,) = made
    assert isinstance(silence, Silence)
    assert {one.labels[0] for one in silence._watched} == {"route", "watch"}
    assert silence._limit == 120.5


def test_every_processor_of_the_catalogue_is_run(tmp_path: Path) -> None:
    """What the catalogue gives a state topic has a shell here; tally is a role of its own."""
    found = {(one.name, one.input) for one in processors(references(_settings(tmp_path)))}
    assert found == {one for one in PROCESSORS if one[0] != "tally"}


def test_memberships_are_static_and_differ(tmp_path: Path) -> None:
    """A restart on the same node takes the same place in its group; another worker there takes another."""
    one = processors(references(_settings(tmp_path)))[0]
    first, second = (shell_settings(_settings(tmp_path), one, worker).instance_id for worker in (1, 2))
    assert (first, second) == ("intake-1.1.normalise", "intake-1.2.normalise")
    assert streams.name_of(("route",), 2) != streams.name_of(("route",), 1) != streams.name_of((), 1)


def test_options_of_streams_belong_to_streams() -> None:
    """`--only` with another role is a wrong call, not something that is passed over."""
    result = CliRunner().invoke(sztab, ["run", "intake", "--only", "route"])
    assert result.exit_code == 2
