"""What of a message can be found, and where in it the words stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.search.query import Term, parse, terms
from clew.search.snippets import MAX_CHARS, snippet_of
from clew.search.texts import document_of, text_of
from clew.search.words import MAX_WORD_CHARS, places, words


def sought(query: str) -> list[Term]:
    node = parse(query)
    assert node is not None
    return list(terms(node))


@given(st.text())
def test_words_are_the_same_however_they_are_cut(text):
    assert words(text) == [place.word for place in places(text)]
    assert all(word == " ".join(words(word)).replace(" ", "") for word in words(text))
    assert all(0 < len(word) <= MAX_WORD_CHARS for word in words(text))


@given(st.text(), st.text(min_size=1))
def test_a_text_is_found_by_any_part_of_it_that_spaces_end(before, word):
    found, wanted = words(f"{before} {word} end"), words(word)
    assert any(found[place : place + len(wanted)] == wanted for place in range(len(found) + 1))


def test_a_word_that_is_too_long_is_found_by_its_beginning():
    assert words("x" * 100) == words("X" * 70) == ["x" * MAX_WORD_CHARS]


def test_a_message_is_known_by_its_role_and_its_tools():
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "a"}}, {"function": {"name": "b"}}, {}, 5]}
    assert text_of(call)[:2] == ("assistant", ["a", "b"])
    assert text_of({"role": "tool", "name": "a", "content": "x"})[:2] == ("tool", ["a"])
    assert text_of({"type": "function_call", "name": "a"})[:2] == ("assistant", ["a"])
    assert text_of({"type": "function_call_output", "output": "x"})[:2] == ("tool", [])
    assert text_of({"role": "user", "name": "Ada", "content": "x"})[:2] == ("user", [])
    parts = [{"type": "tool_use", "name": "a"}, {"functionCall": {"name": "b"}}, {"functionResponse": {"name": "c"}}]
    assert text_of({"role": "model", "parts": parts})[:2] == ("model", ["a", "b", "c"])
    odds: list[object] = [{}, [], None, "x", 5, {"role": 5, "type": [], "tool_calls": "x", "content": {"name": 1}}]
    for odd in odds:
        assert text_of(odd)[:2] == ("", [])


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5), lambda of: st.lists(of) | st.dictionaries(st.text(), of)
    )
)
def test_any_message_has_a_document(message):
    document = document_of(message, 1)
    assert all(fact.isprintable() and not set(fact) & set("'\"\\ ") for fact in document.facts)


@given(st.text(alphabet="ab é\n.", max_size=600), st.sampled_from(["a", "b", "a*", '"a b"', "a OR b"]))
def test_a_snippet_is_one_line_and_marks_what_was_looked_for(text, query):
    wanted = sought(query)
    snippet = snippet_of(text, wanted)
    assert "\n" not in snippet.text
    assert len(snippet.text) <= MAX_CHARS + 2
    for start, stop in snippet.marks:
        assert 0 <= start < stop <= len(snippet.text)
        found = words(snippet.text[start:stop])
        assert any(found[0].startswith(term.words[0]) for term in wanted)
    ends = [0, *(place for mark in snippet.marks for place in mark)]
    assert ends == sorted(ends)


@given(st.text(alphabet="ab.- ", max_size=80))
def test_ascii_and_other_texts_are_marked_alike(text):
    wanted = [Term(("a",)), Term(("b", "a")), Term(("ab",), prefix=True)]
    assert snippet_of(text, wanted).marks == snippet_of(f"{text}é", wanted).marks or "é" in text or text[-1:].isalnum()


def test_a_snippet_shows_where_the_most_of_the_words_are():
    text = "boiler " + "x " * 300 + "boiler burst" + " x" * 300
    snippet = snippet_of(text, [Term(("boiler",)), Term(("burst",))])
    assert [snippet.text[start:stop] for start, stop in snippet.marks] == ["boiler", "burst"]
    assert snippet.text.startswith("…")
    assert snippet.text.endswith("…")


@pytest.mark.parametrize("text", ["before " + "a" * 300 + " after", "before " + "ä " * 300 + "after"])
def test_what_is_longer_than_a_snippet_is_marked_as_far_as_it_is_shown(text):
    query = max(text.split(), key=len) if "ä" not in text else f'"{"ä " * 200}"'
    snippet = snippet_of(text, sought(query))
    assert snippet.marks == [(len("before "), len(snippet.text) - 1)]


def test_a_long_text_before_them_hides_no_word_of_a_snippet():
    """Of a word that is everywhere only the first places count, and that must not keep the others from being seen."""
    for tail in ("", " \u00e9"):
        text = "the " * 2_000 + "boiler burst" + " x" * 300 + tail
        snippet = snippet_of(text, sought("the boiler burst"))
        assert {"boiler", "burst"} <= {snippet.text[start:stop] for start, stop in snippet.marks}


def test_very_many_words_are_marked_like_few():
    """They are looked for in another way, which must find the same."""
    text = "a b. " * 50 + "boiler burst; a-b " + "x" * 70
    few = sought('boiler "boiler burst" "a b boil"* bur* ' + "x" * 64)
    many = [*few, *(Term((f"absent{number}",)) for number in range(300))]
    assert snippet_of(text, few) == snippet_of(text, many)
