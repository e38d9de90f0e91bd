"""The call centre as a recipient: statuses of its forms, POSTed one by one, monotone for each form."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import orjson

from connectors.contract import Receipt
from connectors.cpr.sink_settings import CprStatusSettings
from connectors.cpr.statuses import CprStatus, Saying, follows, form_of, sayings
from connectors.kits.addresses import networks
from connectors.kits.posting import Poster
from connectors.kits.signatures import signed, signer
from schemas.delivery import Delivery

REMEMBERED: Final = 100_000
"""Forms whose last status is kept; deliveries of one incident come in order anyway."""
OFF: Final = "answers_cpr is off: nothing was sent"
NO_FORM: Final = "no form of the centre: nothing was sent"


class CprStatusSink:
    """Tells one call centre. `clock` gives seconds since the epoch: the attempt's time in the signature.

     With `answers_cpr` off nothing is sent, and the receipt says so: the centre has its answers from another
    system.
    """

    def __init__(self, settings: CprStatusSettings, clock: Callable[[], float] = time.time) -> None:
        self._answers = settings.answers_cpr
        self._sender = settings.installation
        self._keys = tuple(signer(key.get_secret_value()) for key in settings.keys)
        self._token = settings.token.get_secret_value() if settings.token else ""
        named = networks(settings.allowed_networks)
        self._poster = Poster(settings.url, named, settings.timeout_seconds, settings.ca_file)
        self._clock = clock
        self._last: OrderedDict[str, CprStatus] = OrderedDict()
        self._far_system = settings.far_system
        self._ours: OrderedDict[str, bool] = OrderedDict()

    async def connect(self) -> None:
        """Open the client; nothing is sent."""
        await self._poster.open()

    async def write(self, delivery: Delivery) -> Receipt:
        """Say what is new of each form. Errors as `connectors.kits.posting` says; what was said is not said again."""
        if not self._answers:
            return Receipt(far_reference=OFF, superseded=True, sent=False)
        self._learn(delivery)
        told = sayings(delivery, self._far_system, self._ours)
        if not told:
            return Receipt(far_reference=NO_FORM, superseded=True, sent=False)
        for one in told:
            if follows(self._last.get(one.cpr_id), one.status):
                await self._say(one, delivery)
        return Receipt(far_reference=f"{len(told)} forms: {told[0].status.value}")

    def _learn(self, delivery: Delivery) -> None:
        """Whose form came: what follows names numbers alone. A number that two centres use is told to both."""
        form = form_of(delivery)
        if form is None or not self._far_system:
            return
        self._ours[form.cpr_id] = form.far_system == self._far_system or self._ours.get(form.cpr_id, False)
        self._ours.move_to_end(form.cpr_id)
        while len(self._ours) > REMEMBERED:
            self._ours.popitem(last=False)

    async def _say(self, one: Saying, delivery: Delivery) -> None:
        body = compose(one, self._sender, delivery.mode.value)
        headers = {"content-type": "application/json", "user-agent": "Sztab-CPR/1.0", "idempotency-key": one.id}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if self._keys:
            headers |= signed(self._keys, one.id, int(self._clock()), body)
        await self._poster.post(body, headers)
        self._last[one.cpr_id] = one.status
        self._last.move_to_end(one.cpr_id)
        while len(self._last) > REMEMBERED:
            self._last.popitem(last=False)

    async def close(self) -> None:
        """Give the connections back."""
        await self._poster.close()


def compose(one: Saying, sender: str, mode: str) -> bytes:
    """The status message; our stand-in, as the real interface is not public."""
    told = {
        "cpr_id": one.cpr_id,
        "status": one.status.value,
        "at": one.at.isoformat(),
        "sequence": one.sequence,
        "sender": sender,
        "mode": mode,
    }
    return orjson.dumps(told | ({"reason": one.reason} if one.reason else {}))
