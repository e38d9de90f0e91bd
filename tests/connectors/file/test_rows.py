"""Cutting a file into rows: quotes, line ends, gzip, and files made to do harm."""

import csv
import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.file.rows import CHUNK_BYTES, Flaw, Limits, Row, cells, rows

LIMITS = Limits(row_bytes=1_000, unpacked_bytes=1 << 30, ratio=200)


def cut(data: bytes, delimiter: str | None = ",", limits: Limits = LIMITS) -> list[Row]:
    """All rows of the bytes."""
    return list(rows(io.BytesIO(data), limits, delimiter))


def bodies(data: bytes, **more) -> list[bytes]:
    """The rows without what is wrong with them."""
    return [row.body for row in cut(data, **more)]


@given(st.lists(st.lists(st.text(max_size=20), min_size=2, max_size=2), min_size=1, max_size=20))
def test_what_a_csv_writer_wrote_is_cut_into_the_same_rows(table):
    """Any values, also with quotes, delimiters and line ends inside, come back as they were written."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows([["a", "b"], *table])
    encoded = out.getvalue().encode("utf-8", "surrogatepass")
    if b"\0" in encoded or max(value.count("\n") for row in table for value in row) > 20:
        return
    found = [cells(row.body.decode("utf-8", "surrogatepass"), ",") for row in cut(encoded)]
    assert found == [["a", "b"], *table]


def test_line_ends_and_blank_lines_are_no_part_of_a_row():
    """A row has one identity whether the file ends its lines with LF, CR LF or, at the end, not at all."""
    assert bodies(b"a,b\r\n1,2\r\n\r\n3,4") == bodies(b"a,b\n1,2\n\n3,4\n") == [b"a,b", b"1,2", b"3,4"]


def test_the_mark_of_utf_8_is_no_part_of_the_header():
    """Spreadsheets write a byte order mark; the first column keeps its name."""
    assert bodies(b"\xef\xbb\xbfa,b\n1,2\n") == [b"a,b", b"1,2"]


def test_a_quoted_value_may_hold_line_ends():
    """RFC 4180, 2.6."""
    assert bodies(b'a,b\n1,"x\ny ""z"",\n"\n3,4\n') == [b"a,b", b'1,"x\ny ""z"",\n"', b"3,4"]


def test_a_quote_that_is_never_closed_costs_its_own_line_only():
    """The neighbours of a broken row go on."""
    assert bodies(b'a,b\n1,"x\n3,4\n5,6\n') == [b"a,b", b'1,"x', b"3,4", b"5,6"]


def test_a_quote_closed_by_a_later_row_swallows_no_neighbour():
    """Where the joined row would have other columns than the header, the first line is broken and the others go on."""
    assert bodies(b'a,b\n1,"x\n3,4\n5,"y"\n7,8\n') == [b"a,b", b'1,"x', b"3,4", b'5,"y"', b"7,8"]


def test_a_quote_in_the_middle_of_a_value_is_a_character():
    """An inch sign opens nothing."""
    assert bodies(b'a,b\n1,5" pipe\n3,4\n') == [b"a,b", b'1,5" pipe', b"3,4"]


def test_json_lines_know_no_quotes():
    """One line is one row."""
    assert bodies(b'{"a":"\\""}\n{"b":\n', delimiter=None) == [b'{"a":"\\""}', b'{"b":']


def test_a_row_beyond_the_limit_is_cut_and_its_neighbours_go_on():
    """The beginning is kept for a person, memory stays bounded."""
    found = cut(b"a,b\n" + b"x" * 5_000 + b"\n3,4\n" + b"y" * 3 * CHUNK_BYTES + b"\n5,6\n")
    assert [(len(row.body), row.flaw) for row in found] == [
        (3, None),
        (1_000, Flaw.CUT),
        (3, None),
        (1_000, Flaw.CUT),
        (3, None),
    ]


def test_gzip_gives_the_same_rows_as_plain():
    """Also in several members one after another (RFC 1952, 2.2), and padded with zeros."""
    plain = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(60_000))
    half = len(plain) // 2
    packed = gzip.compress(plain[:half]) + gzip.compress(plain[half:]) + b"\0" * 512
    assert bodies(packed) == bodies(plain)


@pytest.mark.parametrize("keep", [0.2, 0.5, 0.99])
def test_a_truncated_gzip_file_gives_its_rows_and_then_says_so(keep):
    """No row is made up of a half line: the last one carries the flaw."""
    plain = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * n) for n in range(20_000))
    packed = gzip.compress(plain)
    found = cut(packed[: int(len(packed) * keep)])
    assert found[-1].flaw is Flaw.BROKEN
    assert all(row.flaw is None for row in found[:-1])
    assert [row.body for row in found[:-1]] == plain.split(b"\n")[: len(found) - 1]


def test_a_damaged_gzip_file_says_so():
    """A wrong checksum is a break."""
    packed = bytearray(gzip.compress(b"a,b\n1,2\n"))
    packed[-5] ^= 1
    assert cut(bytes(packed))[-1].flaw is Flaw.BROKEN


@pytest.mark.parametrize("filling", [b"\0", b"\n", b"1,2\n"])
def test_a_compression_bomb_stops_at_the_ratio(filling):
    """What unpacks to more than the ratio allows is not read further."""
    free = 1 << 16
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(filling * (1 << 18)) for _ in range(16)) + packer.flush()
    found = cut(packed, limits=Limits(1_000, 1 << 40, 2, free))
    assert found[-1].flaw is Flaw.BOMB
    assert sum(len(row.body) for row in found) <= max(free, 2 * len(packed))


def test_a_compression_bomb_stops_at_the_size():
    """A limit below the free size holds too."""
    packed = gzip.compress(b"1,2\n" * 100_000)
    assert cut(packed, limits=Limits(1_000, 100_000, 200))[-1].flaw is Flaw.BOMB


def test_an_empty_file_has_no_rows():
    """Also an empty gzip file."""
    assert cut(b"") == cut(gzip.compress(b"")) == []


@given(st.binary(max_size=3_000), st.sampled_from([",", ";", None]))
def test_any_bytes_give_bounded_rows(data, delimiter):
    """Whatever a file holds, cutting ends, and no row is longer than the limit."""
    for wrapped in (data, gzip.compress(data), b"\x1f\x8b" + data):
        assert all(len(row.body) <= LIMITS.row_bytes for row in cut(wrapped, delimiter))
