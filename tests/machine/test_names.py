import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomgan.machine.names import escaped, escaped_cell, shortened, unescaped

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("\\xu0a=;\n\udcff ")))


@given(TEXTS)
def test_any_text_is_one_line_and_comes_back(text):
    for form in (escaped(text), escaped_cell(text)):
        assert unescaped(form) == text
        assert len(form.splitlines()) <= 1 and form.encode().decode() == form
    assert escaped_cell(text).lstrip()[:1] not in tuple("=+-@")


@pytest.mark.parametrize(
    "text", ["部品 🔩.png", "a b,c;d.png", r"C:\parts\new\top.png", "é\u3000.png"]
)
def test_usual_names_stay_as_they_are(text):
    assert escaped(text) == escaped_cell(text) == text


def test_what_could_fool_a_terminal_is_spelt():
    assert escaped("\x1b[2J\x9b\u202egnp.exe\n") == r"\x1b[2J\x9b\u202egnp.exe\x0a"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300), st.integers(20, 255))
def test_a_name_is_cut_to_whole_characters(name, room):
    short = shortened(name, room)
    assert len(os.fsencode(short)) <= room
    assert short == name or len(os.fsencode(name)) > room


def test_two_long_names_stay_two():
    names = ["ä" * 126 + str(number) for number in range(3)]
    short = {shortened(name, 100) for name in names}
    assert len(short) == 3 and all(name.startswith("ä" * 40) for name in short)
