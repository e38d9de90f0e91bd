"""The runner: journal first, identity, seals, quarantine, answers; bad documents spare their neighbours."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from structlog.testing import capture_logs

from connectors import runner as running
from connectors.commands import CONNECTOR as COMMANDS
from connectors.contract import Accepted, Document, Held, Refused, Translation
from connectors.cpr.lab import CprLab
from connectors.identity import wrong_pesel
from connectors.journal_store import Limits
from schemas.command import Command
from schemas.delivery import Quarantined
from schemas.errors import Code, Rejected, Unavailable
from schemas.finding import FindingCode
from schemas.privacy import WrappedKey, unseal, unwrap
from schemas.report import Mode, Person, Report
from tests.connectors.broker_double import FakeBroker
from tests.connectors.intake_stage import KEY, LANE, Node, node, one_report, simple
from tests.waiting import until


@pytest.fixture
def broker() -> FakeBroker:
    """A broker that works."""
    return FakeBroker()


@pytest.fixture
async def cpr(tmp_path: Path, broker: FakeBroker) -> AsyncIterator[Node]:
    """A node with one call centre."""
    async with node(tmp_path, broker) as one:
        yield one


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
    assert FindingCode.CHECKSUM_WRONG in [one.code for one in settled.findings]
    assert (FindingCode.CHECKSUM_WRONG, "/caller/pesel") in [(one.code, one.at) for one in report.findings]


@pytest.mark.parametrize(
    ("number", "wrong"), [("02070803628", False), ("02070803627", True), ("1", True), ("x" * 11, True)]
)
def test_pesel(number: str, wrong: bool) -> None:
    """Check digit and length of a PESEL."""
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


async def test_a_full_journal_is_said_and_counted(tmp_path: Path, broker: FakeBroker) -> None:
    """Without room a document is not kept, and answer and metrics say so."""
    broker.reachable = False
    limits = Limits(max_bytes=1 << 20)
    async with node(tmp_path, broker, simple(one_report), limits) as one:
        feed = one.runner.feeds["cpr"]
        answers = [(await one.runner.append(feed, [Document(b"%05d" % n * 6_000)]))[0] for n in range(40)]
        refused = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert {answer.code for answer in refused} == {Code.JOURNAL_FULL}
        assert one.count("unavailable") == len(refused)
        assert one.journal.last_row == len(answers) - len(refused)
        with pytest.raises(Unavailable):
            await one.post(b"x" * 30_000)


async def test_back_pressure_spares_emergencies(
    tmp_path: Path, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When too many callers wait an ordinary source is told to come later, an emergency source never."""
    monkeypatch.setattr(running, "WAITING", 2)
    broker.frozen = True
    for emergency in (False, True):
        (tmp_path / str(emergency)).mkdir()
        async with node(tmp_path / str(emergency), broker, simple(one_report), emergency=emergency) as one:
            posts = [asyncio.create_task(one.post(b"%d" % number)) for number in range(4)]
            answers = await asyncio.gather(*posts, return_exceptions=True)
            refused = [answer for answer in answers if isinstance(answer, Unavailable)]
            assert {answer.code for answer in refused} == (set() if emergency else {Code.OVERLOADED})
            assert one.journal.last_row == len(answers) - len(refused)


async def test_back_pressure_comes_when_somebody_waits_too_long(
    tmp_path: Path, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few wait: one that waits longer than a broker that is away explains is a sign of too much work."""
    monkeypatch.setattr(running, "LONGEST_SECONDS", 0.0)
    broker.frozen = True
    async with node(tmp_path, broker, simple(one_report), emergency=False) as one:
        first = asyncio.create_task(one.post(b"1"))
        await until(lambda: one.journal.last_row == 1)
        with pytest.raises(Unavailable) as refused:
            await one.post(b"2")
        assert refused.value.code is Code.OVERLOADED
        await first
        assert isinstance(await one.post(b"3"), Accepted)


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


async def test_a_command_on_a_test_is_one(tmp_path: Path, broker: FakeBroker) -> None:
    """The mode that a command names reaches the log; without one it is the installation's own."""
    asked = {"verb": "accept", "incident_id": "i-1", "unit": "u", "actor": "dyz"}
    async with node(tmp_path, broker, COMMANDS) as one:
        for number, more in enumerate(({"mode": "test"}, {})):
            await one.post(orjson.dumps({**asked, **more, "idempotency_key": str(number)}))
    kept = broker.of("t.intake.commands")
    assert [record.header("mode") for record in kept] == ["test", "real"]
    assert [command.mode for record in kept if isinstance(command := record.message(), Command)] == ["test", "real"]


async def test_an_unknown_source_is_refused(cpr: Node) -> None:
    """A name that is not configured is nobody."""
    with pytest.raises(Rejected) as refused:
        await cpr.post(b"{}", "nobody")
    assert refused.value.code is Code.SOURCE_UNKNOWN


async def test_a_journal_without_its_writer_ends_the_node(tmp_path: Path) -> None:
    """The process must end and be started again, not stand there and refuse."""
    async with node(tmp_path, FakeBroker()) as one:
        watch = asyncio.create_task(one.runner.failed())
        one.journal._queue.put(None)
        with pytest.raises(Unavailable):
            await asyncio.wait_for(watch, 10)
