"""A person as forms give it, and the check digit of the PESEL number."""

from typing import Final

from connectors.kits.form import Form
from schemas.finding import Finding, FindingCode
from schemas.report import Person

WEIGHTS: Final = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)


def person(form: Form | None, role: str) -> Person | None:
    """The person that a form's object tells; None for none. A wrong PESEL is a finding, never a ground to drop."""
    if form is None:
        return None
    told = Person(
        role=form.text("role") or role,
        first_name=form.text("first_name"),
        surname=form.text("surname"),
        phone=form.text("phone"),
        pesel=form.text("pesel"),
        address=form.text("address"),
        location=form.text("location"),
    )
    if told.pesel is not None and not pesel_is_right(told.pesel):
        at = f"{form.at}/pesel"
        form.findings.append(Finding(code=FindingCode.CHECKSUM_WRONG, at=at, detail="no PESEL number has these digits"))
    return told


def pesel_is_right(number: str) -> bool:
    """Eleven digits, a lawful birth date's month, and the check digit: weights 1 3 7 9 1 3 7 9 1 3."""
    if len(number) != 11 or not number.isascii() or not number.isdigit():
        return False
    digits = [int(character) for character in number]
    month, day = (digits[2] * 10 + digits[3]) % 20, digits[4] * 10 + digits[5]
    total = sum(weight * digit for weight, digit in zip(WEIGHTS, digits, strict=False))
    return 1 <= month <= 12 and 1 <= day <= 31 and (10 - total % 10) % 10 == digits[10]
