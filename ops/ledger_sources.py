"""Reads what the ledger compares: journals, facts, decisions, receipts, quarantine, and which stages still move.

The order is the proof: a stage's lag is measured after the stage before it was read, and its output is read after
that. What was there to be read and is read by all, and left no output, is lost. Topics are read by their headers;
only decisions are opened.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from aiokafka.errors import KafkaError

from connectors.journal_reader import JournalReader
from ops import runtime
from ops.health import SeparateLags
from ops.ledger_rows import DELIVER, INCIDENTS, ROUTE, AsideRow, DecisionRow, FactRow, Journal, Row, Sources, gaps_of
from ops.reading import Cluster, Reading
from schemas.envelope import Received, text
from schemas.errors import Code, Rejected, Unavailable
from schemas.topics import DECISIONS, FACTS, FEEDS, INTAKE, LANES, LOG, QUARANTINE, RECEIPTS, catalogue, outbox

PAGE: Final = 5_000
ASK_SECONDS: Final = 15.0
COORDINATOR_SECONDS: Final = 15.0
TOKEN: Final = "SZTAB_TOKEN"  # noqa: S105 - the variable's name
REPORT, COMMAND = "Report", "Command"
_READ: Final = {f"ce_{name}": name for name in ("factid", "kind", "reportid", "causeid", "documentid", "deliveryid")}
"""Nothing else is decoded: with hundreds of thousands of records that is most of the time."""


@dataclass(frozen=True)
class Where:
    """What to read: the cluster, this node's name and journal file, addresses of other nodes, nodes that are gone."""

    cluster: Cluster
    node: str
    journal_file: Path
    others: Mapping[str, str]
    gone: Collection[str] = ()


async def read(where: Where) -> Sources:
    """Everything, in order. Unavailable when the cluster does not answer; a journal that does not is None."""
    lags = SeparateLags(where.cluster)
    try:
        journals = await _journals(where)
        groups = [(f"normalise.{one}", one) for one in INTAKE] + [(f"incidents.{LOG}", LOG)]
        moving = {INCIDENTS} if await _lagging(where.cluster, lags, groups) else set()
        facts_ms = _now_ms()
        facts, facts_since_ms = await _facts(_Whole(where.cluster, FACTS))
        if await _lagging(where.cluster, lags, [(f"route.{FACTS}", FACTS)]):
            moving.add(ROUTE)
        decisions_ms = _now_ms()
        decisions, decisions_since_ms = await _decisions(_Whole(where.cluster, DECISIONS))
        for who in sorted({one for row in decisions.values() for one in row.deliveries}):
            lanes = [(f"deliver.{who}.{lane}", outbox(who, lane)) for lane in LANES]
            if await _lagging(where.cluster, lags, lanes):
                moving.add(DELIVER + who)
        receipts = await _receipts(where.cluster)
        aside, aside_since_ms = await _aside(_Whole(where.cluster, QUARANTINE))
    finally:
        await lags.close()
    return Sources(
        journals=journals,
        facts=facts,
        decisions=decisions,
        receipts=receipts,
        aside=aside,
        moving=moving,
        facts_ms=facts_ms,
        decisions_ms=decisions_ms,
        facts_since_ms=facts_since_ms,
        decisions_since_ms=decisions_since_ms,
        aside_since_ms=aside_since_ms,
        now_ms=_now_ms(),
    )


def _now_ms() -> int:
    return int(time.time() * 1000)


async def _lagging(cluster: Cluster, lags: SeparateLags, groups: Iterable[tuple[str, str]]) -> bool:
    """Whether any of the groups has something left of its topic; a topic that does not exist holds nothing."""
    wanted = list(groups)
    known = await cluster.partitions([topic for _, topic in wanted])
    for group, topic in wanted:
        parts = known.get(topic, ())
        if parts and any((await _lag(lags, cluster.prefix + group, cluster.prefix + topic, parts)).values()):
            return True
    return False


async def _lag(lags: SeparateLags, group: str, topic: str, parts: tuple[int, ...]) -> dict[int, int]:
    """The lag by partition; a cluster that has just started may have no coordinator for some seconds."""
    until = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            found = await lags.of(group, topic, parts)
        except (KafkaError, OSError) as error:
            if time.monotonic() > until:
                raise Unavailable(Code.BROKER_UNAVAILABLE, f"the lag is not told ({type(error).__name__})") from None
            await asyncio.sleep(0.5)
        else:
            return {part: max(lag, 0) for part, lag in found.items()}


async def _records(cluster: Cluster, topic: str) -> AsyncIterator[tuple[Any, dict[str, str]]]:
    """Every record with its CloudEvents attributes by name."""
    async for _, records in Reading(cluster, [topic]).on():
        for one in records:
            yield one, attributes(one.headers)


def attributes(headers: Received) -> dict[str, str]:
    """Those CloudEvents attributes of a record that the ledger reads, by their names without prefix.

    None of a record where one is no text: it proves nothing, and what it should have proved is named as missing.
    """
    try:
        return {_READ[name]: text(raw) for name, raw in headers if name in _READ}
    except Rejected:
        return {}


class _Whole:
    """A topic read to its end, and since when it is whole.

    Retention deletes what is older than the topic's bound, never what is younger than the least that the catalogue
    allows: an absence younger than that is no lawful one, whatever the partitions begin with.
    """

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._reading = Reading(cluster, [topic])
        kept = catalogue()[topic].retention
        assert kept is not None, "a topic that never deletes is whole"
        self._least_ms = kept.minimum_ms
        self._firsts: dict[int, int] = {}

    async def records(self) -> AsyncIterator[tuple[Any, dict[str, str]]]:
        """Every record with its CloudEvents attributes by name."""
        async for _, records in self._reading.on():
            for one in records[:1]:
                self._firsts.setdefault(one.partition, one.timestamp if one.offset else 0)
            for one in records:
                yield one, attributes(one.headers)

    def since_ms(self) -> int:
        """Older records may be gone; 0 when every partition begins with its first."""
        now_ms = _now_ms()
        first = now_ms if self._reading.emptied else max(self._firsts.values(), default=0)
        return min(first, now_ms - self._least_ms)


async def _facts(topic: _Whole) -> tuple[dict[str, FactRow], int]:
    found: dict[str, FactRow] = {}
    async for one, told in topic.records():
        if "factid" not in told:
            continue
        found[told["factid"]] = FactRow(
            told.get("kind", ""), told.get("reportid"), told.get("causeid"), one.timestamp, told.get("documentid")
        )
    return found, topic.since_ms()


async def _decisions(topic: _Whole) -> tuple[dict[str, DecisionRow], int]:
    found: dict[str, DecisionRow] = {}
    async for one, told in topic.records():
        if "factid" not in told:
            continue
        found[told["factid"]] = decision_row(told, one.value, one.timestamp)
    return found, topic.since_ms()


def decision_row(told: Mapping[str, str], value: bytes, at_ms: int) -> DecisionRow:
    """A record of `routing.decisions`, opened."""
    body = orjson.loads(value)
    until, rules = body.get("deadline_at"), tuple(body["rules"])
    deadline_ms = round(datetime.fromisoformat(until).timestamp() * 1000) if until else None
    return DecisionRow(told.get("kind", ""), told.get("reportid"), rules, body["deliveries"], deadline_ms, at_ms)


async def _receipts(cluster: Cluster) -> dict[str, tuple[frozenset[str], int]]:
    found: dict[str, tuple[frozenset[str], int]] = {}
    async for one, told in _records(cluster, RECEIPTS):
        if "deliveryid" not in told:
            continue
        kinds, at_ms = found.get(told["deliveryid"], (frozenset[str](), one.timestamp))
        found[told["deliveryid"]] = (kinds | {told.get("kind", "")}, min(at_ms, one.timestamp))
    return found


async def _aside(topic: _Whole) -> tuple[list[AsideRow], int]:
    found: list[AsideRow] = []
    async for one, told in topic.records():
        value = orjson.loads(one.value)
        if "handling" in value:  # what a person did with an item is no item
            continue
        document, report, delivery = (value.get(name) for name in ("document_id", "report_id", "delivery_id"))
        found.append(AsideRow(value.get("stage", ""), document, report, delivery, told.get("causeid")))
    return found, topic.since_ms()


async def _journals(where: Where) -> dict[str, Journal | None]:
    """Every intake node's: of this machine by its file, whether the node runs or not, the others by HTTP."""
    files, found = runtime.journals(where.node, where.journal_file), dict[str, Journal | None]()
    for name in sorted(await nodes(where)):
        if name in where.others:
            found[name] = await _asked(where.others[name])
        elif name in files:
            found[name] = await asyncio.to_thread(_from_file, files[name])
        else:
            found[name] = None
    return found


async def nodes(where: Where) -> set[str]:
    """The intake nodes: with a journal here, named by address, or heard of through their feeds."""
    names = set(runtime.journals(where.node, where.journal_file)) | set(where.others)
    async for one, _ in _records(where.cluster, FEEDS):
        if one.value is not None and (node := orjson.loads(one.value).get("node")):
            names.add(str(node))
    return names - set(where.gone)


def _from_file(path: Path) -> Journal | None:
    read_ms = _now_ms()
    try:
        reader = JournalReader(path)
    except Unavailable:
        return None
    rows: list[Row] = []
    since_ms = after = 0
    try:
        while page := reader.ids(after, PAGE):
            if not rows and page[0].row > 1:
                since_ms = page[0].received_ms
            rows += [row_of(one.document_id, one.state.name, one.received_ms, one.reports) for one in page]
            after = page[-1].row
        if not rows and reader.last_row():
            since_ms = read_ms
        gaps = reader.gaps()
    except (Unavailable, Rejected):  # away, or on a page that is damaged: `sztab journal verify` says where
        return None
    finally:
        reader.close()
    return Journal(rows, read_ms, since_ms, gaps)


async def _asked(url: str) -> Journal | None:
    """Another node's rows over HTTP (`GET /v1/journal/ids`); None when it does not answer as it should."""
    read_ms = _now_ms()
    token = os.environ.get(TOKEN, "")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    rows: list[Row] = []
    since_ms = after = 0
    timeout = aiohttp.ClientTimeout(total=ASK_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            while True:
                query = {"after": str(after), "limit": str(PAGE)}
                async with session.get(f"{url.rstrip('/')}/v1/journal/ids", params=query) as answer:
                    answer.raise_for_status()
                    told = orjson.loads(await answer.read())
                if not rows and told["rows"] and told["rows"][0]["row"] > 1:
                    since_ms = told["rows"][0]["received_ms"]
                rows += [
                    row_of(one["document_id"], one["state"], one["received_ms"], one["reports"]) for one in told["rows"]
                ]
                if not rows and told["last_row"]:
                    since_ms = read_ms
                if told["next"] is None:
                    return Journal(rows, read_ms, since_ms, gaps_of(told))
                after = told["next"]
    except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError, KeyError, TypeError):
        return None


def row_of(document_id: str, state: str, received_ms: int, became: Iterable[Iterable[str]]) -> Row:
    """A row from what it became: pairs of id and payload kind."""
    pairs = [(str(name), str(kind)) for name, kind in became]
    return Row(
        document_id,
        state.lower().replace("_", "-"),
        received_ms,
        tuple(name for name, kind in pairs if kind == REPORT),
        tuple(name for name, kind in pairs if kind == COMMAND),
    )
