"""Who may do what: every method of the seam, for everybody who may ask, and every address of the server."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import msgspec
import pytest

from clew import Role, Session, Store, Visibility
from clew.backend import (
    Backend,
    CheckpointQuery,
    CheckpointSearch,
    DirectoryMove,
    ForbiddenError,
    MessageSearch,
    NewApiKey,
    NewAttachment,
    NewAttachments,
    NewCheckpoint,
    NewCopy,
    NewFork,
    NewSession,
    SessionChanges,
    SessionQuery,
)
from clew.errors import ConflictError, CorruptStateError, NotFoundError, StorageError, UnauthorizedError
from clew.model import ACTIVE
from clew.server.callers import ANYBODY, Caller
from clew.server.rights import Rights
from clew.sqlite import open_backend
from clew.testing import Clock
from clew.testing.contract.base import active, users

NOW = 1


class Subject(NamedTuple):
    """A session that is asked for, with a checkpoint of it."""

    session: UUID
    checkpoint: UUID


Call = Callable[[Backend, Subject], Any]

MOVE = DirectoryMove(old="/here", new="/there", dry_run=True)


def new_session(**fields: Any) -> NewSession:
    given: dict[str, Any] = {
        "id": uuid4(), "checkpoint_id": uuid4(), "title": "", "bodies": [], "metadata": None, "session_metadata": None,
        "visibility": Visibility.PRIVATE, "cwd": None, "source": None, "source_id": None, "parent_session_id": None,
        "created_at": None, "now": NOW, "fingerprint": None,
    }  # fmt: skip
    return NewSession(**{**given, **fields})


def new_checkpoint() -> NewCheckpoint:
    return NewCheckpoint(
        id=uuid4(), bodies=[b"{}"], full=False, prefix=None, parent=ACTIVE, metadata=None, label=None, if_active=None,
        created_at=None, now=NOW, fingerprint=None,
    )  # fmt: skip


READS: dict[str, Call] = {
    "get_session": lambda b, s: b.get_session(s.session),
    "get_session_summary": lambda b, s: b.get_session_summary(s.session),
    "get_checkpoint": lambda b, s: b.get_checkpoint(s.checkpoint),
    "get_checkpoint_summary": lambda b, s: b.get_checkpoint_summary(s.checkpoint),
    "find_checkpoint": lambda b, s: b.find_checkpoint(s.session, "label"),
    "list_checkpoints": lambda b, s: b.list_checkpoints(CheckpointQuery(session_ids=[s.session], limit=1)),
    "list_children": lambda b, s: b.list_children(s.checkpoint),
    "list_ancestry": lambda b, s: b.list_ancestry(s.checkpoint),
    "list_branches": lambda b, s: b.list_branches(s.session),
    "get_descent": lambda b, s: b.get_descent(s.checkpoint),
    "get_messages": lambda b, s: b.get_messages(s.checkpoint, None, None),
    "list_waiting": lambda b, s: b.list_waiting(s.session),
    "get_waiting": lambda b, s: b.get_waiting(s.session, "later"),
    "get_attachments": lambda b, s: b.get_attachments([s.checkpoint], ""),
    "list_attachments": lambda b, s: b.list_attachments(s.checkpoint, ""),
    "get_attachment": lambda b, s: b.get_attachment(s.checkpoint, "file", None, None),
    "list_changes": lambda b, s: b.list_changes(0, s.session, 10),
    "search": lambda b, s: b.search(MessageSearch(text="a", limit=10, session_id=s.session)),
}
"""What shows something of one session."""

CHANGES: dict[str, Call] = {
    "update_session": lambda b, s: b.update_session(s.session, SessionChanges(title="New", now=NOW)),
    "write_checkpoint": lambda b, s: b.write_checkpoint(s.session, new_checkpoint()),
    "set_label": lambda b, s: b.set_label(s.checkpoint, "other", NOW, move=False),
    "set_active_checkpoint": lambda b, s: b.set_active_checkpoint(s.session, s.checkpoint, NOW),
    "attach": lambda b, s: b.attach(
        s.session, NewAttachments(items=[NewAttachment(name="n", data=b"")], place=ACTIVE, on_conflict="error", now=NOW)
    ),
    "detach": lambda b, s: b.detach(s.session, ACTIVE, ["file"], NOW),
    "delete_checkpoints": lambda b, s: b.delete_checkpoints(s.session, [s.checkpoint], "reparent", NOW),
    "purge_session": lambda b, s: b.purge_session(s.session),
}
"""What changes one session."""

MAKES: dict[str, Call] = {
    "create_session": lambda b, s: b.create_session(new_session(parent_session_id=s.session)),
    "fork_session": lambda b, s: b.fork_session(
        s.session, NewFork(id=uuid4(), checkpoint_id=uuid4(), source_checkpoint=ACTIVE, title=None, now=NOW)
    ),
    "copy_session": lambda b, s: b.copy_session(
        s.session, NewCopy(id=uuid4(), title=None, source=None, source_id=None, now=NOW)
    ),
}
"""What makes a session of, or under, one that is there."""

LISTS: dict[str, Call] = {
    "list_sessions": lambda b, _: [item.owner for item in b.list_sessions(SessionQuery(limit=10))],
    "find_session": lambda b, _: [b.find_session("tool", "1").owner],
    "find_session_summary": lambda b, _: [b.find_session_summary("tool", "1").owner],
    "find_checkpoints": lambda b, _: owners(
        b, b.find_checkpoints(CheckpointSearch(metadata=None, source=None, limit=99))
    ),
    "list_changes": lambda b, _: owners(b, b.list_changes(0, None, 99).items),
    "search": lambda b, _: owners(b, b.search(MessageSearch(text="a", limit=99))),
    "store_stats": lambda b, _: owners(b, b.store_stats(None).biggest),
    "move_directory": lambda b, _: owners(b, b.move_directory(MOVE).sessions),
}
"""What tells of the sessions of one owner."""

MANAGES: dict[str, Call] = {
    "erase_purged": lambda b, _: b.erase_purged(),
    "create_key": lambda b, _: b.create_key(
        NewApiKey(id=uuid4(), name="n", role=Role.ADMIN, digest=b"d" * 32, now=NOW)
    ),
    "list_keys": lambda b, _: b.list_keys(),
    "find_key": lambda b, _: b.find_key(b"d" * 32),
    "use_key": lambda b, _: b.use_key(uuid4(), NOW),
    "revoke_key": lambda b, _: b.revoke_key(uuid4(), NOW),
    "verify": lambda b, _: list(b.verify(None)),
    "backup": lambda b, _: b.backup("/nowhere/at/all", overwrite=False, verify=False, report=None),
    "compact": lambda b, _: b.compact(None),
}
"""What concerns the whole store."""

KNOWN: dict[str, Call] = {
    "last_change": lambda b, _: b.last_change(),
    "update_search_index": lambda b, _: b.update_search_index(None),
    "open_watcher": lambda b, _: b.open_watcher().close(),
}
"""What says that something has happened, not what."""

HARMLESS: dict[str, Call] = {"info": lambda b, _: b.info(), "close": lambda b, _: b.close()}


def owners(backend: Backend, items: Any) -> list[str | None]:
    return [backend.get_session_summary(item.session_id).owner for item in items]


class World:
    """A store with sessions of Ada's, and of others."""

    def __init__(self) -> None:
        self.store = Store(open_backend(None, busy_timeout=5), clock=Clock())
        self.private = self._subject("Ada", "PRIVATE", "1")
        self.public = self._subject("Ada", "PUBLIC", "2")
        self.nobodys = self._subject(None, "PRIVATE", "1")
        self._subject("Bob", "PRIVATE", "1")

    def _subject(self, owner: str | None, visibility: str, source_id: str) -> Subject:
        session = self.store.create_session(
            "", messages=users("a"), owner=owner, visibility=visibility, source="tool", source_id=source_id, cwd="/here"
        )
        root = active(session).id
        self.store.set_label(root, "label")
        self.store.attach(session.id, {"file": b"x"})
        self.store.append(session.id, users("b"), attachments={"file": b"y"})
        return Subject(session.id, root)

    def to(self, name: str | None, role: Role = Role.WRITE) -> Rights:
        """The store as it is open to somebody, None being whoever has no key."""
        if name is None:
            return Rights(self.store._backend, ANYBODY)
        return Rights(self.store._backend, Caller(key=self.store.create_key(name, role).key))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.store:
        yield made


def refused(world: World, backend: Backend, call: Call, subject: Subject) -> type[StorageError]:
    """How a call is refused, which changes nothing."""
    before = world.store.last_change()
    with pytest.raises(StorageError) as raised:
        call(backend, subject)
    assert world.store.last_change() == before
    return raised.type


def each(*groups: dict[str, Call]) -> Any:
    return pytest.mark.parametrize(
        "call", [pytest.param(call, id=name) for group in groups for name, call in group.items()]
    )


def test_every_method_of_the_seam_is_judged_here() -> None:
    assert {*READS, *CHANGES, *MAKES, *LISTS, *MANAGES, *KNOWN, *HARMLESS} == set(Backend.__abstractmethods__)


@each(READS)
def test_what_is_private_may_be_read_by_its_owner_alone(world: World, call: Call) -> None:
    for role in (Role.READ, Role.WRITE):
        call(world.to("Ada", role), world.private)
        assert refused(world, world.to("Bob", role), call, world.private) is NotFoundError
        assert refused(world, world.to("Ada", role), call, world.nobodys) is NotFoundError
    assert refused(world, world.to(None), call, world.private) is UnauthorizedError


@each(READS)
def test_what_is_public_may_be_read_by_whoever_has_the_link(world: World, call: Call) -> None:
    for backend in (world.to("Ada"), world.to("Bob"), world.to("Bob", Role.READ), world.to(None)):
        call(backend, world.public)


@pytest.mark.parametrize("name", ["Bob", None])
def test_what_was_public_and_is_deleted_is_its_owners_alone(world: World, name: str | None) -> None:
    world.store.delete_session(world.public.session)
    read = READS["get_session"]
    assert refused(world, world.to(name), read, world.public) in (NotFoundError, UnauthorizedError)
    read(world.to("Ada"), world.public)
    world.store.restore_session(world.public.session)
    read(world.to(name), world.public)


@each(READS, CHANGES, MAKES)
@pytest.mark.parametrize("name", ["Bob", None])
def test_what_may_not_be_seen_is_answered_like_what_is_not_there(world: World, call: Call, name: str | None) -> None:
    backend, absent = world.to(name), Subject(uuid4(), uuid4())
    told = []
    for subject in (world.private, absent):
        with pytest.raises(StorageError) as raised:
            call(backend, subject)
        text = str(raised.value).replace(str(subject.session), "SESSION").replace(str(subject.checkpoint), "CHECKPOINT")
        told.append((raised.type, text))
    assert told[0] == told[1]


@each(CHANGES)
def test_a_session_is_changed_by_its_owner_alone_and_with_a_key_that_may_write(world: World, call: Call) -> None:
    assert refused(world, world.to("Bob"), call, world.private) is NotFoundError
    assert refused(world, world.to("Bob"), call, world.public) is ForbiddenError
    for subject in (world.private, world.public):
        assert refused(world, world.to("Ada", Role.READ), call, subject) is ForbiddenError
        assert refused(world, world.to(None), call, subject) is UnauthorizedError
        before = world.store.last_change()
        call(world.to("Ada"), subject)
        assert world.store.last_change() > before


@each(MAKES)
def test_what_is_made_belongs_to_whoever_made_it(world: World, call: Call) -> None:
    assert refused(world, world.to("Bob"), call, world.private) is NotFoundError
    assert refused(world, world.to("Bob", Role.READ), call, world.public) is ForbiddenError
    assert refused(world, world.to(None), call, world.public) is UnauthorizedError
    assert call(world.to("Bob"), world.public).owner == "Bob"
    assert call(world.to("Ada"), world.private).owner == "Ada"


@each(LISTS)
def test_lists_hold_what_is_theirs_who_ask(world: World, call: Call) -> None:
    for name in ("Ada", "Bob"):
        for role in (Role.READ, Role.WRITE):
            assert set(call(world.to(name, role), world.private)) == {name}
    assert refused(world, world.to(None), call, world.private) is UnauthorizedError


@each(MANAGES)
def test_what_concerns_the_whole_store_needs_an_admin(world: World, call: Call) -> None:
    for role in (Role.READ, Role.WRITE):
        assert refused(world, world.to("Ada", role), call, world.private) is ForbiddenError
    assert refused(world, world.to(None), call, world.private) is UnauthorizedError


@each(KNOWN)
def test_that_something_has_happened_is_told_to_every_key(world: World, call: Call) -> None:
    call(world.to("Ada", Role.READ), world.private)
    assert refused(world, world.to(None), call, world.private) is UnauthorizedError


def test_only_their_own_sessions_move_with_a_directory(world: World) -> None:
    real = msgspec.structs.replace(MOVE, dry_run=False)

    def move(backend: Backend, _: Subject) -> Any:
        return backend.move_directory(real)

    assert refused(world, world.to("Bob", Role.READ), move, world.private) is ForbiddenError
    assert refused(world, world.to(None), move, world.private) is UnauthorizedError
    assert owners(world.store._backend, world.to("Bob").move_directory(real).sessions) == ["Bob"]
    assert {item.owner for item in world.store.list_sessions(cwd="/there")} == {"Bob"}
    assert world.store.get_session(world.private.session).cwd == "/here"


def test_nobody_may_act_in_the_name_of_another(world: World) -> None:
    backend = world.to("Bob")
    calls: list[Call] = [
        lambda b, _: b.create_session(new_session(owner="Ada")),
        lambda b, s: b.update_session(s.session, SessionChanges(owner="Ada", now=NOW)),
        lambda b, s: b.update_session(s.session, SessionChanges(owner=None, now=NOW)),
        lambda b, s: b.fork_session(
            s.session,
            NewFork(id=uuid4(), checkpoint_id=uuid4(), source_checkpoint=ACTIVE, title=None, owner="Ada", now=1),
        ),
        lambda b, s: b.copy_session(
            s.session, NewCopy(id=uuid4(), title=None, source=None, source_id=None, owner="Ada", now=NOW)
        ),
        lambda b, _: b.list_sessions(SessionQuery(limit=1, owner="Ada")),
        lambda b, _: b.find_session("tool", "1", "Ada"),
        lambda b, _: b.find_session_summary("tool", "1", "Ada"),
        lambda b, _: b.find_checkpoints(CheckpointSearch(metadata=None, source=None, limit=1, owner="Ada")),
        lambda b, _: b.list_changes(0, None, 1, "Ada"),
        lambda b, _: b.search(MessageSearch(text="a", limit=1, owner="Ada")),
        lambda b, _: b.store_stats("Ada"),
        lambda b, _: b.move_directory(DirectoryMove(old="/here", new="/there", owner="Ada")),
    ]
    mine = backend.create_session(new_session())
    subject = Subject(mine.id, active(mine).id)
    assert [refused(world, backend, call, subject) for call in calls] == [ForbiddenError] * len(calls)


def test_their_own_name_may_be_given(world: World) -> None:
    backend = world.to("Ada")
    made = backend.create_session(new_session(owner="Ada"))
    assert backend.update_session(made.id, SessionChanges(owner="Ada", now=NOW)).owner == "Ada"
    assert {item.owner for item in backend.list_sessions(SessionQuery(limit=9, owner="Ada"))} == {"Ada"}


def test_a_call_of_somebody_else_repeated_shows_nothing_of_theirs(world: World) -> None:
    new = new_session(fingerprint=b"f" * 16)
    made = world.to("Ada").create_session(new)
    assert world.to("Ada").create_session(new).id == made.id
    with pytest.raises(ConflictError):
        world.to("Bob").create_session(new)


def test_all_of_several_must_be_seen(world: World) -> None:
    both = [world.public, world.private]
    for backend, error in ((world.to("Bob"), NotFoundError), (world.to(None), UnauthorizedError)):
        with pytest.raises(error):
            backend.list_checkpoints(CheckpointQuery(session_ids=[s.session for s in both], limit=9))
        with pytest.raises(error):
            backend.list_checkpoints(CheckpointQuery(session_ids=[s.session for s in both], limit=9, active=True))
        with pytest.raises(error):
            backend.get_attachments([s.checkpoint for s in both], "")


def test_a_list_by_name_has_only_what_is_the_callers_own(world: World) -> None:
    named = SessionQuery(limit=9, source="tool", source_id="1", count=True)
    assert [item.owner for item in world.store._backend.list_sessions(named)] == ["Bob", None, "Ada"]
    for name, owners in (("Ada", ["Ada"]), ("Bob", ["Bob"]), ("Eve", [])):
        page = world.to(name).list_sessions(named)
        assert ([item.owner for item in page], page.total) == (owners, len(owners))
    with pytest.raises(ForbiddenError):
        world.to("Bob").list_sessions(msgspec.structs.replace(named, owner="Ada"))
    with pytest.raises(UnauthorizedError):
        world.to(None).list_sessions(named)


def test_whoever_has_no_key_learns_nothing_by_asking_for_nothing(world: World) -> None:
    with pytest.raises(UnauthorizedError):
        world.to(None).list_checkpoints(CheckpointQuery(session_ids=[], limit=9))
    with pytest.raises(UnauthorizedError):
        world.to(None).get_attachments([], "")


def test_a_descent_ends_where_somebody_elses_private_session_begins(world: World) -> None:
    ada, bob = world.to("Ada"), world.to("Bob")
    fork = bob.fork_session(
        world.public.session, NewFork(id=uuid4(), checkpoint_id=uuid4(), source_checkpoint=ACTIVE, title=None, now=NOW)
    )
    for _ in range(2):
        bob.write_checkpoint(fork.id, new_checkpoint())
    tip = active(bob.get_session(fork.id)).id
    whole = world.store._backend.get_descent(tip)
    assert whole[-1] == world.public.checkpoint
    assert bob.get_descent(tip) == whole
    ada.update_session(world.public.session, SessionChanges(visibility=Visibility.PRIVATE, now=NOW))
    assert bob.get_descent(tip) == whole[:3]


def test_a_row_that_nobody_can_read_is_said_to_be_damaged(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged(_: UUID) -> Session:
        raise CorruptStateError("the row is damaged")

    monkeypatch.setattr(world.store._backend, "get_session_summary", damaged)
    with pytest.raises(CorruptStateError):
        world.to("Ada").get_session(world.private.session)


def test_closing_what_is_open_to_one_closes_it_to_nobody_else(world: World) -> None:
    world.to("Bob").close()
    assert world.store.list_sessions()
