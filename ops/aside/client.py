"""Asking a running intake for what only it can do with its quarantine."""

import getpass
import os
import re
from typing import Any, Final

import aiohttp
import orjson

from ops import runtime
from ops.aside.api import USER
from ops.command_cli import TOKEN
from ops.settings import Settings
from schemas.errors import Code, Unavailable

SECONDS: Final = 60.0


async def ask(
    settings: Settings, method: str, path: str, body: dict[str, Any] | None = None, intake: str | None = None
) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer, with the asker's name or token. Unavailable when the intake does not answer.

    `intake` is the address of another node's, else this machine's is asked.
    """
    address = (intake or runtime.address(settings, "intake")).rstrip("/")
    token = os.environ.get(TOKEN, "")
    headers = {"Content-Type": "application/json", USER: _user()}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = orjson.dumps(body) if body is not None else None
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
            session.request(method, f"{address}{path}", data=data, headers=headers) as answer,
        ):
            return answer.status, orjson.loads(await answer.read())
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        detail = f"the intake does not answer ({type(error).__name__})"
        raise Unavailable(Code.FAR_SIDE_UNAVAILABLE, detail) from None


def _user() -> str:
    """The name of the account on this machine, as far as a header may hold it."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", getpass.getuser())[:32] or "unknown"
