"""Runner and publisher: journal first, order per thread, nothing lost by outages, crashes and bad documents."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from connectors import publisher as publishing
from connectors.contract import Accepted, Connector, Document, Held, Refused, SourceSettings, Told, Translation
from connectors.cpr import CONNECTOR as CPR
from connectors.cpr.lab import CprLab
from connectors.cpr.settings import CprSettings
from connectors.identity import Identity, wrong_pesel
from connectors.journal import Journal
from connectors.journal_rows import RowState
from connectors.journal_store import Limits
from connectors.keys import ThreadKeys
from connectors.runner import Runner
from connectors.window import Window
from schemas.delivery import Quarantined
from schemas.errors import Code, Rejected, Unavailable
from schemas.finding import FindingCode
from schemas.privacy import WrappedKey, unseal, unwrap
from schemas.report import Mode, Person, Report, Telling
from tests.connectors.broker_double import FakeBroker
from tests.waiting import until

KEY = bytes(range(32))
LANE = "t.intake.emergency"


@dataclass
class Node:
    """An intake node without HTTP, over a fake broker."""

    runner: Runner
    journal: Journal
    broker: FakeBroker
    registry: CollectorRegistry

    async def post(self, body: bytes, source: str = "cpr") -> Accepted | Refused:
        """Hand one document in."""
        return await self.runner.accept(source, Document(body, "application/json"))

    def count(self, outcome: str, source: str = "cpr") -> float | None:
        """A figure of `sztab_documents_total`."""
        return self.registry.get_sample_value("sztab_documents_total", {"source": source, "outcome": outcome})


@asynccontextmanager
async def node(
    folder: Path, broker: FakeBroker, connector: Connector = CPR, limits: Limits | None = None, **settings
) -> AsyncIterator[Node]:
    """A node that runs for as long as the context."""
    journal = Journal(folder / "journal.db", KEY, limits)
    await journal.start()
    keys = ThreadKeys(folder / "journal.db", KEY)
    registry = CollectorRegistry()
    runner = Runner(
        node="n1",
        journal=journal,
        identity=Identity(KEY, "n1", keys),
        make_producer=broker.producer,
        prefix="t.",
        registry=registry,
        back_off_seconds=(0.01,),
    )
    told = {"name": "cpr"} | settings
    runner.add(connector, CprSettings(**told) if connector is CPR else SourceSettings(**told))
    await runner.start()
    try:
        yield Node(runner, journal, broker, registry)
    finally:
        await runner.stop(1.0)
        keys.close()
        await journal.close()


@pytest.fixture
def broker() -> FakeBroker:
    """A broker that works."""
    return FakeBroker()


@pytest.fixture
async def cpr(tmp_path: Path, broker: FakeBroker) -> AsyncIterator[Node]:
    """A node with one call centre."""
    async with node(tmp_path, broker) as one:
        yield one


def simple(translate: Callable[[Document], Translation]) -> Connector:
    """A connector that is only a translation."""
    return Connector("simple", "Simple", SourceSettings, "emergency", lambda _: translate, push=True, emits=(Report,))


async def test_a_form_arrives_with_its_identity(cpr: Node) -> None:
    """An accepted form is on its lane with document, report and thread id; key is the thread; held says broker."""
    settled = await cpr.post(CprLab().form())
    assert isinstance(settled, Accepted)
    assert settled.held is Held.BROKER
    (kept,) = cpr.broker.of(LANE)
    report = kept.message()
    assert isinstance(report, Report)
    assert kept.key == report.thread_id.encode()
    assert (kept.header("documentid"), kept.header("reportid")) == (settled.document_id, report.report_id)
    assert (report.report_id,) == settled.report_ids
    assert report.document.row == 1
    assert (kept.header("traceparent") or "").startswith("00-")
    assert (kept.header("mode"), report.far_system, report.source) == ("real", "cpr", "cpr")


async def test_the_same_message_again(cpr: Node) -> None:
    """The same bytes again give the same receipt and reports, and nothing more goes out."""
    body = CprLab().form()
    first, again = await cpr.post(body), await cpr.post(body)
    assert isinstance(first, Accepted)
    assert isinstance(again, Accepted)
    assert (first.document_id, first.report_ids) == (again.document_id, again.report_ids)
    assert (again.repeated, again.held) == (True, Held.BROKER)
    assert len(cpr.broker.of(LANE)) == 1
    assert (cpr.count("accepted"), cpr.count("repeated")) == (1, 1)


async def test_revisions_share_a_thread(cpr: Node) -> None:
    """Update and cancellation of one form have its thread and ids of their own."""
    lab = CprLab()
    bodies = [lab.form(), lab.update("PL-LAB-00001"), lab.cancellation("PL-LAB-00001")]
    for body in bodies:
        await cpr.post(body)
    reports = [kept.message() for kept in cpr.broker.of(LANE)]
    assert len({report.thread_id for report in reports if isinstance(report, Report)}) == 1
    assert len({report.report_id for report in reports if isinstance(report, Report)}) == 3


async def test_persons_travel_sealed(cpr: Node) -> None:
    """Caller and numbers are nowhere in the records; the thread's key, sent first, opens them; phones become hashes."""
    lab = CprLab()
    person = {"surname": "Szczególna", "phone": "+48 601 202 303", "pesel": "02070803628"}
    await cpr.post(lab.form(caller=person))
    await cpr.post(lab.update("PL-LAB-00001"))
    everything = b"".join(kept.value for kept in cpr.broker.kept)
    assert "Szczególna".encode() not in everything
    assert b"202" + b"303" not in everything.replace(b" ", b"")
    (key,) = [kept.message() for kept in cpr.broker.of("t.keys.current")]
    report = cpr.broker.of(LANE)[0].message()
    assert isinstance(key, WrappedKey)
    assert isinstance(report, Report)
    assert report.caller is not None
    opened = Person.model_validate_json(unseal(unwrap(KEY, key), report.caller, report.report_id, "caller"))
    assert opened.surname == "Szczególna"
    assert [one.split(":")[0] for one in report.tokens] == ["pesel", "phone"]


async def test_placeholder_numbers_and_wrong_pesel(cpr: Node) -> None:
    """A phone without SIM is nobody's number; a wrong PESEL is a finding, never a ground to refuse."""
    settled = await cpr.post(CprLab().form(caller={"phone": "112000000", "pesel": "02070803627"}))
    assert isinstance(settled, Accepted)
    report = cpr.broker.of(LANE)[0].message()
    assert isinstance(report, Report)
    assert report.tokens == ()
    assert (FindingCode.CHECKSUM_WRONG, "/caller/pesel") in [(one.code, one.at) for one in report.findings]


@pytest.mark.parametrize(
    ("number", "wrong"), [("02070803628", False), ("02070803627", True), ("1", True), ("x" * 11, True)]
)
def test_pesel(number: str, wrong: bool) -> None:
    """Check digit and length of a PESEL (DOMAIN 5.5)."""
    assert wrong_pesel(number) is wrong


async def test_bad_documents_are_kept_and_spare_their_neighbours(cpr: Node) -> None:
    """What cannot be understood is refused with code and document id, and stands in quarantine without its bytes."""
    lab = CprLab()
    refused = await cpr.post(b'{"cpr_id": "secret words"')
    assert isinstance(await cpr.post(lab.form()), Accepted)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.document_id is not None) == (Code.SYNTAX_INVALID, True)
    await until(lambda: cpr.broker.of("t.quarantine"))
    (kept,) = cpr.broker.of("t.quarantine")
    item = kept.message()
    assert isinstance(item, Quarantined)
    assert (item.code, item.document_id, item.node, item.stage) == (
        Code.SYNTAX_INVALID,
        refused.document_id,
        "n1",
        "intake",
    )
    assert b"secret" not in kept.value
    again = await cpr.post(b'{"cpr_id": "secret words"')
    assert again == refused
    assert len(cpr.broker.of("t.quarantine")) == 1
    assert (cpr.count("rejected"), cpr.count("accepted")) == (1, 1)


async def test_a_translation_bug_keeps_the_document(tmp_path: Path, broker: FakeBroker) -> None:
    """An exception that no translation may raise sets the document aside as ours to mend; the log quotes nothing."""

    def broken(document: Document) -> Translation:
        raise ZeroDivisionError(document.body.decode())

    with capture_logs() as logs:
        async with node(tmp_path, broker, simple(broken)) as one:
            settled = await one.post(b"secret words")
    assert isinstance(settled, Refused)
    assert settled.code is Code.TRANSLATION_BUG
    assert "secret" not in str(logs)
    assert any(line["event"] == "translation_bug" and line["log_level"] == "error" for line in logs)


async def test_held_by_the_journal_while_the_broker_is_away(tmp_path: Path, broker: FakeBroker) -> None:
    """Without a broker all documents are accepted and held by the journal; later all arrive, in order per thread."""
    broker.reachable = False
    lab = CprLab()
    lab.form()
    async with node(tmp_path, broker) as one:
        posts = [one.post(lab.form()) for _ in range(30)] + [one.post(lab.update("PL-LAB-00001")) for _ in range(20)]
        settled = await asyncio.gather(*posts)
        assert {answer.held for answer in settled if isinstance(answer, Accepted)} == {Held.JOURNAL}
        assert len(settled) == 50
        broker.reachable = True
        await until(lambda: len(broker.of(LANE)) == 50)
        told = [kept.message() for kept in broker.of(LANE)]
        orders = [one.revision_order for one in told if isinstance(one, Report) and one.far_id == "PL-LAB-00001"]
        assert orders == list(range(2, 22))


async def test_taken_up_after_a_crash(tmp_path: Path, broker: FakeBroker) -> None:
    """What a node could not publish before it went is published by its next life, with the ids that were answered."""
    away = FakeBroker(reachable=False)
    lab = CprLab()
    async with node(tmp_path, away) as one:
        settled = await asyncio.gather(*(one.post(lab.form()) for _ in range(5)), one.post(b"broken"))
    answered = {report for answer in settled if isinstance(answer, Accepted) for report in answer.report_ids}
    async with node(tmp_path, broker) as one:
        await until(lambda: len(broker.of(LANE)) == 5 and broker.of("t.quarantine"))
        assert {kept.header("reportid") for kept in broker.of(LANE)} == answered
        await until(lambda: _all_settled(one))
    async with node(tmp_path, broker) as one:
        await until(lambda: one.runner.publisher.backlog == 0)
        assert len(broker.of(LANE)) == 5, "what was marked is not sent again"


async def _all_settled(one: Node) -> bool:
    states = {row.state for row in await one.journal.ids(0, 100)}
    return states == {RowState.PUBLISHED, RowState.QUARANTINED}


async def test_a_failed_producer_is_replaced(cpr: Node) -> None:
    """After an error whose outcome is unknown a new producer sends the row again, and later rows of its thread wait."""
    lab = CprLab()
    await cpr.post(lab.form())
    cpr.broker.errors = [KafkaError("unknown outcome")]
    await asyncio.gather(*(cpr.post(lab.update("PL-LAB-00001")) for _ in range(5)))
    await until(lambda: len(cpr.broker.of(LANE)) >= 6)
    told = [kept.message() for kept in cpr.broker.of(LANE)]
    assert [one.revision_order for one in told if isinstance(one, Report)] == [1, 2, 3, 4, 5, 6]
    assert cpr.broker.producers == 2
    assert cpr.broker.open_producers == 1


async def test_a_stuck_producer_is_replaced(
    tmp_path: Path, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer that answers nothing for too long is thrown away, whatever it says of itself."""
    monkeypatch.setattr(publishing, "_STUCK_SECONDS", 0.05)
    monkeypatch.setattr(publishing, "_LOOK_SECONDS", 0.02)
    async with node(tmp_path, broker) as one:
        await one.post(CprLab().form())
        broker.frozen = True
        waiting = asyncio.create_task(one.post(CprLab().form(cpr_id="other")))
        await until(lambda: broker._waiting)
        broker.frozen = False
        settled = await waiting
        assert isinstance(settled, Accepted)
        assert settled.held is Held.BROKER
        assert broker.producers >= 2


async def test_a_record_too_large_goes_to_quarantine_in_its_place(cpr: Node) -> None:
    """What no topic takes is set aside with its reason, and the thread goes on."""
    lab = CprLab()
    cpr.broker.errors = [MessageSizeTooLargeError()]
    await cpr.post(lab.form(caller=None))
    await cpr.post(lab.update("PL-LAB-00001"))
    (kept,) = cpr.broker.of("t.quarantine")
    assert kept.header("kind") == "output-too-large"
    assert len(cpr.broker.of(LANE)) == 1
    assert cpr.broker.producers == 1


async def test_memory_is_bounded_while_the_broker_is_frozen(tmp_path: Path, broker: FakeBroker) -> None:
    """However much waits, only the window is in memory; all of it arrives once the broker answers, in row order."""
    broker.frozen = True
    lab = CprLab()
    async with node(tmp_path, broker) as one:
        one.runner.publisher._window = Window(10, 1 << 20)
        posts = asyncio.gather(*(one.post(lab.form(caller=None)) for _ in range(200)))
        await until(lambda: one.journal.last_row == 200)
        assert len(one.runner.publisher._window) <= 10
        assert one.runner.publisher.backlog == 200
        broker.thaw()
        await until(lambda: len(broker.of(LANE)) == 200)
        await posts
        assert [kept.message().document.row for kept in broker.of(LANE)] == list(range(1, 201))  # type: ignore[attr-defined]
        await until(lambda: one.runner.publisher.backlog == 0)


async def test_a_caller_that_goes_away_changes_nothing(cpr: Node) -> None:
    """A caller cancelled while it waits leaves its document in the journal, and it is published all the same."""
    cpr.broker.frozen = True
    lab = CprLab()
    task = asyncio.create_task(cpr.post(lab.form()))
    await until(lambda: cpr.journal.last_row == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    other = asyncio.create_task(cpr.post(lab.form()))
    await until(lambda: cpr.journal.last_row == 2)
    cpr.broker.thaw()
    await other
    await until(lambda: len(cpr.broker.of(LANE)) == 2)


async def test_a_full_journal_is_said_and_counted(tmp_path: Path, broker: FakeBroker) -> None:
    """Without room a document is not kept, and answer and metrics say so."""
    broker.reachable = False
    limits = Limits(max_bytes=1 << 20)
    async with node(tmp_path, broker, simple(_one_report), limits) as one:
        feed = one.runner.feeds["cpr"]
        answers = [(await one.runner.append(feed, [Document(b"%05d" % n * 6_000)]))[0] for n in range(40)]
        refused = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert {answer.code for answer in refused} == {Code.JOURNAL_FULL}
        assert one.count("unavailable") == len(refused)
        assert one.journal.last_row == len(answers) - len(refused)
        with pytest.raises(Unavailable):
            await one.post(b"x" * 30_000)


def _one_report(_: Document) -> Translation:
    return Translation((Told(Telling()),))


async def test_modes_never_mix(cpr: Node) -> None:
    """An exercise on the real installation goes to quarantine; a test is marked as one."""
    lab = CprLab()
    refused = await cpr.post(lab.form(mode="exercise"))
    assert isinstance(refused, Refused)
    assert refused.code is Code.MODE_MIXED
    await cpr.post(lab.form(mode="test"))
    report = cpr.broker.of(LANE)[0].message()
    assert isinstance(report, Report)
    assert report.mode is Mode.TEST


async def test_an_unknown_source_is_refused(cpr: Node) -> None:
    """A name that is not configured is nobody."""
    with pytest.raises(Rejected) as refused:
        await cpr.post(b"{}", "nobody")
    assert refused.value.code is Code.SOURCE_UNKNOWN


async def test_rows_of_a_source_taken_out_go_to_a_person(tmp_path: Path, broker: FakeBroker) -> None:
    """A source no longer configured leaves nothing behind unseen: its rows go to quarantine."""
    async with node(tmp_path, FakeBroker(reachable=False)) as one:
        await one.post(CprLab().form())
    async with node(tmp_path, broker, name="another"):
        await until(lambda: broker.of("t.quarantine"))
    assert broker.of("t.quarantine")[0].header("kind") == "source-unknown"


async def test_feed_status_is_said(tmp_path: Path, broker: FakeBroker) -> None:
    """A source's state is said at the start and at the end."""
    async with node(tmp_path, broker):
        await until(lambda: broker.of("t.feed.status"))
    states = [kept.header("kind") for kept in broker.of("t.feed.status")]
    assert (states[0], states[-1]) == ("up", "stopped")


async def test_a_damaged_row_is_set_aside_and_spares_its_neighbours(tmp_path: Path, broker: FakeBroker) -> None:
    """A row whose bytes rotted on the disk goes to quarantine by name; the rows around it are published."""
    lab = CprLab()
    async with node(tmp_path, FakeBroker(reachable=False)) as one:
        await asyncio.gather(*(one.post(lab.form()) for _ in range(3)))
    db = sqlite3.connect(tmp_path / "journal.db")
    db.execute("UPDATE bodies SET body = zeroblob(100) WHERE row = 2")
    db.commit()
    db.close()
    async with node(tmp_path, broker):
        await until(lambda: len(broker.of(LANE)) == 2 and broker.of("t.quarantine"))
    assert broker.of("t.quarantine")[0].header("kind") == "record-invalid"
