"""How something set aside re-enters at its stage, under the ids that it had: whoever has it already ignores it."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final

import orjson

from connectors.contract import Refused
from connectors.replaying import Replaying
from ops.aside.shelf import INTAKE, Item
from ops.aside.topic import MakeCluster, Pen, fetched
from ops.commands import CommandDesk
from ops.reading import Reading
from schemas.delivery import Delivery, Quarantined
from schemas.envelope import legible
from schemas.errors import Code, Rejected, Unavailable
from schemas.topics import DECISIONS, FACTS, LOG, QUARANTINE
from schemas.topics import INTAKE as LANES
from schemas.wire import parse
from streams.contract import Output

STEPS: Final = {"normalise": frozenset(LANES), "incidents": frozenset({LOG}), "route": frozenset({FACTS})}
"""Stages whose record goes back to its topic. Not `watch`: an old word on a feed would replace a newer one."""
DELIVER: Final = "deliver"
FORGOTTEN: Final = "delivery-forgotten"
DECISION_SECONDS: Final = 15.0
EARLIER_MS: Final = 600_000
"""A decision is looked for from so long before the delivery was decided."""


@dataclass(frozen=True)
class Reentry:
    """The ways back. `node` is this intake node: it alone has the bytes of its journal."""

    cluster: MakeCluster
    node: str
    replaying: Replaying
    commands: CommandDesk

    def check(self, item: Item) -> None:
        """Whether the item can re-enter from here, as far as can be told at once.

        Rejected(`state-forbids`) when its stage has no way back; Unavailable when another node has its bytes.
        """
        if item.stage == INTAKE:
            self.here(item)
        elif item.stage == DELIVER:
            if not item.told.get("delivery_id"):
                raise _no_way("what stood in the outbox is no delivery; its fact can be routed again")
        elif item.told.get("topic") not in STEPS.get(item.stage, ()):
            raise _no_way(f"what was set aside at {item.stage} has no way back")

    def here(self, item: Item) -> None:
        """Unavailable unless the item's bytes are in this node's journal."""
        node = item.told.get("node")
        if node != self.node:
            raise Unavailable(Code.JOURNAL_UNAVAILABLE, f"its bytes are in the journal of {node}; ask that node")

    async def enter(self, item: Item, pen: Pen, actor: str, reason: str, handling_id: str) -> dict[str, Any]:
        """Re-enter, and tell what it became. Rejected: it was refused again. Unavailable: later, nothing is certain."""
        self.check(item)
        if item.stage == INTAKE:
            return await self._translated(item)
        if item.stage == DELIVER:
            return await self._delivered(item, actor, reason, handling_id)
        return await self._stepped(item, pen)

    async def record(self, item: Item) -> Quarantined:
        """The whole record of an item, with the bytes that were set aside. Rejected when retention has taken it."""
        found = await fetched(self.cluster(), QUARANTINE, *item.place)
        return parse(Quarantined, found.value)

    async def _translated(self, item: Item) -> dict[str, Any]:
        settled = await self.replaying.again(str(item.told["document_id"]))
        if isinstance(settled, Refused):
            raise Rejected(settled.code, settled.detail, settled.at)
        told = {"document_id": settled.document_id, "reports": list(settled.report_ids)}
        return {**told, "held": settled.held.value, "repeated": settled.repeated}

    async def _stepped(self, item: Item, pen: Pen) -> dict[str, Any]:
        """The record again, as it was, into the partition that it came from."""
        kept = await self.record(item)
        topic, partition, offset = kept.topic, kept.partition, kept.offset
        assert topic is not None
        if partition is None or offset is None:
            raise _no_way("it does not say where its record stood")
        key, value, headers = kept.record_key, kept.record, kept.record_headers
        if value is None or not headers:  # too large to be set aside whole, or set aside by an earlier version
            one = await fetched(self.cluster(), topic, partition, offset)
            key, value, headers = one.key, one.value, tuple(one.headers)
        told = tuple((name, raw) for name, raw in headers if raw is not None)
        await pen.put_back(Output(topic, key or b"", value, told), partition)
        return {"topic": topic, "partition": partition}

    async def _delivered(self, item: Item, actor: str, reason: str, key: str) -> dict[str, Any]:
        """Ask the incident's log for it: the fact makes route send the same delivery id again.

        Rejected(`unknown-here`) when route holds it no more, because a newer delivery took its place.
        """
        delivery = parse(Delivery, (await self.record(item)).record)
        since_ms = round(delivery.decided_at.timestamp() * 1000) - EARLIER_MS
        decision = await self._decision(delivery.fact_id, since_ms)
        if decision is None:
            raise Rejected(Code.UNKNOWN_HERE, "the decision that made the delivery is no longer kept")
        asked: dict[str, Any] = {"verb": "redeliver", "delivery_id": delivery.delivery_id, "idempotency_key": key}
        asked |= {"unit": legible(decision.headers, "unit"), "mode": delivery.mode.value, "reason": reason}
        since_ms = round(time.time() * 1000) - EARLIER_MS
        status, told = await self.commands.ask(delivery.subject_id, actor, asked)
        if status >= 400:
            raise Rejected(Code(told["code"]), str(told.get("detail", "the command was refused")))
        rules = await self._decided(str(told.get("fact_id", "")), since_ms)
        if FORGOTTEN in rules:
            raise Rejected(Code.UNKNOWN_HERE, "route holds it no more: a newer delivery took its place")
        return {"delivery_id": delivery.delivery_id, "fact_id": told["fact_id"]}

    async def _decided(self, fact_id: str, since_ms: int) -> list[str]:
        """The rules of the decision on a fact, waited for."""
        until = time.monotonic() + DECISION_SECONDS
        while fact_id and time.monotonic() < until:
            decision = await self._decision(fact_id, since_ms)
            if decision is not None:
                return list(orjson.loads(decision.value)["rules"])
            await asyncio.sleep(0.2)
        raise Unavailable(Code.OVERLOADED, "it was asked for, and route has not decided yet: the item stays open")

    async def _decision(self, fact_id: str, since_ms: int) -> Any:
        async for _, records in Reading(self.cluster(), [DECISIONS], since_ms).on():
            for one in records:
                if legible(one.headers, "factid") == fact_id:
                    return one
        return None


def _no_way(detail: str) -> Rejected:
    return Rejected(Code.STATE_FORBIDS, detail)
