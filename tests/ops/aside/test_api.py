"""Quarantine over HTTP, without a broker: who may ask, what is refused, and what is written down before anything."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.aside.api import wanted_of
from schemas.audit import Audited
from schemas.delivery import QuarantineHandled
from schemas.errors import Code, Rejected
from schemas.feed import Alarm
from schemas.report import Report
from schemas.topics import ALARMS_NOW, AUDIT, QUARANTINE
from streams.contract import Output
from tests.ops.aside.desktop import Desktop, desktop
from tests.ops.intake_node import OFFICER
from tests.waiting import until

FORM = b'{"cpr_id": "PL-1", "revision": 1, "description": "Zmyslona"}'
BROKEN = FORM[:-1]
LANE = "t.intake.emergency"


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desktop]:
    """A served quarantine."""
    async with desktop(tmp_path, monkeypatch) as one:
        yield one


def coded(body: bytes) -> str:
    """Bytes as the API takes them."""
    return base64.b64encode(body).decode()


@pytest.mark.parametrize(("token", "status"), [("", 401), ("wrong", 401), (OFFICER, 403)])
async def test_only_operators_may_ask(desk: Desktop, token: str, status: int) -> None:
    """Where accounts are configured; each route asks."""
    document = await desk.sent(BROKEN)
    for method, path in (
        ("GET", "/v1/quarantine"),
        ("GET", f"/v1/quarantine/{document}"),
        ("POST", f"/v1/quarantine/{document}/bytes"),
        ("POST", f"/v1/quarantine/{document}/diff"),
        ("POST", f"/v1/quarantine/{document}/replay"),
        ("POST", f"/v1/quarantine/{document}/discard"),
        ("GET", "/v1/replays"),
        ("POST", "/v1/replays"),
        ("GET", "/v1/replays/x"),
    ):
        answered, told = await desk.ask(method, path, token, purpose="p", reason="r", dry_run=False)
        assert answered == status, path
        assert told["code"] in {"unauthenticated", "forbidden"}
    assert desk.written == []


async def test_without_accounts_this_machine_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And stands in the log as who it says it is; another site's form in a browser names nobody and does nothing."""
    async with desktop(tmp_path, monkeypatch, ()) as desk:
        document = await desk.sent(BROKEN)
        path = f"{desk.url}/v1/quarantine/{document}"
        for headers in ({}, {"X-Sztab-User": "a b"}, {"X-Sztab-User": ""}):
            for act in ("bytes", "discard", "replay"):
                body = b'{"purpose": "p", "reason": "r"}'
                async with desk.node.client.post(f"{path}/{act}", data=body, headers=headers) as answer:
                    assert (answer.status, (await answer.json(content_type=None))["code"]) == (403, "forbidden")
        assert desk.written == []
        async with desk.node.client.get(path) as answer:
            assert answer.status == 200
        headers = {"X-Sztab-User": "anna"}
        async with desk.node.client.post(f"{path}/bytes", data=b'{"purpose": "p"}', headers=headers) as answer:
            assert answer.status == 200
        assert Audited.model_validate_json(desk.written[-1].value or b"").actor == "local:anna"


async def test_the_list_names_the_reason_and_no_person(desk: Desktop) -> None:
    """Items, how many by reason; filters are held to their names."""
    document = await desk.sent(BROKEN)
    status, told = await desk.ask("GET", "/v1/quarantine?code=syntax-invalid&state=open")
    (item,) = told["items"]
    assert (status, item["document_id"], item["peer"], told["count"]) == (200, document, "cpr", 1)
    assert told["histogram"][0]["items"] == 1
    assert "Zmyslona" not in str(told)
    assert (await desk.ask("GET", "/v1/quarantine?stage=route"))[1]["items"] == []
    for query in ("nonsense=1", "state=lost", "since=2026-11-26T12:00:00", "until=x"):
        status, told = await desk.ask("GET", f"/v1/quarantine?{query}")
        assert (status, told["code"]) == (422, "field-invalid"), query


async def test_bytes_are_shown_after_the_audit_record(desk: Desktop) -> None:
    """Without a purpose, or while it cannot be written down, nothing is."""
    document = await desk.sent(BROKEN)
    for body in ({}, {"purpose": "  "}, {"purpose": 1}):
        status, told = await desk.ask("POST", f"/v1/quarantine/{document}/bytes", **body)
        assert (status, told["code"], told["pointer"]) == (422, "reason-missing", "/purpose")
    desk.away = True
    status, told = await desk.ask("POST", f"/v1/quarantine/{document}/bytes", purpose="p")
    assert (status, told["code"]) == (503, "broker-unavailable")
    assert "Zmyslona" not in str(told)
    desk.away = False
    status, told = await desk.ask("POST", f"/v1/quarantine/{document}/bytes", purpose="checking the form")
    assert base64.b64decode(told["bytes"]) == BROKEN
    assert (told["text"], told["hex"][0][:8]) == (BROKEN.decode(), "00000000")
    audited = Audited.model_validate_json(desk.written[0].value or b"")
    assert (audited.act.value, audited.actor, audited.purpose) == ("consultation", "watch", "checking the form")


async def test_a_correction_is_a_new_document_of_the_same_source(desk: Desktop) -> None:
    """It says what it corrects, the original stays; the audit record comes first, the act names the new document."""
    document = await desk.sent(BROKEN)
    path = f"/v1/quarantine/{document}/replay"
    status, told = await desk.ask("POST", path, purpose="p", corrected=coded(BROKEN + b" "))
    assert (status, told["code"]) == (422, "syntax-invalid")
    status, told = await desk.ask("POST", path, purpose="p", corrected="%")
    assert (status, told["code"]) == (422, "field-invalid")
    status, told = await desk.ask("POST", path, purpose="p", corrected=coded(b" " * 65_537))
    assert (status, told["code"]) == (413, "too-large")
    assert desk.written == []
    status, told = await desk.ask("POST", f"/v1/quarantine/{document}/diff", purpose="p", corrected=coded(FORM))
    assert (status, told["how"]) == (200, "text")
    desk.written.clear()
    status, told = await desk.ask("POST", path, purpose="a bracket", corrected=coded(FORM))
    assert (status, told["handling"]) == (200, "corrected")
    (record,) = desk.node.broker.of(LANE)
    report = Report.model_validate_json(record.value)
    assert (report.corrects, report.document.document_id) == (document, told["document_id"])
    assert [one.topic for one in desk.written] == [AUDIT, QUARANTINE]
    act = QuarantineHandled.model_validate_json(desk.written[1].value or b"")
    assert (act.corrected_by, act.reason, act.actor) == (told["document_id"], "a bracket", "watch")
    row = await desk.node.runner.journal.document(document)
    assert row is not None
    assert row.body == BROKEN
    status, told = await desk.ask("POST", path, purpose="p", corrected=coded(FORM))
    assert (status, told["code"]) == (422, "state-forbids")
    status, told = await desk.ask("POST", f"/v1/quarantine/{document}/diff", purpose="what was it")
    assert (status, told["lines"][-1]) == (200, "+" + FORM.decode())


async def test_the_same_correction_after_a_crash_is_the_same_document(desk: Desktop) -> None:
    """The act could not be written down: asked again, there is still one report."""
    document = await desk.sent(BROKEN)
    path = f"/v1/quarantine/{document}/replay"
    first = (await desk.ask("POST", path, purpose="p", corrected=coded(FORM)))[1]
    del desk.topic.records[-1]
    again = (await desk.ask("POST", path, purpose="p", corrected=coded(FORM)))[1]
    assert (again["document_id"], again["repeated"]) == (first["document_id"], True)
    assert len(desk.node.broker.of(LANE)) == 1


async def test_as_it_is_it_is_refused_again_and_stays_open(desk: Desktop) -> None:
    """The try is counted and stands there with its reason."""
    document = await desk.sent(BROKEN)
    status, told = await desk.ask("POST", f"/v1/quarantine/{document}/replay", purpose="p")
    assert (status, told["code"]) == (422, "syntax-invalid")
    item = (await desk.ask("GET", f"/v1/quarantine/{document}"))[1]
    assert (item["state"], item["tries"]) == ("open", 1)
    assert [one["handling"] for one in item["history"]] == ["replaying", "refused"]
    assert item["history"][1]["code"] == "syntax-invalid"


async def test_a_record_re_enters_as_it_was(desk: Desktop) -> None:
    """Same key, value and headers, into its own partition; the intention is written before, the end after."""
    headers = (("ce_id", b"r1"), ("odd", None))
    told: dict[str, Any] = {"topic": "intake.police", "partition": 7, "offset": 3, "record": b"v", "record_key": b"k"}
    desk.topic.seen(stage="normalise", code=Code.STEP_BUG, record_headers=headers, **told)
    desk.when_put_back = lambda _: acts.extend(desk.acts())
    acts: list[str] = []
    status, _ = await desk.ask("POST", "/v1/quarantine/item-1/replay", purpose="mended")
    assert status == 200
    ((output, partition),) = desk.put
    assert (output.topic, output.key, output.value, output.headers) == (
        "intake.police",
        b"k",
        b"v",
        (("ce_id", b"r1"),),
    )
    assert partition == 7
    assert acts == ["replaying"]
    assert desk.acts() == ["replaying", "replayed"]


async def test_a_record_that_was_not_kept_whole_is_read_where_it_stood(desk: Desktop) -> None:
    """Too large to be set aside with its bytes, or set aside by a version that kept no headers."""
    told: dict[str, Any] = {"topic": "intake.police", "partition": 7, "offset": 3, "record": b"v"}
    desk.topic.seen(stage="normalise", code=Code.STEP_BUG, **told)
    desk.elsewhere = SimpleNamespace(key=b"key", value=b"whole", headers=(("ce_id", b"r1"),))
    assert (await desk.ask("POST", "/v1/quarantine/item-1/replay", purpose="mended"))[0] == 200
    ((output, partition),) = desk.put
    assert (output.key, output.value, output.headers, partition) == (b"key", b"whole", (("ce_id", b"r1"),), 7)


async def test_a_recipients_alarm_ends_with_its_last_item(desk: Desktop) -> None:
    """Not while another delivery to it waits; not for what was set aside elsewhere."""

    def alarms() -> list[bool]:
        return [Alarm.model_validate_json(one.value or b"").active for one in desk.written if one.topic == ALARMS_NOW]

    for name, recipient in (("a", "dispatch"), ("b", "dispatch"), ("c", "fire")):
        desk.topic.seen(name, "deliver", Code.RECIPIENT_REFUSED, recipient, delivery_id=f"y-{name}")
    await desk.ask("POST", "/v1/quarantine/a/discard", reason="r")
    assert alarms() == []
    await desk.ask("POST", "/v1/quarantine/b/discard", reason="r")
    assert alarms() == [False]

    def fails(one: Output) -> None:
        if one.topic == ALARMS_NOW and len(alarms()) == 2:
            desk.topic.seen("d", "deliver", Code.RECIPIENT_REFUSED, "fire", delivery_id="y-d")

    desk.when_written = fails
    await desk.ask("POST", "/v1/quarantine/c/discard", reason="r")
    assert alarms() == [False, False, True], "one that came in the same moment is not silenced"


@pytest.mark.parametrize(
    ("stage", "more"),
    [
        ("watch", {"topic": "feed.status", "partition": 0, "offset": 0}),
        ("deliver", {"topic": "outbox.a.urgent"}),
        ("normalise", {"topic": "territory.log", "partition": 0, "offset": 0}),
        ("tally", {}),
    ],
)
async def test_what_has_no_way_back_is_not_tried(desk: Desktop, stage: str, more: dict[str, Any]) -> None:
    """An old word on a feed, an outbox record that is no delivery, a record that is not of its stage's topics."""
    desk.topic.seen(stage=stage, **more)
    status, told = await desk.ask("POST", "/v1/quarantine/item-1/replay", purpose="p")
    assert (status, told["code"]) == (422, "state-forbids")
    assert desk.written == []


async def test_another_nodes_document_is_asked_of_that_node(desk: Desktop) -> None:
    """Its bytes are not here; nothing is written down and nothing is shown."""
    desk.topic.seen(node="n2")
    for act in ("bytes", "replay", "diff"):
        status, told = await desk.ask("POST", f"/v1/quarantine/item-1/{act}", purpose="p", corrected=coded(FORM))
        assert (status, told["code"]) == (503, "journal-unavailable")
        assert "n2" in told["detail"]
    assert desk.written == []


async def test_discarding_needs_a_reason_and_can_be_taken_back(desk: Desktop) -> None:
    """It stands there for good; the item may still be corrected by somebody who knows better."""
    document = await desk.sent(BROKEN)
    path = f"/v1/quarantine/{document}"
    status, told = await desk.ask("POST", f"{path}/discard")
    assert (status, told["code"], told["pointer"]) == (422, "reason-missing", "/reason")
    assert (await desk.ask("POST", f"{path}/discard", reason="a test of theirs"))[0] == 200
    item = (await desk.ask("GET", path))[1]
    assert (item["state"], item["resolved"]["reason"]) == ("discarded", "a test of theirs")
    assert (await desk.ask("POST", f"{path}/discard", reason="again"))[1]["code"] == "state-forbids"
    assert (await desk.ask("POST", f"{path}/replay", purpose="it was real", corrected=coded(FORM)))[0] == 200
    assert (await desk.ask("GET", path))[1]["state"] == "corrected"


async def test_an_unknown_item_is_said_so(desk: Desktop) -> None:
    """By every route."""
    for method, path in (("GET", ""), ("POST", "/bytes"), ("POST", "/replay"), ("POST", "/discard")):
        status, told = await desk.ask(method, f"/v1/quarantine/none{path}", purpose="p", reason="r")
        assert (status, told["code"]) == (404, "unknown-here")
    assert (await desk.ask("GET", "/v1/replays/none"))[1]["code"] == "unknown-here"


async def test_many_are_replayed_by_a_job_after_a_dry_run(desk: Desktop) -> None:
    """The dry run asks today's translation and changes nothing; the job tells its progress and what became of each."""
    bad = await desk.sent(BROKEN)
    wrong = await desk.sent(b"{}")
    status, told = await desk.ask("POST", "/v1/replays", stage=["intake"])
    assert (status, told["dry_run"], told["selected"]) == (200, True, 2)
    assert sum(told["would"].values()) == 2
    assert "accepted" not in told["would"]
    assert desk.written == []
    assert (await desk.ask("POST", "/v1/replays", stage=["intake"], dry_run=False))[1]["code"] == "reason-missing"
    begun = (await desk.ask("POST", "/v1/replays", code="syntax-invalid", dry_run=False, purpose="mended"))[1]

    async def done() -> object:
        found = (await desk.ask("GET", f"/v1/replays/{begun['job']}"))[1]
        return found if found["state"] == "done" else None

    await until(done)
    found = (await desk.ask("GET", f"/v1/replays/{begun['job']}"))[1]
    assert list(found["items"].values()) == ["refused:syntax-invalid"]
    items = {one["document_id"]: one for one in (await desk.ask("GET", "/v1/quarantine"))[1]["items"]}
    assert (items[bad]["tries"], items[wrong]["tries"]) == (1, 0)
    assert (await desk.ask("GET", "/v1/replays"))[1]["replays"][0]["job"] == begun["job"]


def test_filters_are_closed() -> None:
    """A filter that is misspelt would otherwise choose everything."""
    with pytest.raises(Rejected, match="field-invalid"):
        wanted_of({"stages": ["intake"]})
    assert wanted_of({"since": ["2026-11-26T12:00:00+00:00"]}).since_ms == 1_795_694_400_000
