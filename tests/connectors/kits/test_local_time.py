"""Local times: the ordinary ones, the doubled hour, the skipped hour, times with an offset, nonsense."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connectors.kits.local_time import Reading, parsed, to_utc, zone
from schemas.errors import Misconfigured
from schemas.finding import FindingCode

WARSAW = zone("Europe/Warsaw")


def test_an_ordinary_time_becomes_utc_without_a_finding():
    """Summer and winter use their own offset."""
    assert to_utc(datetime.fromisoformat("2025-07-10T12:41"), WARSAW, "/t") == (
        datetime(2025, 7, 10, 10, 41, tzinfo=UTC),
        None,
    )
    assert to_utc(datetime.fromisoformat("2025-01-10T12:41"), WARSAW, "/t") == (
        datetime(2025, 1, 10, 11, 41, tzinfo=UTC),
        None,
    )


@pytest.mark.parametrize(("reading", "hour"), [(Reading.EARLIER, 0), (Reading.LATER, 1)])
def test_the_doubled_hour_is_read_as_asked_and_says_so(reading, hour):
    """2025-10-26 02:30 stood on the clocks of Warsaw at 00:30 and at 01:30 UTC."""
    at, finding = to_utc(datetime.fromisoformat("2025-10-26T02:30"), WARSAW, "/t", reading)
    assert at == datetime(2025, 10, 26, hour, 30, tzinfo=UTC)
    assert finding is not None
    assert (finding.code, finding.at) == (FindingCode.TIME_AMBIGUOUS, "/t")


def test_a_skipped_time_is_kept_with_a_finding():
    """2025-03-30 02:30 never stood on a clock of Warsaw."""
    at, finding = to_utc(datetime.fromisoformat("2025-03-30T02:30"), WARSAW, "/t")
    assert at == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    assert finding is not None
    assert finding.code is FindingCode.TIME_IMPLAUSIBLE


def test_a_time_with_an_offset_keeps_it():
    """The configured zone is for times that have none."""
    local = datetime(2025, 10, 26, 2, 30, tzinfo=timezone(timedelta(hours=5)))
    assert to_utc(local, WARSAW, "/t") == (datetime(2025, 10, 25, 21, 30, tzinfo=UTC), None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2025-02-30 10:00:00",
        "yesterday",
        "2025-07-10 25:00:00",
        "\x00",
        "٢٠٢٥",
        "9999-12-31 23:59:59",
        "0001-01-01 00:00:00",
    ],
)
def test_nonsense_is_no_time(text):
    """Impossible dates give None, never an exception."""
    assert parsed(text) is None
    assert parsed(text, "%Y-%m-%d %H:%M:%S") is None


def test_an_unknown_zone_refuses_to_start():
    """A mistyped zone is a mistake of the configuration."""
    with pytest.raises(Misconfigured):
        zone("Europe/Kalisz")
