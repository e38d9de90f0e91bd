"""The webhook connector: the sink contract, and what is special about it."""

import base64

import orjson
import pytest
from pydantic import ValidationError

from connectors.kits.posting import Answer
from connectors.kits.receiver import Mood
from connectors.webhook import CONNECTOR
from connectors.webhook.compose import compose
from connectors.webhook.lab import WebhookLab
from connectors.webhook.settings import WebhookSettings
from connectors.webhook.sink import WebhookSink, receipt
from schemas.errors import Denied, Unavailable
from tests.contract.sink_suite import SinkContract, delivery

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()


class TestWebhook(SinkContract):
    """The whole contract."""

    connector = CONNECTOR


async def test_the_partner_verifies_while_a_key_is_changed() -> None:
    """Signed with a new and an old key, a message is genuine for a partner that knows only one of them."""
    new, old = SECRET, "whsec_" + base64.b64encode(b"o" * 32).decode()
    for known in (new, old):
        lab = WebhookLab(known)
        await lab.start()
        settings = lab.settings().model_copy(update={"keys": WebhookLab(new, old).settings_keys()})
        sink = WebhookSink(settings)
        await sink.connect()
        await sink.write(delivery(1))
        await sink.close()
        await lab.stop()
        assert len(lab.kept) == 1


async def test_a_wrong_key_stops_the_sink() -> None:
    """A partner that cannot verify answers 401, and the sink stops instead of trying for ever."""
    lab = WebhookLab(SECRET)
    await lab.start()
    sink = WebhookSink(lab.settings().model_copy(update={"keys": WebhookLab().settings_keys()}))
    await sink.connect()
    with pytest.raises(Denied):
        await sink.write(delivery(1))
    assert (lab.forged, len(lab.kept)) == (1, 0)
    await sink.close()
    await lab.stop()


async def test_an_attempt_is_signed_with_its_own_time() -> None:
    """A repeat an hour later is genuine: the time signed is the attempt's, the id is the delivery's."""
    lab = WebhookLab()
    await lab.start()
    late = WebhookSink(lab.settings(), clock=lambda: 1_000_000.0)
    await late.connect()
    with pytest.raises(Denied):
        await late.write(delivery(1))
    now = WebhookSink(lab.settings())
    await now.connect()
    await now.write(delivery(1))
    assert list(lab.kept) == [delivery(1).delivery_id]
    await late.close()
    await now.close()
    await lab.stop()


async def test_a_silent_partner_costs_the_time_out_only() -> None:
    """No answer within the time-out raises Unavailable."""
    lab = WebhookLab()
    await lab.start()
    lab.mood = Mood.SILENT
    sink = WebhookSink(lab.settings(timeout_seconds=1.0))
    await sink.connect()
    with pytest.raises(Unavailable):
        await sink.write(delivery(1))
    await sink.close()
    await lab.stop()


def test_only_the_profiles_fields_leave() -> None:
    """Beside `data` stand ids, order, urgency, mode and our name: no rule, no profile, no report ids, no deadline."""
    message = orjson.loads(compose(delivery(3), "KMP Kalisz"))
    assert message.pop("data") == delivery(3).body
    names = {"type", "timestamp", "id", "subject", "sequence", "urgency", "mode", "installation"}
    assert set(message) == names


def test_equal_deliveries_have_equal_bodies() -> None:
    """The body depends on the delivery alone, so a repeat differs only in its time."""
    assert compose(delivery(3)) == compose(delivery(3))


@pytest.mark.parametrize(
    ("body", "reference", "superseded"),
    [
        (b'{"reference": "JED-17/4"}', "JED-17/4", False),
        (b'{"superseded": true}', None, True),
        (b'{"reference": "a b"}', None, False),
        (b'{"reference": 5, "superseded": 1}', None, False),
        (b"[]", None, False),
        (b"\xff", None, False),
        (b"", None, False),
    ],
)
def test_what_the_partner_says_is_read_with_care(body: bytes, reference: str | None, superseded: bool) -> None:
    """A reference is taken when it is plain and short; anything else in a yes is ignored."""
    assert receipt(Answer(200, body)) == type(receipt(Answer(200, b"")))(reference, superseded)


@pytest.mark.parametrize(
    ("url", "networks", "key"),
    [
        ("http://partner.example/hook", ["10.0.0.0/8"], SECRET),
        ("http://127.0.0.1:80/hook", [], SECRET),
        ("https://169.254.169.254/latest", ["169.254.0.0/16"], SECRET),
        ("https://[::ffff:10.0.0.1]/hook", [], SECRET),
        ("https://user:pass@partner.example/", [], SECRET),
        ("ftp://partner.example/", [], SECRET),
        ("https://partner.example/", ["10.0.0.1/8"], SECRET),
        ("https://partner.example/", [], "whsec_c2hvcnQ="),
        ("https://partner.example/", [], "secret"),
    ],
)
def test_unsafe_settings_are_refused(url: str, networks: list[str], key: str) -> None:
    """A plain, private or malformed address and a weak or malformed key never start; the key is not shown."""
    with pytest.raises(ValidationError) as caught:
        WebhookSettings.model_validate({"name": "x", "url": url, "keys": [key], "allowed_networks": networks})
    assert key not in repr(caught.value.errors(include_input=False))
