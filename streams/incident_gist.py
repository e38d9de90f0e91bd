"""What of a report matters to its incident."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from schemas.place import Place
from schemas.report import Casualties, Mode, Reference, Urgency


class Gist(BaseModel):
    """What of a report matters to an incident; kept for each report until it is forgotten."""

    model_config = ConfigDict(frozen=True)

    report_id: str
    thread_id: str
    source: str
    system: str
    mode: Mode
    urgency: Urgency
    category: str
    cap_category: str
    place: Place
    casualties: Casualties | None = None
    event_at: datetime
    received_at: datetime
    registered_at: datetime | None = None
    call_answered_at: datetime | None = None
    references: tuple[Reference, ...]
    tokens: tuple[str, ...]
    flags: tuple[str, ...]
    clock: str
    text: str
    street: str
    order: int = 0
