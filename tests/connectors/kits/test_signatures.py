"""Standard Webhooks signatures, against the vectors of the standard's own libraries."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kits.signatures import Private, Public, signed, signer, verifier, verify
from schemas.errors import Denied, Misconfigured

# Published in github.com/standard-webhooks/standard-webhooks: libraries/go/webhook_symmetric_test.go
# (TestSymmetricWebhookSign), libraries/javascript/src/webhook.test.ts ("sign function works") and
# libraries/go/webhook_asymmetric_test.go (TestAsymmetricWebhookSign).
ID, STAMP, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
V1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
PRIVATE = "whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk="
V1A = "v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag=="
STRANGE = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def _public() -> Public:
    key = signer(PRIVATE)
    assert isinstance(key, Private)
    return key.public()


@pytest.mark.parametrize(("key", "expected"), [(SECRET, V1), (PRIVATE, V1A)])
def test_signatures_equal_the_published_ones(key: str, expected: str) -> None:
    """Our `v1` and `v1a` signatures are byte for byte those of the reference libraries."""
    assert signed([signer(key)], ID, STAMP, BODY)["webhook-signature"] == expected


@pytest.mark.parametrize("signature", [V1, V1A, f"{STRANGE} v2,abc {V1A} {STRANGE}", f"v1a,%% {V1}"])
def test_the_published_signatures_verify(signature: str) -> None:
    """A receiver with both keys takes each published signature, also among strange ones, and learns the id."""
    headers = {"webhook-id": ID, "webhook-timestamp": str(STAMP), "webhook-signature": signature}
    assert verify([verifier(SECRET), _public()], headers, BODY, STAMP + 299) == ID


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": ""},
        {"webhook-id": ID + "x"},
        {"webhook-timestamp": "hello"},
        {"webhook-timestamp": "²"},
        {"webhook-timestamp": str(STAMP + 1)},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": STRANGE},
        {"webhook-signature": V1.replace("v1,", "v1a,")},
        {"webhook-signature": V1A.replace("v1a,", "v1,")},
        {"webhook-signature": " ".join([STRANGE] * 40 + [V1])},
    ],
)
def test_anything_else_is_denied(change: dict[str, str]) -> None:
    """Missing, altered or swapped headers are denied; so is a good signature behind more than a receiver looks at."""
    headers = {"webhook-id": ID, "webhook-timestamp": str(STAMP), "webhook-signature": V1} | change
    with pytest.raises(Denied):
        verify([verifier(SECRET), _public()], headers, BODY, STAMP)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_attempt_outside_the_tolerance_is_denied(seconds: int) -> None:
    """A replay later than five minutes, or from the future, is denied although its signature is good."""
    headers = {"webhook-id": ID, "webhook-timestamp": str(STAMP), "webhook-signature": V1}
    with pytest.raises(Denied):
        verify([verifier(SECRET)], headers, BODY, STAMP + seconds)


@given(body=st.binary(min_size=1, max_size=64), at=st.integers(min_value=0), bit=st.integers(0, 7))
def test_every_flipped_bit_is_noticed(body: bytes, at: int, bit: int) -> None:
    """No bit of a body can change under either signature."""
    headers = signed([signer(SECRET), signer(PRIVATE)], "m1", STAMP, body)
    changed = bytearray(body)
    changed[at % len(body)] ^= 1 << bit
    assert verify([_public()], headers, body, STAMP) == "m1"
    with pytest.raises(Denied):
        verify([verifier(SECRET), _public()], headers, bytes(changed), STAMP)


def test_keys_survive_their_text() -> None:
    """The public key as given to a partner verifies what the private one signs; a 64-byte whsk_ is the same key."""
    public = _public()
    assert verifier(public.text()) == public or verifier(public.text()).accepts(b"x", "v1a", _sign(b"x"))
    both = base64.b64decode(PRIVATE[5:]) + base64.b64decode(public.text()[5:])
    long = signer("whsk_" + base64.b64encode(both).decode())
    assert long.sign(b"x") == signer(PRIVATE).sign(b"x")


def _sign(content: bytes) -> bytes:
    return base64.b64decode(signer(PRIVATE).sign(content).partition(",")[2])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_not base64",
        "whsk_" + base64.b64encode(b"x" * 31).decode(),
        "whsk_" + base64.b64encode(b"x" * 64).decode(),
        "whpk_" + base64.b64encode(b"x" * 32).decode(),
    ],
)
def test_weak_and_foreign_keys_do_not_sign(text: str) -> None:
    """A key of the wrong length, form or kind is refused, and the refusal does not show it."""
    with pytest.raises(Misconfigured) as caught:
        signer(text)
    assert not text or text not in str(caught.value)


def test_an_id_with_a_full_stop_is_refused() -> None:
    """The signed content cannot be split at another place than it was joined."""
    with pytest.raises(ValueError, match="full stop"):
        signed([signer(SECRET)], "a.b", STAMP, BODY)
