"""A node comes back from yesterday's backup, on a real broker: nothing is dispatched again, and the gap is named."""

import asyncio
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.cpr.lab import CprLab
from connectors.journal_rows import GAP_CODE, HELD_CODE
from connectors.webhook.lab import WebhookLab
from ops import quarantine, runtime
from ops.backup import back_up
from ops.demo.stage import Stage
from ops.restore import restore
from ops.roles import deliver, intake, streams
from tests.broker.roles_here import drained, installation, post, recipients, role
from tests.waiting import until


def effects(labs: Mapping[str, WebhookLab]) -> dict[str, int]:
    """How many messages had an effect at each recipient."""
    return {name: len(lab.kept) for name, lab in labs.items()}


async def test_yesterdays_backup_dispatches_nothing_again(
    kafka, prefix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve reports dispatched that the backup knows as unpublished, five after it: restored, none leaves again.

    The twelve are held and listed, the gap is an item of its own. Let go, they have no second effect; neither has what
    the partner repeats from the gap. What is new goes through, and the ledger balances.
    """
    # Marks are saved lazily; here not before the end: the backup knows nothing of what was published.
    monkeypatch.setattr("connectors.publisher._FLUSH_SECONDS", 3_600.0)
    lab = CprLab()
    async with recipients() as labs:
        settings = await asyncio.to_thread(installation, tmp_path / "one", kafka.bootstrap_servers, prefix, labs)
        async with role(settings, "streams", streams.run), role(settings, "deliver", deliver.run):
            async with role(settings, "intake", intake.run):
                before = [await post(settings, lab.form()) for _ in range(12)]
                await asyncio.to_thread(back_up, settings, tmp_path / "copy")
                gap_bodies = [lab.form() for _ in range(5)]
                gap = [await post(settings, body) for body in gap_bodies]
                await until(lambda: len(labs["dispatch"].kept) >= 17, 60, "all are dispatched")
            await drained(settings)
            monkeypatch.undo()
            shutil.rmtree(settings.data_dir / "journal")
            seen, requests = effects(labs), {name: one.requests for name, one in labs.items()}

            found = await asyncio.to_thread(restore, settings, tmp_path / "copy")
            assert found.held == 12
            async with role(settings, "intake", intake.run):

                async def told_of() -> bool:
                    return len((await quarantine.shelf(settings)).items) == 13

                await until(told_of, 30)
                items = [one.told for one in (await quarantine.shelf(settings)).items.values()]
                held = {one["document_id"] for one in items if one["code"] == HELD_CODE}
                assert held == {one["id"] for one in before}
                (named,) = [one for one in items if one["code"] == GAP_CODE]
                assert found.made_at.isoformat(timespec="seconds") in named["detail"]
                await drained(settings)
                assert effects(labs) == seen, "nothing is dispatched by the restore"

                command = Stage(tmp_path / "one")
                status, said = await command.run("journal", "held", "--release-all", "--reason", "the drill")
                assert (status, said) == (0, "12 rows let go\n")
                again = await post(settings, gap_bodies[0])
                assert (again["id"], again["reports"]) == (gap[0]["id"], gap[0]["reports"])
                fresh = await post(settings, lab.form())
                assert fresh["reports"]
                await until(lambda: len(labs["dispatch"].kept) > seen["dispatch"], 60, "the new report is dispatched")
                account = await drained(settings)
                assert account["balanced"] is True, account
                new = {name: number - seen[name] for name, number in effects(labs).items()}
                assert new["dispatch"] == 1
                assert {name: one.requests - requests[name] for name, one in labs.items()} == new
                status, said = await command.run("journal", "held")
                assert (status, said) == (0, "0 rows are held\n")
                assert runtime.running(settings, "intake") is not None
