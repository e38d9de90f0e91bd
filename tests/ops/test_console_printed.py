"""The printed list."""

from datetime import timedelta

from ops.console.printed import sheet
from ops.console.views import incident
from tests.ops.test_console_board import summary
from tests.schemas.samples import AT


def test_open_incidents_urgent_first_with_the_day_only_where_it_is_another() -> None:
    """Closed ones are not on paper; an unknown kind stands by its code; another day is written out."""
    views = [
        incident(summary("ordinary", urgency="ordinary")),
        incident(summary("yesterday", opened_at=AT - timedelta(days=1))),
        incident(summary("urgent-1")),
        incident(summary("ended-1", state="ended")),
    ]
    title, body = sheet(views, {}, "KMP <Test>", AT, "en")
    assert title == "Open incidents"
    assert body.index("yesterda") < body.index("urgent-1") < body.index("<td>ordinary</td></tr>")
    assert "ended-1" not in body
    assert "KMP &lt;Test&gt;" in body
    assert "<td>19:30:05</td>" in body
    assert "<td>2026-02-13 19:30:05</td>" in body
    assert "traffic.collision" in body
