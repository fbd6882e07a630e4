"""Text is one thing, wherever it is kept: what SQLite takes, tells apart, finds and orders, PostgreSQL does alike.

Text of PostgreSQL cannot hold a NUL and neither can its JSON, which refuses halves of surrogate pairs too; its database
may order and fold letters by the rules of a language.
"""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from tests.contract.test_sqlite import open_store as open_sqlite
from tests.support.postgres_stores import open_store

from clew import Attachment, InvalidRequestError, Label, Store, limits
from clew.testing import Clock
from clew.testing.contract.base import active, attached, labels, titles
from clew.testing.values import exact

Stores = tuple[Store, Store]
"""One in memory, and one in PostgreSQL."""

ODD = [
    " ", "a", "\x01", "\x010000", "\\u0000", "\x7f", "\u2028", "\ufeff", "\uffff", "\U0001f9f6", "\U0010ffff", "é",
    "e\u0301", "\ufb01", "%", "\\", "'", '"', "$1", "a\nb", "\ta", "a ", "null", "\u202e",
]  # fmt: skip
"""Text that is text everywhere."""

TAKEN = [
    *ODD, "A", "b", "\x85", "\ufffe", "fi", "ß", "SS", "ss", "İ", "i", "I", "ı", "ς", "σ", "Σ", "K", "k", "ſ", "s", "Ꭰ",
    "ꭰ", "ǆ", "ǅ", "\u0345", "a%", "_", "a_", "\\%", "''", ":id::text", "{}", "1",
]  # fmt: skip
"""The same, with what a language or a pattern may take for the same."""

REFUSED = ["\0", "a\0b", "\ud800", "a\udc00", "\udfff\ud800"]
"""What is no text for a name, a path or a title; JSON holds it."""

PAIR = "\ud800\udc00"
"""Two halves in a row, which JSON reads back as one letter: refused wherever they are."""


@pytest.fixture
def stores(postgres_url: str) -> Iterator[Stores]:
    with open_sqlite(None, Clock()) as here, open_store(postgres_url, Clock()) as there:
        yield here, there


def alike(stores: Stores, call: Callable[[Store], Any]) -> Any:
    """What a call comes to in both stores: what it gives, or how it is refused."""
    here, there = (_outcome(store, call) for store in stores)
    assert exact(here) == exact(there)
    return here


def refused(stores: Stores, call: Callable[[Store], Any]) -> None:
    """A call is refused in both stores, with the same error."""
    code, _ = alike(stores, call)
    assert code == "invalid_request"


def _outcome(store: Store, call: Callable[[Store], Any]) -> Any:
    try:
        return call(store)
    except InvalidRequestError as error:
        return error.code, error.message


def _named(store: Store, text: str) -> dict[str, bytes]:
    step = store.append(store.create_session("").id, [], attachments={text: b"1"})
    assert bytes(store.get_attachment(step.id, text)) == b"1"
    return attached(store, step.id)


def _typed(store: Store, text: str) -> str | None:
    step = store.append(store.create_session("").id, [], attachments={"f": Attachment(b"1", text)})
    return store.get_attachment(step.id, "f").content_type


def _labelled(store: Store, text: str) -> Any:
    session = store.create_session("")
    step = store.append(session.id, [], label=text)
    assert store.find_checkpoint(session.id, text).id == step.id
    store.set_active_checkpoint(session.id, Label(text))
    return store.find_checkpoint(session.id, text).label


def _waiting(store: Store, text: str) -> Any:
    session = store.create_session("")
    store.attach(session.id, {text: b"1"}, label=text)
    return [(label, [item.name for item in items]) for label, items in store.list_waiting(session.id).items()]


NAMES: dict[str, tuple[int, Callable[[Store, str], Any], Callable[[str], Any]]] = {
    "title": (
        limits.MAX_TITLE_CHARS, lambda store, text: store.get_session(store.create_session(text).id).title, str,
    ),
    "cwd": (
        limits.MAX_CWD_CHARS, lambda store, text: store.get_session(store.create_session("", cwd=text).id).cwd, str,
    ),
    "source": (limits.MAX_SOURCE_CHARS, lambda store, text: store.ensure_session(text, "1").source, str),
    "source_id": (
        limits.MAX_SOURCE_CHARS,
        lambda store, text: store.find_session("s", store.ensure_session("s", text).source_id or "").source_id,
        str,
    ),
    "label": (limits.MAX_LABEL_CHARS, _labelled, str),
    "attachment": (limits.MAX_ATTACHMENT_NAME_CHARS, _named, lambda text: {text: b"1"}),
    "content type": (limits.MAX_CONTENT_TYPE_CHARS, _typed, str),
    "waiting": (limits.MAX_LABEL_CHARS, _waiting, lambda text: [(text, [text])]),
}  # fmt: skip
"""Where a name goes: how long it may be, what is read back of it, and what that has to be."""

JSON: dict[str, Callable[[str], Any]] = {
    "a value": lambda text: {"content": text},
    "a key": lambda text: {text: 1},
    "deep inside": lambda text: {"k": [{text: [text]}]},
}


@pytest.mark.parametrize("place", NAMES)
def test_a_name_is_kept_letter_by_letter_or_refused(stores: Stores, place: str) -> None:
    most, keep, kept = NAMES[place]
    for text in (*ODD, "\U0001f9f6" * most, "é" * most):
        assert alike(stores, lambda store: keep(store, text)) == kept(text)  # noqa: B023 - called at once
    for text in (*REFUSED, PAIR, "x" * (most + 1)):
        refused(stores, lambda store: keep(store, text))  # noqa: B023


def test_json_keeps_every_letter(stores: Stores) -> None:
    texts = [*TAKEN, *REFUSED, "", "\0\U0001f9f6" * 10_000]
    values = [place(text) for place in JSON.values() for text in texts]
    assert exact(alike(stores, lambda store: _said(store, values))) == exact(values)
    whole = {"all": values}
    assert exact(alike(stores, lambda store: _kept_metadata(store, whole))) == exact(whole)


@pytest.mark.parametrize("place", JSON)
def test_json_refuses_two_halves_in_a_row(stores: Stores, place: str) -> None:
    value = JSON[place](PAIR)
    for call in (lambda store: _said(store, [value]), lambda store: _kept_metadata(store, value)):
        refused(stores, call)


def _said(store: Store, messages: list[Any]) -> list[Any]:
    return store.get_checkpoint(active(store.create_session("", messages=messages)).id).state.messages


def _kept_metadata(store: Store, value: Any) -> Any:
    session = store.get_session(store.create_session("", metadata=value, session_metadata=value).id)
    assert exact(session.metadata) == exact(active(session).state.metadata)
    return session.metadata


def test_a_search_finds_the_same_titles(stores: Stores) -> None:
    """Without differences of case in any script, and without patterns."""
    for store in stores:
        for text in TAKEN:
            store.create_session(f"<{text}>")
    long = "x" * limits.MAX_SEARCH_CHARS
    for text in (*TAKEN, *REFUSED, PAIR, "", "<SS>", long, long + "x"):
        alike(stores, lambda store: titles(store.list_sessions(search=text, limit=999)))  # noqa: B023
    assert alike(stores, lambda store: set(titles(store.list_sessions(search="<ß>")))) == {"<ß>", "<SS>", "<ss>"}
    assert alike(stores, lambda store: titles(store.list_sessions(search="<%>"))) == ["<%>"]


@pytest.mark.parametrize("place", JSON)
def test_a_filter_of_metadata_finds_the_same(stores: Stores, place: str) -> None:
    """What is equal letter by letter, with a NUL or half of a surrogate pair too."""
    texts = [*TAKEN, *REFUSED, ""]
    for store in stores:
        for text in texts:
            store.create_session(exact(text), session_metadata=JSON[place](text), metadata=JSON[place](text))
    for text in texts:
        wanted = JSON[place](text)
        assert alike(stores, lambda store: titles(store.list_sessions(metadata=wanted))) == [exact(text)]  # noqa: B023
        found = alike(stores, lambda store: [item.metadata for item in store.find_checkpoints(metadata=wanted)])  # noqa: B023
        assert exact(found) == exact([wanted])
    refused(stores, lambda store: store.list_sessions(metadata=JSON[place](PAIR)))


def test_filters_by_names_find_what_is_equal_letter_by_letter(stores: Stores) -> None:
    for store in stores:
        for text in TAKEN:
            store.create_session(text, cwd=text, source=text, source_id=text)
    for text in TAKEN:
        assert alike(stores, lambda store: titles(store.list_sessions(cwd=text))) == [text]  # noqa: B023
        assert alike(stores, lambda store: titles(store.list_sessions(source=text))) == [text]  # noqa: B023
        assert alike(stores, lambda store: store.find_session(text, text).title) == text  # noqa: B023
    for text in (*REFUSED, PAIR):
        refused(stores, lambda store: store.list_sessions(cwd=text))  # noqa: B023
        refused(stores, lambda store: store.list_sessions(source=text))  # noqa: B023
        refused(stores, lambda store: store.find_session("s", text))  # noqa: B023


def test_labels_are_in_the_order_of_their_letters(stores: Stores) -> None:
    """By code point, not by the rules of a language, and those that only differ far behind too."""
    long = ["x" * (limits.MAX_LABEL_CHARS - 1) + end for end in "aAéb"]
    for store in stores:
        session = store.create_session("tree")
        for text in (*TAKEN, *long):
            store.append(session.id, [], label=text)

    def listed(store: Store, **how: Any) -> list[str | None]:
        (session,) = store.list_sessions()
        return labels(store.list_checkpoints(session.id, limit=999, **how))

    expected = sorted([*TAKEN, *long])
    assert alike(stores, lambda store: listed(store, order="label")) == expected
    assert alike(stores, lambda store: listed(store, order="-label")) == expected[::-1]
    for text in (*TAKEN, *long):
        before = alike(stores, lambda store: listed(store, order="label", before_label=text))  # noqa: B023
        assert before == [label for label in expected if label < text]


def test_attachments_are_found_by_how_their_names_begin(stores: Stores) -> None:
    """Letter by letter, without patterns, in the order of their letters."""
    names = [f"{text}/{text}" for text in TAKEN]
    for store in stores:
        store.append(store.create_session("").id, [], attachments=dict.fromkeys(names, b"1"))

    def listed(store: Store, prefix: str) -> list[str]:
        (session,) = store.list_sessions()
        id = active(store.get_session(session.id)).id
        found = list(store.get_attachments(id, prefix=prefix)[id])
        assert [item.name for item in store.list_attachments(id, prefix=prefix)] == found
        return found

    for prefix in ("", *TAKEN):
        expected = sorted(name for name in names if name.startswith(prefix))
        assert alike(stores, lambda store: listed(store, prefix)) == expected  # noqa: B023
    for prefix in (*REFUSED, PAIR):
        refused(stores, lambda store: listed(store, prefix))  # noqa: B023


def test_text_that_is_ordered_is_so_in_a_database_of_any_language(postgres_url: str) -> None:
    """The order of the columns is their own, not that of the database, which here has no language."""
    with psycopg.connect(postgres_url) as connection:
        found = connection.execute(
            "SELECT DISTINCT attname, attcollation::regcollation::text FROM pg_attribute"
            " WHERE attrelid::regclass::text LIKE 'clew\\_%' AND attname IN ('label', 'name') AND attcollation <> 0"
            " AND attrelid <> 'clew_migration'::regclass"
        ).fetchall()
    assert sorted(found) == [("label", '"C"'), ("name", '"C"')]
