"""What a person reads is drawn from what no label confirms, and what they say is counted."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner

from ops.correlate_cli import correlate
from ops.correlating import sampling
from schemas.errors import Misconfigured
from tests.ops.correlating.calls import evaluated, files, row


def storm(folder: Path) -> Path:
    """Ten collisions, far apart, each told twice; labels know of none but the first."""
    told = ((f"a{n}", 40 * n, 9_000 * n) for n in range(10))
    rows = [(row(name, at, metres=far), row(f"{name}x", at + 2, metres=far + 30)) for name, at, far in told]
    return files(folder, [one for both in rows for one in both])


def test_only_what_no_label_confirms_is_drawn(tmp_path: Path) -> None:
    """Each once, with both calls beside each other; the same seed draws the same, another one others."""
    told = evaluated(storm(tmp_path), [("a0", "a0x")])
    rows = sampling.draw(told, seed=1, count=4)
    assert len(rows) == 4
    assert len({one["call"] for one in rows}) == 4
    assert all(one["partner"] == one["call"].removesuffix("x") for one in rows)
    assert "a0x" not in {one["call"] for one in sampling.draw(told, seed=1)}
    assert rows == sampling.draw(told, seed=1, count=4)
    assert len({tuple(one["call"] for one in sampling.draw(told, seed, count=4)) for seed in range(9)}) > 1


def test_what_a_person_said_is_counted(tmp_path: Path) -> None:
    """Yes and no, in any letter case; unsure and empty are not counted."""
    rows = sampling.draw(evaluated(storm(tmp_path), []), seed=1)
    for one, word in zip(rows, ("yes", "No", "YES", "yes", "unsure", ""), strict=False):
        one["same"] = word
    file = tmp_path / "sample.csv"
    file.write_text(sampling.written(rows), "utf-8")
    found = sampling.read(file)["linked"]
    assert (found.read, found.unsure, found.false.value) == (4, 1, 0.25)
    assert found.false.low < 0.25 < found.false.high


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "decision,same\nlinked,perhaps\n", "decision,same\nguessed,yes\n"])
def test_what_is_no_sample_is_refused(tmp_path: Path, text: str) -> None:
    """With the line where it is wrong."""
    file = tmp_path / "sample.csv"
    file.write_text(text, "utf-8")
    with pytest.raises(Misconfigured, match=r"sample\.csv"):
        sampling.read(file)


def test_the_command_writes_and_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any labels at all: what cannot be judged by them can be judged by reading."""
    monkeypatch.chdir(tmp_path)
    header = "id,created_local,lat,lon,type,place"
    told = [
        ("171010LA00001", "00:00:00", 34.0),
        ("171010LA00002", "00:01:00", 34.0),
        ("171010LA00003", "09:00:00", 35.0),
    ]
    lines = [
        f"{name},2017-10-10T{at},{lat},-118.25,1182-Trfc Collision-No Inj,I10 W / 5th St" for name, at, lat in told
    ]
    (tmp_path / "calls.csv").write_text("\n".join([header, *lines]) + "\n", "utf-8")
    words = ["evaluate", "--incidents", "calls.csv", "--mapping", "chp_incidents", "--resamples", "2"]
    done = CliRunner().invoke(correlate, [*words, "--sample", "sample.csv"])
    assert done.exit_code == 0, done.output
    (found,) = csv.DictReader((tmp_path / "sample.csv").read_text("utf-8").splitlines())
    assert (found["call"], found["partner"], found["minutes"]) == ("171010LA00002", "171010LA00001", "1.0")
    text = (tmp_path / "sample.csv").read_text("utf-8").rstrip("\n") + "no\n"
    (tmp_path / "read.csv").write_text(text, "utf-8")
    again = CliRunner().invoke(correlate, [*words, "--judged", "read.csv"])
    assert again.exit_code == 0, again.output
    assert f"{found['decision']}: 1 read, 100% of them two matters" in again.output
