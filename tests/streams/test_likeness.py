"""Likeness of short texts: numbers and names weigh more, endings and slips of the pen little, order nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import likeness

TEXTS = st.text(alphabet="aąbcćdeęłóśźż 0123456789/,", max_size=40)


def percent(one: str, other: str) -> float | None:
    """How alike two texts are."""
    return likeness.percent(likeness.words(one), likeness.words(other))


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("górnośląska 12", "ul. gornoslaska 12", 100, 100),
        ("zderzenie na górnośląskiej", "górnośląska zderzenie", 100, 100),
        ("i5 n / jefferson blvd", "i5 n / osborne st", 40, 80),
        ("i5 n / jefferson blvd", "i10 n / jefferson blvd", 20, 60),
        ("złota 3", "złota 30", 1, 40),
        ("wrocławska 3", "wrocalwska 3", 90, 100),
        ("biały van pk 12345", "pk12345 jedzie pod prąd", 50, 90),
        ("ogrodawa 3", "ogrodowa 3", 90, 100),
        ("fabryczna", "abryczna", 80, 95),
        ("lipowa", "lipiwa", 80, 95),
        ("dym z okna", "głośna muzyka", 0, 0),
    ],
)
def test_what_people_write(one, other, least, most):
    """A number decides more than a word, a stem counts as the word, a slip nearly so."""
    told = percent(one, other)
    assert told is not None
    assert least <= told <= most


@pytest.mark.parametrize("empty", ["", " ", "/ ,", "a"])
def test_nothing_to_compare(empty):
    """A text without words says nothing, which is not the same as being unlike."""
    assert percent(empty, "górnośląska 12") is None


@given(TEXTS, TEXTS)
def test_in_either_order(one, other):
    """Which came first does not matter, and it is a share."""
    told = percent(one, other)
    assert told == percent(other, one)
    assert told is None or 0 <= told <= 100


@given(TEXTS, st.permutations(range(6)))
def test_order_of_words(text, order):
    """Words in another order are the same words."""
    words = (text.split() + ["x"] * 6)[:6]
    told = percent(" ".join(words), " ".join(words[at] for at in order))
    assert told in {None, 100.0}


@given(st.text(alphabet="abcdefghijklmnoprstuwz", min_size=5, max_size=9), st.data())
def test_one_slip_of_the_pen(word, data):
    """A letter left out, put in, taken for another, or two changed about: wherever it is, most of the word counts."""
    at = data.draw(st.integers(0, len(word) - 2))
    slip = data.draw(st.sampled_from("-+!x"))
    letter = data.draw(st.sampled_from("abcdefghijklmnoprstuwz"))
    wrong = {
        "-": word[:at] + word[at + 1 :],
        "+": word[:at] + letter + word[at:],
        "!": word[:at] + letter + word[at + 1 :],
        "x": word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    }[slip]
    told = percent(word, wrong)
    assert told is not None
    assert told >= 80
