"""Attachments: named bytes beside a checkpoint."""

import pickle
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew import limits
from clew.errors import ConflictError, InvalidRequestError, NotFoundError
from clew.model import SAME, Attachment, Session
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    ids,
    missing,
    nothing_changes,
    said,
    users,
)
from clew.testing.profiles import examples

CHUNK = limits.ATTACHMENT_CHUNK_BYTES

SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17]
"""Numbers of bytes about the edges of the pieces in which a backend may keep them."""

NAMES = [
    "a", "A", "é", "e\u0301", "\U0001f9f6", "a/b", "../a", "/", ".", " ", "%", "_", "a%", "a_b", "*", "[a]", "\\", "'",
    '"', "\n", "\x01", "\uffff", "SAME", "null", "n" * 1_000,
]  # fmt: skip
"""Any text is a name."""

ON_CONFLICT: tuple[Any, ...] = ("error", "keep", "replace")


def some_bytes(size: int, seed: int = 0) -> bytes:
    """Bytes of which no two pieces are alike."""
    block = b"".join((seed + number).to_bytes(4, "big") for number in range(min(size, CHUNK * 4) // 4 + 1))
    return block[:size]


def kept(store: Store, checkpoint_id: UUID) -> dict[str, tuple[bytes, str | None]]:
    """The attachments of a checkpoint with their content types."""
    found = store.get_attachments(checkpoint_id)[checkpoint_id]
    return {name: (bytes(value), value.content_type) for name, value in found.items()}


class TalkContract(Contract):
    """The session that attachments are tried on."""

    @pytest.fixture
    def talk(self, store: Store) -> Session:
        """A session a, ab."""
        session = store.create_session("talk", messages=users("a"))
        store.append(session.id, users("b"))
        return store.get_session(session.id)


class AttachmentContract(TalkContract):
    """Bytes come back as they were given, beside the checkpoint they were given to, for as long as that is there."""

    # -- any bytes under any name

    @pytest.mark.parametrize("size", SIZES)
    def test_attachments_of_any_size_come_back_whole(self, store: Store, talk: Session, size: int) -> None:
        given_bytes, tip = some_bytes(size), active(talk).id
        store.attach(talk.id, {"f": given_bytes})
        step = store.append(talk.id, [], attachments={"g": given_bytes, "f": SAME})
        for id, names in ((tip, ["f"]), (step.id, ["f", "g"])):
            assert attached(store, id) == dict.fromkeys(names, given_bytes)
            assert [(info.name, info.size) for info in store.list_attachments(id)] == [(name, size) for name in names]
            assert store.get_attachment(id, "f") == given_bytes

    def test_megabytes_that_repeat_come_back_whole(self, store: Store, talk: Session) -> None:
        for name, data in (("zeros", bytes(5 * CHUNK)), ("turns", (b"a" * CHUNK + b"b" * CHUNK) * 3)):
            store.attach(talk.id, {name: data})
            assert store.get_attachment(active(talk).id, name) == data

    @pytest.mark.parametrize("size", SIZES)
    def test_a_slice_of_an_attachment_means_what_it_means_in_python(
        self, store: Store, talk: Session, size: int
    ) -> None:
        data, tip = some_bytes(size), active(talk).id
        store.attach(talk.id, {"f": Attachment(data, "x/y")})
        edges = {None, 0, 1, -1, 2**80, -(2**80)}
        edges |= {sign * (at + by) for at in (CHUNK, 2 * CHUNK, size) for by in (-1, 0, 1) for sign in (1, -1)}
        for start in edges:
            for stop in edges:
                found = store.get_attachment(tip, "f", start=start, stop=stop)
                assert found == data[start:stop], (start, stop)
                assert found.content_type == "x/y"

    @examples(15)
    @given(data=st.binary(max_size=40), start=st.none() | st.integers(-50, 50), stop=st.none() | st.integers(-50, 50))
    def test_any_slice_of_any_bytes_is_that_slice(
        self, store: Store, data: bytes, start: int | None, stop: int | None
    ) -> None:
        root = active(store.create_session(""))
        store.attach(root.session_id, {"f": data})
        assert store.get_attachment(root.id, "f", start=start, stop=stop) == data[start:stop]

    def test_a_bound_of_a_slice_is_a_whole_number(self, store: Store, talk: Session) -> None:
        tip = active(talk).id
        store.attach(talk.id, {"f": b"bytes"})
        wrong: list[Any] = [True, "1", 1.0, [], b"1"]
        for value in wrong:
            with pytest.raises(InvalidRequestError, match="start"):
                store.get_attachment(tip, "f", start=value)
            with pytest.raises(InvalidRequestError, match="stop"):
                store.get_attachment(tip, "f", stop=value)

    def test_any_text_but_the_empty_one_is_a_name(self, store: Store, talk: Session) -> None:
        items = {name: name.encode() for name in NAMES}
        store.attach(talk.id, items)
        step = store.append(talk.id, [], attachments=dict(reversed(items.items())))
        for id in (active(talk).id, step.id):
            assert attached(store, id) == items
            assert list(attached(store, id)) == sorted(NAMES)
            assert [info.name for info in store.list_attachments(id)] == sorted(NAMES)
            assert all(store.get_attachment(id, name) == items[name] for name in NAMES)

    def test_an_empty_name_is_refused(self, store: Store, talk: Session) -> None:
        calls: list[tuple[str, Callable[[], Any]]] = [
            ("items", lambda: store.attach(talk.id, {"": b"1"})),
            ("attachments", lambda: store.append(talk.id, [], attachments={"": b"1"})),
            ("attachments", lambda: store.create_checkpoint(talk.id, [], attachments={"": SAME})),
            ("name", lambda: store.get_attachment(active(talk).id, "")),
        ]
        for argument, call in calls:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=f"{argument} must not be empty"):
                call()

    def test_whatever_holds_bytes_may_be_attached(self, store: Store, talk: Session) -> None:
        changing = bytearray(b"12345")
        items: dict[str, Any] = {"array": changing, "view": memoryview(changing)[1:4], "bytes": b"12345"}
        store.attach(talk.id, items)
        changing[:] = b"xxxxx"
        assert attached(store, active(talk).id) == {"array": b"12345", "bytes": b"12345", "view": b"234"}

    def test_the_same_bytes_as_a_message_or_metadata_are_just_bytes(self, store: Store) -> None:
        """Content that is shared by what it is must not mix up what it is for."""
        texts = [b'{"role":"user","content":"a"}', b'{"k":1}', b"null", b"", b"\0", b"\xff\xfe", "é".encode()]
        session = store.create_session("", messages=users("a"), metadata={"k": 1})
        store.attach(session.id, {str(number): text for number, text in enumerate(texts)})
        step = store.append(session.id, [{"role": "user", "content": "a"}], metadata={"k": 1})
        other = store.append(session.id, users("b"), attachments={"b": b'{"role":"user","content":"b"}'})
        assert list(attached(store, active(session).id).values()) == texts
        assert (said(store, step.id), said(store, other.id)) == ("aa", "aab")
        assert store.get_checkpoint(step.id).state.metadata == {"k": 1}
        store.delete_checkpoints(session.id, [active(session).id, other.id])
        assert (said(store, step.id), store.get_checkpoint(step.id).state.metadata) == ("aa", {"k": 1})

    def test_the_same_bytes_stay_the_same_when_a_message_like_them_is_gone(self, store: Store) -> None:
        """What once told the bytes from the message's text must not tell them from themselves."""
        session = store.create_session("", messages=users("a"))
        text = b'{"role":"user","content":"a"}'
        step = store.append(session.id, [], parent_id=None, attachments={"f": text})
        store.attach(session.id, {"f": text}, label="later")
        store.delete_checkpoints(session.id, active(session).id)
        with nothing_changes(store):
            store.attach(session.id, {"f": text})
        store.attach(session.id, {"f": text}, label="later")
        later = store.append(session.id, [], label="later", attachments={"f": SAME})
        assert attached(store, step.id) == attached(store, later.id) == {"f": text}

    def test_the_same_content_on_many_checkpoints_comes_and_goes_with_each(self, store: Store, talk: Session) -> None:
        for data in (b"small", some_bytes(CHUNK + 5)):
            made = [store.append(talk.id, [], attachments={"f": data, str(n): data}).id for n in range(4)]
            store.delete_checkpoints(talk.id, made[1])
            store.attach(talk.id, {"f": b"other"}, checkpoint_id=made[0], on_conflict="replace")
            assert attached(store, made[0]) == {"0": data, "f": b"other"}
            assert [attached(store, id) for id in made[2:]] == [{"2": data, "f": data}, {"3": data, "f": data}]

    def test_attachments_that_share_a_part_keep_it_when_one_goes(self, store: Store, talk: Session) -> None:
        common = some_bytes(2 * CHUNK)
        first = store.append(talk.id, [], attachments={"f": common + b"1"})
        second = store.append(talk.id, [], attachments={"f": common + b"2", "part": common[:CHUNK]})
        store.delete_checkpoints(talk.id, first.id)
        assert attached(store, second.id) == {"f": common + b"2", "part": common[:CHUNK]}
        store.attach(talk.id, {"f": b""}, checkpoint_id=second.id, on_conflict="replace")
        assert attached(store, second.id) == {"f": b"", "part": common[:CHUNK]}

    # -- reading

    def test_attachments_of_many_checkpoints_are_read_at_once(self, store: Store, talk: Session) -> None:
        other = store.append(store.create_session("").id, [], attachments={"z": b"3", "a": b"4"})
        root, tip = ids(store.list_checkpoints(talk.id))
        store.attach(talk.id, {"b": b"1", "a": b"2"})
        found = store.get_attachments([other.id, str(tip), root, tip])
        assert found == {other.id: {"a": b"4", "z": b"3"}, tip: {"a": b"2", "b": b"1"}, root: {}}
        assert [list(items) for items in (found[other.id], found[tip])] == [["a", "z"], ["a", "b"]]
        assert store.get_attachments([]) == {}
        many = [store.append(talk.id, [], attachments={"n": str(n).encode()}).id for n in range(150)]
        assert list(store.get_attachments(many).values()) == [{"n": str(n).encode()} for n in range(150)]

    def test_a_prefix_is_how_names_begin_and_nothing_in_it_is_a_wildcard(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {name: name.encode() for name in NAMES})
        tip = active(talk).id
        for prefix in (*NAMES[:-1], "", "n", "nn", "a/", "missing", "\U0001f9f5", "A%", "n" * 1_000):
            expected = sorted(name for name in NAMES if name.startswith(prefix))
            assert list(store.get_attachments(tip, prefix=prefix)[tip]) == expected, prefix
            assert [info.name for info in store.list_attachments(tip, prefix=prefix)] == expected, prefix

    def test_a_missing_checkpoint_is_not_found_among_others(self, store: Store, talk: Session) -> None:
        id = missing()
        with pytest.raises(NotFoundError, match=f"Checkpoint {id} not found"):
            store.get_attachments([active(talk).id, id])

    def test_an_attachment_that_is_not_there_is_not_found(self, store: Store, talk: Session) -> None:
        root, tip = ids(store.list_checkpoints(talk.id))
        store.attach(talk.id, {"f": b"1"})
        for id, name in ((root, "f"), (tip, "F"), (tip, "f "), (tip, "%")):
            with pytest.raises(NotFoundError, match="Attachment"):
                store.get_attachment(id, name)

    def test_an_attachment_is_bytes_with_a_content_type(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"image": Attachment(b"png", "image/png"), "plain": b"bytes"})
        for found in (
            store.get_attachments(active(talk).id)[active(talk).id],
            {name: store.get_attachment(active(talk).id, name) for name in ("image", "plain")},
        ):
            assert (found["image"], found["image"].content_type) == (b"png", "image/png")
            assert (found["plain"], found["plain"].content_type) == (b"bytes", None)
            assert pickle.loads(pickle.dumps(found["image"])).content_type == "image/png"  # noqa: S301
        infos = store.list_attachments(active(talk).id)
        assert [(info.name, info.size, info.content_type) for info in infos] == [
            ("image", 3, "image/png"), ("plain", 5, None),
        ]  # fmt: skip

    def test_the_same_bytes_may_have_different_content_types(self, store: Store, talk: Session) -> None:
        for data in (b"same", some_bytes(CHUNK + 1)):
            step = store.append(talk.id, [], attachments={"a": Attachment(data, "x/a"), "b": Attachment(data, "x/b")})
            assert kept(store, step.id) == {"a": (data, "x/a"), "b": (data, "x/b")}

    # -- attach

    def test_bytes_are_attached_to_the_active_checkpoint_unless_told_otherwise(
        self, store: Store, talk: Session
    ) -> None:
        root, tip = ids(store.list_checkpoints(talk.id))
        store.attach(talk.id, {"f": b"1"})
        store.attach(talk.id, {"f": b"2"}, checkpoint_id=str(root))
        store.set_active_checkpoint(talk.id, root)
        store.attach(talk.id, {"g": b"3"})
        assert (attached(store, root), attached(store, tip)) == ({"f": b"2", "g": b"3"}, {"f": b"1"})

    def test_attaching_is_counted_once_and_moves_the_checkpoint(
        self, store: Store, talk: Session, clock: Clock
    ) -> None:
        root, tip = (store.get_checkpoint(id) for id in ids(store.list_checkpoints(talk.id)))
        told = clock.moment
        store.attach(talk.id, {"f": b"1", "g": b"2"}, checkpoint_id=root.id)
        after, moved = store.get_session(talk.id), store.get_checkpoint(root.id)
        assert (after.revision, after.updated_at) == (talk.revision + 1, told)
        assert (moved.updated_at, moved.created_at, moved.state) == (told, root.created_at, root.state)
        assert store.get_checkpoint(tip.id) == tip == after.active_checkpoint

    def test_a_clock_set_back_takes_no_checkpoint_back(self, store: Store, talk: Session, clock: Clock) -> None:
        before = active(talk)
        clock.now -= 3_600 * SECOND
        store.attach(talk.id, {"f": b"1"})
        after = store.get_session(talk.id)
        assert active(after).updated_at >= before.updated_at
        assert after.updated_at == talk.updated_at

    @pytest.mark.parametrize("on_conflict", ON_CONFLICT)
    def test_attaching_the_same_again_changes_nothing(self, store: Store, talk: Session, on_conflict: Any) -> None:
        items = {"f": Attachment(b"1", "x/y"), "g": b"", "h": some_bytes(CHUNK + 1)}
        store.attach(talk.id, items)
        store.append(talk.id, [], attachments=items, label="here")
        places: list[dict[str, Any]] = [{}, {"label": "here"}, {"checkpoint_id": active(talk).id}]
        for place in places:
            with nothing_changes(store):
                store.attach(talk.id, items, on_conflict=on_conflict, **place)
                store.attach(talk.id, {}, on_conflict=on_conflict, **place)

    @pytest.mark.parametrize("other", [b"2", Attachment(b"1", "x/z"), b"1", b"", Attachment(b"2", "x/y")])
    def test_another_content_or_type_under_a_name_is_a_conflict(
        self, store: Store, talk: Session, other: bytes
    ) -> None:
        store.attach(talk.id, {"f": Attachment(b"1", "x/y")})
        with nothing_changes(store), pytest.raises(ConflictError, match="f"):
            store.attach(talk.id, {"f": other})

    def test_all_items_are_attached_or_none(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"m": b"1"})
        with nothing_changes(store), pytest.raises(ConflictError, match="m"):
            store.attach(talk.id, {"a": b"new", "m": b"2", "z": some_bytes(CHUNK + 1)})
        assert attached(store, active(talk).id) == {"m": b"1"}

    def test_what_is_there_stays_where_a_conflict_is_to_keep_it(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"m": Attachment(b"1", "x/y")})
        before = store.get_session(talk.id)
        store.attach(talk.id, {"a": b"new", "m": b"2"}, on_conflict="keep")
        assert kept(store, active(talk).id) == {"a": (b"new", None), "m": (b"1", "x/y")}
        assert store.get_session(talk.id).revision == before.revision + 1
        with nothing_changes(store):
            store.attach(talk.id, {"a": b"3", "m": b"4"}, on_conflict="keep")

    def test_what_is_there_is_replaced_where_a_conflict_is_to_replace_it(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"m": Attachment(b"1", "x/y"), "big": some_bytes(2 * CHUNK), "o": b"other"})
        before = store.get_session(talk.id)
        store.attach(talk.id, {"m": b"1", "big": b"small", "a": some_bytes(CHUNK)}, on_conflict="replace")
        assert kept(store, active(talk).id) == {
            "a": (some_bytes(CHUNK), None), "big": (b"small", None), "m": (b"1", None), "o": (b"other", None),
        }  # fmt: skip
        assert store.get_session(talk.id).revision == before.revision + 1

    def test_replacing_changes_no_other_checkpoint(self, store: Store, talk: Session) -> None:
        data = some_bytes(CHUNK + 1)
        store.attach(talk.id, {"f": data})
        step, fork = store.append(talk.id, [], attachments={"f": SAME}), store.fork_session(talk.id)
        store.attach(talk.id, {"f": b"new"}, checkpoint_id=active(talk).id, on_conflict="replace")
        assert attached(store, active(talk).id) == {"f": b"new"}
        assert attached(store, step.id) == attached(store, active(fork).id) | {"f": data} == {"f": data}

    def test_what_is_no_way_to_settle_a_conflict_is_refused(self, store: Store, talk: Session) -> None:
        wrong: list[Any] = ["", "Error", "ignore", None, True, 1, ["keep"]]
        for on_conflict in wrong:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="on_conflict"):
                store.attach(talk.id, {"f": b"1"}, on_conflict=on_conflict)

    def test_a_checkpoint_and_a_label_are_not_given_together(self, store: Store, talk: Session) -> None:
        with nothing_changes(store), pytest.raises(InvalidRequestError, match="checkpoint_id"):
            store.attach(talk.id, {"f": b"1"}, checkpoint_id=active(talk).id, label="point")

    def test_what_are_no_bytes_by_name_is_refused(self, store: Store, talk: Session) -> None:
        no_mappings: list[Any] = [None, [("f", b"1")], "f", b"f", 1]
        for wrong in no_mappings:
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="items"):
                store.attach(talk.id, wrong)
        no_bytes: list[Any] = [None, "text", 1, True, [1], {}, object()]
        for value in no_bytes:
            items = {"a": b"1", "f": value}
            for argument, call in (
                ("items", lambda: store.attach(talk.id, items)),  # noqa: B023 - called at once
                ("attachments", lambda: store.append(talk.id, [], attachments=items)),  # noqa: B023
                ("attachments", lambda: store.create_checkpoint(talk.id, [], attachments=items)),  # noqa: B023
            ):
                with nothing_changes(store), pytest.raises(InvalidRequestError, match=rf"{argument}\['f'\]"):
                    call()
        with nothing_changes(store), pytest.raises(InvalidRequestError, match=r"items\['f'\]"):
            store.attach(talk.id, {"f": SAME})  # type: ignore[dict-item]
        for mapping in ([("f", b"1")], "f", 1):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match="attachments"):
                store.append(talk.id, [], attachments=mapping)  # type: ignore[arg-type]

    def test_attachments_have_limits(self, store: Store, talk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(limits, "MAX_ATTACHMENT_BYTES", 10)
        monkeypatch.setattr(limits, "MAX_ATTACHMENTS_PER_WRITE", 2)
        store.attach(talk.id, {"a": bytes(10), "b": b""})
        for limit, items in (
            ("MAX_ATTACHMENT_BYTES", {"c": bytes(11)}),
            ("MAX_ATTACHMENTS_PER_WRITE", {"c": b"", "d": b"", "e": b""}),
        ):
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=limit):
                store.attach(talk.id, items)
            with nothing_changes(store), pytest.raises(InvalidRequestError, match=limit):
                store.append(talk.id, [], attachments=items)

    def test_a_checkpoint_of_another_session_gets_no_attachment(self, store: Store, talk: Session) -> None:
        other = store.create_session("other")
        for id in (active(other).id, missing(), talk.id):
            with nothing_changes(store), pytest.raises(NotFoundError, match=f"Checkpoint {id} not found"):
                store.attach(talk.id, {"f": b"1"}, checkpoint_id=id)

    def test_a_checkpoint_of_a_deleted_session_can_be_given_attachments(self, store: Store, talk: Session) -> None:
        store.delete_session(talk.id)
        store.attach(talk.id, {"f": b"1"})
        assert attached(store, active(talk).id) == {"f": b"1"}

    # -- forks, deletes and purges

    def test_the_root_of_a_fork_has_the_attachments_of_its_checkpoint(self, store: Store, talk: Session) -> None:
        root, tip = ids(store.list_checkpoints(talk.id))
        data = some_bytes(CHUNK + 1)
        store.attach(talk.id, {"f": Attachment(data, "x/y")}, checkpoint_id=root)
        store.attach(talk.id, {"g": b""}, checkpoint_id=tip)
        store.attach(talk.id, {"w": b"1"}, label="later")
        early, late = store.fork_session(talk.id, checkpoint_id=root), store.fork_session(talk.id)
        assert kept(store, active(early).id) == {"f": (data, "x/y")}
        assert kept(store, active(late).id) == {"g": (b"", None)}
        store.attach(talk.id, {"f": b"changed"}, checkpoint_id=root, on_conflict="replace")
        store.purge_session(talk.id)
        assert kept(store, active(early).id) == {"f": (data, "x/y")}
        step = store.append(early.id, [], attachments={"f": SAME})
        store.attach(early.id, {"f": b"changed"}, checkpoint_id=active(early).id, on_conflict="replace")
        assert kept(store, step.id) == {"f": (data, "x/y")}

    def test_attachments_of_a_purged_session_are_not_found(self, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"f": b"1"})
        store.attach(talk.id, {"f": b"1"}, label="later")
        store.purge_session(talk.id)
        with pytest.raises(NotFoundError):
            store.get_attachment(active(talk).id, "f")
        again = store.create_session("", id=talk.id, checkpoint_id=active(talk).id)
        assert attached(store, active(again).id) == {}
        assert attached(store, store.append(again.id, [], label="later").id) == {}

    def test_rewinding_and_relabelling_move_no_attachment(self, store: Store, talk: Session) -> None:
        root, tip = ids(store.list_checkpoints(talk.id))
        store.attach(talk.id, {"f": b"1"})
        store.set_active_checkpoint(talk.id, root)
        store.set_label(tip, "point")
        store.set_label(root, "point", move=True)
        assert (attached(store, root), attached(store, tip)) == ({}, {"f": b"1"})
