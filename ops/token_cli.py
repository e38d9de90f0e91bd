"""`sztab token`: a new bearer token, and the hash of it that a configuration keeps."""

import hashlib
import re
import secrets
import tomllib
from collections.abc import Callable
from typing import Final, TextIO

import click
import orjson

from schemas.errors import Code, Misconfigured

_TABLE: Final = re.compile(r"\[+ *([\w.-]+)")
_NAME: Final = re.compile(r'name *= *"([^"]+)"')
_EMPTY: Final = re.compile(r'(token_sha256 *= *)""')


@click.command("token")
@click.option(
    "--fill",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="Print the configuration FILE (-: standard input) with the hash of a new token in each empty token_sha256; "
    "the tokens go to standard error, this once.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def token(*, fill: TextIO | None, as_json: bool) -> None:
    """Make a token for a source or an account. The token goes to whoever shall speak; only the hash is kept."""
    if fill is not None:
        if as_json:
            raise click.UsageError("--fill prints a configuration, not JSON")
        text, tokens = filled(fill.read(), new_token)
        click.echo(text, nl=False)
        for owner, made in tokens:
            click.echo(f"{owner}: {made}", err=True)
        return
    made = new_token()
    if as_json:
        click.echo(orjson.dumps({"token": made, "token_sha256": hashed(made)}))
        return
    click.echo(f"token        = {made}\ntoken_sha256 = {hashed(made)}")


def new_token() -> str:
    """A bearer token that nobody can guess."""
    return secrets.token_urlsafe(32)


def hashed(made: str) -> str:
    """What a configuration keeps of a token."""
    return hashlib.sha256(made.encode()).hexdigest()


def filled(text: str, make: Callable[[], str]) -> tuple[str, list[tuple[str, str]]]:
    """The configuration with the hash of a made token in each empty token_sha256, and whose token is which.

    Line by line, so that comments stay. Misconfigured when it is no TOML, has nothing to fill, or a token stands above
    its owner's name.
    """
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(Code.CONFIGURATION_INVALID, f"not TOML: {error}") from None
    lines, tokens, table, name = [], [], "", ""
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if found := _TABLE.match(line):
            table, name = found[1], ""
        elif found := _NAME.match(line):
            name = found[1]
        elif found := _EMPTY.match(line):
            if not name:
                raise Misconfigured(Code.CONFIGURATION_INVALID, f"line {number}: the name must stand above its token")
            made = make()
            tokens.append((f"{table} {name}", made))
            line = f'{found[1]}"{hashed(made)}"{line[found.end() :]}'  # noqa: PLW2901 - the same line, filled
        lines.append(line)
    if not tokens:
        raise Misconfigured(Code.CONFIGURATION_INVALID, "no empty token_sha256 to fill")
    return "".join(lines), tokens
