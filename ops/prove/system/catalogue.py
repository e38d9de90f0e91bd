"""The faults by name, as the fault matrix has them."""

from collections.abc import Mapping
from typing import Final

from ops.prove.system import strikes_input as input_
from ops.prove.system import strikes_processes as processes
from ops.prove.system import strikes_recipients as recipients
from ops.prove.system.fault import Fault

_FAULTS: Final = (
    Fault("none", 0, "no fault: the baseline", processes.nothing, quick=True),
    Fault("kill-intake", 1, "intake killed at five named points", processes.kill_intake, runs=10, quick=True),
    Fault("kill-processor", 2, "workers killed at four points and at random", processes.kill_processor, runs=10),
    Fault(
        "step-raises",
        3,
        "a step raises for some reports",
        processes.nothing,
        runs=10,
        raising=("normalise", "incidents", "route"),
        quick=True,
    ),
    Fault("kill-leader", 4, "the partition leader killed five times", processes.kill_leader, runs=10),
    Fault("kill-all-brokers", 5, "all brokers killed, back after a minute", processes.kill_all_brokers, runs=10),
    Fault("stop-processor", 7, "a worker stopped, another's loop blocked", processes.stop_processor, runs=10),
    Fault("recipient-down", 12, "a recipient away, then slow", recipients.recipient_down),
    Fault("recipient-misbehaves", 13, "a recipient in every bad mood", recipients.recipient_misbehaves),
    Fault("poison", 14, "every bad file in the stream", input_.poison, runs=10, quick=True),
    Fault("rebalance-storm", 15, "a worker joins or leaves every 3 s", processes.rebalance_storm, runs=10),
    Fault("duplicates", 16, "repeats, conflicts, disorder, a day late", input_.duplicates, runs=10, quick=True),
    Fault("overload", 17, "tenfold load, slow connections, bombs", input_.overload),
)
FAULTS: Final[Mapping[str, Fault]] = {one.name: one for one in _FAULTS}
QUICK: Final = tuple(one.name for one in _FAULTS if one.quick)
"""The short set."""
CONVICTIONS: Final = (
    ("journal-first", "kill-intake"),
    ("quarantine", "step-raises"),
    ("order", "kill-processor"),
    ("deduplication", "duplicates"),
)
"""A safety that is taken out, and the fault under which its lack must be found within one run."""
