"""What a recipient with a webhook is told by: address, keys, limits."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator

from connectors.contract import SinkSettings
from connectors.kits.addresses import networks
from connectors.kits.posting import checked_url
from connectors.kits.signatures import signer
from schemas.errors import Misconfigured


class WebhookSettings(SinkSettings):
    """One recipient with a webhook."""

    url: str
    """Where to POST: https, no redirects are followed."""
    keys: tuple[SecretStr, ...] = Field(min_length=1, max_length=4)
    """Signing keys, `whsec_...` or `whsk_...`; the newest first. Two while a key is being changed."""
    timeout_seconds: float = Field(default=15.0, ge=1.0, le=30.0)
    """Longest wait for the whole answer (Standard Webhooks: 15 to 30 s)."""
    allowed_networks: tuple[str, ...] = ()
    """Networks (CIDR) that may be met although they are not public: a closed network, or 127.0.0.0/8 for a lab."""
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
        return self
