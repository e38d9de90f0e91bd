"""Which records belong to an id: collected topic by topic, told without personal data. Pure.

Facts are taken first: they tie reports, incidents and commands together. Then come what followed (decisions,
outboxes, receipts) and what went before (intake, log). Of a payload only ids, kinds, rules and weights are shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from schemas.delivery import QuarantineHandled
from schemas.envelope import Received, legible
from schemas.topics import ACTS, AUDIT, DECISIONS, FACTS, INTAKE, LOG, QUARANTINE, RECEIPTS
from schemas.wire import type_name

HANDLED: Final = type_name(QuarantineHandled)
MOST_RECORDS: Final = 2_000
"""Shown of one id; an incident of thousands of reports is cut, and says so."""
_IDS: Final = ("id", "documentid", "reportid", "threadid", "incidentid", "factid", "causeid", "deliveryid")
_CORRECTION: Final = ("correctedby", "corrects")
_PLACES: Final = {topic: place for place, topic in enumerate((*INTAKE, LOG, FACTS, DECISIONS))}
_SHOWN: Final = (*_IDS, *_CORRECTION, "kind", "unit", "recipient", "mode", "time")
_CHANGE: Final = ("verb", "before", "after", "flag", "deadline", "conflict", "history", "moved_to", "to_unit", "code")


def ids(headers: Received) -> dict[str, str]:
    """Those attributes of a record that a trace shows, by name; one that is no text is left out."""
    found = {name: legible(headers, name) for name in _SHOWN}
    return {name: text for name, text in found.items() if text}


@dataclass
class Family:
    """Which document corrects which, as quarantine tells; `items` are the documents of the item that is sought."""

    sought: str
    items: set[str] = field(default_factory=set)
    pairs: set[tuple[str, str]] = field(default_factory=set)

    def take(self, one: Any) -> None:
        """One record of `quarantine`, by its headers."""
        told = ids(one.headers)
        document, corrected_by = told.get("documentid"), told.get("correctedby")
        if document and corrected_by:
            self.pairs.add((document, corrected_by))
        if document and told.get("id") == self.sought:
            self.items.add(document)

    def of(self, documents: Iterable[str]) -> set[str]:
        """The documents with all that correct them, and all that they correct."""
        found = set(documents)
        while more := {one for pair in self.pairs if found & set(pair) for one in pair} - found:
            found |= more
        return found


@dataclass
class Trail:
    """What is known of one id. `take` is called with the records of facts first, then of all other topics.

    `related` are documents that correct what is sought or are corrected by it: their way is shown, too.
    """

    sought: str
    related: set[str] = field(default_factory=set)
    reports: set[str] = field(default_factory=set)
    documents: set[str] = field(default_factory=set)
    incidents: set[str] = field(default_factory=set)
    facts: set[str] = field(default_factory=set)
    causes: set[str] = field(default_factory=set)
    deliveries: set[str] = field(default_factory=set)
    records: list[dict[str, Any]] = field(default_factory=list)
    links: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    aside: list[dict[str, Any]] = field(default_factory=list)
    handled: list[dict[str, Any]] = field(default_factory=list)
    acts: list[dict[str, Any]] = field(default_factory=list)
    cut: bool = False
    only: str | None = None
    """A delivery id: of a fact's deliveries only this one is meant."""

    def take(self, topic: str, one: Any) -> bool:
        """Take the record if it belongs here; whether it did."""
        told = ids(one.headers)
        if not self._mine(topic, told):
            return False
        if topic == FACTS:
            self._fact(told, orjson.loads(one.value))
        elif topic == DECISIONS:
            self._decision(told, orjson.loads(one.value))
        elif topic == RECEIPTS:
            self._receipt(told, orjson.loads(one.value))
        elif topic == QUARANTINE and legible(one.headers, "type") == HANDLED:
            self._handled(orjson.loads(one.value), told)
        elif topic == QUARANTINE:
            self.aside.append(without_record(orjson.loads(one.value)))
        elif topic == ACTS:
            self.acts.append(orjson.loads(one.value))
        self._learn(topic, told)
        place = {"topic": topic, "partition": one.partition, "offset": one.offset}
        at = datetime.fromtimestamp(one.timestamp / 1000, UTC).isoformat()
        if len(self.records) < MOST_RECORDS:
            self.records.append({**place, "at": at, **{name: told[name] for name in told if name != "time"}})
        else:
            self.cut = True
        return True

    def _mine(self, topic: str, told: Mapping[str, str]) -> bool:
        if topic == FACTS:
            wanted = {self.sought, *self.facts, *self.related}
            return any(told.get(name) in wanted for name in _IDS)
        if topic == DECISIONS:
            return told.get("factid") in self.facts
        if told.get("deliveryid"):
            return told["deliveryid"] in self.deliveries or told["deliveryid"] == self.sought
        if topic == AUDIT:
            return False
        names = {self.sought, *self.reports, *self.documents, *self.causes}
        return any(told.get(name) in names for name in ("id", "reportid", "documentid", "causeid"))

    def _learn(self, topic: str, told: Mapping[str, str]) -> None:
        for name, known in (("reportid", self.reports), ("documentid", self.documents)):
            if told.get(name):
                known.add(told[name])
        if topic == FACTS:
            self.facts.update({told["factid"]} if "factid" in told else ())
            self.incidents.update({told["incidentid"]} if "incidentid" in told else ())
            self.causes.update({told["causeid"]} if "causeid" in told else ())

    def _fact(self, told: Mapping[str, str], value: Mapping[str, Any]) -> None:
        change = value["change"]
        suggestion = change.get("suggestion") or {}
        why = change.get("explanation") or suggestion.get("explanation") or {}
        shown = {
            "fact_id": value["fact_id"],
            "kind": change["kind"],
            "at": value["at"],
            "incident_id": value.get("incident_id"),
            "report_id": told.get("reportid") or change.get("report_id"),
            "target_id": suggestion.get("target_id") or change.get("target_id"),
            "actor": value.get("actor"),
            "rule": why.get("rule"),
            "weight_bits": why.get("weight_bits"),
            "evidence": why.get("evidence"),
            **{name: change.get(name) for name in _CHANGE},
        }
        self.links.append({name: one for name, one in shown.items() if one is not None})

    def _decision(self, told: Mapping[str, str], value: Mapping[str, Any]) -> None:
        deliveries = {who: delivery for who, delivery in value["deliveries"].items() if self.only in {None, delivery}}
        self.deliveries.update(deliveries.values())
        names = ("rules", "rules_version", "decided_at", "deadline_at")
        self.decisions.append(
            {"fact_id": told["factid"], "kind": value["kind"], "deliveries": deliveries}
            | {name: value[name] for name in names if name in value}
        )

    def _receipt(self, told: Mapping[str, str], value: Mapping[str, Any]) -> None:
        names = ("delivery_id", "recipient", "outcome", "code", "sequence", "attempts", "receipted_at", "far_reference")
        self.receipts.append({name: value[name] for name in names if name in value} | {"fact_id": told.get("factid")})

    def _handled(self, value: Mapping[str, Any], told: Mapping[str, str]) -> None:
        """What a person did with it; not why: a reason may name somebody."""
        names = ("item_id", "handling", "actor", "acted_at", "corrected_by", "code", "job")
        self.handled.append(
            {name: value[name] for name in names if name in value} | {"document_id": told.get("documentid")}
        )

    def told(self, documents: list[dict[str, Any]]) -> dict[str, Any] | None:
        """Everything as one object; None when nothing is known of the id."""
        if not self.records and not documents:
            return None
        return {
            "id": self.sought,
            "kind": self._kind(documents),
            "documents": documents,
            "reports": sorted(self.reports),
            "incidents": sorted(self.incidents),
            "records": sorted(self.records, key=_by_time),
            "links": self.links,
            "decisions": self.decisions,
            "deliveries": self.receipts,
            "quarantine": self.aside,
            "handled": self.handled,
            "acts": self.acts,
            "cut": self.cut,
        }

    def _kind(self, documents: list[dict[str, Any]]) -> str:
        kinds = (
            ("document", any(one["document_id"] == self.sought for one in documents) or self.sought in self.documents),
            ("delivery", self.only is not None or self.sought in self.deliveries),
            ("incident", self.sought in self.incidents),
            ("report", self.sought in self.reports),
            ("fact", self.sought in self.facts),
            ("item", any(one.get("item_id") == self.sought for one in self.aside)),
            ("command", self.sought in self.causes or any(one["commands"] for one in documents)),
        )
        return next((name for name, holds in kinds if holds), "other")


def _by_time(one: Mapping[str, Any]) -> tuple[str, int, int, int]:
    """By time; of one millisecond, as reports pass through the topics."""
    return one["at"], _PLACES.get(one["topic"], len(_PLACES)), one["partition"], one["offset"]


def without_record(value: Mapping[str, Any]) -> dict[str, Any]:
    """A quarantine record without what was set aside: its bytes, its key, its headers."""
    return {name: one for name, one in value.items() if not name.startswith("record")}
