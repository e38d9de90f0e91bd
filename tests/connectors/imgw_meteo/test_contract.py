"""The connector keeps the contract of every source."""

import orjson

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

    async def test_a_picture_that_is_not_understood_is_told(self, stage):
        """It is shown as far as it goes; the feed's status says so until there is one that is understood."""
        await self.say(stage, range(1))
        assert (stage.feed.rejected, _code(stage)) == (0, None)
        row = stage.lab.warn("Odd", obowiazuje_od="soon")
        await until(lambda: stage.feed.documents == 2)
        assert (stage.feed.rejected, _code(stage)) == (1, "not-understood")
        row["obowiazuje_od"] = "2026-02-14 18:00:00"
        await until(lambda: stage.feed.documents == 3)
        assert (stage.feed.rejected, _code(stage)) == (1, None)


def _code(stage):
    return orjson.loads(stage.feed.status("n1")[0]).get("code")
