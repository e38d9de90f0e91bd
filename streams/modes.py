"""Which modes may stand beside each other."""

from schemas.errors import Code, Rejected
from schemas.report import Mode


def allowed(mode: Mode, installation: Mode) -> None:
    """Rejected(`mode-mixed`) where a mode has no place in an installation: beside its own only `test` stands."""
    if mode not in {installation, Mode.TEST}:
        raise Rejected(Code.MODE_MIXED, f"mode {mode.value} in an installation of mode {installation.value}", "/mode")
