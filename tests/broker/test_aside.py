"""Quarantine and trace on a real broker, with a real journal."""

import orjson
import pytest
from click.testing import CliRunner

from connectors.journal import Journal
from connectors.journal_rows import Entry, Mark, RowState
from ops import quarantine, runtime
from ops.invocation import Invocation
from ops.provision import provision, wanted
from ops.quarantine_cli import quarantine as command
from ops.reading import Cluster
from ops.settings import Settings
from ops.settings_parts import InstallationPart, KafkaPart
from ops.trace import traced
from schemas.audit import Act
from schemas.delivery import Quarantined
from schemas.errors import Code, Unavailable
from schemas.privacy import installation_key
from schemas.topics import AUDIT, QUARANTINE, catalogue
from schemas.wire import record
from streams.contract import Output
from tests.broker.outboxes import told
from tests.broker.test_ledger_read import decision, fact, receipt, write

BODY = b'{"cpr_id": "A", "caller": {"surname": "Zmyslona"'


@pytest.fixture
async def here(kafka, prefix, tmp_path) -> Settings:
    """An installation with one document set aside twice, and one that became report-0 and was delivered."""
    settings = Settings(
        connectors={},
        data_dir=tmp_path,
        kafka=KafkaPart(bootstrap_servers=kafka.bootstrap_servers),
        installation=InstallationPart(prefix=prefix),
    )
    cluster = Cluster(kafka.bootstrap_servers, prefix)
    desired = wanted(catalogue(["lab"]), prefix, 1, 1, {})
    await provision({"bootstrap_servers": kafka.bootstrap_servers}, desired, dry_run=False)
    runtime.prepare(settings)
    journal = Journal(runtime.journal_file(settings), installation_key(runtime.key_file(settings)))
    await journal.start()
    broken = await journal.append(Entry("cpr", "cpr", BODY))
    good = await journal.append(Entry("desk", "desk", b"{}"))
    await journal.note(
        Mark(broken.row, RowState.QUARANTINED), Mark(good.row, RowState.PUBLISHED, (("report-0", "Report"),))
    )
    await journal.close()
    aside = Quarantined(
        item_id="item-1", stage="intake", code=Code.SYNTAX_INVALID, document_id=broken.document_id, node=settings.node
    )
    value, headers = record(aside, id="item-1", source="/x", extensions={"documentid": broken.document_id})
    set_aside = Output(QUARANTINE, b"item-1", value, headers)
    await write(cluster, [set_aside, set_aside, fact("report-0"), decision("report-0"), receipt("report-0")])
    return settings


async def test_an_item_is_listed_once_with_first_and_last_time(here) -> None:
    """The same item twice is one line; it is found by the beginning of its own or its document's id."""
    shelf = await quarantine.shelf(here)
    (one,) = shelf.items.values()
    assert (one.item_id, one.code, one.stage, one.times) == ("item-1", "syntax-invalid", "intake", 2)
    assert one.first_seen_ms <= one.last_seen_ms
    assert await quarantine.item(here, one.told["document_id"][:8]) == one
    assert await quarantine.item(here, "unheard-of") is None


async def test_bytes_are_opened_for_a_purpose_that_is_written_down(here) -> None:
    """The sealed bytes come back as they were; who looked is in the audit log; another node's are not invented."""
    one = await quarantine.item(here, "item-1")
    assert one is not None
    assert await quarantine.content(here, one) == BODY
    await quarantine.consulted(here, one, "cli:anna", "checking a partner's form")
    cluster = Cluster(here.kafka.bootstrap_servers, here.installation.prefix)
    assert await told(cluster, AUDIT, "kind") == [Act.CONSULTATION.value]
    with pytest.raises(Unavailable, match="intake-9"):
        await quarantine.document(here, str(one.told["document_id"]), "intake-9")


async def test_a_report_is_traced_through_journal_and_topics(here) -> None:
    """By report and by delivery: document with its row, fact, decision, receipt; a document set aside says so."""
    for sought, kind in (("report-0", "report"), ("d-report-0", "delivery")):
        found = await traced(here, sought)
        assert found is not None
        assert found["kind"] == kind
        assert [one["topic"] for one in found["records"]] == [
            "incident.facts",
            "routing.decisions",
            "delivery.receipts",
        ]
        assert [(one["row"], one["source"]) for one in found["documents"]] == [(2, "desk")]
    one = await quarantine.item(here, "item-1")
    assert one is not None
    aside = await traced(here, str(one.told["document_id"]))
    assert aside is not None
    assert [item["code"] for item in aside["quarantine"]] == ["syntax-invalid"] * 2
    assert BODY.decode() not in orjson.dumps(aside).decode()
    assert await traced(here, "unheard-of") is None


def test_bytes_without_a_purpose_are_refused() -> None:
    """Whoever looks at personal data says why; nothing is read before."""
    answer = CliRunner().invoke(command, ["show", "item-1", "--bytes"], obj=Invocation())
    assert answer.exit_code == 2
    assert "--purpose" in answer.output
