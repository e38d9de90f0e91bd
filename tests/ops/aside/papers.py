"""Records of `quarantine` as the topic gives them, for tests without a broker."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from ops.aside.records import handled
from ops.aside.shelf import Item, Shelf
from schemas.delivery import Handling, Quarantined
from schemas.errors import Code
from schemas.wire import record

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


class Topic:
    """One partition of `quarantine`, with a minute between records; `shelf` is what it tells."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def add(self, key: bytes, value: bytes | None, headers: Any) -> None:
        """A record comes."""
        at = AT + timedelta(minutes=len(self.records))
        told = {"partition": 0, "offset": len(self.records), "timestamp": round(at.timestamp() * 1000)}
        self.records.append(SimpleNamespace(key=key, value=value, headers=headers, **told))

    def seen(
        self,
        item_id: str = "item-1",
        stage: str = "intake",
        code: Code = Code.SYNTAX_INVALID,
        recipient: str | None = None,
        **more: Any,
    ) -> None:
        """Something is set aside."""
        told = {"document_id": f"d-{item_id}", "source": "cpr", "node": "n1"} if stage == "intake" else {}
        payload = Quarantined(item_id=item_id, stage=stage, code=code, **{**told, **more})
        ids = {"documentid": payload.document_id, "deliveryid": payload.delivery_id, "recipient": recipient}
        extensions = {name: one for name, one in ids.items() if one}
        value, headers = record(payload, id=item_id, source="/x", extensions=extensions)
        self.add((payload.document_id or item_id).encode(), value, headers)

    def act(self, handling: Handling, handling_id: str = "h1", item_id: str = "item-1", **more: Any) -> None:
        """Somebody does something with it."""
        at = AT + timedelta(minutes=len(self.records))
        out = handled(self.shelf.items[item_id], handling, handling_id, "local:anna", "because", at, **more)
        self.add(out.key, out.value, out.headers)

    def nonsense(self) -> None:
        """A record that nobody can read."""
        self.add(b"x", b"{", ())

    @property
    def shelf(self) -> Shelf:
        """All of it, folded."""
        shelf = Shelf()
        for one in self.records:
            shelf.take(one)
        return shelf

    @property
    def item(self) -> Item:
        """The first item."""
        return next(iter(self.shelf.items.values()))
