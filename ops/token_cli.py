"""`sztab token`: a new bearer token, and the hash of it that a configuration keeps."""

import hashlib
import secrets

import click
import orjson


@click.command("token")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, for programs.")
def token(*, as_json: bool) -> None:
    """Make a token for a source or an account. The token goes to whoever shall speak; only the hash is kept."""
    made = secrets.token_urlsafe(32)
    hashed = hashlib.sha256(made.encode()).hexdigest()
    if as_json:
        click.echo(orjson.dumps({"token": made, "token_sha256": hashed}))
        return
    click.echo(f"token        = {made}\ntoken_sha256 = {hashed}")
