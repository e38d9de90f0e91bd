"""The HTTP routes of the quarantine, as OpenAPI tells of them."""

from typing import Final

from ops.openapi_route import Route


def _aside(method: str, path: str, id: str, summary: str, answer: str, schema: str, body: str | None = None) -> Route:
    """An operation on what was set aside. Its refusals are the same everywhere."""
    named = {"id": "Item, document, report or delivery; for `replays` the job."} if "{id}" in path else {}
    problems = (401, 403, 404, 413, 422, 429, 503)
    return Route(method, path, id, summary, "quarantine", {200: (answer, schema)}, body, problems, parameters=named)


ASIDE: Final = (
    _aside(
        "get",
        "/v1/quarantine",
        "listQuarantine",
        "What was set aside, oldest first, and how many by reason. Query: `code`, `source`, `stage`, `state`, `since`, "
        "`until`.",
        "The items and the histogram.",
        "AsideList",
    ),
    _aside("get", "/v1/quarantine/{id}", "getQuarantined", "One item; no bytes.", "The item.", "AsideItem"),
    _aside(
        "post",
        "/v1/quarantine/{id}/bytes",
        "lookAtQuarantined",
        "The bytes of an item, for a purpose that is written down first.",
        "The item with `bytes`, `text` and `hex`.",
        "AsideItem",
        "AsideLook",
    ),
    _aside(
        "post",
        "/v1/quarantine/{id}/diff",
        "compareQuarantined",
        "What a correction changes, or the one that took the item's place changed.",
        "The difference, by fields, text or bytes.",
        "AsideDifference",
        "AsideReplay",
    ),
    _aside(
        "post",
        "/v1/quarantine/{id}/replay",
        "replayQuarantined",
        "Let an item re-enter at its stage, or a corrected copy of it, which is a new document of the same source.",
        "It re-entered, or its correction is kept.",
        "AsideHandled",
        "AsideReplay",
    ),
    _aside(
        "post",
        "/v1/quarantine/{id}/discard",
        "discardQuarantined",
        "Note that an item is nothing, and why.",
        "Noted.",
        "AsideHandled",
        "AsideDiscard",
    ),
    _aside("get", "/v1/replays", "listReplays", "Replays of many on this node.", "Their progress.", "ReplayList"),
    _aside(
        "post",
        "/v1/replays",
        "beginReplay",
        "Replay many, chosen by reason, source, stage and time: a dry run unless `dry_run` is false.",
        "What would be replayed, or the job that began.",
        "ReplayJob",
        "ReplayRequest",
    ),
    _aside("get", "/v1/replays/{id}", "getReplay", "One replay of many.", "Its progress by item.", "ReplayJob"),
)
