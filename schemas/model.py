"""How every message is written: frozen, documented, each field with its privacy class and, for a number, its unit."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Privacy(StrEnum):
    """Who a value may reach. DODO Act art. 13, 31-39; Directive (EU) 2016/680 art. 4, 20."""

    PUBLIC = "public"
    """May be published: codes, times, identifiers that name no person."""
    OPERATIONAL = "operational"
    """For services that handle the event: places, states, texts about the event."""
    SENSITIVE = "sensitive"
    """May name a person by accident (free text): only to recipients whose profile names the field, never logged."""
    PERSONAL = "personal"
    """Caller, subscriber, persons: travels sealed only."""


def about(description: str, privacy: Privacy, unit: str | None = None, **limits: Any) -> FieldInfo:
    """Describe a field inside `Annotated`.

    What it is, its privacy class, its unit. `limits` are pydantic's (ge, max_length...).
    """
    extra: dict[str, Any] = {"x-privacy": privacy.value}
    if unit:
        extra["x-unit"] = unit
    info: FieldInfo = Field(description=description, json_schema_extra=extra, **limits)
    return info


class Message(BaseModel):
    """Base of everything that travels.

    A reader ignores fields it does not know, so old and new versions live together.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", ser_json_bytes="base64", val_json_bytes="base64")

    def to_json(self) -> bytes:
        """The bytes that travel.

        Compact JSON, fields in order of declaration, absent values left out. Same value, same bytes.
        """
        return self.model_dump_json(exclude_none=True).encode()
