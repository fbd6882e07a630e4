"""Words: the same however they are written, and no others."""

import pytest

from clew.search.words import words


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("STRASSE", "straße"),
        ("İSTANBUL ısı", "istanbul isi"),
        ("Đà Nẵng, Łódź, København", "da nang lodz kobenhavn"),
        ("Ёлка ΌΣΟΣ", "елка οσος"),
        ("مُحَمَّد مـحـمـد أحمد", "محمد محمد احمد"),
        ("שָׁלוֹם", "שלום"),
        ("か\u3099 ｶﾞ", "が ガ"),
        ("한글".encode().decode(), "\u1112\u1161\u11ab\u1100\u1173\u11af"),
        ("ﬁle ½ Ａ１", "file 1 2 a1"),
    ],
)
def test_a_word_is_the_same_however_it_is_written(written: str, typed: str) -> None:
    assert words(written) == words(typed)


@pytest.mark.parametrize(
    ("one", "other"),
    [("का", "की"), ("हिन्दी", "हिन्दू"), ("தமிழ்", "தமழ"), ("বাংলা", "বংল"), ("カ", "ガ"), ("മലയാളം", "മലയളം")],
)
def test_signs_of_vowels_make_another_word(one: str, other: str) -> None:
    assert words(one) != words(other)


@pytest.mark.parametrize("word", ["हिन्दी", "किताब", "தமிழ்", "বাংলা", "తెలుగు", "ಕನ್ನಡ", "മലയാളം", "සිංහල", "ދިވެހި", "ꦗꦮ"])
def test_signs_of_vowels_end_no_word(word: str) -> None:
    assert len(words(f"{word}। x")) == 2
