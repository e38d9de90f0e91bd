"""A person as forms give it."""

from connectors.kits.form import Form
from schemas.report import Person


def person(form: Form | None, role: str) -> Person | None:
    """The person that a form's object tells; None for none. Numbers are taken as typed: they are checked at sealing."""
    if form is None:
        return None
    return Person(
        role=form.text("role") or role,
        first_name=form.text("first_name"),
        surname=form.text("surname"),
        phone=form.text("phone"),
        pesel=form.text("pesel"),
        address=form.text("address"),
        location=form.text("location"),
    )
