"""Reports in their territory: each in exactly one incident, once, whatever its thread did before."""

import pytest

from schemas.envelope import read
from schemas.incident import Fact
from schemas.model import Message
from schemas.place import Place
from schemas.report import Casualties, Revision, Urgency
from schemas.summary import IncidentState, IncidentSummary
from schemas.topics import FACTS, INCIDENTS_NOW
from schemas.wire import record
from tests.streams.incident_log import Territory, canonical, command, identity, incident_of, kinds, place, report


@pytest.fixture
def territory():
    """An empty territory."""
    return Territory()


def test_a_report_opens_an_incident(territory):
    """The first report of a matter opens an incident that carries its place, kind, urgency and stages."""
    facts = territory.put(report("one", urgency=Urgency.URGENT, references=(("cpr_id", "1"),)))
    assert kinds(facts) == ["IncidentOpened"]
    summary = facts[0].summary
    assert summary == territory.summary(summary.incident_id)
    assert (summary.sequence, summary.state, summary.reports, summary.unread) == (1, "open", 1, 0)
    assert (summary.urgency, summary.category) == ("urgent", "traffic.collision")


def test_facts_and_summaries_are_the_models_own_bytes(territory):
    """What is put together from parts is byte for byte what the models would write; a fact holds the report's bytes."""
    value, headers = record(
        report("one", text="drzewo „na” drodze\n\t\u0001", casualties=Casualties(injured=2)), id="1", source="/t"
    )
    territory.step(value, headers)
    territory.put(report("one again", thread="one", order=2, at=place(uncertainty_m=5), revision=Revision.CANCELLATION))
    territory.put(report("late", received=-40 * 86_400))
    territory.put(report("one", content="other"))
    incident_id = territory.homes()[identity("one")]
    territory.put(command("a", "accept", incident_id, actor='ofi"cer'))
    territory.tick(100)
    assert value in (territory.outputs[0].value or b"")
    for one in territory.outputs:
        model: type[Message] = Fact if one.topic == FACTS else IncidentSummary
        assert canonical(one.value or b"", model), one.value


def test_headers_carry_the_ids(territory):
    """A reader that only counts finds unit, kind, mode, cause, incident, report, thread and document in the headers."""
    territory.put(report("one"), traceparent="00-1-2-01")
    fact, current = territory.outputs
    headers = {name: raw.decode() for name, raw in fact.headers}
    incident_id = territory.homes()[identity("one")]
    expected = {
        "ce_reportid": identity("one"),
        "ce_threadid": identity("thread one"),
        "ce_documentid": identity("document one"),
        "ce_incidentid": incident_id,
        "ce_causeid": identity("one"),
        "ce_unit": "kmp-kalisz",
        "ce_kind": "IncidentOpened",
        "ce_mode": "real",
        "ce_traceparent": "00-1-2-01",
        "ce_time": "2026-03-01T18:00:00Z",
    }
    assert expected.items() <= headers.items()
    assert headers["ce_id"] == headers["ce_factid"]
    assert (current.topic, current.key) == (INCIDENTS_NOW, incident_id.encode())
    assert dict(current.headers)["ce_traceparent"] == b"00-1-2-01"


def test_facts_of_a_command_name_its_document(territory):
    """Trace and ledger find what became of a document that was a command, also after its journal was lost."""
    incident = incident_of(territory.put(report("one")))
    territory.put(command("take", "accept", incident), documentid="document-of-the-command")
    told = [dict(one.headers) for one in territory.outputs if dict(one.headers).get("ce_kind") == b"StateChanged"]
    assert [one["ce_documentid"] for one in told] == [b"document-of-the-command"]


def test_headers_are_the_envelopes(territory):
    """Headers that are put together by hand are those of the CloudEvents envelope, in its order."""
    territory.put(report("one"), traceparent="00-1-2-01")
    territory.put(command("x", "hand-over", territory.homes()[identity("one")], to_unit="kpp-pleszew"))
    for one in territory.outputs:
        assert read(one.headers, one.value).headers() == one.headers


def test_same_thread_is_the_same_incident(territory):
    """A newer revision joins by reference wherever it says that it is, corrects kind and place, and waits unread."""
    incident_id = incident_of(territory.put(report("one", order=1)))
    moved = report("two", thread="one", order=2, at=place(east_m=9_000), category="traffic.accident")
    facts = territory.put(moved)
    assert kinds(facts) == ["ReportLinked", "IncidentRecategorised"]
    assert facts[0].change.explanation.rule == "reference"
    summary = territory.summary(incident_id)
    assert (summary.reports, summary.unread, summary.category) == (2, 1, "traffic.accident")
    assert summary.place == moved.place


def test_older_revision_joins_as_history(territory):
    """A newer revision may come first: the older one joins, and overwrites neither place, kind, urgency nor flags."""
    incident_id = incident_of(territory.put(report("new", thread="one", order=5)))
    before = territory.summary(incident_id)
    facts = territory.put(
        report(
            "old",
            thread="one",
            order=2,
            at=place(north_m=500),
            category="fire.other",
            urgency=Urgency.URGENT,
            flags=("dangerous",),
            casualties=Casualties(dead=1),
            revision=Revision.CANCELLATION,
        )
    )
    assert kinds(facts) == ["ReportLinked"]
    assert facts[0].change.history
    after = territory.summary(incident_id)
    changed = {"sequence", "updated_at", "reports", "first_reports", "sources", "unread"}
    assert before.model_dump(exclude=changed) == after.model_dump(exclude=changed)
    assert (after.reports, after.unread) == (2, 1)


def test_a_repeat_has_no_second_effect(territory):
    """The same report again is told once as repeated, and changes nothing."""
    incident_id = incident_of(territory.put(report("one")))
    before = territory.summary(incident_id)
    for _ in range(3):
        facts = territory.put(report("one"))
        assert kinds(facts) == ["ReportRepeated"]
        assert not facts[0].change.conflict
    told = {one.value for one in territory.outputs[2:]}
    assert len(told) == 1, "repeats of one document are one fact, byte for byte"
    assert territory.summary(incident_id) == before


def test_same_id_with_other_content_is_a_conflict(territory):
    """Both are kept (the fact names the second document), the incident is flagged once, nothing is overwritten."""
    incident_id = incident_of(territory.put(report("one", text="one thing")))
    facts = territory.put(report("one", content="other", text="another thing", at=place(east_m=700)))
    assert kinds(facts) == ["ReportRepeated", "IncidentFlagged"]
    assert facts[0].change.conflict
    assert facts[0].change.document_id == identity("document oneother")
    summary = territory.summary(incident_id)
    assert summary.flags == ("conflict",)
    assert summary.place == place()
    assert kinds(territory.put(report("one", content="third", text="3"))) == ["ReportRepeated"]


def test_the_same_telling_in_another_document_is_no_conflict(territory):
    """A far side that sends the same words in another document repeats itself."""
    territory.put(report("one"))
    facts = territory.put(report("one", content="other bytes"))
    assert kinds(facts) == ["ReportRepeated"]
    assert not facts[0].change.conflict


def test_cancellation_only_flags(territory):
    """It closes nothing; other reports stay; it is never linked by weight; alone it opens a flagged incident."""
    incident_id = incident_of(territory.put(report("one", order=1)))
    territory.put(report("witness", system="psp", references=(("cpr_id", "7"),), thread="one"))
    facts = territory.put(report("off", thread="one", order=2, revision=Revision.CANCELLATION))
    assert kinds(facts) == ["ReportLinked", "IncidentFlagged"]
    summary = territory.summary(incident_id)
    assert (summary.state, summary.reports, summary.flags) == ("open", 3, ("cancelled-by-source",))
    alone = territory.put(report("other matter", system="psp", revision=Revision.CANCELLATION))
    assert kinds(alone) == ["IncidentOpened", "IncidentFlagged"]


def test_urgency_is_raised_never_lowered_by_reports(territory):
    """A supplement may make an incident urgent; no report makes it ordinary again."""
    incident_id = incident_of(territory.put(report("one", references=(("cpr_id", "1"),))))
    facts = territory.put(report("two", system="psp", references=(("cpr_id", "1"),), urgency=Urgency.URGENT))
    assert kinds(facts) == ["ReportLinked", "IncidentRecategorised"]
    assert facts[1].change.actor == "psp"
    assert kinds(territory.put(report("three", references=(("cpr_id", "1"),)))) == ["ReportLinked"]
    assert territory.summary(incident_id).urgency is Urgency.URGENT


def test_casualties_are_the_highest_told(territory):
    """Each number is the highest that anybody told."""
    incident_id = incident_of(territory.put(report("one", thread="t", casualties=Casualties(injured=2, dead=0))))
    territory.put(report("two", thread="t", casualties=Casualties(injured=1, in_danger=4)))
    assert territory.summary(incident_id).casualties == Casualties(injured=2, in_danger=4, dead=0)


@pytest.mark.parametrize("system", ["cpr_id", "jed", "swd_psp"])
def test_equal_reference_decides(territory, system):
    """Two reports that name the same id of a far system are one incident, far apart and of other kinds."""
    incident_id = incident_of(territory.put(report("one", references=((system, "A|7"),))))
    facts = territory.at(30).put(
        report(
            "two",
            seconds=30,
            at=place(east_m=20_000),
            category="fire.other",
            system="desk",
            references=((system, "A|7"),),
        )
    )
    assert (facts[0].change.kind, facts[0].incident_id) == ("ReportLinked", incident_id)
    assert facts[0].change.explanation.rule == "reference"


def test_our_own_incident_id_decides(territory):
    """A report that names our incident belongs to it; an id that we do not know decides nothing."""
    incident_id = incident_of(territory.put(report("one")))
    facts = territory.put(report("two", at=place(east_m=9_000), references=(("incident", incident_id),)))
    assert facts[0].incident_id == incident_id
    assert kinds(territory.put(report("x", at=place(east_m=-9_000), references=(("incident", "?"),)))) == [
        "IncidentOpened"
    ]


def test_thread_before_reference(territory):
    """A thread stays in its incident; an id of another incident in it becomes a suggestion."""
    first = incident_of(territory.put(report("one", references=(("cpr_id", "1"),))))
    second = incident_of(territory.put(report("two", at=place(east_m=9_000), order=1)))
    facts = territory.put(report("three", thread="two", order=2, at=place(east_m=9_000), references=(("cpr_id", "1"),)))
    assert kinds(facts) == ["ReportLinked", "LinkSuggested"]
    assert facts[0].incident_id == second
    assert facts[1].change.suggestion.target_id == first


def test_refused_and_called_in_again_reopens(territory):
    """A desk report naming a refused `cpr_id` reopens that incident, which asks for an answer again."""
    incident_id = incident_of(territory.put(report("form", order=1, references=(("cpr_id", "1"),))))
    territory.put(command("no", "refuse", incident_id, reason="a matter of the fire service"))
    assert kinds(territory.put(report("update", thread="form", order=2))) == ["ReportLinked"]
    assert territory.summary(incident_id).state is IncidentState.REFUSED
    facts = territory.at(60).put(report("call", system="desk", references=(("cpr_id", "1"),), at=Place()))
    assert kinds(facts) == ["ReportLinked", "StateChanged"]
    summary = territory.summary(incident_id)
    assert (summary.state, summary.refused_reason) == (IncidentState.OPEN, None)
    assert kinds(territory.tick(60 + 46)) == ["DeadlinePassed"]


def test_reopened_by_the_far_sides_status(territory):
    """The far side's own `REOPENED` reopens what was refused."""
    incident_id = incident_of(territory.put(report("form", order=1)))
    territory.put(command("no", "refuse", incident_id, reason="a matter of the fire service"))
    facts = territory.put(report("again", thread="form", order=2, handling_status="Ponownie otwarte"))
    assert kinds(facts) == ["ReportLinked", "StateChanged"]
