"""The roles of an installation: each is a module with `async def run(settings)`, started by `sztab run <role>`.

A role is stopped by cancelling `run`, which then gives everything back and lets the cancellation pass; it has
`operation.stop_seconds` for that, and is killed afterwards.
"""

from typing import Final

ROLES: Final[dict[str, str]] = {
    "intake": "ops.roles.intake",
    "streams": "ops.roles.streams",
    "tally": "ops.roles.tally",
    "deliver": "ops.roles.deliver",
    "ledger": "ops.roles.ledger",
    "console": "ops.roles.console",
}
"""Role -> its module, in the order in which the supervisor starts them; imported when it is run."""
