"""Feeds that a node has no more: which statuses leave."""

import orjson

from ops.withdrawing import withdrawn


def test_only_what_this_node_said_and_has_no_more_leaves() -> None:
    """Also what an earlier version said without the node; never what another said, what is there, nor rubbish."""
    mine, other = orjson.dumps({"node": "intake-1"}), orjson.dumps({"node": "intake-2"})
    said = {
        b"cpr@intake-1": mine,
        b"old@intake-1": mine,
        b"left@intake-1": None,
        b"cpr": mine,
        b"sia": other,
        b"cpr@intake-2": other,
        b"tick": b"{}",
        b"\xff": b"\xff",
        b"list": b"[]",
    }
    assert list(withdrawn(said, "intake-1", ["cpr"])) == ["old@intake-1", "cpr"]
