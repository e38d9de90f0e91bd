"""Is a feed well? What is remembered of it, and which alarms hold at a given time. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple

from pydantic import Field

from schemas.feed import AlarmClass, FeedState, FeedStatus
from streams.emit import milliseconds
from streams.loading import Shape

SILENT, DOWN, FAILING, SKEW = "feed-silent", "feed-down", "feed-failing", "clock-skew"
KINDS: Final = (SILENT, DOWN, FAILING, SKEW)


class Limits(Shape):
    """`[watch]` of the configuration."""

    status_seconds: Annotated[float, Field(gt=0)] = 60
    """Intake says at least so often that a feed is alive; three missed ones are an alarm."""
    down_seconds: Annotated[float, Field(gt=0)] = 60
    """A feed that is down for so long is an alarm."""
    clock_skew_seconds: Annotated[float, Field(gt=0)] = 60
    """A far clock further from ours than this is an alarm."""
    failing_share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Share of documents not understood in a window at which a feed counts as failing."""
    failing_documents: Annotated[int, Field(ge=1)] = 3
    """So many documents at least must not have been understood."""
    failing_window_seconds: Annotated[float, Field(gt=0)] = 600
    """Length of that window."""


@dataclass(frozen=True, slots=True)
class Feed:
    """What is remembered of a feed of one node. Times in ms; `*_before` are the counters at the window's start.

    `document_ms` is the last document, or, while there was none, when the feed was first heard of.
    """

    state: str
    since_ms: int
    heard_ms: int
    document_ms: int
    documents: int
    rejected: int
    expected_seconds: float | None
    emergency: bool
    code: str | None
    skew_seconds: float | None
    window_ms: int
    documents_before: int
    rejected_before: int
    failed_before: bool
    alarms: dict[str, list[Any]]
    """Alarms that hold, by kind: since when (ms), class."""


class Wanted(NamedTuple):
    """An alarm that should hold: how loud, and what a person reads."""

    alarm_class: AlarmClass
    detail: str


class Judged(NamedTuple):
    """The alarms that should hold, and when the answer may change by time alone (ms), None when never."""

    alarms: dict[str, Wanted]
    due_ms: int | None


def heard(before: Feed | None, status: FeedStatus, now_ms: int, limits: Limits) -> Feed:
    """The feed after a status. Counters that went back are those of a restarted node, and start from nothing."""
    restarted = before is None or status.documents < before.documents or status.rejected < before.rejected
    document_ms = _ms(status.last_document_at) or (before.document_ms if before else now_ms)
    feed = Feed(
        state=status.state.value,
        since_ms=milliseconds(status.since),
        heard_ms=now_ms,
        document_ms=max(document_ms, before.document_ms if before else 0),
        documents=status.documents,
        rejected=status.rejected,
        expected_seconds=status.expected_every_seconds,
        emergency=status.emergency,
        code=status.code,
        skew_seconds=status.skew_seconds,
        window_ms=before.window_ms if before else now_ms,
        documents_before=0 if restarted or before is None else before.documents_before,
        rejected_before=0 if restarted or before is None else before.rejected_before,
        failed_before=before.failed_before if before else False,
        alarms=before.alarms if before else {},
    )
    return turned(feed, now_ms, limits)


def turned(feed: Feed, now_ms: int, limits: Limits) -> Feed:
    """The feed with a new window when the old one is over; what the old one showed is kept for one more."""
    if now_ms - feed.window_ms < limits.failing_window_seconds * 1000:
        return feed
    return replace(
        feed,
        window_ms=now_ms,
        documents_before=feed.documents,
        rejected_before=feed.rejected,
        failed_before=_failing(feed, limits),
    )


def judge(feed: Feed, now_ms: int, limits: Limits, others: Collection[Feed] = ()) -> Judged:
    """Which alarms should hold now, of what one node says of a feed; `others`: what the other nodes say of it.

    Documents come by whichever node the far side chose: silence is that of all. A node that was stopped is no alarm
    while another has not stopped: that one is judged by itself.
    """
    alarms: dict[str, Wanted] = {}
    dues: list[int] = []
    loud = AlarmClass.URGENT if feed.emergency else AlarmClass.IMPORTANT
    elsewhere = any(one.state != FeedState.STOPPED for one in others)
    down = None if elsewhere and feed.state == FeedState.STOPPED else _down(feed, now_ms, limits, dues)
    if down:
        alarms[DOWN] = Wanted(loud, down)
    elif feed.state == FeedState.UP and feed.expected_seconds is not None:
        last_ms = max(one.document_ms for one in (feed, *others))
        silent_at = last_ms + round(feed.expected_seconds * 1000)
        if now_ms >= silent_at:
            alarms[SILENT] = Wanted(loud, f"no document for {feed.expected_seconds:g} s, the expected rhythm")
        else:
            dues.append(silent_at)
    failing_now = _failing(feed, limits)
    if feed.state == FeedState.UP and feed.code:
        # A feed that changes seldom never has enough documents for a share.
        alarms[FAILING] = Wanted(loud, f"what it shows now is not fully understood: {feed.code}")
    elif failing_now or feed.failed_before:
        alarms[FAILING] = Wanted(loud, f"more than {limits.failing_share:.0%} of the documents were not understood")
        dues.append(feed.window_ms + round(limits.failing_window_seconds * 1000))
    if feed.skew_seconds is not None and abs(feed.skew_seconds) > limits.clock_skew_seconds:
        alarms[SKEW] = Wanted(AlarmClass.IMPORTANT, f"the far clock differs by {feed.skew_seconds:.0f} s")
    return Judged(alarms, min(dues, default=None))


def _down(feed: Feed, now_ms: int, limits: Limits, dues: list[int]) -> str | None:
    """Why the feed counts as down, None when it does not; what may change it by time goes to `dues`."""
    if feed.state == FeedState.DENIED:
        return f"denied: {feed.code or 'no reason told'}"
    if feed.state == FeedState.STOPPED and feed.expected_seconds is None and not feed.emergency:
        return None
    if feed.state != FeedState.UP:
        down_at = feed.since_ms + round(limits.down_seconds * 1000)
        if now_ms >= down_at:
            return f"{feed.state} for more than {limits.down_seconds:g} s: {feed.code or 'no reason told'}"
        dues.append(down_at)
        return None
    missed_at = feed.heard_ms + round(3 * limits.status_seconds * 1000)
    if now_ms >= missed_at:
        return f"its intake node said nothing for {3 * limits.status_seconds:g} s"
    dues.append(missed_at)
    return None


def _failing(feed: Feed, limits: Limits) -> bool:
    documents = feed.documents - feed.documents_before
    rejected = feed.rejected - feed.rejected_before
    return rejected >= limits.failing_documents and rejected >= limits.failing_share * documents


def _ms(at: datetime | None) -> int | None:
    return None if at is None else milliseconds(at)
