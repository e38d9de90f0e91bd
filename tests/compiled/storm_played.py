"""Plays a storm through the incidents and prints a digest of all that it told and remembers. A program of its own."""

import hashlib
import random

from ops.bench.correlate import Storm
from ops.correlating.memory import Memory
from streams import incident_reference, incidents
from streams.categories import built_in


def main() -> None:
    """600 reports of 200 matters within the hour; every step's outputs and state changes, in order."""
    catalogue = built_in()
    processor = incidents.processor(incident_reference.load(catalogue))
    storm, memory, dice, digest = Storm(catalogue, 200), Memory(), random.Random(7), hashlib.sha256()
    matters = [storm.matter() for _ in range(200)]
    for at in range(600):
        outcome = processor.step(memory, storm.told(dice.choice(matters), at * 6.0))
        memory.apply(outcome)
        for output in outcome.outputs:
            digest.update(repr(tuple(output)).encode())
        for key, value in sorted(outcome.puts.items()):
            digest.update(key.encode() + processor.encode(value))
        digest.update(repr(sorted(outcome.deletes)).encode())
    print(incidents.__file__.rsplit(".", 1)[-1], digest.hexdigest())  # noqa: T201 - what it is for


if __name__ == "__main__":
    main()
