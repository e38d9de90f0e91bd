"""A small disk is full for those who write there, and nobody else's."""

import errno
import os
from pathlib import Path

import pytest

from ops.prove.small_disk import SmallDisk, why_no_mount


@pytest.mark.skipif(bool(why_no_mount()), reason=f"no small file system: {why_no_mount()}")
def test_it_is_full_and_has_room_again(tmp_path: Path) -> None:
    """ENOSPC while it is full; what was there stays; nothing is left behind."""
    disk = SmallDisk(tmp_path / "small", megabytes=2)
    disk.mount()
    try:
        (tmp_path / "small" / "kept").write_bytes(b"before")
        disk.fill()
        with (
            pytest.raises(OSError, match=os.strerror(errno.ENOSPC)),
            (tmp_path / "small" / "more").open("wb", buffering=0) as file,
        ):
            file.write(b"x" * 8192)
        disk.empty()
        (tmp_path / "small" / "more").write_bytes(b"x" * 8192)
        assert (tmp_path / "small" / "kept").read_bytes() == b"before"
    finally:
        disk.free()
    assert list((tmp_path / "small").iterdir()) == []
    disk.free()
