"""What must hold for any log: generated reports, commands, ticks and transfers, played through the pure step."""

import subprocess
import sys
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.command import Tick, Verb
from schemas.incident import Fact
from schemas.model import Message
from schemas.place import Place
from schemas.report import Mode, Revision, Urgency
from schemas.summary import IncidentState, IncidentSummary
from schemas.topics import FACTS, INCIDENTS_NOW
from schemas.wire import derived_id, record
from tests.streams.incident_log import START, Memory, Territory, canonical, command, homes, identity, place, report

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXTS = (None, "drzewo leży na drodze przy moście", "drzewo na drodze", "głośna muzyka u sąsiada")
CODES = ("traffic.collision", "traffic.obstruction", "env.weather", "crime.weapon", "order.noise", "unknown")
NAMES = tuple(f"r{at}" for at in range(12))
INCIDENTS = tuple(derived_id("incident", identity(name)) for name in NAMES)

places = st.one_of(
    st.builds(place, st.integers(-3, 3).map(lambda at: at * 300), st.integers(-2, 2).map(lambda at: at * 400)),
    st.just(Place()),
)


@st.composite
def reports(draw: Any) -> Message:
    """A report of few names, threads and ids, so that repeats, revisions and references happen."""
    references = draw(st.sampled_from(((), (), (("cpr_id", "1"),), (("jed", "2"),), (("incident", INCIDENTS[0]),))))
    return report(
        draw(st.sampled_from(NAMES)),
        seconds=draw(st.integers(0, 3_000)),
        at=draw(places),
        category=draw(st.sampled_from(CODES)),
        text=draw(st.sampled_from(TEXTS)),
        thread=draw(st.sampled_from(("a", "b", None, None))),
        order=draw(st.integers(0, 3)),
        system=draw(st.sampled_from(("cpr", "psp", "desk"))),
        urgency=draw(st.sampled_from(list(Urgency))),
        revision=draw(st.sampled_from(list(Revision))),
        references=references,
        mode=draw(st.sampled_from((Mode.REAL, Mode.REAL, Mode.TEST))),
        content=draw(st.sampled_from(("", "", "changed"))),
        tokens=draw(st.sampled_from(((), ("t",)))),
    )


@st.composite
def commands(draw: Any) -> Message:
    """Any verb on one of the incidents that the reports may open."""
    return command(
        draw(st.sampled_from([str(at) for at in range(30)])),
        draw(st.sampled_from([verb.value for verb in Verb])),
        draw(st.sampled_from(INCIDENTS)),
        reason=draw(st.sampled_from((None, "because"))),
        target_id=draw(st.sampled_from((None, *INCIDENTS))),
        report_id=draw(st.sampled_from((None, *map(identity, NAMES)))),
        to_unit="kpp-pleszew",
        category="traffic.accident",
        resource="K-1",
        delivery_id="d",
    )


ticks = st.builds(lambda: Tick(at=START))
steps = st.lists(st.tuples(st.integers(0, 400), st.one_of(reports(), reports(), commands(), ticks)), max_size=25)


def log_of(moves: list[tuple[int, Message]]) -> list[tuple[float, bytes, tuple[tuple[str, bytes], ...]]]:
    """A log: append time in seconds after START, value, headers."""
    now, made = 0.0, []
    for at, (pause, message) in enumerate(moves):
        now += pause
        value, headers = record(message, id=str(at), source="/test")
        made.append((now, value, headers))
    return made


def played(log: Any, *, reload_every: int = 0) -> Territory:
    """A territory after this log, recovered from its changelog every so many records."""
    territory = Territory()
    for at, (now, value, headers) in enumerate(log):
        territory.at(now).step(value, headers)
        if reload_every and at % reload_every == 0:
            territory.reload()
    return territory


@given(steps)
@QUICK
def test_same_log_same_bytes(moves):
    """The same log gives the same outputs and state, whether or not the state went through its changelog between."""
    log = log_of(moves)
    one, other = played(log), played(log, reload_every=1)
    assert one.outputs == other.outputs
    assert {key: one.made.encode(value) for key, value in one.memory.values.items()} == {
        key: other.made.encode(value) for key, value in other.memory.values.items()
    }
    assert one.memory.values == other.memory.values


@given(steps)
@QUICK
def test_a_step_that_is_done_again_tells_the_same(moves):
    """A step is pure: twice with the same state (a crash between outputs and state) it tells the same."""
    territory = Territory()
    for now, value, headers in log_of(moves):
        before = Memory(dict(territory.memory.values))
        territory.at(now).step(value, headers)
        told = territory.outputs[:]
        after, territory.memory = territory.memory, before
        territory.outputs.clear()
        territory.offset -= 1
        territory.step(value, headers)
        assert territory.outputs == told[-len(territory.outputs) :] if territory.outputs else True
        assert territory.memory.values == after.values
        territory.outputs = told


@given(steps)
@QUICK
def test_twice_is_once(moves):
    """Each record twice in the log: the same incidents with the same reports and states as once."""
    log = log_of(moves)
    doubled = [entry for entry in log for _ in range(2)]
    once, twice = played(log), played(doubled)
    assert homes(told(once)) == homes(told(twice))
    assert states(once) == states(twice)
    known = {fact.fact_id for fact in told(once)}
    extra = [fact for fact in told(twice) if fact.fact_id not in known]
    assert {fact.change.kind for fact in extra} <= {"ReportRepeated"}


@given(steps)
@QUICK
def test_every_report_is_in_exactly_one_incident_at_any_time(moves):
    """After each record: every report that came is in one incident, whose number of reports is right."""
    territory = Territory()
    came: set[str] = set()
    for now, value, headers in log_of(moves):
        territory.at(now).step(value, headers)
        kind = dict(headers)["ce_type"]
        if kind == b"pl.sztab.ReportNormalised.v1":
            came.add(identity_of(value))
        where = territory.homes()
        known = {
            key.rsplit("|", 1)[1]: held.incident_id
            for key, held in territory.memory.values.items()
            if key.startswith("r|")
        }
        forwarded = {report_id for report_id, home in known.items() if gone(territory, home)}
        assert came - forwarded == set(where) - forwarded
        assert {key: known[key] for key in where} == where
        counted = Counter(where.values())
        for incident_id, number in counted.items():
            if not gone(territory, incident_id):
                assert summary_of(territory, incident_id).reports == number


@given(steps)
@QUICK
def test_bytes_are_canonical_and_sequences_grow_by_one(moves):
    """Facts and summaries are the models' own bytes; ids never repeat but for repeats; versions count changes."""
    territory = played(log_of(moves))
    last: dict[str, int] = {}
    for output in territory.outputs:
        if output.topic not in {FACTS, INCIDENTS_NOW}:
            continue
        model: type[Message] = Fact if output.topic == FACTS else IncidentSummary
        assert canonical(output.value or b"", model)
        assert dict(output.headers)["ce_mode"] in {b"real", b"test"}, "what route goes by, whatever a fact holds"
    seen: dict[str, Fact] = {}
    for fact in told(territory):
        if fact.fact_id in seen:
            assert fact.change == seen[fact.fact_id].change
            continue
        seen[fact.fact_id] = fact
        if fact.summary is not None and fact.change.kind not in {"CommandRefused", "DeliveryRequested"}:
            incident_id = fact.incident_id or ""
            assert fact.summary.sequence == last.get(incident_id, 0) + 1
            last[incident_id] = fact.summary.sequence


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 300), st.sampled_from(CODES)), min_size=2, max_size=20))
@QUICK
def test_far_apart_never_meet(moves):
    """Whatever their kinds and words: reports 30 km apart, or a day apart, are never one incident by the machine."""
    territory = Territory()
    sides: dict[str, int] = {}
    for at, (side, seconds, code) in enumerate(moves):
        told_at = place(side * 30_000 + seconds)
        territory.put(report(f"x{at}", at=told_at, seconds=seconds, category=code, text=TEXTS[1], system=f"s{at % 3}"))
        sides[identity(f"x{at}")] = side
    day = 86_400
    territory.at(day).put(report("tomorrow", seconds=day, at=place(), category=moves[0][2], text=TEXTS[1], system="s9"))
    sides[identity("tomorrow")] = 2
    met: dict[str, set[int]] = {}
    for report_id, home in territory.homes().items():
        met.setdefault(home, set()).add(sides[report_id])
    assert all(len(one) == 1 for one in met.values())


SCRIPT = """
import hashlib, sys
from tests.streams.incident_log import Territory, command, identity, place, report
from schemas.wire import derived_id
t = Territory()
for at in range(200):
    t.at(at * 7).put(report(
        f"r{at}", seconds=at * 7, at=place(at % 9 * 150, at % 7 * 90), thread=f"t{at % 60}", order=at,
        text=("drzewo na drodze", "zalana piwnica", None)[at % 3], system=("cpr", "psp", "desk")[at % 3],
        flags=("ongoing", "media"), tokens=(f"k{at % 11}", f"l{at % 5}"),
        references=(("cpr_id", str(at % 50)), ("jed", str(at % 70))),
    ))
    if at % 5 == 0:
        home = sorted(set(t.homes().values()))[0]
        t.put(command(f"c{at}", ("accept", "dispatch", "end", "reopen", "read")[at % 5], home))
t.tick(20_000)
h = hashlib.sha256()
for o in t.outputs:
    h.update(repr((o.topic, o.key, o.value, o.headers)).encode())
h.update(repr(t.deleted).encode())
for key, value in t.memory.values.items():
    h.update(key.encode() + t.made.encode(value))
print(h.hexdigest(), len(t.deleted))
"""


def test_another_hash_seed_gives_the_same_bytes():
    """Outputs and state, with their order, do not depend on the interpreter's hash seed."""
    told_ = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
            timeout=100,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(told_) == 1
    assert int(told_.pop().split()[1]) > 10


def told(territory: Territory) -> list[Fact]:
    """All facts so far."""
    return [Fact.model_validate_json(one.value or b"") for one in territory.outputs if one.topic == FACTS]


def identity_of(value: bytes) -> str:
    """The id of the report in a record's value."""
    return value.split(b'"report_id":"', 1)[1][:36].decode()


def summary_of(territory: Territory, incident_id: str) -> IncidentSummary:
    """The incident as state has it."""
    held = territory.memory.get(f"i|kmp-kalisz|{incident_id}")
    assert isinstance(held.summary, IncidentSummary)
    return held.summary


def gone(territory: Territory, incident_id: str) -> bool:
    """Whether the incident went to another unit."""
    held = territory.memory.get(f"i|kmp-kalisz|{incident_id}")
    return bool(held is not None and held.gone_to)


def states(territory: Territory) -> dict[str, tuple[IncidentState, int, int]]:
    """State, reports and unread of each incident."""
    return {
        held.summary.incident_id: (held.summary.state, held.summary.reports, held.summary.unread)
        for key, held in territory.memory.values.items()
        if key.startswith("i|")
    }
