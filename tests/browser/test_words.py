"""What the page says: every code in both languages, Polish counts, and that its data are old."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from ops.bookkeeping.telling import GAVE_UP, MISSING, OVERDUE, UNPUBLISHED, WHATS
from ops.console.printed import WORDS
from ops.delivering.messages import SET_ASIDE, STOPPED, STUCK
from schemas.feed import FeedState, FeedStatus
from schemas.finding import FindingCode
from schemas.incident import IncidentOpened
from schemas.ledger import ActOutcome
from schemas.summary import IncidentState, Stage
from streams.feed_health import KINDS
from tests.browser.conftest import Post
from tests.ops.test_console_board import fact
from tests.schemas.samples import AT, normalised

pytestmark = pytest.mark.browser


async def texts(post: Post) -> dict[str, Any]:
    """Every word of the page; what is made with a count is left out."""
    found: dict[str, Any] = await post.page.evaluate(
        "import('/static/texts.js').then((all) => JSON.parse(JSON.stringify(all.TEXTS)))"
    )
    return found


async def test_every_code_has_its_words(post: Post) -> None:
    """States, stages, feeds, alarms: in both languages, and the printed sheet says the same."""
    for language, words in (await texts(post)).items():
        assert set(words["states"]) == set(IncidentState)
        assert set(words["stage"]) == set(Stage)
        assert set(words["feed"]) == set(FeedState)
        assert set(words["alarm"]) == {*KINDS, STUCK, STOPPED, SET_ASIDE, MISSING, OVERDUE, UNPUBLISHED, GAVE_UP}
        assert set(words["what"]) == set(WHATS)
        assert set(words["actOutcome"]) == set(ActOutcome)
        assert set(words["finding"]) <= set(FindingCode)
        printed = WORDS[language].states
        assert printed == {state: words["states"][state] for state in printed}


async def test_both_languages_have_the_same_words(post: Post) -> None:
    """Nothing is left in the other language."""
    found = await texts(post)
    assert set(found["pl"]) == set(found["en"])
    for name in ("code", "feature", "shared", "rule", "finding", "flag", "figure", "what", "ledgerCount", "actOutcome"):
        assert set(found["pl"][name]) == set(found["en"][name])


async def test_polish_counts(post: Post) -> None:
    """One, few, many."""
    expected = {
        "newRows": ("nowe zdarzenie", "nowe zdarzenia", "nowych zdarzeń"),
        "unreadN": ("nieprzeczytane", "nieprzeczytane", "nieprzeczytanych"),
        "messagesN": ("wiadomość", "wiadomości", "wiadomości"),
        "rejectedN": ("niezrozumiana", "niezrozumiane", "niezrozumianych"),
    }
    forms = {1: 0, 2: 1, 5: 2, 12: 2, 22: 1, 112: 2}
    script = "([name, numbers]) => import('/static/texts.js').then((all) => numbers.map((n) => all.TEXTS.pl[name](n)))"
    for name, words in expected.items():
        said = await post.page.evaluate(script, [name, list(forms)])
        assert said == [f"{number} {words[form]}" for number, form in forms.items()]


async def test_a_dead_broker_behind_a_living_page_is_said(post: Post) -> None:
    """The stream goes on, but what it tells is old: a word, the age, and the list is marked."""
    page = post.page
    post.apply(FeedStatus(feed="cpr", system="cpr", node="n", state=FeedState.UP, since=AT, said_at=datetime.now(UTC)))
    await expect(page.locator("#feeds")).to_contain_text("działa")
    await expect(page.locator("#connection")).to_have_text("POŁĄCZONO")
    post.hub.read_ms = lambda: 40_000
    await expect(page.locator("#connection-word")).to_have_text("BRAK NOWYCH DANYCH", timeout=20_000)
    await expect(page.locator("#data-age")).to_contain_text("dane sprzed 4")
    await expect(page.locator("body")).to_have_class("desk stale")
    await expect(page.locator("#feeds")).to_contain_text("nie wiadomo od")
    post.hub.read_ms = lambda: 0
    await expect(page.locator("#connection")).to_have_text("POŁĄCZONO", timeout=20_000)


async def test_a_feed_of_which_nobody_speaks_is_neither_well_nor_ill(post: Post) -> None:
    """Its intake node is silent: what it said last is no state any more."""
    status = FeedStatus(feed="cpr", system="cpr", node="n", state=FeedState.UP, since=AT, said_at=AT, documents=22)
    post.apply(status.model_copy(update={"last_document_at": AT - timedelta(minutes=1)}))
    feed = post.page.locator("#feeds li")
    await expect(feed).to_contain_text("nie wiadomo od 2026-02-14")
    await expect(feed).to_contain_text("22 wiadomości")
    await expect(feed).to_have_class("unknown")


async def test_the_age_of_a_feed_counts_its_newest_report(post: Post) -> None:
    """The feed's own word comes every half minute; a report that the page shows is newer than that."""
    now = datetime.now(UTC)
    status = FeedStatus(feed="cpr", system="cpr", node="n", state=FeedState.UP, since=AT, said_at=now)
    post.apply(status.model_copy(update={"last_document_at": now - timedelta(minutes=20)}))
    await expect(post.page.locator("#feeds")).to_contain_text("ostatnio 20 min temu")
    one = normalised()
    told = one.model_copy(update={"report": one.report.model_copy(update={"received_at": now, "report_id": "r-2"})})
    post.apply(fact(IncidentOpened(report=told), "i-2"))
    await expect(post.page.locator("#feeds")).to_contain_text(re.compile(r"ostatnio \d s temu"))
