"""The eight endpoints as the agent's own client uses them: shapes, spellings and words of the reference, section 5."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import msgspec
import pytest
from tests.server import agent_reader
from tests.server.agent_reader import read_state

from clew import Session, Store
from clew.testing import Clock
from clew.testing.contract.base import active, users

SUMMARY = [
    "id", "title", "visibility", "status", "cwd", "created_at", "updated_at", "message_count", "active_checkpoint_id",
    "last_message_at",
]  # fmt: skip
SESSION = ["id", "title", "visibility", "status", "cwd", "created_at", "updated_at", "active_checkpoint"]
CHECKPOINT = ["id", "session_id", "parent_id", "state", "created_at", "updated_at"]
CHECKPOINT_SUMMARY = ["id", "session_id", "parent_id", "message_count", "created_at", "updated_at"]


@pytest.fixture
def talk(store: Store) -> Session:
    return store.create_session("Talk", messages=users("ab"), metadata={"trimmed_up_to_message_index": 1}, cwd="/repo")


def heard_as(answer: httpx2.Response) -> str:
    """The kind of error that the agent takes an answer for."""
    return agent_reader.heard_as(answer.json()["error"]["message"])


class TestEndpoints:
    def test_sessions_are_listed_with_every_field_that_the_client_needs(
        self, client: httpx2.Client, talk: Session
    ) -> None:
        answer = client.get("/v1/sessions", params={"limit": 5, "offset": 0})
        (found,) = answer.json()["sessions"]
        assert list(found)[: len(SUMMARY)] == SUMMARY
        assert {name: found[name] for name in SUMMARY} == {
            "id": str(talk.id), "title": "Talk", "visibility": "PRIVATE", "status": "ACTIVE", "cwd": "/repo",
            "created_at": "2023-11-14T22:13:20Z", "updated_at": "2023-11-14T22:13:20Z", "message_count": 2,
            "active_checkpoint_id": str(active(talk).id), "last_message_at": "2023-11-14T22:13:20Z",
        }  # fmt: skip
        assert answer.headers["content-type"] == "application/json"

    def test_an_empty_store_lists_nothing(self, client: httpx2.Client) -> None:
        assert client.get("/v1/sessions").json()["sessions"] == []

    def test_lists_are_filtered_as_the_client_asks(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        other = store.create_session("100% Öther", visibility="PUBLIC")
        store.delete_session(other.id)

        def listed(**params: Any) -> list[str]:
            return [item["title"] for item in client.get("/v1/sessions", params=params).json()["sessions"]]

        assert listed() == ["100% Öther", "Talk"]
        assert listed(status="DELETED") == listed(visibility="PUBLIC") == listed(search="% ö") == ["100% Öther"]
        assert listed(limit=1, offset=1) == listed(status="ACTIVE", visibility="PRIVATE", search="TALK") == ["Talk"]
        assert listed(limit=0) == []

    def test_a_session_is_created_from_what_the_client_sends(self, client: httpx2.Client, store: Store) -> None:
        state = {"messages": users("a"), "metadata": {"k": 1}}
        answer = client.post(
            "/v1/sessions", json={"title": "New", "visibility": "PRIVATE", "cwd": "/r", "state": state}
        )
        made = answer.json()
        assert answer.is_success
        assert list(made["checkpoint"])[: len(CHECKPOINT)] == CHECKPOINT
        assert (made["checkpoint"]["session_id"], made["checkpoint"]["parent_id"]) == (made["session_id"], None)
        assert made["checkpoint"]["state"] == state
        found = store.get_session(made["session_id"])
        assert (found.title, found.cwd, active(found).state.messages) == ("New", "/r", users("a"))

    def test_a_session_is_shown_with_its_active_checkpoint(self, client: httpx2.Client, talk: Session) -> None:
        found = client.get(f"/v1/sessions/{talk.id}").json()["session"]
        assert list(found)[: len(SESSION)] == SESSION
        assert list(found["active_checkpoint"])[: len(CHECKPOINT)] == CHECKPOINT
        assert found["active_checkpoint"]["state"] == {
            "messages": users("ab"),
            "metadata": {"trimmed_up_to_message_index": 1},
        }

    def test_a_deleted_session_is_shown_as_deleted(self, client: httpx2.Client, talk: Session) -> None:
        gone = client.delete(f"/v1/sessions/{talk.id}")
        assert gone.json() == {"success": True, "deleted_at": "2023-11-14T22:13:20.001Z"}
        assert client.get(f"/v1/sessions/{talk.id}").json()["session"]["status"] == "DELETED"

    @pytest.mark.parametrize("changes", [{}, {"title": "Renamed"}, {"visibility": "PUBLIC"}], ids=str)
    def test_a_session_is_changed(self, client: httpx2.Client, talk: Session, changes: dict[str, str]) -> None:
        found = client.patch(f"/v1/sessions/{talk.id}", json=changes).json()["session"]
        before = {"title": "Talk", "visibility": "PRIVATE"}
        assert {name: found[name] for name in before} == before | changes
        assert found["active_checkpoint"]["state"]["messages"] == users("ab")

    def test_a_checkpoint_is_created_under_its_parent_and_listed(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        path = f"/v1/sessions/{talk.id}/checkpoints"
        body = {"state": {"messages": users("abc")}, "parent_id": str(active(talk).id)}
        made = client.post(path, json=body).json()["checkpoint"]
        assert (made["parent_id"], made["state"]) == (str(active(talk).id), {"messages": users("abc")})
        assert store.get_active_checkpoint(talk.id).id == UUID(made["id"])
        listed = client.get(path, params={"limit": 10, "include_state": "true"}).json()["checkpoints"]
        assert [list(item)[: len(CHECKPOINT_SUMMARY)] for item in listed] == [CHECKPOINT_SUMMARY] * 2
        assert [(item["id"], item["message_count"]) for item in listed] == [(str(active(talk).id), 2), (made["id"], 3)]

    def test_a_checkpoint_is_shown_by_its_id(self, client: httpx2.Client, talk: Session) -> None:
        found = client.get(f"/v1/sessions/checkpoints/{active(talk).id}").json()["checkpoint"]
        assert list(found)[: len(CHECKPOINT)] == CHECKPOINT
        assert found["state"]["messages"] == users("ab")

    def test_times_end_in_z(self, client: httpx2.Client, clock: Clock, store: Store) -> None:
        for micros, text in ((0, "20Z"), (123_000, "20.123Z"), (123_456, "20.123456Z")):
            clock.now = 1_700_000_000_000_000 + micros
            made = store.create_session("")
            found = client.get(f"/v1/sessions/{made.id}").json()["session"]
            assert found["created_at"] == f"2023-11-14T22:13:{text}"

    def test_the_agent_learns_whose_key_it_has(self, client: httpx2.Client) -> None:
        account = client.get("/v1/account").json()
        assert all(isinstance(account[name], str) for name in ("username", "id", "first_name", "last_name", "email"))

    def test_every_answer_names_the_server(self, client: httpx2.Client) -> None:
        for path in ("/v1/sessions", "/v1/nothing", f"/v1/sessions/{uuid4()}", "/healthz"):
            assert client.get(path).headers["Clew-Server"]


class TestErrors:
    """The agent's client goes by the words of the message, in a fixed order, and not by the status."""

    def test_what_is_missing_is_not_found(self, client: httpx2.Client, talk: Session) -> None:
        missing = "429a0400-4010-4429-8400-401401401401"  # digits that would be taken for another kind
        asked = [
            client.get(f"/v1/sessions/{missing}"),
            client.patch(f"/v1/sessions/{missing}", json={"title": "x"}),
            client.delete(f"/v1/sessions/{missing}"),
            client.get(f"/v1/sessions/{missing}/checkpoints"),
            client.post(f"/v1/sessions/{missing}/checkpoints", json={"state": {}}),
            client.get(f"/v1/sessions/checkpoints/{missing}"),
            client.get(f"/v1/sessions/{talk.id}/labels/missing"),
            client.get("/v1/nothing"),
            client.get("/v1/sessions/no-id"),
        ]
        for answer in asked:
            assert (answer.status_code, answer.json()["error"]["key"], heard_as(answer)) == (
                404,
                "NOT_FOUND",
                "NotFound",
            )
        assert asked[0].json()["error"]["message"] == f"Session {missing} not found"

    @pytest.mark.parametrize(
        "body",
        [
            b"", b"{", b"[]", b"{}", b'{"title":1}', b'{"title":"x","unknown":1}', b'{"title":"not found"',
            b'{"title":"x","visibility":"not found"}', b'{"title":"x","visibility":"401 unauthorized"}',
            b'{"title":"x","state":{"messages":[1]}}', b'{"title":"x","state":{"messages":{}}}', b'{"title":"\xff"}',
            b'{"title":"x","id":"no id"}', b'{"title":"x","created_at":"2024-01-01T00:00:00"}', b'{"title":"\\ud800"}',
            b'{"title":"x","state":{"messages":[' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"]}}",
            b"[" * 100_000,
        ],
        ids=range(17),
    )  # fmt: skip
    def test_what_no_store_could_take_is_invalid(self, client: httpx2.Client, body: bytes) -> None:
        answer = client.post("/v1/sessions", content=body, headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["key"]) == (400, "INVALID_REQUEST")
        assert heard_as(answer) == "InvalidRequest"

    @pytest.mark.parametrize(
        "params",
        [{"limit": "x"}, {"limit": -1}, {"status": "deleted"}, {"cursor": "x"}, {"form": "x"}, {"metadata": "x"}],
    )
    def test_a_question_that_makes_no_sense_is_invalid(self, client: httpx2.Client, params: dict[str, Any]) -> None:
        answer = client.get("/v1/sessions", params=params)
        assert (answer.status_code, heard_as(answer)) == (400, "InvalidRequest")

    def test_a_conflict_is_none_of_the_other_kinds_and_holds_no_id(self, client: httpx2.Client, talk: Session) -> None:
        body = {"messages": [], "if_active": "429a0400-4010-4429-8400-401401401401"}
        answer = client.post(f"/v1/sessions/{talk.id}/append", json=body)
        assert (answer.status_code, answer.json()["error"]["key"], heard_as(answer)) == (409, "CONFLICT", "Internal")
        assert "429a0400" not in answer.json()["error"]["message"]
        assert "429a0400" in answer.json()["error"]["detail"]

    def test_another_method_is_refused(self, client: httpx2.Client) -> None:
        answer = client.put("/v1/sessions", json={})
        assert (answer.status_code, heard_as(answer)) == (405, "InvalidRequest")

    def test_a_mistake_in_the_server_tells_nothing_of_it(
        self, client: httpx2.Client, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise RuntimeError("the password is 401")

        monkeypatch.setattr(store._backend, "list_sessions", fail)
        answer = client.get("/v1/sessions")
        assert answer.status_code == 500
        assert answer.json() == {
            "error": {"key": "INTERNAL_ERROR", "message": "Internal error", "code": "internal_error"}
        }


ODD: list[dict[str, Any]] = [
    {"role": "function", "name": "f", "content": {"n": 1}}, {"role": "user", "content": "\ud800"},
]  # fmt: skip
"""Messages that the agent's reader refuses."""


class TestForms:
    def test_the_agent_is_shown_what_its_reader_takes_and_others_what_is_stored(
        self, client: httpx2.Client, store: Store
    ) -> None:
        made = store.create_session("", messages=ODD, metadata={"k": "\ud800"}, session_metadata={"s": "\ud800"})
        at = f"/v1/sessions/{made.id}"
        for path, member in ((at, "session"), (f"/v1/sessions/checkpoints/{active(made).id}", "checkpoint")):
            text = client.get(path).content
            msgspec.json.decode(text)
            found = client.get(path).json()[member]
            state = found["active_checkpoint"]["state"] if member == "session" else found["state"]
            assert len(read_state(msgspec.json.encode(state))["messages"]) == len(ODD)
        stored = client.get(at, params={"form": "stored"}).json()["session"]
        assert stored["active_checkpoint"]["state"] == {"messages": ODD, "metadata": {"k": "\ud800"}}
        assert store.get_session(made.id).active_checkpoint == active(made)

    def test_the_agent_is_not_shown_sessions_that_its_list_cannot_hold(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        emptied = store.create_session("emptied")
        store.delete_checkpoints(emptied.id, active(emptied).id)

        def listed(**params: str) -> list[str]:
            return [item["id"] for item in client.get("/v1/sessions", params=params).json()["sessions"]]

        assert listed() == [str(talk.id)]
        assert listed(form="stored") == [str(emptied.id), str(talk.id)]

    def test_stored_messages_go_out_as_the_bytes_that_are_stored(
        self, client: httpx2.Client, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        messages: list[dict[str, Any]] = [
            {"role": "user", "content": "ö", "n": 2**80, "f": 1.0},
            {"z": [1, {"y": None}], "a": ""},
        ]
        made = store.create_session("", messages=messages)
        monkeypatch.setattr("clew.model.decode_messages", None)
        text = client.get(f"/v1/sessions/{made.id}", params={"form": "stored"}).content
        assert active(store.get_session(made.id)).state.messages_json in text
