"""The partner's side of a webhook: a receiver with its own keys, for contract tests and the demo."""

import base64
import os

from pydantic import SecretStr

from connectors.kits.receiver import Receiver
from connectors.kits.signatures import PRIVATE, SECRET, Private, Verifier, signer
from connectors.webhook.settings import WebhookSettings

LOOPBACK = ("127.0.0.0/8",)


class WebhookLab(Receiver):
    """A partner that takes webhooks on the loopback. By default it shares a secret and knows a public key, both."""

    def __init__(self, *texts: str) -> None:
        self.keys = texts or (
            PRIVATE + base64.b64encode(os.urandom(32)).decode(),
            SECRET + base64.b64encode(os.urandom(32)).decode(),
        )
        super().__init__(verifiers=tuple(_verifier(text) for text in self.keys))

    def settings(self, name: str = "lab", timeout_seconds: float = 15.0) -> WebhookSettings:
        """The recipient as our installation would configure it. Call after `start`."""
        return WebhookSettings(
            name=name,
            url=self.url,
            keys=self.settings_keys(),
            allowed_networks=LOOPBACK,
            timeout_seconds=timeout_seconds,
        )

    def settings_keys(self) -> tuple[SecretStr, ...]:
        """The keys that our side signs with."""
        return tuple(SecretStr(text) for text in self.keys)


def _verifier(text: str) -> Verifier:
    key = signer(text)
    return key.public() if isinstance(key, Private) else key
