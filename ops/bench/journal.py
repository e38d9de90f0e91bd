"""`sztab bench journal`: documents per second and latency of the intake journal, beside the disk's bare fdatasync."""

import asyncio
import cProfile
import os
import pstats
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import orjson

from connectors.journal import Journal
from connectors.journal_rows import Entry

AIM_PER_SECOND = 8_000
AIM_P99_MS = 15.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run reached. Latencies in ms; `verified` says that every row was there and the chain unbroken."""

    documents: int
    callers: int
    bytes_each: int
    seconds: float
    per_second: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    fdatasync_ms: float
    verified: bool


def bare_fdatasync(folder: Path, bytes_each: int, times: int = 200) -> float:
    """Median milliseconds of one append and fdatasync on the journal's disk, without SQLite."""
    took: list[float] = []
    with (folder / "bare").open("ab", buffering=0) as file:
        for _ in range(times):
            started = time.perf_counter()
            file.write(os.urandom(bytes_each))
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - started)
    return sorted(took)[times // 2] * 1000


async def measure(folder: Path, documents: int, callers: int, bytes_each: int) -> Figures:
    """Append `documents` distinct documents from `callers` callers, each waiting for its answer before the next."""
    journal = Journal(folder / "bench.db", bytes(32))
    await journal.start()
    latencies: list[float] = []
    filler = os.urandom(bytes_each - 8)

    async def caller(number: int) -> None:
        for turn in range(number, documents, callers):
            entry = Entry("bench", "bench", turn.to_bytes(8, "big") + filler, "application/octet-stream")
            started = time.perf_counter()
            await journal.append(entry)
            latencies.append(time.perf_counter() - started)

    started = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(callers)))
    seconds = time.perf_counter() - started
    verified = journal.last_row == documents and not await journal.verify()
    await journal.close()
    latencies.sort()
    return Figures(
        documents=documents,
        callers=callers,
        bytes_each=bytes_each,
        seconds=round(seconds, 3),
        per_second=round(documents / seconds, 1),
        p50_ms=round(latencies[len(latencies) // 2] * 1000, 3),
        p99_ms=round(latencies[int(len(latencies) * 0.99)] * 1000, 3),
        max_ms=round(latencies[-1] * 1000, 3),
        fdatasync_ms=round(bare_fdatasync(folder, bytes_each), 3),
        verified=verified,
    )


@click.command("journal")
@click.option("--documents", default=80_000, show_default=True, help="How many documents.")
@click.option("--callers", default=64, show_default=True, help="Callers that wait at the same time.")
@click.option("--bytes", "bytes_each", default=1024, show_default=True, help="Size of each document.")
@click.option("--folder", type=click.Path(path_type=Path), help="Disk to measure; default: the temporary folder.")
@click.option("--profile", is_flag=True, help="Also print where the event loop's thread spends its time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(documents: int, callers: int, bytes_each: int, folder: Path | None, profile: bool, as_json: bool) -> None:  # noqa: FBT001
    """Append documents to a new journal and report what was reached."""
    import uvloop

    with tempfile.TemporaryDirectory(dir=folder) as made:
        profiler = cProfile.Profile() if profile else None
        if profiler:
            profiler.enable()
        figures = uvloop.run(measure(Path(made), documents, callers, bytes_each))
        if profiler:
            profiler.disable()
            pstats.Stats(profiler).sort_stats("tottime").print_stats(15)
    if as_json:
        print(orjson.dumps(asdict(figures)).decode())
        return
    print(
        f"{figures.per_second:,.0f} documents/s of {bytes_each} bytes with {callers} callers"
        f" ({figures.per_second / AIM_PER_SECOND:.2f} x the aim);"
        f" p50 {figures.p50_ms} ms, p99 {figures.p99_ms} ms (aim {AIM_P99_MS}), max {figures.max_ms} ms;"
        f" one bare fdatasync {figures.fdatasync_ms} ms; chain {'verified' if figures.verified else 'BROKEN'}"
    )
