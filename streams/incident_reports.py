"""A report comes to its territory: every one ends in exactly one incident, and only once."""

from collections.abc import Iterable, Mapping

from schemas.incident import Explanation, IncidentOpened, ReportHeldLate, ReportRepeated
from schemas.report import ReportNormalised, Revision
from schemas.summary import Evidence
from schemas.wire import derived_id
from streams import (
    correlate,
    deadlines,
    incident_doubts,
    incident_grid,
    incident_handover,
    incident_memory,
    incident_notices,
    incident_suggestions,
)
from streams.incident_joining import (
    CANCELLED,
    ELSEWHERE,
    Arrival,
    consequences,
    flagged,
    join,
    know,
    new_incident,
    told_digest,
)
from streams.incident_reference import DECIDING
from streams.incident_state import Incident, KnownReport
from streams.incident_summary import gist, milliseconds, sighting
from streams.incident_turn import Cause, Turn

CONFLICT = "conflict"


def received(
    turn: Turn, told: ReportNormalised, raw: bytes, trace: Mapping[str, str], *, forwarded: bool = False
) -> None:
    """Link the report to the incident it belongs to, or open one.

    Called once per report and territory; again with the same report it tells only that it came again. `forwarded`: it
    comes from a unit that had the incident. Where this unit had passed it on itself, the incident came back meanwhile
    or went further, and the report follows it.
    """
    report = told.report
    ids = {"reportid": report.report_id, "threadid": report.thread_id, "documentid": report.document.document_id}
    headers = {**trace, **ids, "mode": report.mode.value}
    known: KnownReport | None = turn.get(f"r|{turn.unit}|{report.report_id}")
    if known is not None and not (forwarded and known.ordinal == ELSEWHERE and known.incident_id):
        _repeated(turn, told, known, headers)
        return
    turn.because(Cause(report.report_id, headers=headers))
    held = gist(told)
    if turn.append_ms - milliseconds(report.received_at) > turn.reference.seen_ms:
        turn.note(ReportHeldLate(report=told), None, b'{"kind":"ReportHeldLate","report":%b}' % raw)
        know(turn, told, held, "", ELSEWHERE)
        return
    seen = sighting(held, turn.reference.weights.shape)
    _place(turn, Arrival(told, raw, held, seen, incident_memory.shared_keys(turn, held)), forwarded=forwarded)
    incident_notices.answered_before(turn, report.report_id)


def _place(turn: Turn, arrival: Arrival, *, forwarded: bool) -> None:
    """Find the incident: by thread, by another system's id, by weight; else the report opens its own.

    A forwarded report belongs to the incident that its sender named. What else it names, its thread as well, may be
    where the report came from, and it would go to and fro for ever.
    """
    held = arrival.held
    thread = turn.get(incident_memory.thread_key(turn, held.mode, held.thread_id))
    home = incident_memory.found(turn, thread[0]) if thread is not None else None
    system, named = _named(turn, arrival)
    sent = _sent_to(turn, arrival) if forwarded else None
    if sent is not None:
        if home is not None and home.summary.incident_id != sent.summary.incident_id:
            home = None
        system, named = "incident", sent
    own = derived_id("incident", held.report_id)
    incident = home or named or incident_memory.found(turn, own)
    if incident is not None and incident.gone_to:
        incident_handover.forward_report(turn, incident, arrival.told)
        know(turn, arrival.told, held, incident.summary.incident_id, ELSEWHERE)
        return
    if incident is not None:
        why = _by_reference(turn, "thread" if home is not None else system)
        order = arrival.told.report.revision_order
        history = thread is not None and order < thread[1]
        before, incident = incident, join(turn, incident, arrival, why, history=history)
        incident = consequences(turn, incident, arrival, history=history, called_back=home is None)
        incident = incident_doubts.reconsider(turn, before, incident, held.report_id)
        if home is not None and named is not None and named.summary.incident_id != home.summary.incident_id:
            incident_suggestions.suggest(turn, incident, named, held.report_id, _by_reference(turn, system))
        return
    match = _match(turn, arrival)
    weights = turn.reference.weights
    if match is not None and correlate.links(weights, arrival.seen, match):
        incident = join(turn, match.incident, arrival, correlate.explanation(weights, match), history=False)
        incident = consequences(turn, incident, arrival, history=False, called_back=False)
        incident_doubts.reconsider(turn, match.incident, incident, held.report_id)
        return
    incident = _open(turn, arrival, own)
    if match is not None:
        why = correlate.explanation(weights, match)
        incident_suggestions.suggest(turn, incident, match.incident, held.report_id, why)


def _open(turn: Turn, arrival: Arrival, incident_id: str) -> Incident:
    held = arrival.held
    cancelled = arrival.told.report.told.revision is Revision.CANCELLATION
    incident = new_incident(turn, held, arrival.seen, incident_id, arrival.shared)
    body = b'{"kind":"IncidentOpened","report":%b}' % arrival.raw
    incident = turn.tell(IncidentOpened(report=arrival.told), incident_grid.stand(turn, incident), body)
    know(turn, arrival.told, held, incident_id, 0, arrival.shared)
    incident_memory.remember(turn, (f"i|{turn.unit}|{incident_id}",))
    deadlines.asking(turn, incident)
    deadlines.watching(turn, incident)
    return flagged(turn, incident, CANCELLED, held.report_id) if cancelled else incident


def _named(turn: Turn, arrival: Arrival) -> tuple[str, Incident | None]:
    """The incident that the report names by another system's id, or by ours; the system that decided."""
    mode = arrival.held.mode
    for key in arrival.shared:
        system, _, far_id = key.partition("|")
        if system not in DECIDING:
            continue
        pointed = (far_id,) if system == "incident" else turn.get(incident_memory.reference_key(turn, mode, key))
        incident = incident_memory.found(turn, pointed[0]) if pointed is not None else None
        if incident is not None and incident.summary.mode is mode:
            return system, incident
    return "", None


def _sent_to(turn: Turn, arrival: Arrival) -> Incident | None:
    """The incident for which another unit forwarded the report: the last one that it names by our id."""
    ids = [key.partition("|")[2] for key in arrival.shared if key.startswith("incident|")]
    incident = incident_memory.found(turn, ids[-1]) if ids else None
    return incident if incident is not None and incident.summary.mode is arrival.held.mode else None


def _match(turn: Turn, arrival: Arrival) -> correlate.Match | None:
    """The best incident by weight. A cancellation is only ever linked by reference: it says nothing of its own."""
    if arrival.told.report.told.revision is Revision.CANCELLATION:
        return None
    held, shared = arrival.held, arrival.shared
    near = incident_grid.near(turn, held.mode, arrival.seen)
    incidents: Iterable[Incident] = near.incidents
    if shared:
        candidates = {one.summary.incident_id: one for one in incidents}
        for key in shared:
            named = turn.get(incident_memory.reference_key(turn, held.mode, key))
            other = incident_memory.found(turn, named[0]) if named is not None else None
            if other is not None and not other.gone_to and not other.summary.dormant:
                candidates[other.summary.incident_id] = other
        incidents = candidates.values()
    return correlate.best(turn.reference.weights, arrival.seen, frozenset(shared), incidents, near.open)


def _by_reference(turn: Turn, system: str) -> Explanation:
    named = Evidence(feature="shared-id", value=system or "report", weight_bits=0.0)
    return Explanation(rule="reference", evidence=(named,), version=turn.reference.weights.version)


def _repeated(turn: Turn, told: ReportNormalised, known: KnownReport, headers: Mapping[str, str]) -> None:
    """The same report again. Other content under the same id is flagged; the journal keeps both."""
    report = told.report
    document = report.document
    turn.because(Cause(report.report_id, ("repeat", document.document_id), headers=headers))
    conflict = document.sha256 != known.document_sha256 and told_digest(told) != known.told_digest
    change = ReportRepeated(report_id=report.report_id, conflict=conflict, document_id=document.document_id)
    turn.also(change, known.incident_id or None, report.mode.value)
    incident = incident_memory.found(turn, known.incident_id)
    if conflict and incident is not None and not incident.gone_to:
        flagged(turn, incident, CONFLICT, report.report_id)
