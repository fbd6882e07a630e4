"""The endpoints beside those of the reference, as a program without clew uses them."""

import base64
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx2
import msgspec
import pytest
from tests.support.http_server import LiveServer, served

import clew
from clew import Attachment, Session, Store
from clew.protocol import answers, requests
from clew.server import create_app
from clew.testing.contract.base import active, said, users


@pytest.fixture
def talk(store: Store) -> Session:
    return store.create_session("Talk", messages=users("ab"), metadata={"k": 1})


def at(session: Session, *parts: str) -> str:
    return "/".join(["/v1/sessions", str(session.id), *parts])


class TestWrites:
    def test_messages_are_appended(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        made = client.post(at(talk, "append"), json={"messages": users("c"), "label": "here"}).json()["checkpoint"]
        assert (made["state"]["messages"], made["state"]["metadata"]) == (users("abc"), {"k": 1})
        body = {"messages": users("d"), "parent_id": {"label": "here"}, "metadata": None}
        made = client.post(at(talk, "append"), json=body).json()["checkpoint"]
        assert made["state"] == {"messages": users("abcd")}
        root = client.post(at(talk, "append"), json={"messages": users("z"), "parent_id": None}).json()["checkpoint"]
        assert (root["parent_id"], root["state"]["messages"]) == (None, users("z"))

    def test_an_id_makes_a_write_safe_to_repeat_without_a_key(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        body = {"messages": users("c"), "id": str(UUID(int=1))}
        first, again = (client.post(at(talk, "append"), json=body) for _ in range(2))
        assert (again.status_code, again.json()) == (201, first.json())
        other = client.post(at(talk, "append"), json=body | {"messages": users("d")})
        assert (other.status_code, store.get_session(talk.id).revision) == (409, 2)

    def test_a_checkpoint_becomes_active_gets_a_label_and_is_deleted(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        step = store.append(talk.id, users("c"))
        client.put(at(talk, "active"), json={"checkpoint_id": str(active(talk).id)})
        assert store.get_active_checkpoint(talk.id).id == active(talk).id
        client.put(f"/v1/sessions/checkpoints/{step.id}/label", json={"label": "a/ö %2F"})
        found = client.get(at(talk, "labels", "a%2F%C3%B6%20%252F")).json()["checkpoint"]
        assert (found["id"], found["label"]) == (str(step.id), "a/ö %2F")
        client.post(at(talk, "checkpoints", "delete"), json={"ids": [str(step.id)]})
        assert store.list_checkpoints(talk.id).total == 1

    def test_sessions_are_forked_copied_restored_and_purged(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        fork = client.post(at(talk, "fork"), json={"title": "Fork"}).json()
        assert said(store, UUID(fork["checkpoint"]["id"])) == "ab"
        copy = client.post(at(talk, "copy"), json={"source": "tool", "source_id": "1"}).json()
        found = client.get("/v1/sessions/find", params={"source": "tool", "source_id": "1"}).json()["session"]
        assert found["id"] == copy["session_id"]
        client.delete(at(talk))
        assert client.post(at(talk, "restore")).json()["session"]["status"] == "ACTIVE"
        assert client.post(at(talk, "purge"), json={}).json() == {"whole": True}
        assert client.get(at(talk)).status_code == 404

    def test_a_session_is_ensured_once(self, client: httpx2.Client, store: Store) -> None:
        body = {"source": "tool", "source_id": "1", "title": "x"}
        made = [client.post("/v1/sessions/ensure", json=body).json()["session_id"] for _ in range(2)]
        assert made[0] == made[1]
        assert store.list_sessions().total == 1


class TestReads:
    def test_a_slice_of_the_messages_is_read(self, client: httpx2.Client, talk: Session) -> None:
        path = f"/v1/sessions/checkpoints/{active(talk).id}/messages"
        assert client.get(path, params={"start": -1}).json() == {"messages": users("b")}
        assert client.get(path, params={"stop": 1}).json() == {"messages": users("a")}

    def test_the_tree_is_walked_and_compared(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        root = active(talk).id
        left, right = (store.append(talk.id, users(text), parent_id=root).id for text in "lr")

        def listed(path: str) -> list[str]:
            return [item["id"] for item in client.get(path).json()["checkpoints"]]

        assert listed(f"/v1/sessions/checkpoints/{root}/children") == [str(left), str(right)]
        assert listed(f"/v1/sessions/checkpoints/{left}/ancestry") == [str(left), str(root)]
        assert listed(at(talk, "branches")) == [str(right), str(left)]
        diff = client.get(f"/v1/sessions/checkpoints/{left}/diff/{right}").json()
        assert (diff["common"], diff["only_a"], diff["only_b"]) == (2, users("l"), users("r"))
        assert (diff["ancestor_id"], diff["metadata_changed"]) == (str(root), False)

    def test_summaries_hold_no_state(self, client: httpx2.Client, talk: Session) -> None:
        summary = client.get(at(talk, "summary")).json()["session"]
        assert (summary["message_count"], summary["active_checkpoint_id"]) == (2, str(active(talk).id))
        summary = client.get(f"/v1/sessions/checkpoints/{active(talk).id}/summary").json()["checkpoint"]
        assert (summary["message_count"], "state" in summary) == (2, False)

    def test_sessions_are_listed_page_by_page(self, client: httpx2.Client, store: Store) -> None:
        made = [str(store.create_session("", session_metadata={"n": number}).id) for number in range(3)]
        first = client.get("/v1/sessions", params={"limit": 2}).json()
        rest = client.get("/v1/sessions", params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert [item["id"] for item in first["sessions"] + rest["sessions"]] == made[::-1]
        assert (first["total"], rest["next_cursor"]) == (3, None)
        found = client.get("/v1/sessions", params={"metadata": '{"n":1}', "count": "true"}).json()
        assert ([item["id"] for item in found["sessions"]], found["total"]) == ([made[1]], 1)


class TestAttachments:
    def test_bytes_are_attached_and_read_raw(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        body = {"items": {"a/b ö": {"data": base64.b64encode(b"12345").decode(), "content_type": "text/html"}}}
        assert client.post(at(talk, "attachments"), json=body).status_code == 204
        path = f"/v1/sessions/checkpoints/{active(talk).id}/attachments"
        listed = client.get(path).json()["attachments"]
        assert listed == [{"name": "a/b ö", "size": 5, "content_type": "text/html", "damage": None}]
        raw = client.get(f"{path}/a%2Fb%20%C3%B6", params={"start": 1, "stop": -1})
        assert (raw.content, raw.headers["content-type"].partition(";")[0]) == (b"234", "text/html")
        many = client.post("/v1/attachments/get", json={"checkpoint_ids": [str(active(talk).id)]}).json()["attachments"]
        assert base64.b64decode(many[str(active(talk).id)]["a/b ö"]["data"]) == b"12345"
        client.post(at(talk, "attachments", "detach"), json={"names": ["a/b ö"]})
        assert store.list_attachments(active(talk).id) == []

    def test_what_was_attached_is_never_run_by_a_browser(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        store.attach(talk.id, {"x": Attachment(b"<script>", "text/html\r\nSet-Cookie: a=b"), "y": b""})
        for name in "xy":
            answer = client.get(f"/v1/sessions/checkpoints/{active(talk).id}/attachments/{name}")
            assert answer.headers["content-type"] == "application/octet-stream"
            assert "set-cookie" not in answer.headers
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in answer.headers["content-security-policy"]

    def test_what_waits_for_a_label_is_listed(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        store.attach(talk.id, {"f": b"1"}, label="later/on")
        assert list(client.get(at(talk, "waiting")).json()["waiting"]) == ["later/on"]
        assert list(client.get(at(talk, "waiting", "later%2Fon")).json()["attachments"]) == ["f"]


class TestChanges:
    def test_changes_are_listed_after_a_number(self, client: httpx2.Client, store: Store, talk: Session) -> None:
        before = client.get("/v1/changes/last").json()["last_change"]
        store.append(talk.id, users("c"))
        found = client.get("/v1/changes", params={"after": before}).json()
        assert [(item["session_id"], item["revision"]) for item in found["changes"]] == [(str(talk.id), 2)]
        assert client.get("/v1/changes", params={"after": found["decided"]}).json()["changes"] == []

    def test_changes_come_as_events_and_go_on_from_the_last_one_seen(
        self, client: httpx2.Client, store: Store, talk: Session
    ) -> None:
        begin = store.last_change()
        store.append(talk.id, users("c"))
        with client.stream("GET", "/v1/events", headers={"Last-Event-ID": str(begin)}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = _events(answer)
            first = next(events)
            assert (first["event"], json.loads(first["data"])["revision"]) == ("change", 2)
            store.purge_session(talk.id)
            purged = next(events)
            assert (purged["event"], json.loads(purged["data"])["session_id"]) == ("purge", str(talk.id))
        with client.stream("GET", "/v1/events", headers={"Last-Event-ID": first["id"]}) as answer:
            assert next(_events(answer)) == purged

    def test_a_number_that_there_has_not_been_is_refused(self, client: httpx2.Client, store: Store) -> None:
        answer = client.get("/v1/events", headers={"Last-Event-ID": str(store.last_change() + 1)})
        assert (answer.status_code, answer.json()["error"]["key"]) == (400, "INVALID_REQUEST")


def _events(answer: httpx2.Response) -> Iterator[dict[str, str]]:
    event: dict[str, str] = {}
    for line in answer.iter_lines():
        name, colon, value = line.partition(": ")
        if not line and "data" in event:
            yield event
            event = {}
        elif colon and name:
            event[name] = value


class TestMaintenance:
    def test_verify_answers_line_by_line(self, client: httpx2.Client, talk: Session) -> None:
        answer = client.get("/v1/verify")
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        assert lines[-1] == {"done": True}
        assert any("progress" in line for line in lines)
        assert "content-encoding" not in answer.headers  # it would hold lines back

    def test_compact_says_what_it_did(self, client: httpx2.Client, talk: Session) -> None:
        lines = [json.loads(line) for line in client.post("/v1/compact").text.splitlines()]
        assert lines[-1] == {"done": True}
        assert lines[-2]["compaction"]["bytes_after"] > 0

    def test_an_error_half_way_is_the_last_line(
        self, client: httpx2.Client, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise clew.UnavailableError("somebody has locked it")

        monkeypatch.setattr(store._backend, "compact", fail)
        (line,) = client.post("/v1/compact").text.splitlines()
        assert json.loads(line)["error"]["code"] == "connection_error"


class TestServer:
    def test_it_says_that_it_runs_and_whether_its_store_answers(self, client: httpx2.Client, store: Store) -> None:
        assert client.get("/healthz").json() == client.get("/readyz").json() == {"status": "ok"}
        store.close()
        assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)

    def test_it_describes_itself(self, client: httpx2.Client) -> None:
        described = client.get("/openapi.json").json()
        assert described["openapi"].startswith("3.1")
        append = described["paths"]["/v1/sessions/{session_id}/append"]["post"]
        (form,) = append["requestBody"]["content"].values()
        name = form["schema"]["$ref"].rpartition("/")[2]
        assert described["components"]["schemas"][name]["required"] == ["messages"]
        assert "form" in [parameter.get("name") for parameter in append["parameters"]]

    @pytest.mark.parametrize("encoding", ["gzip", "identity"])
    def test_answers_are_compressed_for_those_who_ask(self, client: httpx2.Client, store: Store, encoding: str) -> None:
        made = store.create_session("", messages=users("a" * 1_000))
        with client.stream("GET", at(made), headers={"Accept-Encoding": encoding}) as answer:
            raw = b"".join(answer.iter_raw())
        body = gzip.decompress(raw) if encoding == "gzip" else raw
        assert answer.headers.get("content-encoding", "identity") == encoding
        assert len(json.loads(body)["session"]["active_checkpoint"]["state"]["messages"]) == 1_000

    def test_a_body_has_a_limit(self, http_server: LiveServer, store: Store) -> None:
        with served(create_app(store, max_request_bytes=1_000)) as url:
            for headers in ({}, {"Idempotency-Key": "1"}):
                answer = httpx2.post(f"{url}/v1/sessions", json={"title": "x" * 1_000}, headers=headers)
                assert (answer.status_code, answer.json()["error"]["key"]) == (413, "INVALID_REQUEST")
            assert httpx2.post(f"{url}/v1/sessions", json={"title": "x" * 900}).status_code == 201

    def test_the_store_at_a_url_is_opened_and_closed(self, tmp_path: Any) -> None:
        with served(create_app(tmp_path / "agent.db")) as url:
            httpx2.post(f"{url}/v1/sessions", json={"title": "kept"})
        with clew.open(tmp_path / "agent.db") as store:
            assert [item.title for item in store.list_sessions()] == ["kept"]

    def test_an_awaited_store_is_served_too(self) -> None:
        with clew.open(":memory:") as store, served(create_app(store.aio)) as url:
            store.create_session("here")
            assert len(httpx2.get(f"{url}/v1/sessions").json()["sessions"]) == 1


def test_what_is_said_in_messagepack_is_what_is_said_in_json(
    client: httpx2.Client, store: Store, talk: Session
) -> None:
    headers = {"Accept": "application/msgpack", "Content-Type": "application/msgpack"}
    body = msgspec.msgpack.encode({"messages": [b'{"role":"user","content":"c"}']})
    answer = client.post(at(talk, "append"), content=body, headers=headers)
    assert answer.headers["content-type"] == "application/msgpack"
    made = msgspec.msgpack.decode(answer.content)["checkpoint"]
    assert made["state"]["messages"][-1] == b'{"role":"user","content":"c"}'
    assert store.get_messages(made["id"]) == users("abc")


@pytest.mark.parametrize("body", [b"", b"\xc1", b"{}", msgspec.msgpack.encode({"messages": [b"{"]})], ids=range(4))
def test_messagepack_that_says_nothing_is_refused(client: httpx2.Client, talk: Session, body: bytes) -> None:
    answer = client.post(at(talk, "append"), content=body, headers={"Content-Type": "application/msgpack"})
    assert (answer.status_code, answer.json()["error"]["key"]) == (400, "INVALID_REQUEST")


def test_the_forms_of_requests_and_answers_have_a_description() -> None:
    """They are in what the server says of itself."""
    for module in (requests, answers):
        forms = [
            form for form in vars(module).values() if isinstance(form, type) and form.__module__ == module.__name__
        ]
        assert forms
        assert [form for form in forms if not form.__name__.startswith("_") and not form.__doc__] == []


@pytest.mark.parametrize("given", ["", "now", "-1e3", "9" * 30, str(2**62)])
def test_a_time_that_is_none_is_refused(client: httpx2.Client, store: Store, given: str) -> None:
    answer = client.post("/v1/sessions", json={"title": ""}, headers={"Clew-Time": given})
    assert (answer.status_code, answer.json()["error"]["key"]) == (400, "INVALID_REQUEST")
    assert store.list_sessions().items == []


def test_what_comes_from_another_store_has_the_time_that_it_has_there(client: httpx2.Client, store: Store) -> None:
    made = client.post("/v1/sessions", json={"title": ""}, headers={"Clew-Time": "1000000"}).json()["session_id"]
    assert store.get_session(made).updated_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_a_page_of_no_changes_says_that_there_are_some(client: httpx2.Client, store: Store) -> None:
    store.create_session("")
    answer = client.get("/v1/changes", params={"after": 0, "limit": 0}).json()
    assert answer == {"changes": [], "decided": 0, "more": True}
