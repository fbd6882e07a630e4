"""Answers that get lost on their way, and connections that break: nothing is written twice or given up too soon."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from tests.support.http_server import LiveServer

from clew import ConflictError, NotFoundError, Session, Store, UnavailableError, limits
from clew.remote import client
from clew.remote import open_backend as open_remote
from clew.testing.contract.base import active, contents, missing, users

WRITES: dict[str, Callable[[Store, Session], Any]] = {
    "create_session": lambda store, talk: store.create_session("new", messages=users("x")),
    "ensure_session": lambda store, talk: store.ensure_session("tool", "1"),
    "append": lambda store, talk: store.append(talk.id, users("x")),
    "append while active": lambda store, talk: store.append(talk.id, users("x"), if_active=active(talk).id),
    "append after a part": lambda store, talk: store.append(talk.id, users("x"), after=-1),
    "create_checkpoint": lambda store, talk: store.create_checkpoint(talk.id, users("axb"), label="l"),
    "fork_session": lambda store, talk: store.fork_session(talk.id),
    "copy_session": lambda store, talk: store.copy_session(talk.id, source="tool", source_id="2"),
    "append with an id": lambda store, talk: store.append(talk.id, users("x"), id=missing()),
}
"""Writes that make something."""

OTHER_WRITES: dict[str, Callable[[Store, Session], Any]] = {
    "update_session": lambda store, talk: store.update_session(talk.id, title="x", if_revision=1),
    "delete_session": lambda store, talk: store.delete_session(talk.id),
    "purge_session": lambda store, talk: store.purge_session(talk.id),
    "set_label": lambda store, talk: store.set_label(active(talk).id, "label"),
    "attach": lambda store, talk: store.attach(talk.id, {"f": b"1"}),
    "delete_checkpoints": lambda store, talk: store.delete_checkpoints(talk.id, active(talk).id),
}

READS: dict[str, Callable[[Store, Session], Any]] = {
    "get_session": lambda store, talk: store.get_session(talk.id),
    "list_sessions": lambda store, talk: store.list_sessions(search="talk"),
    "get_messages": lambda store, talk: store.get_messages(active(talk).id),
}


class Line:
    """The connection to the server, on which the next answers get lost, or the next requests."""

    def __init__(self) -> None:
        self.answers_to_lose = 0
        self.requests_to_lose = 0
        self.sent = 0

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        handle = httpx2.HTTPTransport.handle_request

        def handle_or_lose(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
            if self.requests_to_lose:
                self.requests_to_lose -= 1
                raise httpx2.ConnectError("nothing there")
            self.sent += 1
            response = handle(transport, request)
            if self.answers_to_lose:
                self.answers_to_lose -= 1
                response.read()
                raise httpx2.ReadError("the line is dead")
            return response

        monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", handle_or_lose)


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(client, "_FIRST_PAUSE", 0.001)
    line = Line()
    line.patch(monkeypatch)
    return line


@pytest.fixture
def talk(store: Store) -> Session:
    return store.create_session("talk", messages=users("ab"))


def counted(store: Store) -> tuple[int | None, int]:
    """How many sessions and checkpoints there are."""
    sessions = store.list_sessions(limit=100)
    return sessions.total, sum(item.checkpoint_count for item in sessions)


@pytest.mark.parametrize("write", (WRITES | OTHER_WRITES).values(), ids=WRITES | OTHER_WRITES)
def test_a_write_whose_answer_is_lost_is_carried_out_once(
    store: Store, behind: Store, talk: Session, line: Line, write: Callable[[Store, Session], Any]
) -> None:
    before = behind.last_change()
    line.answers_to_lose = 2
    write(store, talk)
    changes = list(behind.watch(after=before, idle_timeout=0))
    assert line.answers_to_lose == 0
    assert [change.revision for change in changes] in ([None], [1], [2])


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_was_made_is_found_where_the_server_has_forgotten_its_answer(
    store: Store, behind: Store, talk: Session, line: Line, write: Callable[[Store, Session], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """As after a restart: only what is stored remembers."""
    monkeypatch.setattr(limits, "MAX_KEPT_ANSWERS", 0)
    sessions, checkpoints = counted(behind)
    line.answers_to_lose = 1
    made = write(store, talk)
    assert sum(counted(behind)) - sessions - checkpoints in (1, 2)  # type: ignore[arg-type, operator]
    if isinstance(made, Session):
        assert made == behind.get_session(made.id)
    else:
        assert made == behind.get_checkpoint(made.id)


def test_a_conflict_that_is_one_stays_one_after_a_lost_answer(store: Store, talk: Session, line: Line) -> None:
    id = store.append(talk.id, users("x"), id=missing()).id
    line.answers_to_lose = 1
    with pytest.raises(ConflictError):
        store.append(talk.id, users("y"), id=id)
    line.answers_to_lose = 1
    with pytest.raises(NotFoundError):
        store.append(missing(), users("y"))


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_read_whose_answer_is_lost_is_asked_again(
    store: Store, talk: Session, line: Line, read: Callable[[Store, Session], Any]
) -> None:
    expected = read(store, talk)
    line.answers_to_lose = 3
    assert read(store, talk) == expected


def test_what_could_not_be_sent_is_sent_again(store: Store, behind: Store, talk: Session, line: Line) -> None:
    line.requests_to_lose = 3
    step = store.append(talk.id, users("x"))
    assert behind.get_active_checkpoint(talk.id) == step


def test_a_server_that_is_gone_is_unavailable_within_the_time_limit(
    http_server: LiveServer, behind: Store, line: Line, waits: list[float]
) -> None:
    with Store(open_remote(http_server.url, busy_timeout=5)) as store:
        talk = store.create_session("talk")
        before, line.answers_to_lose = contents(behind), 1_000
        for call in (lambda: store.get_session(talk.id), lambda: store.delete_session(talk.id)):
            with pytest.raises(UnavailableError, match="the line is dead"):
                call()
        with pytest.raises(UnavailableError, match="nobody knows whether the change was made"):
            store.restore_session(talk.id)
        line.answers_to_lose = 0
        assert contents(behind) != before
        assert line.sent > 6
    assert 3 * 4.9 < sum(waits) <= 3 * 5


def test_a_question_is_not_kept_by_the_server(store: Store, talk: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is asked: answers may be long, and asking again is as good."""
    headers: list[httpx2.Headers] = []
    handle = httpx2.HTTPTransport.handle_request

    def note(transport: httpx2.HTTPTransport, request: httpx2.Request) -> httpx2.Response:
        headers.append(request.headers)
        return handle(transport, request)

    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", note)
    store.get_attachments(active(talk).id)
    store.list_sessions()
    store.list_checkpoints(talk.id)
    store.append(talk.id, [])
    assert ["Idempotency-Key" in sent for sent in headers] == [False, False, False, True]


def test_each_write_has_a_key_of_its_own(store: Store, behind: Store, talk: Session) -> None:
    for _ in range(2):
        store.append(talk.id, users("x"))
    assert behind.list_checkpoints(talk.id).total == 3
