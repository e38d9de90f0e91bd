"""What the page shows, folded from topics: a projection that can be dropped and rebuilt.

Pure: records in, events for the browsers out. No personal field enters: the views name what they take.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ops.console import views
from schemas.feed import Alarm, FeedStatus, Figure, said_of
from schemas.incident import (
    Fact,
    IncidentFlagged,
    IncidentOpened,
    IncidentSummary,
    ObservationMade,
    ReportHeldLate,
    ReportLinked,
    ReportUnlinked,
    SuggestionSettled,
)
from schemas.ledger import LedgerTold
from schemas.model import Message
from schemas.notice import Notice
from schemas.report import ReportNormalised
from streams.incident_doubts import DOUBTFUL

MAX_INCIDENTS: Final = 500
MAX_REPORTS: Final = 100
MAX_NEIGHBOURS: Final = 10
CLOSED: Final = frozenset({"ended", "refused", "merged"})

View = dict[str, Any]
Event = tuple[str, View]
"""Name of a Server-Sent Event and its data."""


@dataclass(slots=True)
class Board:
    """The newest state of everything on the page.

    `apply` takes one payload; `snapshot` gives all for a fresh browser.
    """

    incidents: OrderedDict[str, View] = field(default_factory=OrderedDict)
    reports: dict[str, OrderedDict[str, View]] = field(default_factory=dict)
    neighbours: dict[str, OrderedDict[str, View]] = field(default_factory=dict)
    """Incident -> what units next door have that may be it, by unit and their incident or report."""
    notices: dict[str, View] = field(default_factory=dict)
    alarms: dict[str, View] = field(default_factory=dict)
    feeds: dict[str, View] = field(default_factory=dict)
    figures: dict[str, View] = field(default_factory=dict)
    late: OrderedDict[str, View] = field(default_factory=OrderedDict)
    ledger: View | None = None

    def apply(self, payload: Message) -> list[Event]:
        """Fold one payload; what the browsers must hear of it."""
        handler = _HANDLERS.get(type(payload))
        return handler(self, payload) if handler else []

    def withdrawn(self, notice_id: str) -> list[Event]:
        """A warning is withdrawn, or over for long: it leaves; the browsers hear its id."""
        return [] if self.notices.pop(notice_id, None) is None else [("notice-gone", {"id": notice_id})]

    def silenced(self, said_by: str) -> list[Event]:
        """A node has this feed (`feed@node`) no more: its line leaves."""
        return [] if self.feeds.pop(said_by, None) is None else [("feed-gone", {"id": said_by})]

    def snapshot(self) -> View:
        """Everything, for a browser that starts or lost its place."""
        return {
            "incidents": [self._with_reports(view) for view in self.incidents.values()],
            "notices": list(self.notices.values()),
            "alarms": list(self.alarms.values()),
            "feeds": list(self.feeds.values()),
            "figures": list(self.figures.values()),
            "late": list(self.late.values()),
            "ledger": [] if self.ledger is None else [self.ledger],
        }

    def incident(self, incident_id: str) -> View | None:
        """One incident with its reports; None when the page does not hold it."""
        view = self.incidents.get(incident_id)
        return None if view is None else self._with_reports(view)

    def _with_reports(self, view: View) -> View:
        beside = {"report_list": self.reports, "neighbours": self.neighbours}
        return {**view, **{name: list(told.get(view["id"], {}).values()) for name, told in beside.items()}}

    def _incident(self, summary: IncidentSummary) -> list[Event]:
        known = self.incidents.get(summary.incident_id)
        if known is not None and known["version"] > summary.sequence:
            return []
        self.incidents[summary.incident_id] = views.incident(summary)
        self._trim()
        return [("incident", self._with_reports(self.incidents[summary.incident_id]))]

    def _fact(self, fact: Fact) -> list[Event]:
        change = fact.change
        if isinstance(change, ReportHeldLate):
            self.late[change.report.report.report_id] = views.report(change.report)
            return [("late", self.late[change.report.report.report_id])]
        if fact.incident_id is None:
            return []
        if isinstance(change, ReportUnlinked):
            self._move(change.report_id, fact.incident_id, change.moved_to)
        elif isinstance(change, IncidentOpened):
            self._note(fact.incident_id, change.report)
        elif isinstance(change, ReportLinked):
            self._link(fact.incident_id, change)
        elif isinstance(change, IncidentFlagged) and change.flag == DOUBTFUL:
            self._doubt(fact.incident_id, change.report_id, doubtful=True)
        elif isinstance(change, SuggestionSettled):
            self._doubt(fact.incident_id, change.report_id, doubtful=False)
        elif isinstance(change, ObservationMade):
            self._observe(fact.incident_id, change)
        return self._incident(fact.summary) if fact.summary else []

    def _doubt(self, incident_id: str, report_id: str | None, *, doubtful: bool) -> None:
        view = self.reports.get(incident_id, OrderedDict()).get(report_id or "")
        if view is not None:
            view["doubtful"] = doubtful

    def _observe(self, incident_id: str, change: ObservationMade) -> None:
        told = self.neighbours.setdefault(incident_id, OrderedDict())
        told[f"{change.from_unit}|{change.other_incident_id or change.report_id}"] = views.neighbour(change)
        while len(told) > MAX_NEIGHBOURS:
            told.popitem(last=False)

    def _link(self, incident_id: str, change: ReportLinked) -> None:
        if change.report is not None:
            self._note(incident_id, change.report, views.explanation(change.explanation))
            return
        holder = next((i for i, reports in self.reports.items() if change.report_id in reports), None)
        if holder is not None and holder != incident_id:
            self._move(change.report_id, holder, incident_id)

    def _note(self, incident_id: str, report: ReportNormalised, why: View | None = None) -> None:
        reports = self.reports.setdefault(incident_id, OrderedDict())
        reports[report.report.report_id] = {**views.report(report), "why": why, "doubtful": False}
        while len(reports) > MAX_REPORTS:
            reports.popitem(last=False)

    def _move(self, report_id: str, before: str, after: str) -> None:
        view = self.reports.get(before, OrderedDict()).pop(report_id, None)
        if view is not None:
            self.reports.setdefault(after, OrderedDict())[report_id] = {**view, "doubtful": False}

    def _trim(self) -> None:
        """Forget finished incidents first, then the oldest: the page shows what is alive, not history."""
        if len(self.incidents) <= MAX_INCIDENTS:
            return
        victim = next((i for i, view in self.incidents.items() if view["state"] in CLOSED), next(iter(self.incidents)))
        del self.incidents[victim]
        self.reports.pop(victim, None)
        self.neighbours.pop(victim, None)

    def _notice(self, notice: Notice) -> list[Event]:
        self.notices[notice.notice_id] = views.notice(notice)
        return [("notice", self.notices[notice.notice_id])]

    def _alarm(self, alarm: Alarm) -> list[Event]:
        view = views.alarm(alarm)
        if alarm.active:
            self.alarms[alarm.alarm_id] = view
        else:
            self.alarms.pop(alarm.alarm_id, None)
        return [("alarm", view)]

    def _feed(self, status: FeedStatus) -> list[Event]:
        key = said_of(status.feed, status.node)
        self.feeds[key] = views.feed(status)
        return [("feed", self.feeds[key])]

    def _ledger(self, told: LedgerTold) -> list[Event]:
        self.ledger = views.ledger(told)
        return [("ledger", self.ledger)]

    def _figure(self, figure: Figure) -> list[Event]:
        view = views.figure(figure)
        key = f"{figure.figure}|{figure.label}"
        if key in self.figures and self.figures[key]["window_start"] > view["window_start"]:
            return []
        self.figures[key] = view
        return [("figure", view)]


_HANDLERS: dict[type[Message], Callable[[Board, Any], list[Event]]] = {
    IncidentSummary: Board._incident,  # noqa: SLF001 -- the table of this class's own methods
    Fact: Board._fact,  # noqa: SLF001
    Notice: Board._notice,  # noqa: SLF001
    Alarm: Board._alarm,  # noqa: SLF001
    FeedStatus: Board._feed,  # noqa: SLF001
    Figure: Board._figure,  # noqa: SLF001
    LedgerTold: Board._ledger,  # noqa: SLF001
}
