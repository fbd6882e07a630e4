"""Colours for code, however the code was made to take long."""

import re
import time
from html import unescape

import pytest

from clew.server.web import highlight
from clew.server.web.highlight import LANGUAGES, MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, MAX_SPACES, highlighted, is_short

LEXERS = sorted(set(LANGUAGES.values()))

UNITS = [
    *(" ", "\t", " \t", "\n", " \n", "\r", "\xa0"),
    *('"', "'", "`", "(", "[", "{", "\\", "/", "*", "#", "$", "<", "-", "=", "0", "a", "_", "é"),
    *("a ", "a\n", "a a\n", "int a\n", "a: ", "1.", "0x", "\\\n", "x" * 20 + " " * 20 + "\n"),
    *("/*", "<!--", "<a ", "<a><", "<<A\n", "${", "$(", "#{", "#if 0\n", "[[", "[=", "/** @", "a(", "a<", "a::"),
]
"""What is repeated, from its beginning and after something else: many of these begin what nothing ends."""

SECONDS = 0.25
"""How long one expression may search in code of the longest kind. What is bad takes many times as long."""


def as_long_as_can_be(unit: str, begin: str = "") -> str:
    """Code as long as it may be and still be coloured, of one thing again and again."""
    if unit.isspace():
        unit = (unit * MAX_SPACES)[: MAX_SPACES - 1] + "a"  # with the end of a line that makes as many as there may be
    lines = (begin + unit * (MAX_CHARS // len(unit)))[:MAX_CHARS].split("\n")
    wrapped = [line[at : at + MAX_LINE_CHARS] for line in lines for at in range(0, max(len(line), 1), MAX_LINE_CHARS)]
    return "\n".join(wrapped[:MAX_LINES])[:MAX_CHARS]


CODES = [as_long_as_can_be(unit) for unit in UNITS] + [
    as_long_as_can_be(unit, "a ") for unit in UNITS if len(unit) == 1
]


def seconds(code: str, language: str) -> float:
    """The processor's time that it takes: however busy the machine is, that is the same."""
    begin = time.thread_time()
    highlighted(code, language)
    return time.thread_time() - begin


class TestNobodyWaitsForColours:
    @pytest.mark.parametrize("lexer", LEXERS)
    def test_no_expression_of_any_language_takes_long(self, lexer: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between two tokens nobody can stop a lexer, so nearly all the time that passes here is that of one match."""
        monkeypatch.setattr(highlight, "MAX_SECONDS", 0.001)
        slow = {code[:20]: taken for code in CODES if (taken := seconds(code, lexer)) > SECONDS}
        assert not slow

    def test_what_takes_long_altogether_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        code = as_long_as_can_be("a = 1\n")
        assert "<span" in highlighted(code, "python")
        monkeypatch.setattr(highlight, "MAX_SECONDS", 0)
        assert highlighted(code, "python") == code

    def test_that_is_asked_of_the_longest_code_that_is_coloured(self) -> None:
        for code in CODES:
            assert is_short(code)
            assert len(code) > MAX_CHARS - 2 * MAX_SPACES or code.count("\n") > MAX_LINES - 3

    @pytest.mark.parametrize(
        ("longest", "too_long"),
        [
            ("a\n" * (MAX_LINES - 1), "a\n" * MAX_LINES),
            ("1" * MAX_LINE_CHARS, "1" * (MAX_LINE_CHARS + 1)),
            ("a" + " " * MAX_SPACES + "b", "a" + " " * (MAX_SPACES + 1) + "b"),
            ("a" + "\n" * MAX_SPACES + "b", "a" + "\n" * (MAX_SPACES + 1) + "b"),
            (("a" * 99 + "\n") * (MAX_CHARS // 100), ("a" * 99 + "\n") * (MAX_CHARS // 100) + "a"),
        ],
    )
    def test_long_code_is_plain(self, longest: str, too_long: str) -> None:
        assert "<span" in highlighted(longest, "python")
        assert "<span" not in highlighted(too_long, "python")


class TestColours:
    @pytest.mark.parametrize("name", sorted(LANGUAGES))
    def test_whatever_is_coloured_says_what_the_code_said(self, name: str) -> None:
        code = "\n\tif (a < b && c > 1) { return \"d\\n\"; }  # e\n\n\n<f g='h'>\n[i]\nj: k = 1.5\n\n"
        assert unescape(re.sub(r"</?span[^>]*>", "", highlighted(code, name))) == code
        assert highlighted(code, name.upper()) == highlighted(code, name)

    @pytest.mark.parametrize(
        ("language", "code", "expected"),
        [
            ("c", '#include <a.h>\nstatic int f(char *b) {\n  return g(b, 1); /* c */\n}\nstruct s { int t; };\n', {
                "cp": "#include", "k": "static", "kt": "int", "n": "f", "mi": "1", "cm": "/* c */", "nc": "s",
            }),
            ("cpp", 'namespace a {\ntemplate<class T> class B { void f() override; };\n}\nint x = 2; // d\n', {
                "k": "template", "nn": "a", "nc": "B", "kt": "void", "mi": "2", "c1": "// d",
            }),
            ("cs", 'using System;\npublic class A { int F(string s) { return G("x"); } } // y\n', {
                "k": "return", "nn": "System", "nc": "A", "kt": "string", "s": "&quot;x&quot;", "c1": "// y",
            }),
        ],
    )  # fmt: skip
    def test_languages_whose_lexers_are_cut_down_keep_their_colours(
        self, language: str, code: str, expected: dict[str, str]
    ) -> None:
        shown = highlighted(code, language).replace('>"', ">&quot;").replace('"<', "&quot;<")
        for name, text in expected.items():
            assert re.search(f'<span class="{name}">{re.escape(text)}\n?</span>', shown), (name, text, shown)
