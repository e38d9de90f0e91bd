"""Carries out what the reconciler chose, through the intake's API as anybody would, and records that it did.

Publishing again goes to the node that has the row, whose own publisher does it; asking for a delivery is a command, so
it goes through the journal. The keys of the commands are the same in every process: two reconcilers give one command.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import orjson
import structlog

from ops.reconciler import Act
from schemas.command import Verb
from schemas.errors import Code, SztabError
from schemas.ledger import ActOutcome, ActStage, ReconcilerActed
from schemas.topics import ACTS
from schemas.wire import derived_id, record
from streams.contract import Output

SOURCE: Final = "/sztab/reconciler"
ASK_SECONDS: Final = 10.0

Address = Callable[[str | None], str]
"""The address of an intake: of the node of this name, or None for any. SztabError when it is not known."""

log: Final = structlog.get_logger("ops.reconciling")


async def acted(session: aiohttp.ClientSession, address: Address, token: str, act: Act) -> ReconcilerActed:
    """Do it, once; what came of it. Never raises: an intake that is away is an outcome."""
    if act.give_up:
        outcome, told = ActOutcome.GIVEN_UP, dict[str, Any]()
    else:
        outcome, told = await _asked(session, address, token, act)
    log.warning("reconciler_acted", stage=act.stage.value, id=act.subject_id, why=act.why, outcome=outcome.value)
    return ReconcilerActed(
        act_id=derived_id("act", act.stage.value, act.subject_id, act.attempt, outcome.value),
        stage=act.stage,
        subject_id=act.subject_id,
        why=act.why,
        attempt=act.attempt,
        outcome=outcome,
        acted_at=datetime.now(UTC),
        missed_since=datetime.fromtimestamp(act.since_ms / 1000, UTC),
        code=told.get("code"),
        document_id=act.document_id,
        node=act.node,
        command_id=told.get("command_id"),
        incident_id=act.incident_id,
        recipient=act.recipient,
    )


def output(act: ReconcilerActed) -> Output:
    """The record of an act; by its headers a trace finds it."""
    names = {ActStage.INCIDENTS: "documentid", ActStage.DELIVER: "deliveryid"}
    ids = {names[act.stage]: act.document_id if act.stage is ActStage.INCIDENTS else act.subject_id}
    if act.why == "in_facts":
        ids["reportid"] = act.subject_id
    extensions = {name: text for name, text in {**ids, "incidentid": act.incident_id}.items() if text}
    value, headers = record(
        act,
        id=act.act_id,
        source=SOURCE,
        time=act.acted_at.isoformat(),
        extensions={"kind": act.outcome.value, **extensions},
    )
    return Output(ACTS, act.subject_id.encode(), value, headers)


async def _asked(
    session: aiohttp.ClientSession, address: Address, token: str, act: Act
) -> tuple[ActOutcome, dict[str, Any]]:
    try:
        path, body = _request(act)
        async with session.post(
            address(act.node) + path,
            data=orjson.dumps(body),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=ASK_SECONDS),
            allow_redirects=False,
        ) as answer:
            told = orjson.loads(await answer.read())
    except (aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
        return ActOutcome.UNREACHABLE, {"code": Code.FAR_SIDE_UNAVAILABLE.value}
    except SztabError as error:
        return ActOutcome.UNREACHABLE, {"code": error.code.value}
    if answer.status in {200, 202}:
        return ActOutcome.ASKED, told
    if answer.status in {429, 503}:
        return ActOutcome.UNREACHABLE, told
    return ActOutcome.REFUSED, told


def _request(act: Act) -> tuple[str, dict[str, Any]]:
    if act.stage is ActStage.INCIDENTS:
        return f"/v1/journal/documents/{act.document_id}/publish", {}
    body = {
        "verb": Verb.REDELIVER.value,
        "unit": act.unit,
        "mode": act.mode,
        "delivery_id": act.subject_id,
        "idempotency_key": f"{Verb.REDELIVER.value}|{act.subject_id}|{act.attempt}",
    }
    told = {name: value for name, value in body.items() if value is not None}
    return f"/v1/incidents/{act.incident_id}/commands", told
