"""Audit records.

Who saw or got what, why. DODO Act art. 36, KRI § 20, Police Act art. 20(1e); fields mandatory, references not
content.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from schemas.model import Message, Privacy, about


class Act(StrEnum):
    """What is recorded: Directive (EU) 2016/680 art. 25."""

    COLLECTION = "collection"
    ALTERATION = "alteration"
    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"
    ERASURE = "erasure"


class Audited(Message):
    """One act on data: the payload of `audit.log`."""

    audit_id: Annotated[str, about("uuid5 of the act's cause.", Privacy.OPERATIONAL)]
    act: Annotated[Act, about("What was done.", Privacy.OPERATIONAL)]
    actor: Annotated[str, about("Account or part that did it.", Privacy.OPERATIONAL)]
    purpose: Annotated[str, about("Why: rule, case, legal base.", Privacy.OPERATIONAL)]
    at: Annotated[datetime, about("When.", Privacy.OPERATIONAL)]
    recipient: Annotated[str | None, about("To whom it was disclosed.", Privacy.OPERATIONAL)] = None
    subject_id: Annotated[str | None, about("Incident.", Privacy.OPERATIONAL)] = None
    report_ids: Annotated[tuple[str, ...], about("Reports.", Privacy.OPERATIONAL)] = ()
    fields: Annotated[
        tuple[str, ...],
        about("Names of the fields, never their values.", Privacy.OPERATIONAL),
    ] = ()
    profile: Annotated[str | None, about("Profile that chose them.", Privacy.OPERATIONAL)] = None
    rules_version: Annotated[str | None, about("Digest of the rules.", Privacy.PUBLIC)] = None
    delivery_id: Annotated[str | None, about("Delivery.", Privacy.OPERATIONAL)] = None
