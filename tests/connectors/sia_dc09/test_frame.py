"""Frames of DC-09: CRC, length, fields, answers, the public vectors."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sia_dc09.frame import ack, crc, duh, framed, nak, read, wired
from schemas.errors import Code, Rejected


def test_the_crc_is_crc_16_arc():
    """Its published check value."""
    assert crc(b"123456789") == 0xBB3D


def test_a_message_is_read_in_full():
    """Every field of the head, the data, extended data, and the time stamp."""
    frame = read(framed('"SIA-DCS"0042R1AL2B#00FF[#00FF|Nri1/BA12][X1][Y2]_22:40:48,04-11-2026')[1:-1])
    assert (frame.kind, frame.encrypted, frame.sequence, frame.receiver, frame.line, frame.account) == (
        "SIA-DCS",
        False,
        "0042",
        "R1A",
        "L2B",
        "00FF",
    )
    assert (frame.data, frame.extended) == ("#00FF|Nri1/BA12", ("X1", "Y2"))
    assert frame.stamped_at == datetime(2026, 4, 11, 22, 40, 48, tzinfo=UTC)
    assert frame.length_fits


@pytest.mark.parametrize("stamp", ["", "_", "_25:00:00,01-01-2026", "_10:00:00,02-30-2026", "_10-11"])
def test_a_time_stamp_that_is_none_is_none(stamp):
    """The message itself is read all the same."""
    assert read(framed(f'"SIA-DCS"0001L0#123[|Nri1/BA1]{stamp}')[1:-1]).stamped_at is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", Code.FRAME_INVALID),
        (b"GET / HTTP/1.1", Code.FRAME_INVALID),
        (b"12340010", Code.FRAME_INVALID),
        (b"\xff2340010" + b'"SIA-DCS"0001L0#123[|Nri1/BA1]', Code.FRAME_INVALID),
        (wired('"SIA-DCS"00٠1L0#123[|Nri1/BA1]'.encode())[1:-1], Code.NOT_UNDERSTOOD),
        (framed('"SIA-DCS"0001L0#123[|Nri1/BA1]')[1:-2], Code.CRC_MISMATCH),
        (b"0000" + framed('"SIA-DCS"0001L0#123[|Nri1/BA1]')[5:-1], Code.CRC_MISMATCH),
        (framed('"SIA-DCS"0001L0#123[|Nri1/BA1]')[1:-1] + b"\xff", Code.CRC_MISMATCH),
        (framed('"SIA-DCS"001L0#123[|Nri1/BA1]')[1:-1], Code.NOT_UNDERSTOOD),
        (framed('"SIA-DCS"0001L0#{ACCOUNT}[|Nri1/BA1]')[1:-1], Code.NOT_UNDERSTOOD),
        (framed('"SIA-DCS"0001L0#123[|Nri1/BA1')[1:-1], Code.NOT_UNDERSTOOD),
    ],
)
def test_what_cannot_be_read_is_rejected_with_its_code(raw, code):
    """Damaged on its way, none of ours, or undamaged and not understood: each is answered differently."""
    with pytest.raises(Rejected) as caught:
        read(raw)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("bytes_sent", "encoding", "text"),
    [
        ("ŻŁOBEK".encode(), "utf-8", "ŻŁOBEK"),
        ("ŻŁOBEK".encode("cp1250"), "cp1250", "ŻŁOBEK"),
        (b"A\x81B", "cp1250", "A\N{REPLACEMENT CHARACTER}B"),
        (b"ZLOBEK", "ascii", "ZLOBEK"),
    ],
)
def test_letters_outside_ascii_are_read(bytes_sent, encoding, text):
    """The CRC is over the bytes as they are, and fits: the alarm is whole, however its installer wrote the zone."""
    frame = read(wired(b'"SIA-DCS"0001L0#123[|Nri1/BA1^' + bytes_sent + b"^][" + bytes_sent + b"]")[1:-1])
    assert (frame.encoding, frame.data, frame.extended) == (encoding, f"|Nri1/BA1^{text}^", (text,))
    assert frame.length_fits


def test_answers_echo_the_message():
    """Sequence, receiver, line and account come back, so that the panel knows which message is meant."""
    frame = read(framed('"SIA-DCS"0042R1L2#00FF[#00FF|Nri1/BA12]')[1:-1])
    assert ack(frame) == framed('"ACK"0042R1L2#00FF[]')
    assert duh(frame) == framed('"DUH"0042R1L2#00FF[]')
    assert nak(datetime(2026, 2, 14, 18, 1, 2, tzinfo=UTC)) == framed('"NAK"0000R0L0A0[]_18:01:02,02-14-2026')


@given(st.binary(max_size=120))
def test_reading_is_total(raw):
    """Any bytes, also with a fitting CRC in front."""
    for one in (raw, wired(raw)[1:-1]):
        try:
            read(one)
        except Rejected as refused:
            assert refused.code in {Code.FRAME_INVALID, Code.CRC_MISMATCH, Code.NOT_UNDERSTOOD}  # noqa: PT017


def test_the_public_vectors_are_judged_as_their_crc_says(shared):
    """Four of eight carry the right CRC (their length often does not fit); the others were edited by hand.

    Put into a new frame, every one but the template with `{ACCOUNT}` is read.
    """
    lines = json.loads((shared / "corpora" / "sia-dc09" / "sia_lines.json").read_text())["lines"]
    kinds = []
    for line in lines:
        try:
            kinds.append(read(line.encode()).kind)
        except Rejected as refused:
            kinds.append(refused.code.value)
    damaged = "crc-mismatch"
    assert kinds == [damaged, damaged, "SIA-DCS", damaged, "SIA-DCS", "SIA-DCS", "NULL", damaged]
    for line in lines:
        if "{ACCOUNT}" not in line:
            frame = read(framed(line[8:])[1:-1])
            assert frame.length_fits
            assert frame.encrypted is ('"*' in line)
            assert frame.encrypted or frame.stamped_at is not None
