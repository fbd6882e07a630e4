"""Colours for code, and the limits of what is coloured. `soak/colours.py` measures how long that takes."""

import math
import re
from html import unescape

import pytest
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import Name  # type: ignore[import-untyped]

from clew.display import highlight
from clew.display.highlight import LANGUAGES, MAX_CHARS, MAX_LINE_CHARS, MAX_LINES, MAX_SPACES, highlighted


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is coloured here does not depend on how long it takes."""
    monkeypatch.setattr(highlight, "MAX_SECONDS", math.inf)


class TestNobodyWaitsForColours:
    @pytest.mark.parametrize(
        ("language", "code"),
        [
            ("c", "int f(char *a) {\n}\n"),
            ("c", "int f(char *a);\n"),
            ("cpp", "int f(char *a) {\n}\n"),
            ("cpp", "int f(char *a);\n"),
            ("csharp", "int f(string a) {\n}\n"),
            ("csharp", "int f (string a);\n"),
        ],
    )
    def test_no_expression_looks_for_whole_functions(self, language: str, code: str) -> None:
        """Those of Pygments do: ten thousand characters of C can take them many seconds, and nothing stops a match."""
        assert (Name.Function, "f") in get_lexer_by_name(language).get_tokens(code)
        assert '<span class="n">f</span>' in highlighted(code, language)

    def test_what_takes_long_altogether_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        code = "a = 1\n" * 100
        assert "<span" in highlighted(code, "python")
        monkeypatch.setattr(highlight, "MAX_SECONDS", 0)
        assert highlighted(code, "python") == code

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
            ("cs", 'using System;\npublic class A { int F(string s) { return G("x", 12); } } // y\n', {
                "k": "return", "mi": "12", "nn": "System", "nc": "A", "kt": "string", "s": "&quot;x&quot;",
                "c1": "// y",
            }),
        ],
    )  # fmt: skip
    def test_languages_whose_lexers_are_cut_down_keep_their_colours(
        self, language: str, code: str, expected: dict[str, str]
    ) -> None:
        shown = highlighted(code, language).replace('>"', ">&quot;").replace('"<', "&quot;<")
        for name, text in expected.items():
            assert re.search(f'<span class="{name}">{re.escape(text)}\n?</span>', shown), (name, text, shown)
