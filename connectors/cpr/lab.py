"""A call centre for tests: writes forms, updates, cancellations and repeats, as the README tells partners to."""

from typing import Any

import orjson

STREETS = (("Łódzka", "19", 51.757, 18.115), ("Wrocławska", "30", 51.748, 18.066), ("Majkowska", "22", 51.772, 18.083))


class CprLab:
    """Numbers its forms; every method gives the bytes to POST."""

    content_type = "application/json"

    def __init__(self) -> None:
        self._forms: dict[str, dict[str, Any]] = {}

    def documents(self, count: int) -> list[bytes]:
        """That many first forms."""
        return [self.form() for _ in range(count)]

    def revisions(self, count: int) -> list[bytes]:
        """One form and its updates, that many together."""
        first = self.form()
        cpr_id = next(reversed(self._forms))
        return [first, *(self.update(cpr_id, description=f"Potrącenie, {n} rannych") for n in range(1, count))]

    def form(self, **changes: Any) -> bytes:
        """A new form; `changes` replace or add fields."""
        number = len(self._forms) + 1
        street, building, lat, lon = STREETS[number % len(STREETS)]
        form: dict[str, Any] = {
            "cpr_id": f"PL-LAB-{number:05d}",
            "revision": 1,
            "registered_at": f"2026-02-14T18:{number // 60 % 60:02d}:{number % 60:02d}+01:00",
            "taken_by": "op-1",
            "place": {"locality": "Kalisz", "street": street, "building": building, "lat": lat, "lon": lon},
            "category": "2",
            "subcategory": "2.1",
            "addressed_services": ["police"],
            "description": "Potrącenie na przejściu",
            "casualties": {"injured": 1},
            "caller": {"first_name": "Anna", "surname": "Zmyślona", "phone": "+48600100200"},
            "handling_status": "SUBMITTED",
            **changes,
        }
        self._forms[form["cpr_id"]] = form
        return orjson.dumps(form)

    def update(self, cpr_id: str, **changes: Any) -> bytes:
        """The next revision of a form."""
        form = self._forms[cpr_id]
        newer = {**form, "handling_status": "UPDATED", **changes, "revision": form["revision"] + 1}
        self._forms[cpr_id] = newer
        return orjson.dumps(newer)

    def cancellation(self, cpr_id: str) -> bytes:
        """The centre takes a form back."""
        return self.update(cpr_id, handling_status="CANCELLED")

    def broken(self) -> bytes:
        """A form cut off in the middle."""
        return self.form()[:40]
