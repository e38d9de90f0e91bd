"""The page under an officer's hands: mouse, keys, a small screen; nothing is lost while the world goes on."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from schemas.feed import Alarm, AlarmClass
from schemas.incident import Explanation, IncidentState, Suggestion
from schemas.report import Urgency
from tests.browser.conftest import Post
from tests.ops.test_console_board import summary
from tests.schemas.samples import AT

pytestmark = pytest.mark.browser


def many(post: Post, number: int = 60) -> None:
    """A long list, the youngest first."""
    for at in range(number):
        post.apply(summary(f"n-{at}", urgency=Urgency.ORDINARY, opened_at=AT - timedelta(minutes=at)))


async def test_a_press_that_has_begun_is_not_lost(post: Post) -> None:
    """The incident changes before the button is let go: the row is chosen, the command goes, with the new version."""
    page = post.page
    await page.hover('tr[data-id="i-1"] td:nth-child(3)')
    await page.mouse.down()
    post.apply(summary("i-1", 2, reports=2))
    await expect(page.locator('tr[data-id="i-1"] td:nth-child(5)')).to_have_text("2")
    await page.mouse.up()
    await page.hover("#actions >> text=Przyjmij")
    await page.mouse.down()
    post.apply(summary("i-1", 3, reports=3))
    await expect(page.locator("#reports h3")).to_have_text("Zgłoszenia: 3")
    await page.mouse.up()
    await expect(page.locator("#answer")).not_to_be_empty()
    assert (post.intake.asked[0][1]["verb"], post.intake.asked[0][1]["expected_version"]) == ("accept", 3)
    post.apply(summary("i-1", 4, state=IncidentState.ACCEPTED))
    await expect(page.locator("#head")).to_contain_text("przyjęte")
    await expect(page.locator("#answer")).not_to_be_empty()


async def test_the_list_is_walked_with_keys(post: Post) -> None:
    """One stop in the order of Tab, arrows from row to row, Enter chooses, and Tab goes on to what can be done."""
    page = post.page
    post.apply(summary("i-2", opened_at=AT - timedelta(hours=1)))
    await expect(page.locator("#rows tr")).to_have_count(2)
    await page.focus("#search")
    await page.keyboard.press("Tab")
    await expect(page.locator('tr[data-id="i-1"]')).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.locator('tr[data-id="i-2"]')).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator('tr[data-id="i-2"]')).to_have_attribute("aria-current", "true")
    await page.keyboard.press("Tab")
    await expect(page.locator("#actions button").first).to_be_focused()
    post.apply(summary("i-2", 2, unread=1, opened_at=AT - timedelta(hours=1)))
    await expect(page.locator("#head")).to_contain_text("1 nieprzeczytane")
    await expect(page.locator("#actions button").first).to_be_focused()


async def test_a_suggestion_is_rejected_with_a_reason(post: Post) -> None:
    """The reason is asked for on the page itself; Escape asks nothing of anybody."""
    page = post.page
    post.apply(summary("i-2"))
    told = Suggestion(target_id="i-2", report_id="r-1", explanation=Explanation(rule="weights"))
    post.apply(summary("i-1", 2, suggestions=(told,)))
    await page.click('tr[data-id="i-1"]')
    await page.click("text=Inne zdarzenie")
    await page.keyboard.press("Escape")
    await page.click("text=Inne zdarzenie")
    await page.keyboard.type("inna ulica")
    await page.keyboard.press("Enter")
    await expect(page.locator("#answer")).not_to_be_empty()
    assert [(body["verb"], body["reason"]) for _, body, _ in post.intake.asked] == [("reject", "inna ulica")]


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
async def test_what_was_chosen_is_in_sight(post: Post, width: int, height: int) -> None:
    """However far down the list it was; and nothing has to be scrolled sideways."""
    page = post.page
    await page.set_viewport_size({"width": width, "height": height})
    many(post)
    await expect(page.locator("#rows tr")).to_have_count(61)
    await page.click('tr[data-id="n-55"]')
    await expect(page.locator("#actions button").first).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_sheet_fits_a_telephone(post: Post) -> None:
    """A wide sheet scrolls in its own frame, so no column is out of reach."""
    await post.page.set_viewport_size({"width": 390, "height": 844})
    await post.page.goto(f"{post.url}print")
    await expect(post.page.locator("tbody tr")).to_have_count(1)
    assert await post.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_what_did_not_change_is_not_announced_again(post: Post) -> None:
    """The page looks at its clock every second; an alarm that stands is the same element, so nobody hears it twice."""
    page = post.page
    alarm = {"alarm_id": "a", "kind": "feed-silent", "subject": "cpr", "alarm_class": AlarmClass.URGENT, "active": True}
    post.apply(Alarm.model_validate({**alarm, "raised_at": AT, "changed_at": AT}))
    await expect(page.locator("#alarms .alarm")).to_have_count(1)
    await page.evaluate("document.querySelector('#alarms .alarm').dataset.same = 'yes'")
    before = await page.inner_text("#clock")
    await expect(page.locator("#clock")).not_to_have_text(before)
    await expect(page.locator("#clock")).not_to_have_text(await page.inner_text("#clock"))
    await expect(page.locator("#alarms .alarm")).to_have_attribute("data-same", "yes")


async def test_a_new_urgent_incident_is_said_and_not_only_rung(post: Post) -> None:
    """In words for a screen reader, whether sound is on or off."""
    post.apply(summary("i-7", urgency=Urgency.URGENT))
    await expect(post.page.locator("#said")).to_contain_text("Nowe zdarzenie pilne: Kolizja drogowa, Śródmiejska 12")


async def test_what_came_while_the_stream_was_away_is_said_too(post: Post) -> None:
    """The console was started again: the page takes the whole picture anew and tells of the urgent one it missed."""
    page = post.page
    await expect(page.locator("#connection")).to_have_text("POŁĄCZONO")
    post.hub.epoch = "another"
    post.hub.close()
    post.apply(summary("i-8", urgency=Urgency.URGENT))
    await expect(page.locator('tr[data-id="i-8"]')).to_be_visible(timeout=20_000)
    await expect(page.locator("#said")).to_contain_text("Nowe zdarzenie pilne")
    post.said.clear()  # the browser itself reports the connection that we cut


async def test_a_report_of_blanks_is_not_sent(post: Post) -> None:
    """The form says what is missing, and keeps what was typed."""
    page = post.page
    await page.click("#desk-open")
    await page.fill('[name="street"]', "Polna")
    await page.fill('[name="description"]', "   ")
    await page.click("#desk-send")
    assert (
        await page.evaluate("document.querySelector('#desk-description').validationMessage") == "Opisz, co się stało."
    )
    assert post.intake.asked == []
    await page.fill('[name="description"]', "Hałas")
    await page.click("#desk-send")
    await expect(page.locator("#desk-answer")).to_contain_text("przyjęto")
    assert post.intake.asked[0][1]["street"] == "Polna"
