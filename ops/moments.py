"""Times that people and programs give us, as milliseconds since the epoch."""

from datetime import datetime

from schemas.errors import Code, Rejected


def milliseconds(text: str, name: str) -> int:
    """The moment of an ISO 8601 text with a zone. Rejected(`field-invalid`) naming the field for anything else."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Rejected(Code.FIELD_INVALID, "a time with its zone (ISO 8601)", f"/{name}")
    return round(at.timestamp() * 1000)
