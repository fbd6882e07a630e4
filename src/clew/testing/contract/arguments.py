"""Text arguments: what each takes, and how much of it."""

import enum
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from clew import limits
from clew.errors import InvalidRequestError, NotFoundError
from clew.model import Attachment, Label
from clew.store import Store
from clew.testing.contract.base import Contract, active, attached, ids, missing, nothing_changes

TextCall = Callable[[Store, Any, Any], Any]
"""A call with a text argument, given the id of a session and the text."""

TEXTS: dict[str, tuple[str, str, TextCall]] = {
    "title of a new session": ("title", "MAX_TITLE_CHARS", lambda store, _, text: store.create_session(text)),
    "title of an ensured session": (
        "title", "MAX_TITLE_CHARS", lambda store, _, text: store.ensure_session("tool", "new", text),
    ),
    "changed title": ("title", "MAX_TITLE_CHARS", lambda store, id, text: store.update_session(id, title=text)),
    "title of a fork": ("title", "MAX_TITLE_CHARS", lambda store, id, text: store.fork_session(id, title=text)),
    "directory of a new session": ("cwd", "MAX_CWD_CHARS", lambda store, _, text: store.create_session("", cwd=text)),
    "changed directory": ("cwd", "MAX_CWD_CHARS", lambda store, id, text: store.update_session(id, cwd=text)),
    "directory as a filter": ("cwd", "MAX_CWD_CHARS", lambda store, _, text: store.list_sessions(cwd=text)),
    "source of a new session": (
        "source", "MAX_SOURCE_CHARS", lambda store, _, text: store.create_session("", source=text, source_id="1"),
    ),
    "source_id of a new session": (
        "source_id", "MAX_SOURCE_CHARS", lambda store, _, text: store.create_session("", source="tool", source_id=text),
    ),
    "source of an ensured session": (
        "source", "MAX_SOURCE_CHARS", lambda store, _, text: store.ensure_session(text, "1"),
    ),
    "source_id of an ensured session": (
        "source_id", "MAX_SOURCE_CHARS", lambda store, _, text: store.ensure_session("tool", text),
    ),
    "source to find": ("source", "MAX_SOURCE_CHARS", lambda store, _, text: _found(store, text, "1")),
    "source_id to find": ("source_id", "MAX_SOURCE_CHARS", lambda store, _, text: _found(store, "tool", text)),
    "source as a filter": ("source", "MAX_SOURCE_CHARS", lambda store, _, text: store.list_sessions(source=text)),
    "source_id as a filter": (
        "source_id", "MAX_SOURCE_CHARS", lambda store, _, text: store.list_sessions(source="tool", source_id=text),
    ),
    "owner of a new session": (
        "owner", "MAX_OWNER_CHARS", lambda store, _, text: store.create_session("", owner=text),
    ),
    "owner of an ensured session": (
        "owner", "MAX_OWNER_CHARS", lambda store, _, text: store.ensure_session("tool", "new", owner=text),
    ),
    "changed owner": ("owner", "MAX_OWNER_CHARS", lambda store, id, text: store.update_session(id, owner=text)),
    "owner of a fork": ("owner", "MAX_OWNER_CHARS", lambda store, id, text: store.fork_session(id, owner=text)),
    "owner of a copy": ("owner", "MAX_OWNER_CHARS", lambda store, id, text: store.copy_session(id, owner=text)),
    "owner as a filter": ("owner", "MAX_OWNER_CHARS", lambda store, _, text: store.list_sessions(owner=text)),
    "owner to find": (
        "owner", "MAX_OWNER_CHARS", lambda store, _, text: _sought(store.find_session, "tool", "1", owner=text),
    ),
    "name of an API key": ("name", "MAX_OWNER_CHARS", lambda store, _, text: store.create_key(text, "read")),
    "search": ("search", "MAX_SEARCH_CHARS", lambda store, _, text: store.list_sessions(search=text)),
    "label of an append": ("label", "MAX_LABEL_CHARS", lambda store, id, text: store.append(id, [], label=text)),
    "label of a full list": (
        "label", "MAX_LABEL_CHARS", lambda store, id, text: store.create_checkpoint(id, [], label=text),
    ),
    "label to set": ("label", "MAX_LABEL_CHARS", lambda store, id, text: store.set_label(_root(store, id), text)),
    "label to find": ("label", "MAX_LABEL_CHARS", lambda store, id, text: _sought(store.find_checkpoint, id, text)),
    "label to attach to": ("label", "MAX_LABEL_CHARS", lambda store, id, text: store.attach(id, {}, label=text)),
    "label that lists end before": (
        "before_label", "MAX_LABEL_CHARS", lambda store, id, text: store.list_checkpoints(id, before_label=text),
    ),
    "label of a parent to append to": (
        "parent_id", "MAX_LABEL_CHARS", lambda store, id, text: _sought(store.append, id, [], parent_id=Label(text)),
    ),
    "label of the parent of a full list": (
        "parent_id", "MAX_LABEL_CHARS",
        lambda store, id, text: _sought(store.create_checkpoint, id, [], parent_id=Label(text)),
    ),
    "label to fork at": (
        "checkpoint_id", "MAX_LABEL_CHARS",
        lambda store, id, text: _sought(store.fork_session, id, checkpoint_id=Label(text)),
    ),
    "label to resume from": (
        "checkpoint_id", "MAX_LABEL_CHARS",
        lambda store, id, text: _sought(store.set_active_checkpoint, id, Label(text)),
    ),
    "title of a copy": ("title", "MAX_TITLE_CHARS", lambda store, id, text: store.copy_session(id, title=text)),
    "source of a copy": (
        "source", "MAX_SOURCE_CHARS", lambda store, id, text: store.copy_session(id, source=text, source_id="1"),
    ),
    "source_id of a copy": (
        "source_id", "MAX_SOURCE_CHARS", lambda store, id, text: store.copy_session(id, source="tool", source_id=text),
    ),
    "source to find checkpoints of": (
        "source", "MAX_SOURCE_CHARS", lambda store, _, text: store.find_checkpoints(metadata=None, source=text),
    ),
    "name of an attachment": (
        "items", "MAX_ATTACHMENT_NAME_CHARS", lambda store, id, text: store.attach(id, {_key(text): b""}),
    ),
    "name of an attachment of an append": (
        "attachments", "MAX_ATTACHMENT_NAME_CHARS",
        lambda store, id, text: store.append(id, [], attachments={_key(text): b""}),
    ),
    "name of an attachment to read": (
        "name", "MAX_ATTACHMENT_NAME_CHARS",
        lambda store, id, text: _sought(store.get_attachment, _root(store, id), text),
    ),
    "prefix of attachments to read": (
        "prefix", "MAX_ATTACHMENT_NAME_CHARS",
        lambda store, id, text: store.get_attachments(_root(store, id), prefix=text),
    ),
    "prefix of attachments to list": (
        "prefix", "MAX_ATTACHMENT_NAME_CHARS",
        lambda store, id, text: store.list_attachments(_root(store, id), prefix=text),
    ),
    "prefix of attachments in a list": (
        "with_attachments", "MAX_ATTACHMENT_NAME_CHARS",
        lambda store, id, text: store.list_checkpoints(id, with_attachments=text),
    ),
    "content type": (
        "content type", "MAX_CONTENT_TYPE_CHARS",
        lambda store, id, text: store.attach(id, {"name": Attachment(b"", text)}),
    ),
}  # fmt: skip
"""By what it is: the name of the argument, its limit, and a call with it."""

TEXT_CALLS = [pytest.param(*row, id=name) for name, row in TEXTS.items()]


def _root(store: Store, session_id: Any) -> UUID:
    return store.list_checkpoints(session_id).items[0].id


def _sought(call: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """A call whose arguments are right, though what it looks for is not there."""
    with suppress(NotFoundError):
        call(*arguments, **named)


def _key(text: Any) -> Any:
    """What can be a key of a dict, and is no text unless `text` is."""
    return tuple(text) if isinstance(text, list) else text


def _found(store: Store, source: str, source_id: str) -> Any:
    store.ensure_session(source, source_id)
    return store.find_session(source, source_id)


class _Colour(str, enum.Enum):  # noqa: UP042 - a StrEnum would not show it
    """Text whose ``str()`` is not the text."""

    RED = "red"


class ArgumentContract(Contract):
    """Text is kept as given, or refused with the name of the argument and the reason."""

    @pytest.mark.parametrize(("argument", "limit", "call"), TEXT_CALLS)
    def test_text_may_be_as_long_as_its_limit_and_no_longer(
        self, store: Store, argument: str, limit: str, call: TextCall
    ) -> None:
        session = store.create_session("")
        most = getattr(limits, limit)
        call(store, session.id, "x" * most)
        with nothing_changes(store), pytest.raises(InvalidRequestError, match=f"{argument}.*{limit}"):
            call(store, session.id, "x" * (most + 1))

    @pytest.mark.parametrize(("argument", "limit", "call"), TEXT_CALLS)
    def test_text_holds_no_nul_and_no_lone_surrogate(
        self, store: Store, argument: str, limit: str, call: TextCall
    ) -> None:
        session = store.create_session("")
        for text in ("\0", "a\0b", "\ud800", "a\udfffb", "\ud83d\ude00"):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=argument):
                call(store, session.id, text)

    @pytest.mark.parametrize(("argument", "limit", "call"), TEXT_CALLS)
    def test_what_is_no_text_is_refused(self, store: Store, argument: str, limit: str, call: TextCall) -> None:
        session = store.create_session("")
        wrong: list[Any] = [1, b"text", ["text"], True, 1.5]
        for value in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=argument):
                call(store, session.id, value)

    def test_all_other_text_is_kept_as_it_is(self, store: Store) -> None:
        for text in ("\x01\x7f\n\r\t", "\U0001f9f6\u202e", "e\u0301 é", "﷽", "\ufeffx", "\uffff", " "):
            session = store.create_session(text, cwd=text, source=text, source_id=text, owner=text)
            step = store.append(session.id, [], label=text, attachments={text: Attachment(b"", text)})
            read = store.find_session(text, text, owner=text)
            assert (read.title, read.cwd, read.source, read.source_id, read.owner) == (text,) * 5
            assert store.create_key(text, "read").key.name == text
            assert store.get_checkpoint(step.id).label == text
            assert store.find_checkpoint(session.id, text).id == step.id
            assert store.get_attachments(step.id, prefix=text)[step.id][text].content_type == text
            assert ids(store.list_sessions(cwd=text, source=text, search=text, owner=text)) == [session.id]
            copy = store.copy_session(session.id, title=text, source=text, source_id=f"{text} copy")
            assert (copy.title, copy.source, copy.source_id) == (text, text, f"{text} copy")
            store.purge_session(copy.id)

    def test_members_of_an_enum_of_text_stand_for_their_text(self, store: Store) -> None:
        session = store.create_session(_Colour.RED, cwd=_Colour.RED, source=_Colour.RED, source_id=_Colour.RED)
        read = store.get_session(session.id)
        assert (read.title, read.cwd, read.source, read.source_id) == ("red",) * 4
        assert store.find_session("red", "red") == read
        store.set_label(active(read).id, _Colour.RED)
        store.attach(session.id, {_Colour.RED: Attachment(b"1", _Colour.RED)}, label=_Colour.RED)
        assert store.find_checkpoint(session.id, "red").label == "red"
        assert attached(store, active(read).id) == {"red": b"1"}
        assert store.append(session.id, [], parent_id=Label(_Colour.RED)).parent_id == active(read).id

    def test_a_revision_is_a_whole_number(self, store: Store) -> None:
        session = store.create_session("")
        wrong: list[Any] = [True, "1", 1.0, [1]]
        for value in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="if_revision"):
                store.update_session(session.id, title="changed", if_revision=value)
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="if_revision"):
                store.delete_checkpoints(session.id, active(session).id, if_revision=value)
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="if_revision"):
                store.purge_session(session.id, if_revision=value)

    def test_an_argument_is_wrong_whether_or_not_its_session_exists(self, store: Store) -> None:
        wrong: list[Any] = [None]
        for write in (store.append, store.create_checkpoint):
            with pytest.raises(InvalidRequestError, match="messages"):
                write(missing(), wrong)
        for call, argument in (
            (lambda: store.set_label(missing(), ""), "label"),
            (lambda: store.attach(missing(), {"": b""}), "items"),
            (lambda: store.delete_checkpoints(missing(), ["nonsense"]), "ids"),
            (lambda: store.get_attachment(missing(), ""), "name"),
            (lambda: store.list_checkpoints(missing(), before_label=""), "before_label"),
        ):
            with pytest.raises(InvalidRequestError, match=argument):
                call()
