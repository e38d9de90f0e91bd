"""The page's section of the ledger: its word in Polish and English, what is missing or late, and where to look."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import expect

from schemas.ledger import ActOutcome, ActStage, LedgerTold, OverdueDelivery, ReconcilerActed
from tests.browser.conftest import Post

pytestmark = pytest.mark.browser


def now() -> datetime:
    """This moment: the page takes what is older than some minutes for unknown."""
    return datetime.now(UTC)


async def test_the_account_is_told_in_words(post: Post) -> None:
    """Unknown until the ledger speaks; balanced, not balanced, and unknown again when a journal cannot be read."""
    word = post.page.locator("#ledger-word")
    await expect(word).to_contain_text("nieznane")
    post.apply(LedgerTold(balanced=True, said_at=now(), judged_at=now(), accepted=7, delivered=6, in_flight=1))
    await expect(word).to_contain_text("zgodne · stan na")
    await expect(post.page.locator("#ledger-counts")).to_contain_text("przyjęte 7")
    post.apply(LedgerTold(balanced=None, said_at=now(), judged_at=now(), unreachable=("intake-2",)))
    await expect(word).to_contain_text("nieznane")
    await expect(post.page.locator("#ledger-list")).to_contain_text("dziennik nieosiągalny: intake-2")
    post.apply(LedgerTold(balanced=True, said_at=now() - timedelta(minutes=5), judged_at=now()))
    await expect(word).to_contain_text("nieznane")
    await post.page.click("#language")
    await expect(word).to_contain_text("unknown")


async def test_what_a_person_must_look_at_leads_to_its_trace(post: Post) -> None:
    """Missing and overdue ids are links to the trace; what the reconciler did stands below."""
    act = ReconcilerActed(
        act_id="a",
        stage=ActStage.DELIVER,
        subject_id="d-1",
        why="without_receipt",
        attempt=3,
        outcome=ActOutcome.GIVEN_UP,
        acted_at=now(),
        missed_since=now(),
    )
    late = OverdueDelivery(delivery_id="d-2", recipient="psp", deadline_at=now())
    post.apply(
        LedgerTold(
            balanced=False,
            said_at=now(),
            judged_at=now(),
            missing={"without_receipt": 1},
            missing_ids={"without_receipt": ("d-1",)},
            overdue_count=1,
            overdue=(late,),
            acts=(act,),
        )
    )
    listed = post.page.locator("#ledger-list")
    await expect(post.page.locator("#ledger-word")).to_contain_text("NIEZGODNE")
    await expect(listed).to_contain_text("brakuje doręczenia bez potwierdzenia: d-1")
    await expect(listed).to_contain_text("psp: d-2")
    await expect(listed).to_contain_text("uzgadnianie: potrzebny człowiek")
    await expect(listed.locator('a[href="/trace/d-2"]')).to_have_count(1)
