"""Two intake nodes behind one partner's address: what is sent to both, because an answer was late, has one effect."""

import asyncio
from collections import Counter
from pathlib import Path

from connectors.cpr.lab import CprLab
from ops import kafka as clients
from ops import runtime
from ops.demo.cast import reports_of
from ops.roles import deliver, intake, streams
from schemas.report import Report
from schemas.topics import EMERGENCY
from schemas.wire import payload
from tests.broker.roles_here import drained, installation, post, recipients, role
from tests.waiting import until

REPORTS = 12


async def test_a_partner_that_tries_the_other_node_has_one_effect(kafka, prefix, tmp_path: Path) -> None:
    """Each form goes to both nodes at once: same document id, same report id, twice in the lane at most, one dispatch.

    Both ledgers together balance: no id is in one journal and nowhere else.
    """
    lab = CprLab()
    bodies = [lab.form() for _ in range(REPORTS)]
    async with recipients() as labs:
        one = await asyncio.to_thread(installation, tmp_path / "one", kafka.bootstrap_servers, prefix, labs, "n1")
        runtime.prepare(one)
        # One installation has one key, on each of its nodes.
        other = await asyncio.to_thread(installation, tmp_path / "two", kafka.bootstrap_servers, prefix, labs, "n2")
        async with role(one, "intake", intake.run):
            key = runtime.key_file(one)
            runtime.key_file(other).write_bytes(key.read_bytes())
            runtime.key_file(other).chmod(0o600)
            async with (
                role(other, "intake", intake.run),
                role(one, "streams", streams.run),
                role(one, "deliver", deliver.run),
            ):
                pairs = await asyncio.gather(*(asyncio.gather(post(one, body), post(other, body)) for body in bodies))
                for first, second in pairs:
                    assert (first["id"], first["reports"]) == (second["id"], second["reports"])
                    assert not first["repeated"]
                    assert not second["repeated"]
                ids = {report for first, _ in pairs for report in first["reports"]}
                assert len(ids) == REPORTS
                await until(lambda: len(dispatched(labs["dispatch"])) >= REPORTS, 60, "all are dispatched")
                account = await drained(one, n2=runtime.address(other, "intake"))
                assert account["balanced"] is True, account
                lane = Counter[str]()
                async for record in clients.read_all(one, [EMERGENCY]):
                    report = payload(record.headers, record.value)
                    assert isinstance(report, Report)
                    lane[report.report_id] += 1
                assert set(lane) == ids
                assert max(lane.values()) <= 2
                assert max(lane.values()) == 2, "both nodes published: otherwise nothing was proved"
                assert dispatched(labs["dispatch"]) == Counter(dict.fromkeys(ids, 1))


def dispatched(lab) -> Counter[str]:
    """How many messages with an effect told first of each report."""
    told = Counter[str]()
    for kept in lab.kept.values():
        told.update(reports_of(kept.body))
    return told
