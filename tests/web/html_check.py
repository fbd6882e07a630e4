"""What a piece of HTML is made of, as a parser sees it."""

from collections.abc import Mapping
from html.parser import HTMLParser


class Made(HTMLParser):
    """Collects the tags, attributes and text of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.odd: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.odd.append(data)

    def handle_decl(self, decl: str) -> None:
        self.odd.append(decl)

    def handle_pi(self, data: str) -> None:
        self.odd.append(data)

    def unknown_decl(self, data: str) -> None:
        self.odd.append(data)

    @property
    def text(self) -> str:
        """All text."""
        return "".join(self.texts)


def check_harmless(html: str, allowed: Mapping[str, set[str]]) -> Made:
    """Fail unless there are only the allowed tags with the allowed attributes, and links that lead to no program."""
    made = Made(html)
    assert not made.odd
    for tag, attributes in made.tags:
        assert tag in allowed, f"<{tag}>"
        assert set(attributes) <= allowed[tag], f"<{tag}> with {attributes}"
        href = attributes.get("href")
        assert href is None or href.lower().startswith(("http://", "https://", "mailto:", "/", "#", "?")), href
    return made
