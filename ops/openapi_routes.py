"""The HTTP routes of an installation, in one table: OpenAPI and its page are made from it, a test holds it true."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Route:
    """One operation. `answers` maps a status to (description, schema name or None); problems are named by status."""

    method: str
    path: str
    id: str
    summary: str
    tag: str
    answers: Mapping[int, tuple[str, str | None]]
    body: str | None = None
    problems: tuple[int, ...] = ()
    media: str = "application/json"
    parameters: Mapping[str, str] = field(default_factory=dict)


_PAGE: Final = {200: ("The page.", None)}
ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "post",
        "/v1/sources/{name}/documents",
        "sendDocument",
        "Send one document. 202 means that our journal holds it on disk; the same again gives the same receipt.",
        "intake",
        {202: ("Accepted: the journal holds it, and the broker too where `held` says so.", "Accepted")},
        body="Document",
        problems=(400, 401, 404, 408, 413, 415, 422, 429, 503),
        parameters={"name": "Name of the source as configured."},
    ),
    Route(
        "get",
        "/v1/receipts/{id}",
        "getReceipt",
        "What became of a document, for the source that sent it. 404 never means that it was not received.",
        "intake",
        {200: ("The receipt.", "Receipt")},
        problems=(404,),
        parameters={"id": "The id that the answer to the document gave."},
    ),
    Route(
        "post",
        "/v1/incidents/{id}/commands",
        "askCommand",
        "Ask for a change of an incident. Answered with the fact that it became, within two seconds, else 202.",
        "commands",
        {200: ("Done: the fact.", "CommandDone"), 202: ("Written down; ask later at `status`.", "CommandLater")},
        body="CommandRequest",
        problems=(401, 403, 404, 409, 422, 429, 503),
        parameters={"id": "Id of the incident."},
    ),
    Route(
        "get",
        "/v1/commands/{id}",
        "getCommand",
        "What a command became.",
        "commands",
        {200: ("Done: the fact.", "CommandDone"), 202: ("Not decided yet.", "CommandLater")},
        problems=(401, 403, 404, 409, 422),
        parameters={"id": "Id of the command."},
    ),
    Route(
        "get",
        "/v1/journal/ids",
        "listJournalIds",
        "Ids of the journal's rows after `after`, for the ledger; never bytes. For accounts with the role operator.",
        "commands",
        {200: ("The rows, and `next` to go on from.", None)},
        problems=(401, 403, 422, 503),
    ),
    Route(
        "post",
        "/v1/journal/documents/{id}/publish",
        "publishDocumentAgain",
        "Bring a document of this node's journal to the broker once more, with the same ids. For the role operator.",
        "commands",
        {202: ("It is on its way.", None)},
        problems=(401, 403, 404, 429, 503),
        parameters={"id": "Id of the document."},
    ),
    Route("get", "/", "getPage", "The page of the duty desk.", "console", _PAGE, problems=(401,), media="text/html"),
    Route(
        "get",
        "/api/about",
        "getAbout",
        "Name, mode and categories of the installation.",
        "console",
        {200: ("What this is.", None)},
        problems=(401,),
    ),
    Route(
        "get",
        "/api/incidents",
        "listIncidents",
        "Everything that the page shows now.",
        "console",
        {200: ("Incidents, notices, feeds, alarms, figures.", None)},
        problems=(401,),
    ),
    Route(
        "get",
        "/api/incidents/{id}",
        "getIncident",
        "One incident with its reports; no personal field.",
        "console",
        {200: ("The incident.", None)},
        problems=(401, 404),
        parameters={"id": "Id of the incident."},
    ),
    Route(
        "get",
        "/api/ledger",
        "getLedger",
        "Is everything accepted accounted for? Counts, what is missing or overdue, what the reconciler did.",
        "console",
        {200: ("The account as it was said last.", None)},
        problems=(401, 404),
    ),
    Route(
        "get",
        "/api/ledger/{id}",
        "getAccountOf",
        "What became of one document, report, command or delivery: to whom, by which rule, and how it ended.",
        "console",
        {200: ("Its account.", None)},
        problems=(401, 404),
        parameters={"id": "Id of a document, report, command, fact or delivery."},
    ),
    Route(
        "get",
        "/api/events",
        "followEvents",
        "Server-Sent Events: what changes, from now on or after `Last-Event-ID`; `reset` when that is too long ago.",
        "console",
        {200: ("The stream.", None)},
        problems=(401,),
        media="text/event-stream",
    ),
    Route(
        "post",
        "/api/incidents/{id}/commands",
        "askCommandFromPage",
        "The page's buttons: handed on to the intake's commands.",
        "console",
        {200: ("Done: the fact.", "CommandDone"), 202: ("Written down.", "CommandLater")},
        body="CommandRequest",
        problems=(400, 401, 403, 404, 409, 422, 503),
        parameters={"id": "Id of the incident."},
    ),
    Route(
        "post",
        "/api/desk",
        "sendDeskForm",
        "The page's form: handed on to the intake as a document of the source `desk`.",
        "console",
        {202: ("Accepted.", "Accepted")},
        body="Document",
        problems=(400, 401, 403, 422, 503),
    ),
    Route(
        "get",
        "/print",
        "printIncidents",
        "Open incidents as a list to print.",
        "console",
        _PAGE,
        problems=(401,),
        media="text/html",
    ),
    Route(
        "get",
        "/trace/{id}",
        "getTrace",
        "The way of one id, as a page.",
        "console",
        _PAGE,
        problems=(401, 404),
        media="text/html",
        parameters={"id": "Document, report, incident or delivery."},
    ),
    Route(
        "get",
        "/health/live",
        "getLive",
        "Whether the process answers.",
        "operation",
        {200: ("It does.", None)},
    ),
    Route(
        "get",
        "/health/ready",
        "getReady",
        "200 iff every held partition committed within 30 s or has no lag, by a separate client.",
        "operation",
        {200: ("Ready.", "Ready"), 503: ("Not ready, and why.", "Ready")},
    ),
    Route(
        "get",
        "/metrics",
        "getMetrics",
        "Prometheus metrics.",
        "operation",
        {200: ("Metrics.", None)},
        media="text/plain",
    ),
    Route(
        "get",
        "/problems/{code}",
        "getProblem",
        "What a problem's code means and what to do.",
        "operation",
        _PAGE,
        media="text/html",
        parameters={"code": "The last part of a problem's `type`."},
    ),
)
