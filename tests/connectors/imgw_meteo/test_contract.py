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
