"""A process that tallies until it is killed: `python -m tests.broker.tally_worker '<json>'`."""

import asyncio
import sys
from pathlib import Path

import orjson

from streams.tally import TallySettings, run


def told(given: dict[str, str]) -> TallySettings:
    """The settings of a test's tally."""
    return TallySettings(given["servers"], Path(given["datadir"]), prefix=given["prefix"], wide=2)


if __name__ == "__main__":
    asyncio.run(run(told(orjson.loads(sys.argv[1]))))
