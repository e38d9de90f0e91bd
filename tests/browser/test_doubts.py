"""What an officer sees of links that may be wrong, and of what a neighbour has."""

import pytest
from playwright.async_api import expect

from schemas.incident import (
    Evidence,
    Explanation,
    IncidentFlagged,
    ObservationMade,
    ReportLinked,
    SuggestionSettled,
)
from tests.browser.conftest import Post
from tests.ops.test_console_board import fact, summary
from tests.schemas.samples import normalised

pytestmark = pytest.mark.browser


def linked(post: Post) -> None:
    """A second report stands at the incident, by weight."""
    one = normalised()
    second = one.model_copy(update={"report": one.report.model_copy(update={"report_id": "r-2"})})
    told = fact(ReportLinked(report_id="r-2", explanation=Explanation(rule="weights"), report=second), sequence=2)
    post.apply(told.model_copy(update={"summary": summary("i-1", 2, reports=2)}))


async def test_a_doubtful_link_is_marked_and_left(post: Post) -> None:
    """The report says that its place no longer fits; beside taking it out it can be left, and the mark goes."""
    page = post.page
    linked(post)
    await page.click('tr[data-id="i-1"]')
    await expect(page.get_by_text("Zostaw: to samo zdarzenie")).to_have_count(0)
    doubt = fact(IncidentFlagged(flag="link-doubtful", report_id="r-2"), sequence=3)
    flagged = summary("i-1", 3, reports=2, flags=("link-doubtful",))
    post.apply(doubt.model_copy(update={"summary": flagged}))
    await expect(page.locator("#head")).to_contain_text("wątpliwe połączenie")
    await expect(page.locator("#reports > ul > li").first).to_contain_text("miejsce już nie pasuje")
    await page.get_by_text("Zostaw: to samo zdarzenie").click()
    await expect(page.locator("#answer")).not_to_be_empty()
    asked = [body for _, body, _ in post.intake.asked]
    assert [(one["verb"], one["target_id"], one["report_id"]) for one in asked] == [("confirm", "i-1", "r-2")]
    settled = fact(SuggestionSettled(target_id="i-1", confirmed=True, report_id="r-2"), sequence=4)
    post.apply(settled.model_copy(update={"summary": summary("i-1", 4, reports=2)}))
    await expect(page.get_by_text("Zostaw: to samo zdarzenie")).to_have_count(0)
    await expect(page.locator("#head")).not_to_contain_text("wątpliwe połączenie")


async def test_what_a_neighbour_has_is_named_with_why(post: Post) -> None:
    """Whose it is, their incident, and the reason in one sentence, with the road."""
    page = post.page
    told = (("distance", "400 m (±60 m)", 4.0), ("road", "same", 0.4))
    evidence = tuple(Evidence(feature=name, value=value, weight_bits=bits) for name, value, bits in told)
    why = Explanation(rule="weights", weight_bits=2.0, evidence=evidence)
    seen = ObservationMade(from_unit="kpp-pleszew", report_id="theirs", other_incident_id="i-9", explanation=why)
    flagged = summary("i-1", 2, flags=("neighbour-observed",))
    post.apply(fact(seen, sequence=2).model_copy(update={"summary": flagged}))
    await page.click('tr[data-id="i-1"]')
    await expect(page.locator("#suggestions")).to_contain_text("Być może to samo ma sąsiad: kpp-pleszew (i-9)")
    await expect(page.locator("#suggestions summary")).to_have_text("Dlaczego pytamy: 400 m od siebie, ta sama droga")
    await expect(page.locator("#head")).to_contain_text("zgłoszenie także u sąsiada")
