"""The connector keeps the contract of every source."""

from connectors.imgw_meteo import CONNECTOR
from tests.contract.source_suite import SourceContract
from tests.waiting import until


class TestImgwMeteo(SourceContract):
    """All of it, but for what is exempt with a reason."""

    connector = CONNECTOR

    async def test_a_poll_without_change_is_a_sign_of_life(self, stage):
        """The watch must not take calm weather for a dead feed."""
        await self.say(stage, range(1))
        first, documents = stage.feed.last_document_at, stage.feed.documents
        await until(lambda: stage.feed.last_document_at > first)
        assert stage.feed.documents == documents

    async def test_an_incomplete_snapshot_counts_as_not_understood(self, stage):
        """It is shown, and its share among the documents raises the alarm of a failing feed."""
        await self.say(stage, range(1))
        assert stage.feed.rejected == 0
        stage.lab.warn("Odd", obowiazuje_od="soon")
        await until(lambda: stage.feed.documents == 2)
        assert stage.feed.rejected == 1
