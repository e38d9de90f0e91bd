"""Quarantine as a person works with it: a whole installation, its command line, and a partner's broken form."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.kits.receiver import Mood
from schemas.errors import Code, Rejected
from schemas.topics import DECISIONS, EMERGENCY, FACTS
from streams.contract import Output, Record
from streams.quarantine import quarantined
from tests.broker.post import BROKEN, FORM, GOOD, Post
from tests.broker.post import post as post
from tests.broker.test_ledger_read import write
from tests.waiting import until


@pytest.mark.timeout(240)
async def test_a_malformed_report_is_corrected_replayed_and_traced(post: Post, tmp_path: Path) -> None:
    """From the partner's broken form to the recipient: nothing but the command line, and nothing lost on the way."""
    status, refused = await post.send(BROKEN)
    assert (status, refused["code"], refused["kept"]) == (422, "syntax-invalid", "quarantine")
    original = refused["id"]

    items: Any = await until(post.items, 30, "the item in the list")
    (item,) = items.values()
    assert (item["document_id"], item["stage"], item["source"], item["peer"]) == (original, "intake", "cpr", "cpr")
    shown = await post.sztab("quarantine", "show", original, "--bytes", "--purpose", "looking at the form")
    assert shown["state"] == "open"
    corrected = tmp_path / "corrected.json"
    corrected.write_bytes(GOOD)
    told = await post.sztab("quarantine", "diff", original, str(corrected), "--purpose", "looking at the form")
    assert told["how"] == "text"
    worse = tmp_path / "worse.json"
    worse.write_bytes(GOOD[:-2])
    refused = await post.sztab(
        "quarantine", "replay", original, "--corrected", str(worse), "--purpose", "a bracket was missing", status=1
    )
    assert refused["code"] == "syntax-invalid"
    replayed = ("quarantine", "replay", original, "--corrected", str(corrected), "--purpose", "a bracket was missing")
    done = await post.sztab(*replayed)
    correction = done["document_id"]
    assert correction != original

    async def delivered() -> Any:
        found = await post.sztab("trace", original)
        return found if any(one["outcome"] == "delivered" for one in found["deliveries"]) else None

    trace: Any = await until(delivered, 60, "the delivery of the correction")
    assert {one["document_id"]: one["state"] for one in trace["documents"]} == {
        original: "quarantined",
        correction: "published",
    }
    assert [(one["document_id"], one["corrected_by"]) for one in trace["handled"]] == [(original, correction)]
    assert trace["reports"] == done["reports"]
    assert any(one["topic"] == "intake.emergency" and one["corrects"] == original for one in trace["records"])
    assert post.lab.kept
    for sought in (correction, done["reports"][0], item["item_id"], trace["deliveries"][0]["delivery_id"]):
        other = await post.sztab("trace", sought)
        assert {original, correction} <= {one["document_id"] for one in other["documents"]}, sought
        assert other["handled"] == trace["handled"]
    screen = await post.screen("trace", original)
    assert f"document {correction} corrects it" in screen
    assert "Zmyślona" not in screen
    assert await post.items() == {}
    (after,) = (await post.items("--state", "all")).values()
    assert (after["state"], after["resolved"]["corrected_by"]) == ("corrected", correction)
    assert after["resolved"]["reason"] == "a bracket was missing"
    twice = await post.sztab(*replayed, status=1)
    assert twice["code"] == "state-forbids"
    await as_it_is(post, tmp_path / "bytes")
    ledger = await post.sztab("ledger", "--wait", "30")
    assert (ledger["balanced"], ledger["missing"]) == (True, {})


def kept(file: Path) -> tuple[bytes, int]:
    """What stands in a file, and who may read it."""
    return file.read_bytes(), file.stat().st_mode & 0o777


async def as_it_is(post: Post, file: Path) -> None:
    """A form under the wrong media type was refused, and is good all the same: a person lets it in as it came."""
    body = orjson.dumps({**FORM, "cpr_id": "PL-2"})
    status, refused = await post.send(body, "text/plain")
    assert (status, refused["code"]) == (415, "wrong-content-type")
    document = refused["id"]
    await until(post.items, 30, "the item in the list")
    (row,) = await post.sztab("quarantine", "list", "--histogram")
    assert (row["code"], row["items"]) == ("wrong-content-type", 1)
    await post.sztab("quarantine", "show", document, "--out", str(file), "--purpose", "is it a form?")
    assert kept(file) == (body, 0o600)
    done = await post.sztab("quarantine", "replay", document, "--purpose", "it is a form")
    assert (done["handling"], done["document_id"]) == ("replayed", document)
    await until(lambda: post.delivered(document), 60, "the delivery of the replayed form")
    trace = await post.sztab("trace", document)
    assert [one["handling"] for one in trace["handled"]] == ["replaying", "replayed"]
    assert [one["state"] for one in trace["documents"]] == ["published"]
    assert await post.items() == {}


def never_stepped(one: Any, number: int) -> Output:
    """What the shell writes when the step failed on a report that nobody has seen yet: made of one that was taken."""
    value = orjson.loads(one.value)
    ids = {value["report_id"]: f"report-{number}", value["thread_id"]: f"thread-{number}"}
    value |= {"report_id": f"report-{number}", "thread_id": f"thread-{number}", "far_id": f"PL-{number}"}
    headers = tuple((name, ids.get(raw.decode(), raw.decode()).encode()) for name, raw in one.headers)
    record = Record(EMERGENCY, one.partition, 10_000 + number, b"thread", orjson.dumps(value), headers, one.timestamp)
    return quarantined("normalise")(record, Rejected(Code.STEP_BUG, "ValueError in step line 1"))


def hopeless(one: Any) -> Output:
    """A record that no processor will ever take."""
    record = Record(EMERGENCY, one.partition, 20_000, b"thread", b"{}", tuple(one.headers), one.timestamp)
    return quarantined("normalise")(record, Rejected(Code.RECORD_INVALID, "Report does not fit: missing"))


@pytest.mark.timeout(300)
async def test_each_stage_is_entered_again_under_the_same_ids(post: Post) -> None:
    """A record that had no effect has one after its replay, once; a delivery goes again; what comes back stays open."""
    assert (await post.send(GOOD))[0] == 202
    taken: Any = await until(lambda: post.records(EMERGENCY), 30, "the report")
    await write(post.cluster, [never_stepped(taken[0], 1), never_stepped(taken[0], 2), hopeless(taken[0])])
    items: Any = await until(post.items, 30, "the items")
    assert {one["stage"] for one in items.values()} == {"normalise"}
    (bad,) = [one["item_id"] for one in items.values() if one["code"] == "record-invalid"]

    plan = await post.sztab("quarantine", "replay", "--stage", "normalise")
    assert (plan["dry_run"], plan["selected"], plan["would"]) == (True, 3, {"re-enter": 3})
    assert set(await post.items()) == set(items), "a dry run changes nothing"
    done = await post.sztab("quarantine", "replay", "--stage", "normalise", "--purpose", "the step is mended", "--yes")
    assert (done["done"], done["outcomes"], done["state"]) == (3, {"replayed": 3}, "done")

    async def came_back(times: int) -> Any:
        return (await post.items()).get(bad, {}).get("times") == times

    await until(lambda: came_back(2), 30, "the hopeless record is open again")
    assert (await post.items())[bad]["tries"] == 1
    for report in ("report-1", "report-2"):
        await until(lambda report=report: post.delivered(report), 60, f"{report} delivered")  # type: ignore[misc]
    kinds = [orjson.loads(one.value)["change"]["kind"] for one in await post.records(FACTS)]
    assert "ReportRepeated" not in kinds
    again = await post.sztab("quarantine", "replay", f"{bad}", "--purpose", "once more")
    assert again["handling"] == "replayed"
    await until(lambda: came_back(3), 30, "it is open once more")

    post.lab.mood = Mood.REFUSE
    assert (await post.send(orjson.dumps({**FORM, "cpr_id": "PL-9"})))[0] == 202

    async def refused() -> Any:
        return [one for one in (await post.items("--stage", "deliver")).values() if one["recipient"] == "dispatch"]

    refusals: Any = await until(refused, 60, "the refused delivery")
    (item,) = refusals
    post.lab.mood = Mood.GOOD
    told = await post.sztab("quarantine", "replay", item["item_id"], "--purpose", "dispatch takes it now")
    assert told["delivery_id"] == item["delivery_id"]
    await until(lambda: item["delivery_id"] in post.lab.kept, 60, "the same delivery id at the recipient")
    assert item["item_id"] not in await post.items()
    twice = await post.sztab("quarantine", "replay", item["item_id"], "--purpose", "again", status=1)
    assert twice["code"] == "state-forbids"
    for rest in (await post.items()).values():
        gone = await post.sztab("quarantine", "discard", rest["item_id"], "--reason", "other posts do not need it")
        assert gone["handling"] == "discarded"
    assert await post.items() == {}
    assert "discarded by" in await post.screen("quarantine", "show", bad)
    await history_again(post)


async def history_again(post: Post) -> None:
    """Dispatch agreed to get history again, ignores what it has, and the ledger misses nothing."""
    window = ("replay", "--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z", "--recipients")
    counted = await post.sztab(*window, "dispatch")
    (number,) = counted["written"].values()
    assert number >= 3
    refused = await post.sztab(*window, "fire", "--yes", "--purpose", "they lost a disk", status=1)
    assert refused["error"]["code"] == "forbidden"
    asked = post.lab.requests
    done = await post.sztab(*window, "dispatch", "--yes", "--purpose", "they lost a disk")
    assert done["written"] == counted["written"]
    await until(lambda: post.lab.requests > asked, 60, "dispatch is told again")
    ledger = await post.sztab("ledger", "--wait", "30", status=1)
    assert ledger["missing"] == {"not_in_journal": ["report-1", "report-2"]}, "but for what this test invented"
    decided = [orjson.loads(one.value)["deliveries"].values() for one in await post.records(DECISIONS)]
    assert set(post.lab.kept) <= {one for some in decided for one in some}, "no other id than route gave"
