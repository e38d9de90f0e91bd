"""What officers decide about links becomes labels: once each, with what the machine had weighed, without persons."""

import csv
import io
from typing import Any

import pytest

from ops.correlating.labels import Label, Labels, written
from schemas.incident import Fact
from schemas.topics import FACTS
from tests.streams.incident_log import Territory, command, identity, place, report

CRASH = "zderzenie dwóch samochodów, jedna osoba ranna"
OTHER = "stłuczka, sprawca odjechał"


def labelled(territory: Territory) -> list[Label]:
    """The labels of everything that was told in a territory."""
    folded = Labels()
    told = [one for one in territory.outputs if one.topic == FACTS]
    modes = [dict(one.headers).get("ce_mode", b"").decode() for one in told]
    found = [
        folded.take(Fact.model_validate_json(one.value or b""), mode) for one, mode in zip(told, modes, strict=True)
    ]
    return [one for one in found if one is not None]


def brief(territory: Territory) -> list[tuple[str, bool, str]]:
    """How, whether they are one, and about which report."""
    return [(one.decided.value, one.one, one.report_id) for one in labelled(territory)]


def accident(**more: Any) -> Territory:
    """An accident, and a second report of it or of another one."""
    territory = Territory()
    territory.put(report("first", category="traffic.accident", text=CRASH))
    told: dict[str, Any] = {"category": "traffic.accident", "system": "psp", "text": CRASH, "seconds": 30, **more}
    territory.put(report("second", **told))
    return territory


def asked() -> tuple[Territory, str, str]:
    """A suggestion: the incident that it is told at, and the one that it is about."""
    territory = accident(category="traffic.collision", text=OTHER, seconds=2_700, at=place(20), system="cpr")
    homes = territory.homes()
    return territory, homes[identity("second")], homes[identity("first")]


@pytest.mark.parametrize("verb", ["confirm", "reject"])
def test_an_answered_suggestion(verb: str) -> None:
    """One label of the pair that was asked about; the moves that follow from a yes are none."""
    territory, own, target = asked()
    territory.put(command("answer", verb, own, target_id=target, reason="seen on camera"))
    (label,) = labelled(territory)
    assert (label.decided.value.split("-")[1][:6], label.one) == (verb[:6], verb == "confirm")
    assert (label.report_id, label.incident_id) == (identity("second"), target)
    assert label.bits < 4.5
    assert "time-gap" in label.evidence
    assert label.weights


def test_a_link_that_is_undone() -> None:
    """The machine joined them, a person took one out: not one. That it got an incident of its own says no more."""
    territory = accident(at=place(30))
    home = territory.homes()[identity("second")]
    assert brief(territory) == []
    territory.put(command("out", "unlink", home, report_id=identity("second"), reason="another accident"))
    assert brief(territory) == [("link-undone", False, identity("second"))]


def test_a_link_by_hand() -> None:
    """A person knew what the machine could not."""
    territory = accident(at=place(9_000))
    first, second = (territory.homes()[identity(name)] for name in ("first", "second"))
    territory.put(command("link", "link", second, target_id=first, report_id=identity("second")))
    assert brief(territory) == [("linked-by-hand", True, identity("second"))]


def test_a_doubted_link_that_is_kept() -> None:
    """Place and time speak against it, and a person for it."""
    territory = accident(at=place(40))
    home = territory.homes()[identity("second")]
    territory.put(
        report("again", thread="first", order=1, category="traffic.accident", text=CRASH, at=place(6_000), seconds=60)
    )
    territory.put(command("stay", "confirm", home, target_id=home, report_id=identity("second")))
    assert brief(territory) == [("link-kept", True, identity("second"))]


def test_an_exercise_teaches_nothing() -> None:
    """What is played is decided by a script."""
    territory = accident(at=place(30))
    home = territory.homes()[identity("second")]
    territory.put(command("out", "unlink", home, report_id=identity("second"), reason="another accident"))
    folded = Labels()
    facts = [Fact.model_validate_json(one.value or b"") for one in territory.outputs if one.topic == FACTS]
    assert [folded.take(one, "exercise") for one in facts] == [None] * len(facts)


def test_the_file_holds_no_words_of_anybody() -> None:
    """Ids, numbers, kinds: nothing that was told."""
    territory = accident(at=place(30))
    home = territory.homes()[identity("second")]
    territory.put(command("out", "unlink", home, report_id=identity("second"), reason="another accident"))
    text = written(labelled(territory))
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["decided"], row["one"], row["unit"]) == ("link-undone", "0", "kmp-kalisz")
    assert not {"zderzenie", "ranna", "another"} & set(text.replace('"', " ").split())
