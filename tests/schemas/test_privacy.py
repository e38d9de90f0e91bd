"""Sealed fields, wrapped keys, keyed hashes."""

import stat
from pathlib import Path

import pytest

from schemas.errors import Code, Misconfigured, Rejected
from schemas.privacy import derive, installation_key, seal, token, unseal, unwrap, wrap

KEY = bytes(32)


def test_what_was_sealed_opens_with_the_same_key_report_and_field() -> None:
    """A round trip gives the plaintext back, and the ciphertext does not show it."""
    sealed = seal(KEY, "k", b"Anna", "r", "caller")
    assert unseal(KEY, sealed, "r", "caller") == b"Anna"
    assert b"Anna" not in sealed.to_json()


@pytest.mark.parametrize(
    ("key", "report", "field"), [(b"x" * 32, "r", "caller"), (KEY, "s", "caller"), (KEY, "r", "persons")]
)
def test_a_sealed_value_cannot_be_moved(key: bytes, report: str, field: str) -> None:
    """Another key, report or field opens nothing."""
    with pytest.raises(Rejected):
        unseal(key, seal(KEY, "k", b"Anna", "r", "caller"), report, field)


def test_wrapped_keys_open_only_with_the_installation() -> None:
    """A thread's key travels safely."""
    wrapped = wrap(KEY, "k", b"t" * 32)
    assert unwrap(KEY, wrapped) == b"t" * 32
    with pytest.raises(Rejected):
        unwrap(b"x" * 32, wrapped)


def test_the_installation_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """First use makes a file of mode 0600, later uses read it."""
    path = tmp_path / "installation.key"
    key = installation_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert installation_key(path) == key


@pytest.mark.parametrize("fault", ["mode", "length"])
def test_an_unsafe_key_file_is_refused(tmp_path: Path, fault: str) -> None:
    """A key that others may read, or that is no key, stops the start."""
    path = tmp_path / "installation.key"
    installation_key(path)
    if fault == "mode":
        path.chmod(0o640)
    else:
        path.write_bytes(b"short")
    with pytest.raises(Misconfigured) as caught:
        installation_key(path)
    assert caught.value.code is Code.KEY_FILE_UNSAFE


@pytest.mark.parametrize("written", ["+48 600-100-200", "600100200", "0048600100200", "48600100200"])
def test_one_phone_has_one_token_however_written(written: str) -> None:
    """Correlation compares numbers, not spellings."""
    assert token(KEY, "phone", written) == token(KEY, "phone", "600 100 200")


def test_placeholders_and_nothing_give_no_token() -> None:
    """A phone without SIM must not count as the same caller."""
    assert token(KEY, "phone", "112000000", [r"1120*"]) is None
    assert token(KEY, "phone", "  ") is None


def test_purposes_have_keys_of_their_own() -> None:
    """No key serves two purposes."""
    assert derive(KEY, "ids") != derive(KEY, "tokens")
