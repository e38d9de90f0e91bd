"""Personal data on the wire: sealed per thread, and the keyed hashes that correlation may compare instead.

A key belongs to one thread (one far side's matter); it is itself wrapped by the installation's key and travels in
`keys.current`.
Destroying a thread's keys erases its persons everywhere at once. AES-256-GCM, NIST SP 800-38D, 96-bit random nonce;
the associated data binds a ciphertext to its report, field and schema version, so that it cannot be moved to another.
"""

import hashlib
import hmac
import os
import re
import secrets
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.errors import Code, Misconfigured, Rejected
from schemas.model import Message, Privacy, about

KEY_BYTES = 32
NONCE_BYTES = 12
SEALED_VERSION = "1"


class Sealed(Message):
    """A personal value that only the holder of its key can read."""

    key_id: Annotated[str, about("The thread's key that opens it.", Privacy.OPERATIONAL)]
    nonce: Annotated[bytes, about("Random, 12 bytes, once per sealing.", Privacy.OPERATIONAL)]
    ciphertext: Annotated[bytes, about("AES-256-GCM ciphertext and tag.", Privacy.PERSONAL)]


class WrappedKey(Message):
    """A thread's key, wrapped by the installation's key: the payload of `keys.current`, keyed by `key_id`."""

    key_id: Annotated[str, about("Names the key: its thread's id and a random part.", Privacy.OPERATIONAL)]
    nonce: Annotated[bytes, about("Random, 12 bytes.", Privacy.OPERATIONAL)]
    wrapped: Annotated[
        bytes,
        about("The 32 bytes of the key under the installation's key.", Privacy.PERSONAL),
    ]

    @property
    def thread_id(self) -> str:
        """The thread whose persons it opens: erasing the thread is erasing each key that names it."""
        return self.key_id.partition("/")[0]


def seal(key: bytes, key_id: str, plaintext: bytes, report_id: str, field: str) -> Sealed:
    """Seal one field of one report.

    The nonce is random: the one place where repeating gives other bytes; ids never depend on it.
    """
    nonce = os.urandom(NONCE_BYTES)
    return Sealed(
        key_id=key_id,
        nonce=nonce,
        ciphertext=AESGCM(key).encrypt(nonce, plaintext, _bound(report_id, field)),
    )


def unseal(key: bytes, sealed: Sealed, report_id: str, field: str) -> bytes:
    """The plaintext; Rejected(`record-invalid`) when key, report or field is another one or the bytes were changed."""
    try:
        return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, _bound(report_id, field))
    except InvalidTag:
        raise Rejected(Code.RECORD_INVALID, "a sealed value does not open", f"/{field}") from None


def _bound(report_id: str, field: str) -> bytes:
    return f"{report_id}|{field}|{SEALED_VERSION}".encode()


def new_key_id(thread_id: str) -> str:
    """A name for a key that is made now.

    Not the thread's id alone: two nodes, or one that lost its journal, each make a key for the same thread, and under
    one name the second would erase the first.
    """
    return f"{thread_id}/{secrets.token_hex(8)}"


def wrap(installation_key: bytes, key_id: str, key: bytes) -> WrappedKey:
    """Wrap a thread's key for `keys.current`."""
    nonce = os.urandom(NONCE_BYTES)
    return WrappedKey(
        key_id=key_id,
        nonce=nonce,
        wrapped=AESGCM(installation_key).encrypt(nonce, key, key_id.encode()),
    )


def unwrap(installation_key: bytes, wrapped: WrappedKey) -> bytes:
    """The thread's key; Rejected(`record-invalid`) under another installation's key."""
    try:
        return AESGCM(installation_key).decrypt(wrapped.nonce, wrapped.wrapped, wrapped.key_id.encode())
    except InvalidTag:
        raise Rejected(Code.RECORD_INVALID, "a wrapped key does not open", "/wrapped") from None


def installation_key(path: Path) -> bytes:
    """The installation's 32 bytes from a file of mode 0600.

    Made on first use. Misconfigured(`key-file-unsafe`) when others may read it.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read_key(path)
    with os.fdopen(handle, "wb") as file:
        key = os.urandom(KEY_BYTES)
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return key


def _read_key(path: Path) -> bytes:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise Misconfigured(Code.KEY_FILE_UNSAFE, f"{path} has mode {mode:04o}; run: chmod 600 {path}")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise Misconfigured(
            Code.KEY_FILE_UNSAFE,
            f"{path} holds {len(key)} bytes, {KEY_BYTES} are needed",
        )
    return key


def derive(installation: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (`ids`, `tokens`, `journal`), so that no key serves two."""
    return hmac.new(installation, f"sztab|{purpose}".encode(), hashlib.sha256).digest()


def token(key: bytes, kind: str, value: str, placeholders: Iterable[str] = ()) -> str | None:
    """A keyed hash that lets two reports be compared by phone, PESEL or plate without showing it.

    `kind` is `phone`, `pesel` or `plate`. None for an empty value and for a placeholder (regular expressions,
    whole value): a phone
    without SIM shows one, and it must not count as "same caller".
    """
    plain = "".join(c for c in unicodedata.normalize("NFKC", value).upper() if c.isalnum())
    if kind == "phone":
        plain = plain.removeprefix("0048")
        plain = plain[2:] if plain.startswith("48") and len(plain) == 11 else plain
    if not plain or any(re.fullmatch(pattern, plain) for pattern in placeholders):
        return None
    return f"{kind}:" + hmac.new(key, f"{kind}|{plain}".encode(), hashlib.sha256).hexdigest()[:32]
