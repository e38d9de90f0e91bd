"""The keys of threads: one for each journal and thread, none in another's place."""

from pathlib import Path

from connectors.journal import Journal
from connectors.keys import ThreadKeys
from schemas.privacy import seal, unseal, unwrap

KEY = bytes(range(32))
THREAD = "4a2f0d0e-0000-5000-8000-000000000001"


async def made(folder: Path) -> ThreadKeys:
    """The keys of a node with a new journal."""
    journal = Journal(folder / "journal.db", KEY)
    await journal.start()
    keys = ThreadKeys(folder / "journal.db", KEY)
    await journal.note(keys.of(THREAD).stored())
    await journal.close()
    return keys


async def test_two_nodes_keys_of_one_thread_live_side_by_side(tmp_path: Path):
    """A compacted topic keeps the last record of each name: both keys must stay, or one node's persons are lost."""
    current, sealed = {}, []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        keys = await made(tmp_path / name)
        key = keys.of(THREAD)
        current[key.key_id] = key.wrapped
        sealed.append(seal(key.key, key.key_id, name.encode(), "r", "caller"))
        keys.close()
    opened = [unseal(unwrap(KEY, current[one.key_id]), one, "r", "caller") for one in sealed]
    assert opened == [b"one", b"two"]
    assert {one.thread_id for one in current.values()} == {THREAD}


async def test_a_restarted_node_has_the_same_key(tmp_path: Path):
    """What was sealed before the restart opens after it, and no second key is made."""
    keys = await made(tmp_path)
    before = keys.of(THREAD)
    keys.close()
    again = ThreadKeys(tmp_path / "journal.db", KEY)
    assert (again.of(THREAD).key_id, again.of(THREAD).key) == (before.key_id, before.key)
    assert again.of(THREAD).durable
    again.close()
