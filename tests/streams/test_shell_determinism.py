"""The same log gives the same bytes: in another process, with another hash seed, in rounds of any size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def digests(sample, round_size, hash_seed):
    """What a new process says it would write."""
    env = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ops.prove.replay", sample, str(round_size)]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.mark.parametrize("sample", ["ops.prove.counter:sample", "tests.streams.territory_sample:sample"])
def test_rounds_and_hash_seed_change_no_byte(sample):
    """Rounds of 1, 7 and 1000 records, each with its own hash seed: every output and state byte is the same."""
    first = digests(sample, 1, 1)
    assert "state/" in first
    assert digests(sample, 7, 22) == first
    assert digests(sample, 1000, 333) == first
