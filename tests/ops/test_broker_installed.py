"""The embedded broker of an installation."""

import pytest

from ops.broker import layout
from ops.broker.installed import FOLDER, embedded
from ops.settings import Settings
from ops.settings_parts import KafkaPart
from schemas.errors import Misconfigured


def settings(tmp_path, **told):
    """An installation in a folder of its own, with this `[kafka]`."""
    return Settings(connectors={}, data_dir=tmp_path, kafka=KafkaPart(**told))


def test_the_broker_stands_where_the_settings_put_it(tmp_path):
    """Before the first start the address is asked for in vain; afterwards it is the remembered one."""
    one = settings(tmp_path)
    with pytest.raises(Misconfigured, match="sztab broker up"):
        _ = embedded(one).bootstrap_servers
    (tmp_path / FOLDER).mkdir()
    kept = layout.new(3)
    layout.write(tmp_path / FOLDER / "cluster.json", kept)
    assert embedded(one).bootstrap_servers == kept.bootstrap_servers


def test_what_the_folder_holds_wins_over_the_settings(tmp_path):
    """A broker started with three nodes stays one of three nodes although the settings say one; asking is refused."""
    (tmp_path / FOLDER).mkdir()
    layout.write(tmp_path / FOLDER / "cluster.json", layout.new(3))
    assert embedded(settings(tmp_path))._wanted_nodes == 3
    assert embedded(settings(tmp_path), nodes=1)._wanted_nodes == 1
    assert embedded(settings(tmp_path / "new", nodes=3))._wanted_nodes == 3
