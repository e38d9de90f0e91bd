"""Content codings of a request body, undone within a bound: a small body cannot become a large one."""

import zlib
from typing import Final

from schemas.errors import Code, Rejected

_GZIP: Final = 16 + zlib.MAX_WBITS
_MEMBERS: Final = 64
"""Most members of one gzip body: an endless row of empty ones is work without end."""


def inflated(body: bytes, coding: str, limit: int) -> bytes:
    """The body without its coding (`gzip`, `deflate` or `identity`), at most `limit` bytes.

    Rejected: `too-large` beyond the limit, `compression-invalid` when it is broken or cut off,
    `wrong-content-type` for another coding.
    """
    match coding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _gzip(body, limit)
        case "deflate":
            # zlib by the standard (RFC 9110, 8.4.1.2), raw from senders that misread it.
            raw = not body or body[0] & 0x0F != 8
            out, _ = _member(body, -zlib.MAX_WBITS if raw else zlib.MAX_WBITS, limit)
            return out
        case _:
            raise Rejected(Code.WRONG_CONTENT_TYPE, "the content coding is not gzip or deflate")


def _gzip(body: bytes, limit: int) -> bytes:
    out, rest = _member(body, _GZIP, limit)
    members = 1
    while rest.strip(b"\0"):
        members += 1
        if members > _MEMBERS:
            raise Rejected(Code.COMPRESSION_INVALID, f"more than {_MEMBERS} gzip members")
        more, rest = _member(rest, _GZIP, limit - len(out))
        out += more
    return out


def _member(body: bytes, bits: int, limit: int) -> tuple[bytes, bytes]:
    machine = zlib.decompressobj(bits)
    try:
        out = machine.decompress(body, limit + 1)
    except zlib.error:
        raise Rejected(Code.COMPRESSION_INVALID, "the compressed body is broken") from None
    if len(out) > limit:
        raise Rejected(Code.TOO_LARGE, f"more than {limit} bytes when decompressed")
    if not machine.eof:
        raise Rejected(Code.COMPRESSION_INVALID, "the compressed body is cut off")
    return out, machine.unused_data
