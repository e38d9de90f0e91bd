"""The short set of `sztab prove` on a whole installation, and a build without its first promise, which is convicted.

The whole, ten runs of each fault, is `make prove`.
"""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from ops.prove.system.catalogue import FAULTS, QUICK

pytestmark = pytest.mark.timeout(420)
WORDS = ("--runs", "1", "--seconds", "8", "--rate", "40", "--json", "--no-alerts")


def proved(folder: Path, *words: str) -> tuple[int, dict[str, object], str]:
    """Run `sztab prove`: exit status, its line of JSON, and what it said meanwhile."""
    command = [sys.executable, "-m", "ops", "prove", *WORDS, "--folder", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)
    return done.returncode, orjson.loads(done.stdout.splitlines()[-1]) if done.stdout else {}, done.stderr


def test_nothing_accepted_is_lost_under_the_short_set(tmp_path: Path) -> None:
    """Kills, bugs, poison, odd repeats: nothing lost, doubled, out of order or from nowhere; the page is written."""
    status, told, said = proved(tmp_path, "--faults", "quick", "--no-convict", "--html", str(tmp_path / "proof.html"))
    assert status == 0, said
    faults = told["faults"]
    assert isinstance(faults, dict)
    assert set(faults) == set(QUICK)
    for name, figures in faults.items():
        assert (figures["lost"], figures["doubled"], figures["unexpected"], figures["order_inversions"]) == (0,) * 4, (
            name
        )
        assert figures["accepted"] > 100, name
        assert figures["accepted"] == figures["delivered"] + (figures["quarantined"] if FAULTS[name].raising else 0)
    assert "<svg" in (tmp_path / "proof.html").read_text("utf-8")
