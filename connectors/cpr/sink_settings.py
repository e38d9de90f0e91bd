"""Settings of one call centre (CPR) as a recipient of statuses."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from connectors.contract import SinkSettings
from connectors.kits.addresses import networks
from connectors.kits.posting import checked_url
from connectors.kits.signatures import signer
from schemas.errors import Misconfigured


class CprStatusSettings(SinkSettings):
    """One CPR that is told what became of its forms."""

    url: str
    """Where to POST statuses: https, no redirects are followed."""
    answers_cpr: bool = False
    """Whether we answer the centre ourselves. Off: nothing is sent, another system answers it."""
    far_system: str = ""
    """The centre as a source: its `far_system`, or where that is empty the source's name. It hears of its own forms
    alone; needed where several centres are told. Empty: of every form."""
    token: SecretStr | None = None
    """Bearer token that the centre gave us."""
    keys: tuple[SecretStr, ...] = Field(default=(), max_length=4)
    """Signing keys, `whsec_...` or `whsk_...`, as of a webhook; the newest first."""
    timeout_seconds: float = Field(default=15.0, ge=1.0, le=30.0)
    """Longest wait for an answer."""
    allowed_networks: tuple[str, ...] = ()
    """Networks (CIDR) that may be met although they are not public: the closed network of the centres, or a lab."""
    ca_file: Path | None = None
    """Certificates (PEM) that the far side's must come from; absent: the system's."""

    @model_validator(mode="after")
    def _usable(self) -> Self:
        try:
            checked_url(self.url, networks(self.allowed_networks))
            for key in self.keys:
                signer(key.get_secret_value())
        except Misconfigured as error:
            raise ValueError(error.detail) from None
        if not self.keys and self.token is None:
            raise ValueError("a token or a signing key is needed")
        return self
