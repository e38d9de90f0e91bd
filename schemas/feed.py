"""Whether each feed is alive, and the alarms that say it is not."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about


class FeedState(StrEnum):
    """The runner's word on a source."""

    UP = "up"
    DOWN = "down"
    DENIED = "denied"
    STOPPED = "stopped"


def said_of(feed: str, node: str) -> str:
    """The key of what a node says of a feed, in `feed.status` and wherever it is kept."""
    return f"{feed}@{node}"


class FeedStatus(Message):
    """What an intake node says of one source, at every change and at least once a minute.

    The payload of `feed.status`, keyed by `feed@node`.
    """

    feed: Annotated[str, about("Source instance.", Privacy.OPERATIONAL)]
    system: Annotated[str, about("Connector.", Privacy.OPERATIONAL)]
    node: Annotated[str, about("Intake node.", Privacy.OPERATIONAL)]
    state: Annotated[FeedState, about("Up, down, denied, stopped.", Privacy.OPERATIONAL)]
    since: Annotated[datetime, about("Since when.", Privacy.OPERATIONAL)]
    said_at: Annotated[datetime, about("When this was said.", Privacy.OPERATIONAL)]
    last_document_at: Annotated[datetime | None, about("Last document.", Privacy.OPERATIONAL)] = None
    documents: Annotated[int, about("Documents since start.", Privacy.OPERATIONAL, "documents", ge=0)] = 0
    rejected: Annotated[int, about("Of these not understood.", Privacy.OPERATIONAL, "documents", ge=0)] = 0
    expected_every_seconds: Annotated[
        float | None,
        about("Expected rhythm; None: none.", Privacy.OPERATIONAL, "s", gt=0),
    ] = None
    emergency: Annotated[
        bool,
        about("An emergency feed: its silence is an urgent alarm.", Privacy.OPERATIONAL),
    ] = False
    code: Annotated[
        str | None, about("Why it is not up, or what it shows is not fully understood.", Privacy.OPERATIONAL)
    ] = None
    skew_seconds: Annotated[
        float | None,
        about("Far clock minus ours, from the last document.", Privacy.OPERATIONAL, "s"),
    ] = None


class AlarmClass(StrEnum):
    """Polish: pilny, ważny, informacja."""

    URGENT = "urgent"
    IMPORTANT = "important"
    INFORMATION = "information"


class Alarm(Message):
    """Something that needs a response of a person: `alarm.current`, keyed by alarm id; `active` false ends it."""

    alarm_id: Annotated[str, about("uuid5 of kind and subject.", Privacy.OPERATIONAL)]
    kind: Annotated[
        str,
        about(
            "feed-silent, feed-down, feed-failing, clock-skew, incident-unanswered, delivery-stuck, quarantine.",
            Privacy.OPERATIONAL,
        ),
    ]
    subject: Annotated[str, about("Feed, incident, recipient.", Privacy.OPERATIONAL)]
    alarm_class: Annotated[AlarmClass, about("How loud.", Privacy.OPERATIONAL)]
    active: Annotated[bool, about("Whether it still holds.", Privacy.OPERATIONAL)]
    raised_at: Annotated[datetime, about("Since when.", Privacy.OPERATIONAL)]
    changed_at: Annotated[datetime, about("Last change.", Privacy.OPERATIONAL)]
    detail: Annotated[str, about("For a person, in English, numbers with units.", Privacy.OPERATIONAL)] = ""


class Figure(Message):
    """One windowed figure of `figures.current`; derived, may be dropped and rebuilt."""

    figure: Annotated[
        str,
        about("Name: reports_by_source, incidents_by_category, ...", Privacy.PUBLIC),
    ]
    label: Annotated[str, about("Which source, category or unit.", Privacy.OPERATIONAL)]
    window_start: Annotated[datetime, about("Start of the window.", Privacy.PUBLIC)]
    window_seconds: Annotated[int, about("Its length.", Privacy.PUBLIC, "s", gt=0)]
    count: Annotated[int, about("How many.", Privacy.PUBLIC, "events", ge=0)]
    total_seconds: Annotated[float | None, about("Sum of durations, for means.", Privacy.PUBLIC, "s")] = None
