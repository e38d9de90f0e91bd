"""The faults by name, as the fault matrix has them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ops.prove.small_disk import why_no_mount
from ops.prove.system import strikes_input as input_
from ops.prove.system import strikes_limits as limits
from ops.prove.system import strikes_lines as lines
from ops.prove.system import strikes_places as places
from ops.prove.system import strikes_processes as processes
from ops.prove.system import strikes_readers as readers
from ops.prove.system import strikes_recipients as recipients
from ops.prove.system.configured import Shape
from ops.prove.system.fault import Fault
from ops.prove.unsynced import why_not

PROXIED: Final = Shape(proxied=True)
FULL: Final = Shape(images=True, small_disk=not why_no_mount())
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
    Fault("power-loss", 6, "unsynced writes gone", places.power_loss, shape=Shape(images=True), needs=why_not),
    Fault("stop-processor", 7, "a worker stopped, another's loop blocked", processes.stop_processor, runs=10),
    Fault("partition", 8, "brokers and a recipient cut off, one way and both", lines.partition, shape=PROXIED),
    Fault("slow-line", 9, "far, narrow and broken lines", lines.slow_line, shape=PROXIED),
    Fault("disk-full", 10, "no room for journal or broker log", places.disk_full, shape=FULL, needs=why_not),
    Fault("clock", 11, "clocks jump and drift", limits.clock, shape=Shape(clocks=True)),
    Fault("recipient-down", 12, "a recipient away, then slow", recipients.recipient_down),
    Fault("recipient-misbehaves", 13, "a recipient in every bad mood", recipients.recipient_misbehaves),
    Fault("poison", 14, "every bad file in the stream", input_.poison, runs=10, quick=True),
    Fault("rebalance-storm", 15, "a worker joins or leaves every 3 s", processes.rebalance_storm, runs=10),
    Fault("duplicates", 16, "repeats, conflicts, disorder, a day late", input_.duplicates, runs=10, quick=True),
    Fault("overload", 17, "tenfold load, slow connections, bombs", input_.overload, alone=True),
    Fault("bit-flip", 18, "bits flipped in a journal", places.bit_flip, alone=True),
    Fault("rolling-upgrade", 20, "old and new schema together, and back", limits.rolling_upgrade),
    Fault("exhaustion", 21, "no file, no memory left", limits.exhaustion),
    Fault(
        "slow-readers",
        22,
        "500 slow pages, reconnects",
        readers.slow_readers,
        shape=Shape(roles=("deliver", "ledger", "console")),
    ),
    Fault("restore", 23, "an older backup put back", places.restore),
)
_VARIANTS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "power-loss": (("brokers", "needs a file system that forgets (LazyFS, root); not built"),),
    "slow-line": (("packet loss", "needs the kernel's netem and root; not built"),),
    "disk-full": (("broker log", f"needs a small file system: {why_no_mount()}"),) if why_no_mount() else (),
    "bit-flip": (("broker log, audit", "not built"),),
    "exhaustion": (("cgroup, starved CPU", "needs a cgroup (root); not built"),),
}
"""Ways of a fault that are not tried, with the reason: its row stays unproven so far."""
FAULTS: Final[Mapping[str, Fault]] = {one.name: replace(one, variants=_VARIANTS.get(one.name, ())) for one in _FAULTS}
QUICK: Final = tuple(one.name for one in _FAULTS if one.quick)
"""The short set."""
CONVICTIONS: Final = (
    ("journal-first", "kill-intake"),
    ("quarantine", "step-raises"),
    ("order", "kill-processor"),
    ("deduplication", "duplicates"),
)
"""A safety that is taken out, and the fault under which its lack must be found within one run."""
