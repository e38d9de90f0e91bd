"""The command line: a quick table, one way to fail, exit statuses that tell the truth."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import orjson
import pytest
from click.testing import CliRunner

from ops import cli

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_of_the_table_is_there(name: str) -> None:
    """What `--help` lists can be called, under the name that it lists."""
    context = click.Context(cli.sztab)
    command = cli.sztab.get_command(context, name)
    assert isinstance(command, click.Command)
    assert command.name == name
    assert command.help or command.short_help


def test_help_imports_no_command() -> None:
    """Help stays quick: no client of Kafka and no web server is loaded for it."""
    program = (
        "import sys; sys.argv = ['sztab', '--help']\nfrom ops.cli import main\ntry: main()\nexcept SystemExit: pass\n"
    )
    program += "print(sorted({'aiokafka', 'aiohttp', 'shapely', 'faust'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.endswith("[]\n")


def test_check_of_a_right_configuration(tmp_path: Path) -> None:
    """Exit status 0, with what the configuration means and what is open for want of credentials."""
    (tmp_path / "sztab.toml").write_text('[[sources]]\nconnector="desk"\nname="desk"\n', encoding="utf-8")
    result = CliRunner().invoke(cli.sztab, ["--config", str(tmp_path / "sztab.toml"), "check"])
    assert result.exit_code == 0, result.output
    assert "desk (desk)" in result.output
    assert "loopback only" in result.output


def test_check_explains_every_mistake(tmp_path: Path) -> None:
    """Exit status 2; each mistake with its path and what is allowed; for programs as an object."""
    file = tmp_path / "sztab.toml"
    file.write_text('[kafka]\nnodes=2\n[[sources]]\nconnector="dsk"\nname="x"\n', encoding="utf-8")
    result = CliRunner().invoke(cli.sztab, ["--config", str(file), "check"])
    assert result.exit_code == 2
    assert "kafka.nodes" in result.stderr
    assert "sources[0].connector" in result.stderr
    result = CliRunner().invoke(cli.sztab, ["--config", str(file), "check", "--json"])
    assert result.exit_code == 2
    told = orjson.loads(result.stdout)["error"]
    assert told["code"] == "configuration-invalid"
    assert [one["path"] for one in told["mistakes"]] == ["kafka.nodes", "sources[0].connector"]


def test_wrong_use_is_two() -> None:
    """A command that does not exist is a wrong call, not a failure."""
    result = CliRunner().invoke(cli.sztab, ["nonsense"])
    assert result.exit_code == 2
    assert "nonsense" in result.stderr


def test_a_token_fits_its_hash() -> None:
    """What is handed out hashes to what is configured."""
    from hashlib import sha256

    told = orjson.loads(CliRunner().invoke(cli.sztab, ["token", "--json"]).stdout)
    assert sha256(told["token"].encode()).hexdigest() == told["token_sha256"]


def test_python_minus_m_is_the_same_program() -> None:
    """The supervisor starts roles with the very Python it runs on."""
    done = subprocess.run(
        [sys.executable, "-m", "ops", "--version"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.startswith("sztab, version")
    assert find_spec("ops.__main__") is not None
