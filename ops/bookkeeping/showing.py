"""What the ledger's file tells of one id: what it belongs to, who got it by which rule, how each delivery ended."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ops.bookkeeping.book import Aside, Part
from ops.bookkeeping.store import read_only
from ops.ledger_rows import DecisionRow
from schemas.delivery import Outcome

ENDS: Final = (Outcome.DELIVERED, Outcome.SUPERSEDED, Outcome.QUARANTINED)
"""An outcome before the next: what was delivered at last counts as delivered."""


def shown(path: Path, name: str, now: datetime) -> dict[str, Any] | None:
    """Everything about a document, report, command, fact or delivery; None when the file does not know it.

    Unavailable where no ledger is kept. It may be some seconds behind the topics.
    """
    with read_only(path) as looking:
        book = looking.open()
        found = looking.settled(name)
        if name in book:
            settled_ms, part = None, book.naming(name)
        elif found is not None:
            settled_ms, part = found
        else:
            return None
        names = set(part.names())
        said = looking.told("said") or {}
        missing = {one: what for what, ids in said.get("missing_ids", {}).items() for one in ids if one in names}
        return {
            "id": name,
            "settled_at": _at(settled_ms),
            "documents": [
                {
                    "document_id": document,
                    "node": one.node,
                    "row": one.number,
                    "state": one.row.state,
                    "received_at": _at(one.row.received_ms),
                    "reports": list(one.row.reports),
                    "commands": list(one.row.commands),
                }
                for document, one in part.rows.items()
            ],
            "facts": _facts(part, book.aside, now),
            "quarantine": [row._asdict() for row in book.aside.about(names)],
            "missing": missing,
            "acts": looking.acts(names),
        }


def overdue(path: Path) -> dict[str, Any]:
    """The last account as it was said, with what is overdue. Unavailable where no ledger is kept."""
    with read_only(path) as looking:
        told: dict[str, Any] | None = looking.told("said")
        return told or {"balanced": None, "overdue": [], "overdue_count": 0}


def acts(path: Path, limit: int = 100) -> list[dict[str, Any]]:
    """What the reconciler did last. Unavailable where no ledger is kept."""
    with read_only(path) as looking:
        return looking.acts(limit=limit)


def _facts(part: Part, aside: Aside, now: datetime) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    for fact_id in sorted({*part.facts, *part.decisions}, key=lambda one: _when(part, one)):
        fact, decision = part.facts.get(fact_id), part.decisions.get(fact_id)
        told.append(
            {
                "fact_id": fact_id,
                "kind": fact.kind if fact else decision.kind if decision else "",
                "at": _at(fact.at_ms) if fact else None,
                "report_id": fact.report_id if fact else None,
                "incident_id": fact.incident_id if fact else None,
                "decided_at": _at(decision.at_ms) if decision else None,
                "rules": list(decision.rules) if decision else [],
                "deadline_at": _at(decision.deadline_ms) if decision else None,
                "deliveries": _deliveries(part, decision, aside, now) if decision else [],
            }
        )
    return told


def _when(part: Part, fact_id: str) -> int:
    fact = part.facts.get(fact_id)
    return fact.at_ms if fact else part.decisions[fact_id].at_ms


def _deliveries(part: Part, decision: DecisionRow, aside: Aside, now: datetime) -> Iterable[Mapping[str, Any]]:
    late = decision.deadline_ms is not None and decision.deadline_ms < now.timestamp() * 1000
    told: list[dict[str, Any]] = []
    for who, delivery in sorted(decision.deliveries.items()):
        kinds, at_ms = part.receipts.get(delivery, (frozenset[str](), None))
        state = next((one.value for one in ENDS if one in kinds), "overdue" if late else "in-flight")
        one = {"delivery_id": delivery, "recipient": who, "state": state, "receipted_at": _at(at_ms)}
        told.append(one | ({"set_aside": True} if aside.about([delivery]) else {}))
    return told


def _at(ms: int | None) -> str | None:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat() if ms is not None else None
