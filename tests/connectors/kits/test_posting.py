"""What a status of a far side causes."""

from datetime import UTC, datetime

import pytest

from connectors.kits.posting import failure, patience
from schemas.errors import Code, Denied, Rejected, Unavailable

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (410, Denied, Code.RECIPIENT_GONE),
        (401, Denied, Code.UNAUTHENTICATED),
        (403, Denied, Code.FORBIDDEN),
        (400, Rejected, Code.RECIPIENT_REFUSED),
        (404, Rejected, Code.RECIPIENT_REFUSED),
        (422, Rejected, Code.RECIPIENT_REFUSED),
        (301, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
        (308, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
        (408, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
        (429, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
        (500, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
        (502, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
        (504, Unavailable, Code.FAR_SIDE_UNAVAILABLE),
    ],
)
def test_each_status_has_one_consequence(status: int, kind: type[Exception], code: Code) -> None:
    """Stop, set aside, or again: decided by the status alone."""
    error = failure(status)
    assert type(error) is kind
    assert error.code is code


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("999999999999999", 300.0),
        ("Tue, 24 Nov 2026 12:00:20 GMT", 20.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 +999999999999999999", None),
        ("Wed, 21 Oct 999999999999999999999 07:28:00 GMT", None),
        ("-5", None),
        ("²", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(text: str | None, seconds: float | None) -> None:
    """Seconds and HTTP dates (RFC 9110, 10.2.3), at most five minutes; nonsense counts as not said."""
    assert patience(text, NOW) == seconds
    error = failure(503, "7")
    assert isinstance(error, Unavailable)
    assert error.retry_after_seconds == 7.0
