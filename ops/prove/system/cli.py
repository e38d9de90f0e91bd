"""What `sztab prove` does when no other word follows: the faults on a whole installation."""

import asyncio
import logging
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from ops.prove import alerting
from ops.prove.system import report
from ops.prove.system.campaign import Campaign, Order, build, convicting, orders
from ops.prove.system.catalogue import CONVICTIONS, FAULTS, QUICK
from ops.prove.system.fault import Fault
from ops.prove.system.fencing import FENCE, fence_convicted
from ops.prove.system.history import Evidence
from ops.prove.system.page import page
from ops.prove.system.store import Store
from ops.prove.system.totals import Run, Skipped, convictions, rows, total

RATE: Final = 200.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asked for."""

    faults: str
    seconds: float | None
    runs: int | None
    seed: int
    rate: float
    resume: Path | None
    html: Path | None
    folder: Path | None
    convict: bool
    alerts: bool
    evidence: bool
    as_json: bool


@dataclass(slots=True)
class Found:
    """Everything that a campaign came to."""

    runs: list[Run]
    skipped: list[Skipped]
    convicted: dict[str, bool] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Nothing lost or doubled, and every build without a safety was convicted."""
        return all(run.passed for run in self.runs if not run.off) and all(self.convicted.values())


def chosen(names: str) -> list[Fault]:
    """The faults of `--faults`: names with commas, `all`, or `quick`. BadParameter for a name that there is not."""
    if names == "all":
        return list(FAULTS.values())
    if names == "quick":
        return [FAULTS[name] for name in QUICK]
    wanted = [name for name in names.split(",") if name]
    unknown = sorted(set(wanted) - set(FAULTS))
    if unknown:
        raise click.BadParameter(f"no such fault: {', '.join(unknown)}; there are: {', '.join(FAULTS)}")
    return [FAULTS[name] for name in wanted]


def prove_system(asked: Asked) -> bool:
    """Run what was asked for, print what came of it; whether everything passed."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what happens to its connections is the fault
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    wanted, skipped = orders(chosen(asked.faults), asked.seed, asked.seconds, asked.runs)
    if asked.alerts and not alerting.available():
        skipped.append(Skipped("all", "alerts", alerting.REMEDY))
    with tempfile.TemporaryDirectory(prefix="sztab-prove-", ignore_cleanup_errors=True) as scratch:
        try:
            found = asyncio.run(_campaign(asked, wanted, skipped, Path(scratch)))
        except asyncio.CancelledError:
            raise SystemExit(128 + signal.SIGTERM) from None
    table = rows(found.runs, found.skipped)
    if asked.html is not None:
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        asked.html.write_text(page(table, found.runs, found.skipped, found.convicted, made_at), "utf-8")
    if asked.as_json:
        click.echo(report.json_line(table, found.skipped, found.convicted))
    else:
        click.echo(report.table(table, total(found.runs), found.skipped, found.convicted))
    return found.passed


async def _campaign(asked: Asked, wanted: Sequence[Order], skipped: list[Skipped], scratch: Path) -> Found:
    running = asyncio.current_task()
    assert running is not None
    # Whoever ends us ends every process of the installation with us.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, running.cancel)
    folder = asked.folder or scratch
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(asked.resume) if asked.resume is not None else None
    campaign = Campaign(folder, asked.rate, _say, store, alerts=asked.alerts, evidence=asked.evidence)
    named = {order.fault.name for order in wanted}
    done = await campaign.run(wanted)
    runs = [run for run in store.runs if run.build == build() and (run.off or run.fault in named)] if store else done
    found = Found(runs, skipped)
    if asked.convict:
        spoilt = [convicting(FAULTS, off, fault, asked.seed) for off, fault in CONVICTIONS]
        quiet = Campaign(folder, asked.rate, _say, store, alerts=False)
        done = await quiet.run(spoilt)
        found.runs = [*found.runs, *(run for run in done if run not in found.runs)]
        found.convicted = convictions(found.runs)
        found.convicted[FENCE] = await fence_convicted(folder, asked.seed)
    return found


def _say(run: Run, evidence: Evidence) -> None:
    """One run in one line, on stderr: the table at the end stands alone on stdout."""
    told = run.judgement
    verdict = ("CONVICTED" if not told.passed else "NOT CONVICTED") if run.off else ("ok" if run.passed else "FAILED")
    off = f" without {run.off}" if run.off else ""
    lasted = max((one.at for one in evidence.effects), default=time.time()) - min(
        (one.attempts[0].t0 for one in evidence.operations if one.attempts), default=time.time()
    )
    reasons = f" ({'; '.join(run.reasons)})" if run.reasons else ""
    click.echo(
        f"{verdict} {run.fault} seed {run.seed}{off}: {told.accepted} accepted, {told.delivered} delivered,"
        f" {told.set_aside} set aside, lost {told.lost}, doubled {told.doubled},"
        f" {len(evidence.operations) / lasted if lasted > 0 else 0:.0f}/s,"
        f" stall {told.longest_stall_seconds:.1f} s, p99 {told.p99_seconds or 0:.1f} s{reasons}",
        err=True,
    )
