"""The page in a real browser: seen, used, without an error in its console."""

from datetime import UTC, datetime

import pytest
from playwright.async_api import expect

from schemas.feed import Alarm, AlarmClass, FeedState, FeedStatus
from schemas.incident import Evidence, Explanation, IncidentState, ReportLinked, Suggestion
from schemas.notice import Notice
from schemas.report import Urgency
from tests.browser.conftest import Post
from tests.ops.test_console_board import fact, summary
from tests.schemas.samples import AT, normalised

pytestmark = pytest.mark.browser


async def test_the_officer_sees_the_incident_and_accepts_it(post: Post) -> None:
    """Polish words, the place, no caller; the button asks the intake with the version that was seen."""
    page = post.page
    await expect(page.locator("#rows")).to_contain_text("Kolizja drogowa")
    await expect(page.locator("#rows")).to_contain_text("Śródmiejska 12, Kalisz")
    await expect(page.locator("#connection")).to_have_text("POŁĄCZONO")
    await page.click('tr[data-id="i-1"]')
    await page.click("text=Przyjmij >> nth=0")
    await expect(page.locator("#answer")).not_to_be_empty()
    path, body, _ = post.intake.asked[0]
    assert path == "/v1/incidents/i-1/commands"
    assert (body["verb"], body["expected_version"], body["unit"]) == ("accept", 1, "kmp-kalisz")
    assert "Przykładowa" not in await page.content()


async def test_what_happens_appears_without_reloading(post: Post) -> None:
    """A new urgent incident, an accepted one, an alarm, a silent feed: each is shown as it comes."""
    page = post.page
    post.apply(summary("i-2", urgency=Urgency.URGENT, opened_at=AT.replace(year=2027)))
    await expect(page.locator("#rows tr")).to_have_count(2)
    await expect(page.locator("#rows tr").first).to_contain_text("pilne")
    post.apply(summary("i-2", 2, state=IncidentState.ACCEPTED))
    await expect(page.locator('tr[data-id="i-2"]')).to_contain_text("przyjęte")
    alarm = {"alarm_id": "a", "kind": "feed-silent", "subject": "cpr", "alarm_class": AlarmClass.URGENT, "active": True}
    post.apply(Alarm.model_validate({**alarm, "raised_at": AT, "changed_at": AT}))
    await expect(page.locator("#alarms")).to_contain_text("Źródło milczy: cpr")
    said_at = datetime.now(UTC)
    post.apply(FeedStatus(feed="cpr", system="cpr", node="n", state=FeedState.DOWN, since=AT, said_at=said_at))
    await expect(page.locator("#feeds")).to_contain_text("nie działa")


async def test_a_withdrawn_warning_leaves(post: Post) -> None:
    """It has no end of its own: only the withdrawal takes it away, and no reloading is needed."""
    post.apply(Notice(notice_id="n-1", feed="imgw", far_id="1", event="Burze", teryt=("3061",)))
    await expect(post.page.locator("#notices")).to_contain_text("Burze")
    for name, view in post.board.withdrawn("n-1"):
        post.hub.publish(name, view)
    await expect(post.page.locator("#notices")).not_to_contain_text("Burze")


async def test_rows_do_not_move_under_the_hand(post: Post) -> None:
    """While the pointer is on the list, new incidents wait behind a bar that counts them."""
    page = post.page
    await page.hover('tr[data-id="i-1"]')
    post.apply(summary("i-3", urgency=Urgency.URGENT, opened_at=AT.replace(year=2027)))
    await expect(page.locator("#new-rows")).to_have_text("1 nowe zdarzenie, pilne: 1")
    await expect(page.locator("#rows tr")).to_have_count(1)
    await page.click("#new-rows")
    await expect(page.locator("#rows tr")).to_have_count(2)


async def test_a_suggestion_is_explained_and_confirmed(post: Post) -> None:
    """Why two may be one stands beside the two buttons."""
    why = Explanation(
        rule="weights", weight_bits=6.2, evidence=(Evidence(feature="distance", value="180 m", weight_bits=4.1),)
    )
    post.apply(summary("i-2"))
    post.apply(summary("i-1", 2, suggestions=(Suggestion(target_id="i-2", report_id="r-1", explanation=why),)))
    page = post.page
    await page.click('tr[data-id="i-1"]')
    await expect(page.locator("#suggestions summary")).to_have_text("Dlaczego pytamy: 180 m od siebie")
    await page.click("#suggestions summary")
    await expect(page.locator("#suggestions li li").first).to_be_visible()
    await expect(page.locator("#suggestions")).to_contain_text("odległość: 180 m (+4.1)")
    await page.click("text=To samo zdarzenie")
    await expect(page.locator("#answer")).not_to_be_empty()
    assert post.intake.asked[0][1]["verb"] == "confirm"


@pytest.mark.parametrize(
    ("language", "sentence", "below"),
    [
        (
            "pl",
            (
                "180 m od siebie, 3 min odstępu, Kolizja drogowa, inny adres, podobny opis,"
                " ten sam kierunek jazdy, dwa źródła, wspólny numer, pasuje też do innych: 1"
            ),
            ("ten sam kierunek jazdy (+0.7)", "wspólny numer: osoba lub pojazd, jed (+9)", "inne też pasują: 1 (-1)"),
        ),
        (
            "en",
            (
                "180 m apart, 3 min between them, Traffic collision, another address, told alike,"
                " the same direction of travel, two sources, a shared number, others fit too: 1"
            ),
            (
                "the same direction of travel (+0.7)",
                "shared number: person or vehicle, jed (+9)",
                "others fit too: 1 (-1)",
            ),
        ),
    ],
)
async def test_why_in_one_sentence(post: Post, language: str, sentence: str, below: tuple[str, ...]) -> None:
    """What a person in a hurry reads; the bits stand below it, in the same language."""
    told = (
        ("prior", "before looking", -6.2),
        ("distance", "180 m (±60 m)", 6.1),
        ("time-gap", "3.2 min", 1.9),
        ("category-pair", "traffic.collision / traffic.collision", 0.4),
        ("source-pair", "cpr / psp", 1.0),
        ("direction", "same", 0.7),
        ("text", "likeness of the words", 2.5),
        ("street", "likeness of the words", -0.2),
        ("shared-id", "token, jed", 9.0),
        ("rivals", "1 more fit", -1.0),
    )
    evidence = tuple(Evidence(feature=name, value=value, weight_bits=bits) for name, value, bits in told)
    why = Explanation(rule="weights", weight_bits=5.2, evidence=evidence)
    post.apply(summary("i-2"))
    post.apply(summary("i-1", 2, suggestions=(Suggestion(target_id="i-2", report_id="r-1", explanation=why),)))
    if language == "en":
        await post.page.click("#language")
    await post.page.click('tr[data-id="i-1"]')
    await expect(post.page.locator("#suggestions summary")).to_contain_text(sentence)
    for line in below:
        await expect(post.page.locator("#suggestions .why li").get_by_text(line, exact=True)).to_have_count(1)


async def test_a_link_is_undone_with_a_reason(post: Post) -> None:
    """A report that is another matter is taken out by the officer; the only report of an incident is not."""
    page, one = post.page, normalised()
    await page.click('tr[data-id="i-1"]')
    await expect(page.locator("#reports li")).not_to_have_count(0)
    await expect(page.get_by_text("Wydziel: inne zdarzenie")).to_have_count(0)
    second = one.model_copy(update={"report": one.report.model_copy(update={"report_id": "r-2"})})
    why = Explanation(rule="weights", weight_bits=5.0)
    linked = fact(ReportLinked(report_id="r-2", explanation=why, report=second), sequence=2)
    post.apply(linked.model_copy(update={"summary": summary("i-1", 2, reports=2)}))
    await page.locator("#reports > ul > li").first.get_by_text("Wydziel: inne zdarzenie").click()
    await page.keyboard.type("druga stłuczka obok")
    await page.keyboard.press("Enter")
    await expect(page.locator("#answer")).not_to_be_empty()
    asked = [body for _, body, _ in post.intake.asked]
    assert [(one["verb"], one["report_id"], one["reason"]) for one in asked] == [
        ("unlink", "r-2", "druga stłuczka obok")
    ]


async def test_the_desk_form_sends_what_was_typed(post: Post) -> None:
    """A report by telephone is taken with the keyboard alone, and answered."""
    page = post.page
    await page.click("#desk-open")
    await page.fill('[name="description"]', "Hałas po północy")
    await page.fill('[name="street"]', "Polna")
    await page.press('[name="street"]', "Enter")
    await expect(page.locator("#desk-answer")).to_contain_text("przyjęto")
    path, body, _ = post.intake.asked[0]
    assert path == "/v1/sources/desk/documents"
    assert (body["description"], body["street"], body["channel"]) == ("Hałas po północy", "Polna", "telephone")
    assert body["entry_id"]
    assert "category" not in body, "no kind is chosen for the officer"


async def test_it_speaks_english_too(post: Post) -> None:
    """One button, every word."""
    await post.page.click("#language")
    await expect(post.page.locator("#rows")).to_contain_text("Traffic collision")
    await expect(post.page.locator("#connection")).to_have_text("CONNECTED")


async def test_a_lost_connection_is_said_and_comes_back(post: Post) -> None:
    """The page never looks alive while it is not; what was missed is there afterwards."""
    page = post.page
    await page.context.set_offline(True)
    post.hub.close()
    await expect(page.locator("#connection")).not_to_have_text("POŁĄCZONO")
    post.apply(summary("i-9"))
    await page.context.set_offline(False)
    await expect(page.locator("#connection")).to_have_text("POŁĄCZONO", timeout=20_000)
    await expect(page.locator('tr[data-id="i-9"]')).to_be_visible()
    post.said.clear()  # the browser itself reports the connection that we cut
