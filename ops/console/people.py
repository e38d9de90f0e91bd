"""Who may look at the page, and how what they ask for reaches the intake."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiohttp
import orjson
import structlog
from aiohttp import web

from ops.console.app import Forward, Visitor
from ops.settings_parts import Account
from schemas.errors import Code

ANYBODY: Final = Visitor("local")
SECONDS: Final = 8.0

log = structlog.get_logger()


def authenticator(accounts: Sequence[Account]) -> Callable[[web.Request], Visitor | None]:
    """Name and token by HTTP Basic (RFC 7617), compared in constant time.

    Without accounts everybody who reaches the listener, which then stands on loopback.
    """
    known = {account.name: account for account in accounts}

    def authenticate(request: web.Request) -> Visitor | None:
        if not known:
            return ANYBODY
        name, token = _credentials(request.headers.get("Authorization", ""))
        account = known.get(name)
        given = hashlib.sha256(token.encode()).hexdigest()
        if account is None or not hmac.compare_digest(given, account.token_sha256):
            return None
        return Visitor(name, token)

    return authenticate


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, token = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return name, token


def forwarder(session: aiohttp.ClientSession, intake: Callable[[], str | None]) -> Forward:
    """Posts to the intake whose address `intake` gives. None, or no answer: a 503 problem that names the code."""

    async def forward(path: str, body: Mapping[str, Any], visitor: Visitor) -> tuple[int, bytes]:
        address = intake()
        headers = {"Content-Type": "application/json"}
        if visitor.token:
            headers["Authorization"] = f"Bearer {visitor.token}"
        try:
            if address is None:
                return _absent()
            async with session.post(
                address + path,
                data=orjson.dumps(body),
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=SECONDS),
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            log.warning("console_intake_unreachable", error=type(error).__name__)
            return _absent()

    return forward


def _absent() -> tuple[int, bytes]:
    problem = {
        "code": Code.FAR_SIDE_UNAVAILABLE.value,
        "detail": "the intake does not answer; ask again, nothing is lost",
    }
    return 503, orjson.dumps(problem)
