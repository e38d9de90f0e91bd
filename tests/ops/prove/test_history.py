"""The written evidence: what was appended is read again, and a kill costs the last line at most."""

import random
from dataclasses import fields

import pytest

from ops.prove.system import history
from ops.prove.system.history import Attempt, Evidence, Writer, gathered, load, outcome_of, read, save
from tests.ops.prove.histories import perfect

MADE = perfect(random.Random(3), 60, fault=(1.0, 2.0))
ROWS: list[history.Row] = [*MADE.operations, *MADE.effects, *MADE.facts, *MADE.aside, *MADE.strikes, *MADE.samples]


def test_rows_come_back_as_they_were(tmp_path):
    """Every kind of row survives the file, in order, over two openings."""
    file = tmp_path / "deep" / "rows.jsonl"
    for half in (ROWS[:100], ROWS[100:]):
        with Writer(file) as writer:
            writer.append(*half)
    assert list(read(file)) == ROWS
    assert {type(row) for row in ROWS} == set(history._ROWS.values())


def test_a_torn_last_line_is_passed_over_and_cut_off(tmp_path):
    """A writer that was killed leaves a line without its end; it is no row, and the next writer begins after it."""
    file = tmp_path / "rows.jsonl"
    with Writer(file) as writer:
        writer.append(*ROWS[:3])
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    assert list(read(file)) == ROWS[:2]
    with Writer(file) as writer:
        writer.append(ROWS[2])
    assert file.read_bytes() == whole


def test_a_damaged_line_within_is_not_passed_over(tmp_path):
    """Evidence with holes proves nothing: the damage is named."""
    file = tmp_path / "rows.jsonl"
    file.write_bytes(b'{"type": "Strike", \n{"type": "Strike"}\n')
    with pytest.raises(ValueError, match="line 1"):
        list(read(file))
    file.write_bytes(b'{"type": "Gossip"}\n')
    with pytest.raises(ValueError, match="Gossip"):
        list(read(file))


def test_no_file_is_no_rows(tmp_path):
    """A recipient that was never asked has written nothing."""
    assert list(read(tmp_path / "none")) == []


def test_whole_evidence_is_saved_and_loaded(tmp_path):
    """A run that failed can be judged again from its file."""
    file = tmp_path / "evidence.jsonl"
    save(MADE, file)
    again = load(file)
    for one in fields(Evidence):
        assert getattr(again, one.name) == getattr(MADE, one.name), one.name
    with pytest.raises(FileExistsError):
        save(MADE, file)


def test_torn_evidence_is_refused(tmp_path):
    """Evidence that was not written to its end is not judged."""
    file = tmp_path / "evidence.jsonl"
    save(MADE, file)
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(ValueError, match="torn"):
        load(file)
    file.write_bytes(b'{"type": "Strike"}\n')
    with pytest.raises(ValueError, match="head"):
        load(file)


def test_rows_are_gathered_by_kind():
    """Rows of several files become the lists of an evidence."""
    assert gathered(ROWS)["operations"] == list(MADE.operations)
    assert gathered([])["facts"] == []


@pytest.mark.parametrize(
    ("tries", "outcome"),
    [
        ([], "info"),
        (["ok"], "ok"),
        (["info", "ok"], "ok"),
        (["fail", "ok"], "ok"),
        (["fail"], "fail"),
        (["fail", "fail"], "fail"),
        (["info", "fail"], "info"),
        (["fail", "info"], "info"),
        (["info"], "info"),
    ],
)
def test_an_operation_is_as_good_as_its_best_certain_try(tries, outcome):
    """One yes is a yes; a refusal is certain only if nothing else may have come through; a time-out is no failure."""
    assert outcome_of([Attempt(0, 1, told) for told in tries]) == outcome
