"""The vendor's own service: what its eight endpoints can do works, the rest is refused by name."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.support.http_server import LiveServer, live_server

import clew
from clew import ACTIVE, InvalidRequestError, NotFoundError, Session, SessionStatus, Store
from clew.testing.contract.base import active, ids, users

KEY = "clew_a-secret"


class Vendor:
    """The eight endpoints and nothing else, without a word about clew, and the requests that came."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.keys: set[str] = set()
        self.asked: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        self.keys.add(headers.get(b"authorization", b"").decode())
        self.asked.append(f"{scope['method']} {scope['path']}")

        async def sent(message: Any) -> None:
            if "headers" in message:
                message = {**message, "headers": [pair for pair in message["headers"] if pair[0] != b"clew-server"]}
            await send(message)

        await self._app(scope, receive, sent)


_ID = "[0-9a-f-]{36}"
EIGHT = re.compile(
    rf"(GET|POST) /v1/sessions|(GET|PATCH|DELETE) /v1/sessions/{_ID}|(GET|POST) /v1/sessions/{_ID}/checkpoints"
    rf"|GET /v1/sessions/checkpoints/{_ID}"
)

METHODS = sorted(name for name in dir(Store) if not name.startswith("_") and name not in ("aio", "close"))

WORKING = {
    "append", "backend_info", "create_checkpoint", "create_session", "delete_session", "get_active_checkpoint",
    "get_checkpoint", "get_messages", "get_session", "list_checkpoints", "list_sessions", "plan_prune",
    "update_session",
}  # fmt: skip

ANY_CALL: dict[str, Callable[[Store, Session], Any]] = {
    "ancestry": lambda store, made: store.ancestry(active(made).id),
    "append": lambda store, made: store.append(made.id, users("b")),
    "apply_prune": lambda store, made: store.apply_prune(store.plan_prune(keep_last=0)),
    "attach": lambda store, made: store.attach(made.id, {"f": b"1"}),
    "authenticate": lambda store, made: store.authenticate(f"clew_{'a' * 43}"),
    "backend_info": lambda store, made: store.backend_info(),
    "backup": lambda store, made: store.backup("copy.db"),
    "branches": lambda store, made: store.branches(made.id),
    "children": lambda store, made: store.children(active(made).id),
    "compact": lambda store, made: store.compact(),
    "copy_session": lambda store, made: store.copy_session(made.id),
    "create_checkpoint": lambda store, made: store.create_checkpoint(made.id, users("xy")),
    "create_key": lambda store, made: store.create_key("Ada", "read"),
    "create_session": lambda store, made: store.create_session("another"),
    "delete_checkpoints": lambda store, made: store.delete_checkpoints(made.id, active(made).id),
    "delete_session": lambda store, made: store.delete_session(made.id),
    "detach": lambda store, made: store.detach(made.id, "f"),
    "diff": lambda store, made: store.diff(active(made).id, active(made).id),
    "ensure_session": lambda store, made: store.ensure_session("tool", "1"),
    "find_checkpoint": lambda store, made: store.find_checkpoint(made.id, "label"),
    "find_checkpoints": lambda store, made: store.find_checkpoints(metadata={"k": 1}),
    "find_session": lambda store, made: store.find_session("tool", "1"),
    "find_session_summary": lambda store, made: store.find_session_summary("tool", "1"),
    "fork_session": lambda store, made: store.fork_session(made.id),
    "get_active_checkpoint": lambda store, made: store.get_active_checkpoint(made.id),
    "get_attachment": lambda store, made: store.get_attachment(active(made).id, "f"),
    "get_attachments": lambda store, made: store.get_attachments(active(made).id),
    "get_checkpoint": lambda store, made: store.get_checkpoint(active(made).id).state.messages,
    "get_checkpoint_summary": lambda store, made: store.get_checkpoint_summary(active(made).id),
    "get_messages": lambda store, made: store.get_messages(active(made).id),
    "get_session": lambda store, made: store.get_session(made.id),
    "get_session_summary": lambda store, made: store.get_session_summary(made.id),
    "last_change": lambda store, made: store.last_change(),
    "list_attachments": lambda store, made: store.list_attachments(active(made).id),
    "list_checkpoints": lambda store, made: store.list_checkpoints(made.id),
    "list_keys": lambda store, made: store.list_keys(),
    "list_sessions": lambda store, made: store.list_sessions(),
    "list_waiting": lambda store, made: store.list_waiting(made.id),
    "plan_prune": lambda store, made: store.plan_prune(keep_checkpoints=1),
    "purge_session": lambda store, made: store.purge_session(made.id),
    "restore_session": lambda store, made: store.restore_session(made.id),
    "revoke_key": lambda store, made: store.revoke_key(made.id),
    "set_active_checkpoint": lambda store, made: store.set_active_checkpoint(made.id, active(made).id),
    "set_label": lambda store, made: store.set_label(active(made).id, "label"),
    "search": lambda store, made: store.search("a"),
    "update_search_index": lambda store, made: store.update_search_index(),
    "move_directory": lambda store, made: store.move_directory("/a", "/b"),
    "repair": lambda store, made: store.repair(made.id),
    "session_stats": lambda store, made: store.session_stats(made.id),
    "store_stats": lambda store, made: store.store_stats(),
    "validate": lambda store, made: store.validate(made.id),
    "update_session": lambda store, made: store.update_session(made.id, title="Renamed"),
    "verify": lambda store, made: list(store.verify()),
    "watch": lambda store, made: list(store.watch(idle_timeout=0)),
}


@pytest.fixture(scope="module")
def vendors_server() -> Iterator[tuple[Vendor, LiveServer]]:
    vendors: list[Vendor] = []

    def around(app: Any) -> Vendor:
        vendors.append(Vendor(app))
        return vendors[0]

    with live_server(around) as server:
        yield vendors[0], server


class TestTheVendorsService:
    @pytest.fixture
    def behind(self) -> Iterator[Store]:
        with clew.open(":memory:") as store:
            yield store

    @pytest.fixture
    def vendor(self, vendors_server: tuple[Vendor, LiveServer]) -> Vendor:
        vendor, _ = vendors_server
        vendor.asked.clear()
        return vendor

    @pytest.fixture
    def store(self, vendors_server: tuple[Vendor, LiveServer], vendor: Vendor, behind: Store) -> Iterator[Store]:
        _, server = vendors_server
        server.switch.put(behind._backend, behind._clock)
        with clew.open(server.url, api_key=KEY) as store:
            yield store

    def test_sessions_and_checkpoints_work(self, store: Store, behind: Store, vendor: Vendor) -> None:
        made = store.create_session("Talk", messages=users("a"), metadata={"k": 1}, visibility="PUBLIC", cwd="/r")
        step = store.append(made.id, users("b"))
        full = store.create_checkpoint(made.id, users("xy"), parent_id=active(made).id, metadata={"m": 2})
        assert store.get_checkpoint(step.id).state == behind.get_checkpoint(step.id).state
        assert (step.state.messages, step.state.metadata) == (users("ab"), {"k": 1})
        assert (full.parent_id, full.state.messages) == (active(made).id, users("xy"))
        assert store.get_session(made.id).active_checkpoint == full
        assert ids(store.list_checkpoints(made.id)) == [active(made).id, step.id, full.id]
        assert store.update_session(made.id, title="Renamed").title == "Renamed"
        assert store.get_messages(step.id, start=-1) == users("b")
        assert store.get_messages(ACTIVE, session_id=made.id, stop=1) == users("x")
        store.delete_session(made.id)
        assert ids(store.list_sessions(status="DELETED")) == [made.id]
        assert store.get_session(made.id).status == SessionStatus.DELETED
        cut = store.append(made.id, users("z"), after=-1)
        assert (cut.parent_id, behind.get_checkpoint(cut.id).state.messages) == (full.id, users("xz"))
        with pytest.raises(InvalidRequestError, match="has 2 messages"):
            store.append(made.id, [], after=3)
        assert vendor.keys == {f"Bearer {KEY}"}

    def test_lists_go_on_to_their_end(self, store: Store) -> None:
        made = [store.create_session(str(number)).id for number in range(5)]
        found, cursor = [], None
        while True:
            page = store.list_sessions(limit=2, cursor=cursor)
            found += ids(page)
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == made[::-1]

    @pytest.mark.parametrize(
        "call",
        [
            lambda store, id: store.ensure_session("tool", "1"),
            lambda store, id: store.create_session("", id=id),
            lambda store, id: store.create_session("", session_metadata={"k": 1}),
            lambda store, id: store.find_session("tool", "1"),
            lambda store, id: store.find_session_summary("tool", "1"),
            lambda store, id: store.list_sessions(cwd="/r"),
            lambda store, id: store.list_sessions(count=True),
            lambda store, id: store.list_sessions(source="tool", source_id="1"),
            lambda store, id: store.update_session(id, cwd="/r"),
            lambda store, id: store.update_session(id, title="x", if_revision=1),
            lambda store, id: store.restore_session(id),
            lambda store, id: store.purge_session(id),
            lambda store, id: store.fork_session(id),
            lambda store, id: store.append(id, [], label="l"),
            lambda store, id: store.append(id, [], attachments={"f": b"1"}),
            lambda store, id: store.append(id, [], if_active=id),
            lambda store, id: store.attach(id, {"f": b"1"}),
            lambda store, id: store.set_active_checkpoint(id, id),
            lambda store, id: store.list_checkpoints([id, store.get_active_checkpoint(id).id]),
            lambda store, id: store.list_checkpoints(id, order="label"),
            lambda store, id: store.list_checkpoints(id, active=True),
            lambda store, id: list(store.verify()),
            lambda store, id: store.compact(),
            lambda store, id: store.last_change(),
            lambda store, id: store.watch(),
            lambda store, id: store.list_keys(),
        ],
    )
    def test_what_it_lacks_is_refused_by_name_and_never_sent(
        self, store: Store, vendor: Vendor, call: Callable[[Store, Any], Any]
    ) -> None:
        made = store.create_session("")
        vendor.asked.clear()
        with pytest.raises(InvalidRequestError, match=r"the (server|service) at http://127.0.0.1:\d+ (has|knows) no "):
            call(store, made.id)
        assert not [asked for asked in vendor.asked if not asked.startswith("GET /v1/sessions")]

    @pytest.mark.parametrize("name", METHODS)
    def test_every_method_works_or_is_refused_by_name_and_only_the_eight_endpoints_are_asked(
        self, store: Store, vendor: Vendor, name: str
    ) -> None:
        made = store.create_session("", messages=users("a"))
        vendor.asked.clear()
        if name in WORKING:
            ANY_CALL[name](store, made)
        else:
            with pytest.raises(InvalidRequestError, match=r"http://\S+ (has|knows) no |has no file to copy"):
                ANY_CALL[name](store, made)
        assert [asked for asked in vendor.asked if EIGHT.fullmatch(asked) is None] == []

    def test_what_is_missing_there_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFoundError, match="Session 00000000-0000-0000-0000-000000000001 not found"):
            store.get_session("00000000-0000-0000-0000-000000000001")
