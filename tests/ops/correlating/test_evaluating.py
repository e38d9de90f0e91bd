"""An evaluation says what the real step does, knows only what was known then, and judges only after the split."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import orjson
import pytest
from click.testing import CliRunner

from connectors.file import mapping as mappings
from ops.correlate_cli import correlate
from ops.correlating.evaluating import as_json
from ops.correlating.page import page, worst_links, worst_misses
from ops.correlating.playing import ALONE, LINKED
from ops.correlating.rule import Rule
from ops.correlating.truth import Truth, truth_of
from schemas.errors import Misconfigured
from tests.ops.correlating.calls import HEADER, evaluated, files, row

DAY = 1440
MIDNIGHT_MS = round(datetime(2026, 3, 2, tzinfo=ZoneInfo("Europe/Warsaw")).timestamp() * 1000)


def evening(folder: Path) -> Path:
    """A collision told twice, one far away, and the next day the same again; and a collision far out of reach."""
    return files(
        folder,
        [
            row("a1", 0, text="zderzenie dwóch aut na rondzie"),
            row("a2", 3, metres=60, text="zderzenie dwóch aut na rondzie"),
            row("b1", 5, metres=4_000),
            row("c1", DAY, text="zderzenie z tramwajem przy dworcu"),
            row("c2", DAY + 4, metres=80, text="zderzenie z tramwajem przy dworcu"),
            row("d1", DAY + 6, metres=3_000),
            row("d2", DAY + 16, metres=9_500),
        ],
    )


PAIRS = [("a1", "a2"), ("c1", "c2"), ("d2", "d1")]


def test_what_the_machine_links_is_held_against_what_people_did(tmp_path: Path) -> None:
    """Two pairs are found; the third is out of reach and so is none that could be; nothing else is linked."""
    told = evaluated(evening(tmp_path), PAIRS)
    assert (told.calls, told.refused, told.partners) == (7, 0, 2)
    found = {one.key: one for one in told.decisions}
    assert {key: one.what for key, one in found.items() if one.what == LINKED} == {"a2": LINKED, "c2": LINKED}
    assert found["c2"].members == ("c1",)
    assert told.automatic.right == told.automatic.calls == 2
    assert told.shares["10"].value == 1.0
    assert told.b_cubed[0] == 1.0
    assert told.speed.seconds_p99 > 0


def test_only_what_comes_after_the_split_is_judged(tmp_path: Path) -> None:
    """What came before it may be known, and is not counted."""
    file = evening(tmp_path)
    told = evaluated(file, PAIRS, split_ms=MIDNIGHT_MS)
    assert {one.key for one in told.judged} == {"c1", "c2", "d1", "d2"}
    assert told.partners == 1


def test_the_future_is_not_known(tmp_path: Path) -> None:
    """The rows stand in any order in the file; a call is never linked to a later one."""
    rows = [row("late", 9, metres=20, text="pożar śmietnika"), row("early", 1, text="pożar śmietnika")]
    told = evaluated(files(tmp_path, rows), [("early", "late")])
    assert [one.key for one in told.decisions] == ["early", "late"]
    assert told.decisions[0].what == ALONE
    assert told.decisions[1].members == ("early",)


def test_the_rule_of_thumb_is_tuned_before_the_split(tmp_path: Path) -> None:
    """The best rule for the first day is what the second day is judged by, even where it is wrong there."""
    file = files(
        tmp_path,
        [
            *(row(f"a{n}", 40 * n, metres=9_000 * n) for n in range(5)),
            *(row(f"b{n}", 40 * n + 1, metres=9_000 * n + 40) for n in range(5)),
            *(row(f"c{n}", DAY + 40 * n, metres=9_000 * n) for n in range(5)),
            *(row(f"d{n}", DAY + 40 * n + 20, metres=9_000 * n + 40) for n in range(5)),
        ],
    )
    pairs = [(f"a{n}", f"b{n}") for n in range(5)] + [(f"c{n}", f"d{n}") for n in range(5)]
    told = evaluated(file, pairs, split_ms=MIDNIGHT_MS)
    assert told.rules["10"] == Rule(50, 1, same=False)
    assert told.rule_shares["10"] == 0.0


def test_the_page_and_the_object_show_the_same(tmp_path: Path) -> None:
    """Figures for programs and for people; the worst are named with their words, escaped."""
    rows = [row("a1", 0, text="<b>zderzenie</b>"), row("a2", 2, text="<b>zderzenie</b>"), row("a3", 9, metres=1_200)]
    told = evaluated(files(tmp_path, rows), [("a1", "a3")])
    shown = page(told)
    assert orjson.loads(orjson.dumps(as_json(told)))["calls"] == 3
    assert "<b>zderzenie" not in shown
    assert "&lt;b&gt;zderzenie" in shown
    assert [one.call.key for one in worst_links(told)] == ["a2"]
    assert [(one.call.key, one.other.key) for one in worst_misses(told)] in ([("a3", "a1")], [])


def test_clusters_are_whatever_hangs_together() -> None:
    """By pairs in any order."""
    truth = truth_of([("a", "b"), ("c", "d"), ("b", "c")])
    assert len({truth.cluster(one) for one in "abcd"}) == 1
    assert truth.cluster("e") == "e"
    assert Truth().cluster("x") == "x"


def run(*words: str) -> tuple[int, str]:
    """The command line: exit status, and what it said or raised for `ops/cli.py` to say."""
    done = CliRunner().invoke(correlate, ["evaluate", *words])
    return done.exit_code, done.output + str(done.exception or "")


def test_the_command_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file without its columns, pairs without theirs, fewer mappings than files."""
    monkeypatch.chdir(tmp_path)
    file = evening(tmp_path)
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("one,other\na1,a2\n", "utf-8")
    given = ("--incidents", str(file), "--pairs", str(pairs))
    status, said = run(*given, "--mapping", "chp_incidents")
    assert (status, "no column survivor_id" in said) == (1, True)
    status, said = run(*given, "--columns", "one,other", "--mapping", "chp_incidents")
    assert (status, "no column created_local" in said) == (1, True)
    assert run(*given, "--mapping", "chp_incidents", "--mapping", "chp_incidents")[0] == 2
    with pytest.raises(Misconfigured):
        mappings.load("no-such-mapping")


def test_the_command_prints_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json; the page beside it."""
    monkeypatch.chdir(tmp_path)
    rows = ["171018LA00001,2017-10-18T06:00:00,34.05,-118.25,1125-Traffic Hazard,I10 W / 4th St"]
    file = tmp_path / "chp.csv"
    header = "id,created_local,lat,lon,type,place"
    file.write_text("\n".join([header, *rows, rows[0].replace("LA00001", "LA00002")]) + "\n", "utf-8")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("survivor_id,duplicate_id\n171018LA00001,171018LA00002\n", "utf-8")
    page_file = tmp_path / "page.html"
    status, said = run(
        *("--incidents", str(file), "--mapping", "chp_incidents", "--pairs", str(pairs), "--json"),
        *("--html", str(page_file), "--resamples", "3"),
    )
    assert status == 0, said
    told = orjson.loads(said)
    assert (told["calls"], told["partners"]) == (2, 1)
    assert told["found_at_false_per_1000"]["10"]["value"] == 1.0
    assert "<svg" in page_file.read_text("utf-8")
    assert HEADER not in said
