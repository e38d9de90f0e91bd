"""Standard Webhooks 1.0: how an outgoing message is signed and how its receiver checks it.

Source: Standard Webhooks specification 1.0.0, sections "Signature scheme", "Webhook headers", "Verifying signatures".
Signed is `id.timestamp.body`; `v1` is HMAC-SHA256 with a secret of 24 to 64 bytes (`whsec_`), `v1a` is Ed25519
(`whsk_` the private key, `whpk_` the public one). Several signatures stand in one header, so that a key is changed
without a gap: sign with both, let the receiver change over, drop the old one.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.errors import Code, Denied, Misconfigured

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SECRET, PRIVATE, PUBLIC = "whsec_", "whsk_", "whpk_"
SECRET_BYTES: Final = range(24, 65)
SEED_BYTES: Final = 32
TOLERANCE_SECONDS: Final = 300
MOST_SIGNATURES: Final = 32
"""A receiver looks at no more, so that a long header costs nothing."""


@dataclass(frozen=True, slots=True)
class Symmetric:
    """A shared secret: signs and verifies `v1`."""

    secret: bytes

    def sign(self, content: bytes) -> str:
        """The signature of `id.timestamp.body` as it stands in the header."""
        return "v1," + base64.b64encode(hmac.new(self.secret, content, hashlib.sha256).digest()).decode()

    def accepts(self, content: bytes, version: str, signature: bytes) -> bool:
        """Whether this key made the signature. Constant time."""
        made = hmac.new(self.secret, content, hashlib.sha256).digest()
        return version == "v1" and hmac.compare_digest(made, signature)


@dataclass(frozen=True, slots=True)
class Public:
    """The public half of a key pair: verifies `v1a`."""

    key: Ed25519PublicKey

    def accepts(self, content: bytes, version: str, signature: bytes) -> bool:
        """Whether the private half made the signature."""
        if version != "v1a":
            return False
        try:
            self.key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    def text(self) -> str:
        """The key as it is given to a partner: `whpk_...`."""
        return PUBLIC + base64.b64encode(self.key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


@dataclass(frozen=True, slots=True)
class Private:
    """The private half of a key pair: signs `v1a`."""

    key: Ed25519PrivateKey

    def sign(self, content: bytes) -> str:
        """The signature of `id.timestamp.body` as it stands in the header."""
        return "v1a," + base64.b64encode(self.key.sign(content)).decode()

    def public(self) -> Public:
        """The half that a receiver needs."""
        return Public(self.key.public_key())


Signer = Symmetric | Private
Verifier = Symmetric | Public


def signer(text: str) -> Signer:
    """The key that signs, from `whsec_...` or `whsk_...`. Misconfigured for anything else; never shows the text."""
    if text.startswith(SECRET):
        return Symmetric(_secret(text))
    if text.startswith(PRIVATE):
        raw = _decoded(text.removeprefix(PRIVATE))
        key = _private(raw[:SEED_BYTES]) if len(raw) in {SEED_BYTES, 2 * SEED_BYTES} else None
        if key is not None and (len(raw) == SEED_BYTES or raw[SEED_BYTES:] == _raw(key.public_key())):
            return Private(key)
        raise Misconfigured(Code.CONFIGURATION_INVALID, "a whsk_ key holds the 32 bytes of an Ed25519 seed")
    raise Misconfigured(Code.CONFIGURATION_INVALID, "a signing key begins with whsec_ or whsk_")


def verifier(text: str) -> Verifier:
    """The key that verifies, from `whsec_...` or `whpk_...`. Misconfigured for anything else."""
    if text.startswith(SECRET):
        return Symmetric(_secret(text))
    if text.startswith(PUBLIC):
        try:
            return Public(Ed25519PublicKey.from_public_bytes(_decoded(text.removeprefix(PUBLIC))))
        except ValueError:
            raise Misconfigured(Code.CONFIGURATION_INVALID, "a whpk_ key holds 32 bytes") from None
    raise Misconfigured(Code.CONFIGURATION_INVALID, "a verifying key begins with whsec_ or whpk_")


def signed(keys: Iterable[Signer], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt. `timestamp` is the attempt's time in seconds, `id` holds no full stop."""
    if "." in id:
        raise ValueError("a message id with a full stop could be split elsewhere")
    content = b".".join((id.encode(), str(timestamp).encode(), body))
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(key.sign(content) for key in keys)}


def verify(
    keys: Iterable[Verifier],
    headers: Mapping[str, str],
    body: bytes,
    now_seconds: float,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> str:
    """The message id, once one signature of one key holds and the attempt is recent.

    For receivers, before the body is parsed. Denied(`unauthenticated`) otherwise. `headers` by lower-case name.
    The id is what a receiver ignores repeats by.
    """
    mark, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not mark or not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise Denied(Code.UNAUTHENTICATED, "a webhook header is missing or is no number of seconds")
    if abs(now_seconds - int(stamp)) > tolerance_seconds:
        raise Denied(Code.UNAUTHENTICATED, "the attempt's time is outside the tolerance")
    content = b".".join((mark.encode(), stamp.encode(), body))
    known = tuple(keys)
    for part in headers.get(SIGNATURE, "").split(" ")[:MOST_SIGNATURES]:
        version, _, encoded = part.partition(",")
        try:
            signature = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if any(key.accepts(content, version, signature) for key in known):
            return mark
    raise Denied(Code.UNAUTHENTICATED, "no signature of a known key")


def _secret(text: str) -> bytes:
    raw = _decoded(text.removeprefix(SECRET))
    if len(raw) not in SECRET_BYTES:
        raise Misconfigured(Code.CONFIGURATION_INVALID, "a whsec_ secret holds 24 to 64 bytes")
    return raw


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Misconfigured(Code.CONFIGURATION_INVALID, "a key is not base64") from None


def _private(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
