"""The sink: one signed POST per attempt, the delivery's id as the message id, so that repeats have one effect."""

import re
import time
from collections.abc import Callable
from typing import Final

import orjson

from connectors.contract import Receipt
from connectors.kits.addresses import networks
from connectors.kits.posting import Answer, Poster
from connectors.kits.signatures import signed, signer
from connectors.webhook.compose import compose
from connectors.webhook.settings import WebhookSettings
from schemas.delivery import Delivery

_REFERENCE: Final = re.compile(r"[A-Za-z0-9._:/-]{1,128}")


class WebhookSink:
    """I/O with one recipient. `clock` gives seconds since the epoch: the attempt's time in the signature."""

    def __init__(self, settings: WebhookSettings, clock: Callable[[], float] = time.time) -> None:
        self._installation = settings.installation
        self._keys = tuple(signer(key.get_secret_value()) for key in settings.keys)
        self._poster = Poster(
            settings.url, networks(settings.allowed_networks), settings.timeout_seconds, settings.ca_file
        )
        self._clock = clock

    async def connect(self) -> None:
        """Open the client; nothing is sent before the first delivery."""
        await self._poster.open()

    async def write(self, delivery: Delivery) -> Receipt:
        """POST it. A 2xx answer is the receipt; the rest as `connectors.kits.posting` says."""
        body = compose(delivery, self._installation)
        headers = {
            "content-type": "application/json",
            "user-agent": "Sztab-Webhooks/1.0",
            **signed(self._keys, delivery.delivery_id, int(self._clock()), body),
        }
        return receipt(await self._poster.post(body, headers))

    async def close(self) -> None:
        """Give the connections back."""
        await self._poster.close()


def receipt(answer: Answer) -> Receipt:
    """What the far side said with its yes: `{"reference": "...", "superseded": true}`, both optional; else nothing."""
    try:
        said = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return Receipt()
    if not isinstance(said, dict):
        return Receipt()
    reference = said.get("reference")
    plain = isinstance(reference, str) and _REFERENCE.fullmatch(reference) is not None
    return Receipt(far_reference=reference if plain else None, superseded=said.get("superseded") is True)
