"""What the producers of a proof tell: the same for the same seed, and everything that the issue of a day brings."""

import random
import time
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from connectors.contract import Document
from connectors.cpr.settings import CprSettings
from connectors.cpr.translate import translate as translate_cpr
from connectors.desk.settings import DeskSettings
from connectors.desk.translate import translate as translate_desk
from connectors.webhook.lab import WebhookLab
from ops import settings
from ops.prove.system.campaign import Order, orders
from ops.prove.system.catalogue import CONVICTIONS, FAULTS, QUICK
from ops.prove.system.clocked import Clock
from ops.prove.system.configured import ORDINARY, PANELS, SOURCES, Shape, recipients_of, written
from ops.prove.system.known import BAD
from ops.prove.system.load import Listed, Message, Script
from ops.prove.system.strikes_input import odd, poisons
from schemas.errors import Rejected
from tests.waiting import wait_until


def script(name="cpr-a", connector="cpr", seed=1, raising=()):
    """A producer's script."""
    sources = [one for one in SOURCES if one.startswith(connector)]
    return Script(name, connector, sources, random.Random(seed), raising=raising)


def told(one, count=400):
    """So many messages."""
    return [one.next() for _ in range(count)]


def test_the_same_seed_tells_the_same() -> None:
    """A run can be repeated."""
    assert told(script()) == told(script())
    assert told(script()) != told(script(seed=2))


def test_everything_is_told_and_one_in_ten_is_a_repeat() -> None:
    """New reports, repeats with equal bytes, updates, cancellations, repeat calls."""
    messages = told(script(), 2000)
    counted = Counter(one.what for one in messages)
    assert set(counted) == {"new", "duplicate", "update", "repeat-call", "cancellation"}
    assert 0.07 < counted["duplicate"] / len(messages) < 0.13
    known = {one.body for one in messages if one.what != "duplicate"}
    assert all(one.body in known for one in messages if one.what == "duplicate")


def test_an_identity_is_one_content() -> None:
    """Two messages of one identity have the same bytes: else the judge could not tell a conflict from a repeat."""
    by_identity: dict[str, set[bytes]] = {}
    for one in told(script(), 2000):
        by_identity.setdefault(one.identity, set()).add(one.body)
    assert {len(bodies) for bodies in by_identity.values()} == {1}


def test_what_is_told_is_understood() -> None:
    """Every form goes through the connector's own translation."""
    for one in told(script(), 200):
        translate_cpr(Document(one.body, "application/json"), CprSettings(name="cpr-1"))
    for one in told(script("desk", "desk"), 200):
        translate_desk(Document(one.body, "application/json"), DeskSettings(name="desk-1"))


def test_a_step_is_made_to_raise_for_some() -> None:
    """They are marked as what must end in quarantine, and go nowhere."""
    bad = [one for one in told(script(raising=("normalise", "route")), 800) if one.what == BAD]
    assert len(bad) == 4
    assert {orjson.loads(one.body)["description"] for one in bad} == {"proof-raise-normalise", "proof-raise-route"}


def test_a_list_ends() -> None:
    """Each message once, then none."""
    one = Listed("x", [Message("new", "cpr-1", "a", "a", b"{}")])
    assert one.next() is not None
    assert one.next() is None


def test_poison_is_refused_and_each_body_stands_once() -> None:
    """No poison of ours is by chance a good form."""
    bodies = list(poisons(None))
    assert len(bodies) == len(set(bodies)) > 10
    for body in bodies:
        with pytest.raises(Rejected):
            translate_cpr(Document(body, "application/json"), CprSettings(name="cpr-1"))


def test_odd_messages_are_all_kinds_of_odd() -> None:
    """Disorder, many repeats, conflicts, a day late."""
    messages = list(odd("x", random.Random(1)))
    identities = Counter(one.identity for one in messages)
    bodies = {one.identity: {m.body for m in messages if m.identity == one.identity} for one in messages}
    assert 10 in identities.values()
    assert any(len(some) == 2 for some in bodies.values()), "one id, two contents"
    revisions = [orjson.loads(one.body)["revision"] for one in messages]
    assert any(later < earlier for earlier, later in pairwise(revisions))


def test_the_configuration_under_proof_is_one(tmp_path: Path) -> None:
    """It loads as any `sztab.toml`, and every source has its recipients."""
    receivers = {name: ("http://127.0.0.1:1/hook", WebhookLab().keys) for name in ("dispatch", "fire", "crisis")}
    file = written(tmp_path, 2, "proof.", "127.0.0.1:1", receivers, Shape(), {1: 1001, 2: 1002}, 1003)
    found = settings.load(file)
    assert found.node == "intake-2"
    assert {one.name for one in found.sources} == {*SOURCES, *ORDINARY, PANELS}
    assert {name for source in SOURCES for name in recipients_of(source)} == set(receivers)


def test_the_catalogue_is_whole() -> None:
    """Every row of the fault matrix but that of certificates has its fault; ten runs where ten are asked."""
    rows = {one.row for one in FAULTS.values()}
    assert rows == set(range(24)) - {19}
    ten = {1, 2, 3, 4, 5, 7, 14, 15, 16}
    assert {one.row for one in FAULTS.values() if one.runs >= 10} == ten
    assert set(QUICK) <= set(FAULTS)
    assert {fault for _, fault in CONVICTIONS} <= set(FAULTS)


def test_orders_name_what_cannot_run_here() -> None:
    """A fault whose tool is missing is skipped with its reason; the others have one order for each seed."""
    missing = replace(FAULTS["clock"], needs=lambda: "no such tool here")
    found, skipped = orders([FAULTS["none"], missing], 5, 9.0, 2)
    assert found == [Order(FAULTS["none"], 5, 9.0), Order(FAULTS["none"], 6, 9.0)]
    assert [(one.fault, one.reason) for one in skipped] == [("clock", "no such tool here")]


def test_a_clock_shows_what_its_file_says(tmp_path: Path) -> None:
    """Ahead, behind, and too fast; the file may change at any time."""
    file = tmp_path / "clock"
    file.write_text("+3600")
    clock = Clock(file)
    assert abs(clock.now() - time.time() - 3600) < 1
    file.write_text("-90")
    assert wait_until(lambda: abs(clock.now() - time.time() + 90) < 1, 5)
    file.write_text("+0 x1000")
    assert wait_until(lambda: clock.now() - time.time() > 30, 5)
