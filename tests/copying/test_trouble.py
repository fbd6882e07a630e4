"""What cannot be copied whole is named, leaves the others alone, and is never passed over in silence."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest
from tests.copying.shapes import fill, root_of, users
from tests.copying.stores import copy, copy_whole, everything, open_file

import clew
from clew import KEEP, Attachment, ConflictError, CorruptStateError, InternalError, NotFoundError, Store
from clew.copying import Copied, Copy
from clew.testing import Clock
from clew.testing.clock import moment

# -- conflicts


def _another_session(laptop: Store, team: Store, id: UUID) -> None:
    team.create_session("another", id=id)


def _another_source(laptop: Store, team: Store, id: UUID) -> None:
    team.create_session("another", id=id, created_at=laptop.get_session(id).created_at, source="tool", source_id="9")


def _a_taken_source_name(laptop: Store, team: Store, id: UUID) -> None:
    team.create_session("another", source="tool", source_id="1")


def _a_source_name_that_the_new_owner_has(laptop: Store, team: Store, id: UUID) -> None:
    copy_whole(laptop, team)
    team.create_session("another", source="tool", source_id="1", owner="Ada")
    laptop.update_session(id, owner="Ada")


def _a_checkpoint_of_another_session(laptop: Store, team: Store, id: UUID) -> None:
    team.append(team.create_session("another").id, [], id=laptop.list_checkpoints(id).items[1].id)


def _a_checkpoint_with_other_messages(laptop: Store, team: Store, id: UUID) -> None:
    copy_whole(laptop, team)
    given = UUID(int=7)
    laptop.append(id, users("mine"), id=given, created_at=moment(1))
    team.append(id, users("theirs"), id=given, created_at=moment(1))


def _a_checkpoint_of_another_time(laptop: Store, team: Store, id: UUID) -> None:
    copy_whole(laptop, team)
    laptop.append(id, users("same"), id=UUID(int=7))
    team.append(id, users("same"), id=UUID(int=7), parent_id=root_of(team, id))
    team.delete_checkpoints(id, UUID(int=7))
    team.create_checkpoint(id, users("absame"), id=UUID(int=7))


CONFLICTS = [
    _another_session, _another_source, _a_taken_source_name, _a_source_name_that_the_new_owner_has,
    _a_checkpoint_of_another_session, _a_checkpoint_with_other_messages, _a_checkpoint_of_another_time,
]  # fmt: skip


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.__name__.strip("_"))
def test_what_is_another_in_the_destination_is_a_conflict_before_anything_of_the_session_is_changed(
    laptop: Store, team: Store, conflict: Callable[[Store, Store, UUID], None], dry_run: bool
) -> None:
    session = laptop.create_session("talk", messages=users("ab"), source="tool", source_id="1")
    laptop.append(session.id, [])
    conflict(laptop, team, session.id)
    laptop.update_session(session.id, title="renamed")
    other = laptop.create_session("other", messages=users("z"))
    before = everything(team)
    copied = copy(laptop, team, dry_run=dry_run)
    assert [(failure.session_id, failure.code) for failure in copied.failed] == [(session.id, "conflict")]
    error = copied.error()
    assert isinstance(error, ConflictError)
    assert str(session.id) in error.message
    assert copied.verified is False
    after = everything(team)
    assert {id: after[id] for id in before} == before
    assert list(after.keys() - before.keys()) == ([] if dry_run else [other.id])


def test_the_function_raises_what_its_result_would_name(laptop: Store, team: Store) -> None:
    session = laptop.create_session("talk", source="tool", source_id="1")
    team.create_session("another", source="tool", source_id="1")
    laptop.create_session("other")
    with pytest.raises(ConflictError, match=f"1 of 2 sessions could not be copied whole: session {session.id}: "):
        clew.copy_store(laptop, team)
    assert {item.title for item in team.list_sessions()} == {"another", "other"}


def test_an_error_names_twenty_and_counts_the_rest() -> None:
    failed = [
        clew.CopyFailure(session_id=UUID(int=number), code="conflict", message="taken") for number in range(1, 26)
    ]
    error = Copied(created=5, failed=failed).error()
    assert isinstance(error, ConflictError)
    assert error.message.startswith("25 of 30 sessions could not be copied whole: session 0")
    assert error.message.count("taken") == 20
    assert error.message.endswith("; and 5 more")
    assert Copied().error() is None


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (["conflict", "corrupt_state", "not_found"], CorruptStateError),
        (["not_found", "conflict"], ConflictError),
        (["internal_error", "not_found"], NotFoundError),
        (["internal_error"], InternalError),
    ],
)
def test_the_error_is_of_the_worst_kind(codes: list[str], kind: type[Exception]) -> None:
    failed = [clew.CopyFailure(session_id=UUID(int=1), code=code, message="") for code in codes]
    assert type(Copied(failed=failed).error()) is kind


# -- damage in the source

DAMAGE = {
    "message": "UPDATE content SET body = '{\"role\":\"evil\"}' WHERE body LIKE '%damaged here%'",
    "metadata": "UPDATE content SET body = '{\"k\":2}' WHERE body LIKE '%damaged there%'",
    "attachment": "UPDATE content SET body = x'00' WHERE CAST(body AS BLOB) = CAST('attached' AS BLOB)",
    "label": "UPDATE checkpoint SET label = 'y' WHERE label = 'x'",
    "title": "UPDATE session SET title = 'evil' WHERE title = 'damaged'",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_session_is_named_and_the_others_are_copied(
    tmp_path: Path, clock: Clock, team: Store, what: str
) -> None:
    path = str(tmp_path / "agent.db")
    with open_file(path, clock) as laptop:
        fill(laptop)
        whole = everything(laptop)
        session = laptop.create_session("damaged", messages=users("a"))
        laptop.append(
            session.id, [{"text": "damaged here"}], metadata={"k": "damaged there"}, label="x",
            attachments={"f": b"attached"},
        )  # fmt: skip
        laptop.append(session.id, users("z"))
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(DAMAGE[what]).rowcount == 1
    with clew.open(path, read_only=True) as laptop:
        for _ in range(2):  # and every time again
            copied = Copy(laptop._backend, team._backend).run()
            assert [(failure.session_id, failure.code) for failure in copied.failed] == [(session.id, "corrupt_state")]
            assert copied.failed[0].message.startswith("in the source ")
    there = everything(team)
    assert {id: there[id] for id in whole} == whole
    assert len(there.get(session.id, {"order": []})["order"]) < 3
    assert list(team.verify()) == []


def test_damage_in_the_destination_is_named_as_that(tmp_path: Path, clock: Clock, laptop: Store) -> None:
    session = laptop.create_session("a title", messages=users("a"))
    path = str(tmp_path / "team.db")
    with open_file(path, clock) as team:
        copy_whole(laptop, team)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE session SET title = 'evil'")
    laptop.append(session.id, users("b"))
    with open_file(path, clock) as team:
        copied = copy(laptop, team)
    assert [failure.code for failure in copied.failed] == ["corrupt_state"]
    assert copied.failed[0].message.startswith("in the destination ")


def test_a_store_that_takes_no_writes_ends_the_copy_at_once(tmp_path: Path, clock: Clock, laptop: Store) -> None:
    fill(laptop)
    path = str(tmp_path / "team.db")
    open_file(path, clock).close()
    with clew.open(path, read_only=True) as team, pytest.raises(clew.InvalidRequestError, match="read-only"):
        clew.copy_store(laptop, team)


# -- what was written is read back


class Spoiled:
    """A destination in which a call does something else, or reads something else than was written."""

    def __init__(self, backend: Any, **spoils: Callable[..., Any]) -> None:
        self._backend = backend
        self._spoils = spoils

    def arriving(self) -> "Spoiled":
        return self

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._backend, name)
        return partial(self._spoils[name], method) if name in self._spoils else method


def _replaced(**changes: Any) -> Callable[..., Any]:
    """A write whose last argument is another one where the session or checkpoint has what is changed."""

    def spoil(write: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        *others, new = arguments
        return write(*others, msgspec.structs.replace(new, **changes), **named)

    return spoil


def _other_messages(write: Callable[..., Any], session_id: UUID, new: Any) -> Any:
    return write(session_id, msgspec.structs.replace(new, bodies=[b'{"other":1}' for _ in new.bodies]))


def _other_bytes(write: Callable[..., Any], session_id: UUID, new: Any) -> Any:
    items = [msgspec.structs.replace(item, data=b"other") for item in new.attachments]
    return write(session_id, msgspec.structs.replace(new, attachments=items))


def _other_type(write: Callable[..., Any], session_id: UUID, new: Any) -> Any:
    items = [msgspec.structs.replace(item, content_type="o/t") for item in new.attachments]
    return write(session_id, msgspec.structs.replace(new, attachments=items))


def _new_root(write: Callable[..., Any], session_id: UUID, new: Any) -> Any:
    return write(session_id, msgspec.structs.replace(new, parent=None, full=True))


def _nothing(_: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """The call is not made."""


def _other_read(read: Callable[..., Any], checkpoint_id: UUID, start: Any, stop: Any) -> list[bytes]:
    return [b'{"other":1}' for _ in read(checkpoint_id, start, stop)]


def _fewer_read(read: Callable[..., Any], checkpoint_id: UUID, start: Any, stop: Any) -> list[bytes]:
    found: list[bytes] = read(checkpoint_id, start, stop)
    return found[:-1]


def _other_attachment_read(read: Callable[..., Any], *arguments: Any) -> Attachment:
    return Attachment(b"otherwise", read(*arguments).content_type)


SPOILS: dict[str, dict[str, Callable[..., Any]]] = {
    "messages": {"write_checkpoint": _other_messages},
    "metadata": {"write_checkpoint": _replaced(metadata=b'{"other":1}')},
    "label": {"write_checkpoint": _replaced(label=None), "set_label": _nothing},
    "parent": {"write_checkpoint": _new_root},
    "attachment": {"write_checkpoint": _other_bytes},
    "attachments": {"write_checkpoint": _replaced(attachments=[])},
    "attachment's type": {"write_checkpoint": _other_type},
    "created_at": {"write_checkpoint": _replaced(created_at=1)},
    "updated_at": {"write_checkpoint": _replaced(updated_at=None), "set_label": _nothing},
    "session's title": {"create_session": _replaced(title="other"), "update_session": _replaced(title=KEEP)},
    "session's status": {"update_session": _replaced(status=KEEP)},
    "session's updated_at": {"update_session": _replaced(updated_at=None)},
    "active checkpoint": {"set_active_checkpoint": _nothing},
    "messages read": {"get_messages": _other_read},
    "number of messages read": {"get_messages": _fewer_read},
    "attachment read": {"get_attachment": _other_attachment_read},
}


@pytest.mark.parametrize("what", SPOILS)
def test_what_does_not_read_back_as_it_was_read_is_an_error(laptop: Store, team: Store, what: str) -> None:
    session = laptop.create_session("talk", session_metadata={"k": 1})
    step = laptop.append(session.id, users("a"), label="x", attachments={"f": Attachment(b"attached!", "x/y")})
    laptop.set_label(laptop.append(session.id, users("b"), metadata={"k": 1}).id, "y")
    laptop.delete_session(session.id)
    laptop.set_active_checkpoint(session.id, step.id)
    spoiled: Any = Spoiled(team._backend, **SPOILS[what])
    copied = Copy(laptop._backend, spoiled).run()
    assert [(failure.session_id, failure.code) for failure in copied.failed] == [(session.id, "corrupt_state")]
    assert copied.failed[0].message.startswith("in the destination something is not as it was read: ")


def test_without_verifying_nothing_is_read_back(laptop: Store, team: Store) -> None:
    laptop.append(laptop.create_session("talk").id, users("a"))
    spoiled: Any = Spoiled(team._backend, write_checkpoint=_other_messages)
    copied = Copy(laptop._backend, spoiled, verify=False).run()
    assert (copied.failed, copied.verified) == ([], False)
