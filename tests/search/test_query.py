"""Queries: what a person types is what is looked for, and never an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.search.query import MAX_DEPTH, MAX_TERMS, All, Any, Term, parse, terms


def word(*words, prefix=False):
    return Term(words, prefix)


A, B, C = word("a"), word("b"), word("c")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("a", A),
        ("a b", All((A, B))),
        ("a AND b", All((A, B))),
        ("a OR b", Any((A, B))),
        ("a or b", All((A, word("or"), B))),
        ("a OR b c", Any((A, All((B, C))))),
        ("(a OR b) c", All((Any((A, B)), C))),
        ("a -b", All((A,), (B,))),
        ("a NOT b", All((A,), (B,))),
        ("a AND NOT b", All((A,), (B,))),
        ("-b a", All((A,), (B,))),
        ("a -(b c)", All((A,), (All((B, C)),))),
        ('"a b"', word("a", "b")),
        ('-"a b" c', All((C,), (word("a", "b"),))),
        ("a*", word("a", prefix=True)),
        ('"a b"*', word("a", "b", prefix=True)),
        ("a-b", word("a", "b")),
        ("--a", A),
        ("- a", All((A,))),
        ('"a', A),
        ("\u201ca b\u201d", word("a", "b")),
        ("\u201ea b\u201c -\u201dc\u201d", All((word("a", "b"),), (C,))),
        ("a)b", All((A, B))),
        ("((a", A),
        ("OR a", A),
        ("a OR", A),
        ("a OR OR b", Any((A, B))),
        ("A.b/C", word("a", "b", "c")),
    ],
)
def test_what_is_typed_is_what_is_meant(typed, meant):
    assert parse(typed) in (meant, A if meant == All((A,)) else meant)


@pytest.mark.parametrize("typed", ["", " ", "-a", "NOT a", "NOT", "OR", "()", '""', "*", "-", "?!", "(-a)", "-a OR -b"])
def test_what_names_nothing_to_find_looks_for_nothing(typed):
    assert parse(typed) is None


@given(st.text(alphabet=st.sampled_from(list('ab"()-*ORNT \t\0é日ﷺ½\ud800')), max_size=40))
def test_any_text_can_be_typed(typed):
    node = parse(typed)
    if node is not None:
        assert all(term.words and all(term.words) for term in terms(node))


def test_very_much_can_be_typed():
    node = parse("a " * 10_000)
    assert node is not None
    assert len(list(terms(node))) == MAX_TERMS
    assert parse("(" * 10_000 + "a") == A
    assert parse("(" * MAX_DEPTH + "a b" + ")" * MAX_DEPTH) == All((A, B))
    assert parse(")" * 10_000 + "a") == A
