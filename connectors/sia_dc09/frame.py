"""Frames of ANSI/SIA DC-09-2013: reading them, checking them, answering them. Pure.

    <LF> crc 0LLL "id" seq Rrcvr Lpref #acct [data] [extended data] _HH:MM:SS,MM-DD-YYYY <CR>

crc: CRC-16/ARC over everything from the first quote on, four hexadecimal digits (5.5.1.2; some panels send two raw
bytes, which we do not read). 0LLL: its length in bytes, hexadecimal (5.5.1.3). id: a token, with `*` when the data are
encrypted. The standard allows ASCII alone; panels put names of zones into the data as their installer typed them, so
other bytes there are read as UTF-8 where they are that, else as Windows-1250.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from schemas.errors import Code, Rejected

LF, CR = b"\n", b"\r"
STAMP: Final = "%H:%M:%S,%m-%d-%Y"
_HEAD: Final = re.compile(rb'([0-9A-Fa-f]{4})([0-9A-Fa-f]{4})(".*)', re.DOTALL)
_BODY: Final = re.compile(
    r'"(?P<encrypted>\*?)(?P<token>[A-Z0-9-]{1,12})"(?P<sequence>[0-9]{4})'
    r"(?P<receiver>R[0-9A-Fa-f]{1,6})?(?P<line>L[0-9A-Fa-f]{1,6})(?:#(?P<account>[0-9A-Fa-f]{3,16}))?"
    r"\[(?P<rest>.*)",
    re.DOTALL,
)
_REST: Final = re.compile(r"(?P<data>[^\]]*)\](?P<extended>(?:\[[^\]]*\])*)(?:_(?P<stamp>[0-9:,-]*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message of a panel. `data` and `extended` are empty when it is encrypted; `length_fits`: 0LLL was right.

    `kind` is the token: SIA-DCS, ADM-CID, NULL, or another. `encoding` is what the message was read as: `ascii` by the
    standard, else `utf-8` or `cp1250`.
    """

    kind: str
    encrypted: bool
    sequence: str
    receiver: str
    line: str
    account: str
    data: str
    extended: tuple[str, ...]
    stamp: str
    length_fits: bool
    encoding: str

    @property
    def stamped_at(self) -> datetime | None:
        """The time stamp, GMT (5.5.1.8); None when there is none or it is no time."""
        try:
            return datetime.strptime(self.stamp, STAMP).replace(tzinfo=UTC) if self.stamp else None
        except ValueError:
            return None


def crc(body: bytes) -> int:
    """CRC-16/ARC: polynomial x^16 + x^15 + x^2 + 1, reflected (0xA001), start 0."""
    value = 0
    for byte in body:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value


def _entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
    return value


_TABLE: Final = tuple(_entry(byte) for byte in range(256))


def read(raw: bytes) -> Frame:
    """The message in the bytes between LF and CR.

    Rejected: `frame-invalid` (not of this shape), `crc-mismatch` (damaged on its way; never to be answered),
    `not-understood` (undamaged, but its inner shape is none that we know).
    """
    head = _HEAD.fullmatch(raw)
    if head is None:
        raise Rejected(Code.FRAME_INVALID, "no CRC, length and quoted token at the beginning")
    body = head[3]
    if int(head[1], 16) != crc(body):
        raise Rejected(Code.CRC_MISMATCH, "the CRC does not fit the message")
    # Byte by byte: the marks of the frame are ASCII, whatever stands between them.
    found = _BODY.fullmatch(body.decode("latin-1"))
    if found is None:
        raise Rejected(Code.NOT_UNDERSTOOD, "sequence, receiver, line or account are not as in DC-09")
    encrypted = bool(found["encrypted"])
    rest = _REST.fullmatch(found["rest"])
    if rest is None and not encrypted:
        raise Rejected(Code.NOT_UNDERSTOOD, "data, extended data or time stamp are not as in DC-09")
    plain = None if encrypted else rest
    encoding = _encoding(body)
    return Frame(
        kind=found["token"],
        encrypted=encrypted,
        sequence=found["sequence"],
        receiver=found["receiver"] or "",
        line=found["line"],
        account=(found["account"] or "").upper(),
        data=_read_as(encoding, plain["data"]) if plain else "",
        extended=tuple(re.findall(r"\[([^\]]*)\]", _read_as(encoding, plain["extended"]))) if plain else (),
        stamp=(plain["stamp"] or "") if plain else "",
        length_fits=int(head[2], 16) == len(body),
        encoding=encoding,
    )


def _encoding(body: bytes) -> str:
    if body.isascii():
        return "ascii"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1250"
    return "utf-8"


def _read_as(encoding: str, text: str) -> str:
    """What bytes say that were looked at one by one; a byte that the encoding does not know is shown as such."""
    return text.encode("latin-1").decode(encoding, "replace")


def framed(body: str) -> bytes:
    """A message on the wire: LF, CRC, length, body, CR."""
    return wired(body.encode("ascii"))


def wired(raw: bytes) -> bytes:
    """A message's bytes on the wire, whatever they are."""
    return LF + f"{crc(raw):04X}{len(raw):04X}".encode() + raw + CR


def ack(frame: Frame) -> bytes:
    """Received without errors (5.5.3.1)."""
    return framed(f'"ACK"{_echo(frame)}[]')


def duh(frame: Frame) -> bytes:
    """Received without errors, but we cannot process it (5.5.3.3)."""
    return framed(f'"DUH"{_echo(frame)}[]')


def nak(now: datetime) -> bytes:
    """The time stamp is too far from our time, which the answer tells (5.5.3.2). Names no account."""
    return framed(f'"NAK"0000R0L0A0[]_{now.astimezone(UTC).strftime(STAMP)}')


def _echo(frame: Frame) -> str:
    return f"{frame.sequence}{frame.receiver}{frame.line}" + (f"#{frame.account}" if frame.account else "")
