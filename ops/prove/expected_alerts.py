"""Which alerts a fault must raise, and which it may; whatever else is raised during it is wrong.

For the faults as `sztab prove` applies them: thirty seconds, durations of the rules divided by
`ops.prove.alerting.FACTOR`. What depends on where the fault strikes (which broker led, how long an election took) may
come; what is the very sign of the fault must. `none` is a run without faults: nothing may be raised.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

RESTARTS: Final = frozenset({"RoleRestartsInLoop", "RoleNotReady", "RoleDown"})
INTAKE_RESTARTS: Final = frozenset({"RoleRestartsInLoop", "IntakeDown", "IntakeNotReady", "PublishStuck"})
ASIDE: Final = frozenset({"QuarantineGrows", "QuarantineOld"})
STANDSTILL: Final = frozenset(
    {
        "PartitionsUnserved",
        "ProcessorStandsStill",
        "LagGrows",
        "LaneStandsStill",
        "StageStandsStill",
        "ReconcilerActed",
    }
)
BROKERS: Final = frozenset(
    {
        "BrokerUnreachable",
        "PartitionsWithoutLeader",
        "PartitionsUnderReplicated",
        "PublishStuck",
        "PublishBacklogGrows",
        "ConsoleStale",
        "FiguresStale",
        "RoleNotReady",
        "RoleRestartsInLoop",
        "RoleDown",
        "EmergencyFeedSilent",
        "FeedSilent",
        "LedgerBlind",
    }
)
UNPUBLISHED: Final = frozenset({"StageStandsStill"})
"""What a dead node had accepted waits for its return: the age's threshold is divided, a start takes what it takes."""
AGES: Final = frozenset({"DeliveriesOverdue", "StageStandsStill", "LedgerBlind", "QuarantineOld"})
"""Ages that are told by two clocks."""
LATE: Final = frozenset({"RecipientDown", "DeliveriesOverdue", "ReconcilerActed"})


@dataclass(frozen=True, slots=True)
class Expected:
    """`must`: each of them; `one_of`: at least one, where there are any; `may`: these too."""

    must: frozenset[str] = frozenset()
    may: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()

    def missing(self, raised: Collection[str]) -> set[str]:
        """Alerts that should have been raised and were not."""
        lacking = set(self.must - set(raised))
        return lacking | (set() if not self.one_of or self.one_of & set(raised) else set(self.one_of))

    def unexpected(self, raised: Collection[str]) -> set[str]:
        """Alerts that were raised and should not have been."""
        return set(raised) - self.must - self.may - self.one_of


def _must(*names: str, may: Collection[str] = ()) -> Expected:
    return Expected(frozenset(names), frozenset(may))


EXPECTED: Final[dict[str, Expected]] = {
    "none": Expected(),
    "kill-intake": Expected(may=INTAKE_RESTARTS | UNPUBLISHED),
    "kill-processor": Expected(may=RESTARTS | STANDSTILL),
    "step-raises": _must("StepFails", may=ASIDE),
    "kill-leader": Expected(may=BROKERS | STANDSTILL),
    # Three brokers start at once, on the cores that the intakes answer from.
    "kill-all-brokers": _must("BrokerUnreachable", "PublishStuck", may=BROKERS | STANDSTILL | LATE | {"IntakeSlow"}),
    "power-loss": Expected(may=INTAKE_RESTARTS | UNPUBLISHED),
    "stop-processor": _must("RoleDown", may=RESTARTS | STANDSTILL),
    "partition": Expected(may=BROKERS | STANDSTILL | LATE),
    "slow-line": Expected(may=BROKERS | STANDSTILL | LATE | {"IntakeSlow"}),
    "disk-full": _must(
        "DocumentsRefused",
        may=BROKERS | STANDSTILL | {"JournalFilling", "JournalForEmergencyOnly", "JournalFull", "IntakeNotReady"},
    ),
    "clock": _must("ClockSkewed", may=AGES | {"FarClockSkewed", "EmergencyFeedSilent", "FeedSilent", "PublishStuck"}),
    "recipient-down": _must("RecipientDown", may=LATE),
    "recipient-misbehaves": _must("RecipientGone", "RecipientRefuses", may=ASIDE | LATE | RESTARTS),
    "poison": _must("QuarantineGrows", may={"DocumentsRefused", "QuarantineOld"}),
    "rebalance-storm": Expected(may=RESTARTS | STANDSTILL),
    "duplicates": Expected(may=frozenset({"LagGrows"})),
    "overload": Expected(
        one_of=frozenset({"DocumentsRefused", "IntakeSlow", "PublishBacklogGrows", "LagGrows"}),
        may=INTAKE_RESTARTS
        | STANDSTILL
        | {"RoleNotReady", "FilesNearLimit", "RoleDown", "JournalFilling", "LedgerBlind", "StageStandsStill"},
    ),
    "bit-flip": Expected(may=INTAKE_RESTARTS | UNPUBLISHED | {"JournalDamaged", "LedgerUnbalanced"}),
    # Each journal is away in its turn, and the five minutes of LedgerBlind are thirty seconds here.
    "rolling-upgrade": Expected(
        may=RESTARTS | INTAKE_RESTARTS | STANDSTILL | {"ConsoleStale", "FiguresStale", "LedgerBlind"}
    ),
    "exhaustion": Expected(
        one_of=frozenset({"FilesNearLimit", "MemoryNearLimit", "RoleRestartsInLoop"}),
        may=RESTARTS | INTAKE_RESTARTS | STANDSTILL | {"DocumentsRefused"},
    ),
    "slow-readers": _must("ReadersDropped"),
    "restore": Expected(
        may=INTAKE_RESTARTS | RESTARTS | {"ReconcilerActed", "LedgerBlind", "DocumentsUntraced", "QuarantineOld"}
    ),
}
"""By the name of the fault."""
