"""The call centre's side of statuses, for tests and the demo: verifies, ignores repeats, keeps what it was told."""

import base64
import os
from dataclasses import dataclass

from pydantic import SecretStr

from connectors.cpr.sink_settings import CprStatusSettings
from connectors.kits.receiver import Receiver
from connectors.kits.signatures import SECRET, verifier


@dataclass(frozen=True, slots=True)
class Heard:
    """One status as the centre heard it."""

    cpr_id: str
    status: str


class CprStatusLab(Receiver):
    """A centre that takes statuses on the loopback."""

    def __init__(self) -> None:
        self.keys = (SECRET + base64.b64encode(os.urandom(32)).decode(),)
        super().__init__(verifiers=(verifier(self.keys[0]),))

    @property
    def heard(self) -> list[Heard]:
        """All statuses in the order in which they came, each once."""
        bodies = [self.kept[mark].body for mark in self.order]
        return [Heard(body["cpr_id"], body["status"]) for body in bodies]

    def settings(self, name: str = "cpr-status") -> CprStatusSettings:
        """The recipient as our installation would configure it. Call after `start`."""
        return CprStatusSettings(
            name=name,
            url=self.url,
            answers_cpr=True,
            keys=tuple(SecretStr(key) for key in self.keys),
            allowed_networks=("127.0.0.0/8",),
        )
