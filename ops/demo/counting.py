"""Counts facts by their headers, for the demo's summary."""

from collections import Counter
from typing import Any

from ops import kafka, settings
from ops.demo.stage import Stage
from ops.reading import Reading
from schemas.envelope import legible
from schemas.topics import FACTS


async def count_facts(stage: Stage) -> dict[str, Any]:
    """Incidents opened, reports linked, links suggested, reports that a person took out of an incident."""
    kinds: Counter[str] = Counter()
    seen: set[str] = set()
    reading = Reading(kafka.cluster(settings.load(stage.config)), (FACTS,))
    async for _, records in reading.on():
        for record in records:
            fact, kind = legible(record.headers, "factid"), legible(record.headers, "kind")
            if fact and kind and fact not in seen:
                seen.add(fact)
                kinds[kind] += 1
    return {
        "incidents": kinds["IncidentOpened"],
        "reports_linked": kinds["ReportLinked"],
        "suggested": kinds["LinkSuggested"],
        "confirmed_or_rejected": kinds["SuggestionSettled"],
        "unlinked": kinds["ReportUnlinked"],
    }
