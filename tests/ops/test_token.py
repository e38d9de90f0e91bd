"""`sztab token --fill`: a configuration with a new token's hash in each empty place."""

import tomllib
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ops.cli import sztab
from ops.token_cli import filled
from schemas.errors import Misconfigured

TEXT = """# kept
[[sources]]
connector = "cpr"
name = "north"
token_sha256 = ""  # also kept
[[sources]]
name = "south"
token_sha256 = "%s"
[[accounts]]
name = "north"
token_sha256 = ""
""" % ("ab" * 32)


def called(*words: str, given: str = TEXT) -> Result:
    """`sztab token` with a configuration on standard input."""
    return CliRunner().invoke(sztab, ["token", *words], input=given)


def test_each_empty_place_gets_a_token_of_its_own() -> None:
    """The configuration holds hashes only, all else is as it was; each token is told once, with whose it is."""
    done = called("--fill", "-")
    assert done.exit_code == 0
    told = dict(line.split(": ") for line in done.stderr.splitlines())
    assert list(told) == ["sources north", "accounts north"]
    first, second = (sha256(token.encode()).hexdigest() for token in told.values())
    assert first != second
    assert done.stdout == TEXT.replace('""', f'"{first}"', 1).replace('""', f'"{second}"', 1)
    assert not any(token in done.stdout for token in told.values())


def test_a_file_is_read_and_not_written(tmp_path: Path) -> None:
    """The example stays as it is shipped: empty."""
    example = tmp_path / "example.toml"
    example.write_text(TEXT, encoding="utf-8")
    done = called("--fill", str(example), given="")
    assert len(tomllib.loads(done.stdout)["accounts"][0]["token_sha256"]) == 64
    assert example.read_text(encoding="utf-8") == TEXT


def test_a_token_never_changes() -> None:
    """What is filled is filled: a second time there is nothing to do, and that is said."""
    text, _ = filled(TEXT, lambda: "t")
    with pytest.raises(Misconfigured, match="no empty"):
        filled(text, lambda: "t")


@pytest.mark.parametrize(
    ("text", "why"),
    [('[[accounts]]\ntoken_sha256 = ""\nname = "x"\n', "line 2"), ("[[accounts", "TOML"), ("", "no empty")],
)
def test_what_cannot_be_filled_gives_no_configuration(text: str, why: str) -> None:
    """Nobody gets a token of which it is not said whose it is."""
    done = called("--fill", "-", given=text)
    assert (done.exit_code, done.stdout) == (2, "")
    assert why in done.stderr


def test_a_configuration_is_no_json() -> None:
    """The two ways of printing exclude each other."""
    assert called("--fill", "-", "--json").exit_code == 2
