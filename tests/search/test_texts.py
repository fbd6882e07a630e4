"""What of a message can be found, and where in it the words stand."""

from hypothesis import given
from hypothesis import strategies as st

from clew.search.query import Term, parse, terms
from clew.search.snippets import MAX_CHARS, snippet_of
from clew.search.texts import document_of, text_of
from clew.search.words import MAX_WORD_CHARS, places, words


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
    node = parse(query)
    assert node is not None
    wanted = list(terms(node))
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
