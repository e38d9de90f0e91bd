"""One command as the API wrote it down (who asks is already known there), into the command itself. Pure and total."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from connectors.commands.settings import CommandsSettings
from connectors.contract import Document, Told, Translation
from connectors.kits.json import pointer, read_object
from schemas.command import Command, Verb
from schemas.errors import Code, Rejected

KEY: Final = "idempotency_key"
REASONED: Final = (Verb.REFUSE, Verb.REJECT, Verb.UNLINK)
NEEDED: Final[dict[Verb, tuple[str, ...]]] = {
    Verb.HAND_OVER: ("to_unit",),
    Verb.LINK: ("report_id",),
    Verb.UNLINK: ("report_id",),
    Verb.CONFIRM: ("target_id",),
    Verb.REJECT: ("target_id",),
    Verb.REDELIVER: ("delivery_id",),
}
"""What a verb cannot be followed without, beside the incident."""
_UNSET: Final = datetime.fromtimestamp(0, UTC)


def translate_for(_: CommandsSettings) -> Callable[[Document], Translation]:
    """The translation; it needs no settings."""
    return translate


def translate(document: Document) -> Translation:
    """The command; its id and time are given by the journal's row. Without a mode it gets the installation's.

    Rejected: `field-missing`, `field-invalid` with the field's pointer, `command-unknown` for another verb,
    `reason-missing` where one is compulsory.
    """
    fields = read_object(document.body)
    key = fields.pop(KEY, None)
    if not isinstance(key, str) or not 0 < len(key) <= 200:
        raise Rejected(
            Code.FIELD_MISSING, "a command needs a key of its own, so that asking twice is harmless", f"/{KEY}"
        )
    command = _command(fields)
    for name in NEEDED.get(command.verb, ()):
        if getattr(command, name) is None:
            raise Rejected(Code.FIELD_MISSING, f"{command.verb.value} needs it", pointer(name))
    if command.verb in REASONED and not (command.reason or "").strip():
        raise Rejected(Code.REASON_MISSING, f"{command.verb.value} needs a reason", "/reason")
    # Only a mode that was asked for: `real`, the field's default, would be refused on an installation for exercises.
    mode = command.mode if "mode" in command.model_fields_set else None
    return Translation((Told(command, far_id=key, mode=mode),))


def _command(fields: dict[str, Any]) -> Command:
    if fields.get("verb") not in set(Verb):
        raise Rejected(Code.COMMAND_UNKNOWN, f"one of: {', '.join(Verb)}", "/verb")
    unknown = next((name for name in fields if name not in Command.model_fields), None)
    if unknown is not None:
        raise Rejected(Code.FIELD_INVALID, "a command has no such field", pointer(unknown))
    try:
        return Command.model_validate({**fields, "command_id": "", "asked_at": _UNSET})
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        code = Code.FIELD_MISSING if first["type"] == "missing" else Code.FIELD_INVALID
        raise Rejected(code, str(first["type"]).replace("_", " "), pointer(*first["loc"])) from None
