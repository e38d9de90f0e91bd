"""What a proof does to a role: each safety that can be taken out is really out, and only that."""

import pytest

from ops.prove.system import role
from ops.prove.system.role import Told
from streams.contract import Outcome, Output, Record

RECORD = Record("in", 0, 0, b"k", b'{"a": 1}', (), 0)


class Known:
    """A state that knows everything."""

    def get(self, key: str, /) -> str:
        """The key itself."""
        return key


def echo(state, record):
    """Writes what came, and what the state says of a report and of a thread."""
    told = f"{state.get('r|u|1')} {state.get('t|u|1')}".encode()
    return Outcome((Output("out", b"k", record.value), Output("out", b"s", told)))


def test_told_survives_the_environment() -> None:
    """What the harness tells a role arrives as it was told."""
    told = Told("a.toml", "streams", 2, ("state-sent", 7), ("order",), raises=True, images="x")
    assert role.told_by(told.environment()) == told


def test_a_role_that_was_not_started_by_the_harness_has_nothing_of_it() -> None:
    """Without the variable nothing is armed: there is no default."""
    with pytest.raises(KeyError):
        role.told_by({})


def test_a_marked_record_raises_and_no_other() -> None:
    """The bug that the proof puts in hits the reports that name the processor."""
    step = role.raising(echo, b"proof-raise-incidents")
    assert step(Known(), RECORD).outputs[0].value == RECORD.value
    with pytest.raises(RuntimeError):
        step(Known(), RECORD._replace(value=b'{"d": "proof-raise-incidents"}'))


def test_a_forgiving_step_loses_what_raised_in_silence() -> None:
    """The mistake to be convicted: nothing is written, nothing is set aside."""
    step = role.forgiving(role.raising(echo, b"a"))
    assert step(Known(), RECORD) == Outcome()


def test_a_forgetful_step_knows_no_report_and_everything_else() -> None:
    """Only the memory of reports is taken away."""
    assert role.forgetful(echo)(Known(), RECORD).outputs[1].value == b"None t|u|1"


def test_a_newer_version_writes_one_field_more() -> None:
    """Objects get the field; what is no object, and a tombstone, stay as they are."""
    newer = role.newer(echo)(Known(), RECORD).outputs
    assert newer[0].value == b'{"field_of_a_newer_version":{"and":["more"]},"a": 1}'
    assert newer[1].value == b"r|u|1 t|u|1"
    assert role.with_field(None) is None
    assert role.with_field(b"{}") == b"{}"


def test_options_of_roles() -> None:
    """Intake gets the hook and the first promise's switch, streams the shell's rules; deliver runs as it is."""
    intake = role.options(Told("c", "intake", off=(role.ANSWER_FIRST,)))
    assert (intake["hook"], intake["answer_before_journal"]) == (None, True)
    streams = role.options(Told("c", "streams", 2, off=("order", role.QUARANTINE)))
    from streams.shell_settings import ShellSettings

    changed = streams["shell"](ShellSettings(bootstrap_servers=""))
    assert not changed.switches.order
    assert changed.switches.marker
    assert streams["worker"] == 2
    assert role.options(Told("c", "deliver")) == {}
