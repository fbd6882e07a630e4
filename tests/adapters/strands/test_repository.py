"""The methods of a session repository: what is kept comes back equal, and what goes wrong is told."""

import copy
import threading
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType
from tests.adapters.strands.support import AGENT, SESSION, message, prepared

import clew
from clew.adapters.strands import ClewSessionRepository

USE = {"toolUse": {"toolUseId": "t1", "name": "add", "input": {"a": 1, "deep": [None, 1.0, "\0\ud800"]}}}
RESULT = {"toolResult": {"toolUseId": "t1", "status": "success", "content": [{"text": "3"}, {"json": {"n": 3}}]}}
BLOCKS: list[Any] = [
    "Hello 🙂",
    USE,
    RESULT,
    {"toolUse": {"toolUseId": "t1", "name": "add", "input": {}, "reasoningSignature": "x"}},
    {"toolResult": {"toolUseId": "t1", "status": "error", "content": [{"image": {"source": {"bytes": b"\x00\xff"}}}]}},
    {"toolResult": {"toolUseId": "t1", "content": []}},
    {"toolUse": None},
    {"type": "tool_use", "id": "raw"},
    {"type": "tool_result"},
    {"strands": {"strands": 1}},
    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}, "redactedContent": b"\x01"}},
    {"document": {"format": "pdf", "name": "d", "source": {"bytes": b"%PDF"}}},
    {"cachePoint": {"type": "default"}},
    {},
]


@pytest.fixture
def repository(store: clew.Store) -> ClewSessionRepository:
    return ClewSessionRepository(store)


@pytest.fixture
def filed(file_store: clew.Store) -> ClewSessionRepository:
    return ClewSessionRepository(file_store)


def agent_session(store: clew.Store) -> clew.Session:
    return store.find_session("strands", "support%2F42/agent/helper")


def active_of(store: clew.Store) -> UUID:
    checkpoint = agent_session(store).active_checkpoint
    assert checkpoint is not None
    return checkpoint.id


class TestEqual:
    def test_a_session(self, repository) -> None:
        assert repository.read_session("support/42") is None
        assert repository.create_session(SESSION) is SESSION
        found = repository.read_session("support/42")
        assert found == SESSION
        assert found.session_type is SessionType.AGENT

    def test_an_agent(self, repository) -> None:
        given = SessionAgent("a", {"b": b"\x00", "l": [1, None]}, {"x": {}}, {"interrupt_state": {"i": 1}})
        repository.create_session(SESSION)
        assert repository.read_agent("support/42", "a") is None
        repository.create_agent("support/42", given)
        assert repository.read_agent("support/42", "a") == given
        changed = replace(given, state={"n": 2}, created_at="later", updated_at="now")
        repository.update_agent("support/42", changed)
        assert changed.created_at == given.created_at
        assert repository.read_agent("support/42", "a") == changed

    @pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
    def test_a_message_of_any_blocks(self, filed, block) -> None:
        ids = prepared(filed)
        given = message(0, block, "and more", tracking_id="u1", metadata={"usage": {"inputTokens": 1}})
        before = copy.deepcopy(given)
        filed.create_message(*ids, given)
        assert filed.read_message(*ids, 0) == filed.list_messages(*ids)[0] == given == before
        assert ClewSessionRepository(filed._store).list_messages(*ids) == [given]

    def test_messages_over_every_place(self, repository) -> None:
        ids = prepared(repository)
        given = [message(place, block, role=("user", "assistant")[place % 2]) for place, block in enumerate(BLOCKS)]
        for one in given:
            repository.create_message(*ids, one)
        assert repository.list_messages(*ids) == given
        assert repository.list_messages(*ids, limit=3, offset=2) == given[2:5]  # from the oldest
        assert repository.list_messages(*ids, offset=10) == given[10:]
        assert repository.list_messages(*ids, limit=0) == repository.list_messages(*ids, offset=99) == []
        assert [repository.read_message(*ids, place) for place in range(len(given))] == given
        assert repository.read_message(*ids, 99) is None
        assert repository.read_message("support/42", "nobody", 0) is None

    def test_a_redacted_message_shows_what_it_was_redacted_to(self, repository, store) -> None:
        ids = prepared(repository)
        given = [message(place, f"secret {place}") for place in range(4)]
        for one in given:
            repository.create_message(*ids, one)
        redacted = replace(given[1], redact_message=message(1, "[redacted]").message, created_at="later")
        repository.update_message(*ids, redacted)
        assert redacted.created_at == given[1].created_at
        assert repository.list_messages(*ids) == [given[0], redacted, *given[2:]]
        shown = store.get_messages(active_of(store))
        assert shown[1]["content"] == [{"text": "[redacted]"}]
        assert repository.read_message(*ids, 1).to_message() == redacted.redact_message
        repository.update_message(*ids, given[0])
        assert repository.list_messages(*ids) == [given[0], redacted, *given[2:]]

    def test_ids_may_have_gaps(self, filed) -> None:
        ids = prepared(filed)
        for id in (2, 3, 7, 20):
            filed.create_message(*ids, message(id, str(id)))
        assert [id for id in range(30) if filed.read_message(*ids, id) is not None] == [2, 3, 7, 20]
        filed.update_message(*ids, message(7, "seven"))
        assert [one.message["content"][0]["text"] for one in filed.list_messages(*ids)] == ["2", "3", "seven", "20"]

    def test_a_message_is_found_among_gaps_in_a_few_reads(self, filed, monkeypatch) -> None:
        ids = prepared(filed)
        for id in range(0, 128, 4):
            filed.create_message(*ids, message(id, str(id)))
        reads = []
        get_messages = filed._store.get_messages

        def counted(*args: Any, **kwargs: Any) -> Any:
            reads.append(kwargs)
            return get_messages(*args, **kwargs)

        monkeypatch.setattr(filed._store, "get_messages", counted)
        assert filed.read_message(*ids, 8) is not None
        assert filed.read_message(*ids, 33) is None
        assert len(reads) <= 14


class TestRefused:
    @pytest.mark.parametrize(
        "given",
        [
            message(0, {"json": (1, 2)}),
            message(0, {"json": float("nan")}),
            message(0, {"json": {1: 2}}),
            message(0, {"json": {1, 2}}),
            message(0, {"json": {"__bytes_encoded__": True, "data": "eA=="}}),
            message(-1, "x"),
            message(True, "x"),
            SessionMessage(message={"role": "user", "content": "text"}, message_id=0),  # type: ignore[typeddict-item]
            SessionMessage(message={"content": []}, message_id=0),  # type: ignore[typeddict-item]
        ],
        ids=range(9),
    )
    def test_what_would_come_back_as_something_else(self, filed, given) -> None:
        ids = prepared(filed)
        with pytest.raises(clew.InvalidRequestError):
            filed.create_message(*ids, given)
        assert filed.list_messages(*ids) == []

    @pytest.mark.parametrize(
        ("value", "told"),
        [
            ({"a": [0, (1, 2)]}, r"\['a'\]\[1\] is \(1, 2\), not \[1, 2\]"),
            ({"a": float("nan")}, r"\['a'\] is nan$"),
            ({1: "x"}, r"is \{1: 'x'\}, not \{'1': 'x'\}"),
        ],
        ids=["tuple", "nan", "key"],
    )
    def test_the_error_says_where_and_what(self, filed, value, told) -> None:
        ids = prepared(filed)
        result = {"toolUseId": "t", "status": "success", "content": [{"json": value}]}
        where = r"message 3 .*\['message'\]\['content'\]\[1\]\['toolResult'\]\['content'\]\[0\]\['json'\]"
        with pytest.raises(clew.InvalidRequestError, match=f"{where}{told}|{where} {told}"):
            filed.create_message(*ids, message(3, "see", {"toolResult": result}))
        with pytest.raises(clew.InvalidRequestError, match=rf"agent helper .*\['state'\]\['v'\] ?{told}"):
            filed.update_agent(*ids[:1], replace(AGENT, state={"v": value}))

    def test_such_a_state_of_an_agent(self, filed) -> None:
        prepared(filed)
        with pytest.raises(clew.InvalidRequestError, match="helper"):
            filed.update_agent("support/42", replace(AGENT, state={"t": (1,)}))
        assert filed.read_agent("support/42", "helper") == AGENT

    def test_what_is_there_already(self, repository) -> None:
        repository.create_session(SESSION)
        with pytest.raises(SessionException, match="already exists") as caught:
            repository.create_session(Session("support/42", SessionType.AGENT))
        assert isinstance(caught.value.__cause__, clew.ConflictError)
        assert repository.read_session("support/42") == SESSION

    def test_what_is_not_there(self, repository) -> None:
        for call in (
            lambda: repository.create_agent("none", AGENT),
            lambda: repository.delete_session("none"),
            lambda: repository.update_agent("none", copy.copy(AGENT)),
            lambda: repository.create_message("none", "helper", message(0, "x")),
            lambda: repository.update_message("none", "helper", message(0, "x")),
            lambda: repository.list_messages("none", "helper"),
        ):
            with pytest.raises(SessionException, match="does not exist"):
                call()
        ids = prepared(repository)
        with pytest.raises(SessionException, match="message 0 does not exist"):
            repository.update_message(*ids, message(0, "x"))
        assert repository._store.list_sessions().total == 2

    @pytest.mark.parametrize("page", [{"limit": -1}, {"offset": -1}])
    def test_a_page_that_is_none(self, filed, page) -> None:
        with pytest.raises(clew.InvalidRequestError, match="negative"):
            filed.list_messages(*prepared(filed), **page)

    @pytest.mark.parametrize("session_id", ["a/b%2F", "\0\ud800ü", ""])
    def test_but_no_id(self, filed, session_id) -> None:
        filed.create_session(Session(session_id, SessionType.AGENT))
        filed.create_agent(session_id, replace(AGENT, agent_id=f"{session_id}x"))
        assert filed.read_session(session_id).session_id == session_id
        assert filed.read_agent(session_id, f"{session_id}x").agent_id == f"{session_id}x"
        assert filed.read_agent("a", "b%2F/agent/a/b%2Fx") is None


class TestWriters:
    def test_the_same_message_again_changes_nothing(self, repository, store) -> None:
        ids = prepared(repository)
        given = [message(0, "first"), message(1, "second")]
        for one in [*given, given[1], given[0]]:
            repository.create_message(*ids, one)
        assert repository.list_messages(*ids) == given

    def test_another_one_of_the_same_id_is_told_and_nothing_is_lost(self, repository, store) -> None:
        ids = prepared(repository)
        repository.create_message(*ids, given := message(0, "first"))
        with pytest.raises(clew.ConflictError, match="message 0"):
            ClewSessionRepository(store).create_message(*ids, message(0, "another first"))
        repository.create_message(*ids, message(3, "later"))
        with pytest.raises(clew.ConflictError, match="message 2"):
            repository.create_message(*ids, message(2, "between"))
        assert repository.list_messages(*ids)[0] == given

    def test_of_many_threads_each_id_is_written_once(self, repository, store) -> None:
        ids = prepared(repository)
        refused = []

        def write(name: int) -> None:
            writer = ClewSessionRepository(store)
            for id in range(6):
                try:
                    writer.create_message(*ids, message(id, str(name)))
                except clew.ConflictError:
                    refused.append(id)

        threads = [threading.Thread(target=write, args=(name,)) for name in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [one.message_id for one in repository.list_messages(*ids)] == list(range(6))
        assert len(refused) == 12

    def test_a_message_that_comes_between_stays(self, filed, monkeypatch) -> None:
        ids = prepared(filed)
        filed.create_message(*ids, message(0, "first"))
        append, other = filed._store.append, ClewSessionRepository(filed._store)
        came: list[SessionMessage] = []

        def between(*args: Any, **kwargs: Any) -> Any:
            if not came:
                came.append(message(len(other.list_messages(*ids)), "between"))
                other.create_message(*ids, came[0])
            return append(*args, **kwargs)

        monkeypatch.setattr(filed._store, "append", between)
        filed.update_message(*ids, message(0, "changed"))
        assert [one.message["content"][0]["text"] for one in filed.list_messages(*ids)] == ["changed", "between"]
        came.clear()
        filed.update_agent("support/42", replace(AGENT, state={"n": 9}))
        assert [one.message_id for one in filed.list_messages(*ids)] == [0, 1, 2]
        assert filed.read_agent(*ids).state == {"n": 9}

    def test_an_agent_that_exists_keeps_its_messages(self, repository) -> None:
        ids = prepared(repository)
        repository.create_message(*ids, message(0, "first"))
        again = replace(AGENT, state={"n": 5})
        repository.create_agent("support/42", again)
        assert repository.read_agent(*ids) == again
        assert len(repository.list_messages(*ids)) == 1

    def test_a_message_costs_its_own_size(self, filed, monkeypatch) -> None:
        ids = prepared(filed)
        for id in range(50):
            filed.create_message(*ids, message(id, "x" * 100))
        read: list[int] = []
        get_messages = filed._store.get_messages

        def counted(*args: Any, **kwargs: Any) -> Any:
            found = get_messages(*args, **kwargs)
            read.append(len(found))
            return found

        monkeypatch.setattr(filed._store, "get_messages", counted)
        filed.create_message(*ids, message(50, "x"))
        filed.read_message(*ids, 25)
        filed.read_agent(*ids)
        assert sum(read) <= 3
        read.clear()
        filed.list_messages(*ids, offset=48)
        assert read == [3]


class TestInClew:
    def test_sessions_and_agents_are_found_by_their_names(self, repository, store) -> None:
        ids = prepared(repository)
        repository.create_message(*ids, message(0, "Hi there", role="assistant"))
        repository.create_message(*ids, message(1, RESULT))
        repository.create_message(*ids, message(2, "What is\n1 + 2?\0"))
        repository.create_message(*ids, message(3, "And then?"))
        main = store.find_session("strands", "support%2F42")
        found = agent_session(store)
        assert (main.title, found.title) == ("support/42", r"What is 1 + 2?\x00")
        assert found.parent_session_id == main.id
        (listed,) = store.list_sessions(metadata={"session_id": "support/42", "kind": "agent"})
        assert (listed.id, listed.source, listed.metadata["id"]) == (found.id, "strands", "helper")

    def test_a_title_given_in_clew_stays(self, filed) -> None:
        ids = prepared(filed)
        filed._store.update_session(agent_session(filed._store).id, title="Mine")
        filed.create_message(*ids, message(0, "Hello"))
        assert agent_session(filed._store).title == "Mine"

    def test_after_a_rewind_an_agent_is_as_it_was(self, repository, store) -> None:
        ids = prepared(repository)
        repository.create_message(*ids, message(0, "first"))
        repository.update_agent("support/42", replace(AGENT, state={"n": 2}))
        session, kept = agent_session(store), active_of(store)
        repository.create_message(*ids, message(1, "second"))
        repository.update_agent("support/42", replace(AGENT, state={"n": 3}))
        store.set_active_checkpoint(session.id, kept)
        assert [one.message_id for one in repository.list_messages(*ids)] == [0]
        assert repository.read_agent(*ids).state == {"n": 2}
        repository.create_message(*ids, message(1, "another second"))
        assert repository.read_agent(*ids).state == {"n": 2}
        assert len(store.branches(session.id)) == 2

    @pytest.mark.parametrize(
        "stored",
        [
            {"role": "user", "content": "by hand"},
            {"role": "user", "content": [], "strands": 7},
            {"role": "user", "content": [], "strands": {"message_id": "0", "message": {}, "redact_message": None}},
            {"role": "user", "content": [{"type": "tool_use"}], "strands": {"message_id": 1, "message": {}}},
        ],
    )
    def test_a_message_that_is_none_of_strands_is_damage(self, filed, stored) -> None:
        ids = prepared(filed)
        written = filed._store.append(agent_session(filed._store).id, [stored])
        for read in (
            lambda: filed.list_messages(*ids),
            lambda: filed.read_message(*ids, 0),
            lambda: filed.create_message(*ids, message(5, "x")),
        ):
            with pytest.raises(clew.CorruptStateError) as caught:
                read()
            assert caught.value.checkpoint_id == written.id

    @pytest.mark.parametrize("metadata", [None, 7, {"agent_id": "helper"}])
    def test_a_state_that_is_none_of_strands_is_damage(self, filed, metadata) -> None:
        ids = prepared(filed)
        filed._store.append(agent_session(filed._store).id, [], metadata=metadata)
        with pytest.raises(clew.CorruptStateError):
            filed.read_agent(*ids)

    def test_what_is_deleted_is_gone_with_its_agents_and_begins_anew(self, repository, store) -> None:
        for _ in range(2):
            ids = prepared(repository)
            assert repository.list_messages(*ids) == []
            repository.create_message(*ids, message(0, "first"))
            ClewSessionRepository(store).delete_session("support/42")
            assert store.list_sessions().total == 0
            assert repository.read_session("support/42") is repository.read_agent(*ids) is None

    def test_a_session_marked_deleted_is_not_found_and_not_made_again(self, filed) -> None:
        ids = prepared(filed)
        filed._store.delete_session(filed._store.find_session("strands", "support%2F42").id)
        filed._store.delete_session(agent_session(filed._store).id)
        assert filed.read_session("support/42") is filed.read_agent(*ids) is None
        with pytest.raises(SessionException, match="marked deleted"):
            filed.create_session(SESSION)
        filed._store.restore_session(filed._store.find_session("strands", "support%2F42").id)
        with pytest.raises(SessionException, match="marked deleted"):
            filed.create_agent("support/42", AGENT)

    def test_an_agent_left_from_a_purged_session_is_told(self, filed) -> None:
        prepared(filed)
        filed._store.purge_session(filed._store.find_session("strands", "support%2F42").id)
        filed.create_session(SESSION)
        with pytest.raises(SessionException, match="purge"):
            filed.create_agent("support/42", AGENT)

    def test_of_more_sessions_than_are_remembered_all_are_found(self, filed, monkeypatch) -> None:
        monkeypatch.setattr("clew.adapters.by_name.MAX_KNOWN", 3)
        for number in range(8):
            filed.create_session(Session(f"s{number}", SessionType.AGENT))
        assert all(filed.read_session(f"s{number}") for number in range(8))
        assert len(filed._records._names._ids) <= 3

    def test_an_agent_is_found_by_name_without_its_messages(self, filed, monkeypatch) -> None:
        ids = prepared(filed)
        filed.create_message(*ids, message(0, "first"))
        for read in ("find_session", "get_session", "get_checkpoint", "get_active_checkpoint"):
            monkeypatch.setattr(filed._store, read, None)
        later = ClewSessionRepository(filed._store)
        assert later.read_session("support/42") == SESSION
        assert (later.read_agent(*ids), len(later.list_messages(*ids))) == (AGENT, 1)

    def test_those_of_another_owner_are_others(self, file_store: clew.Store) -> None:
        mine, anns = ClewSessionRepository(file_store), ClewSessionRepository(file_store, owner="ann")
        for repository, text in ((mine, "mine"), (anns, "ann's")):
            repository.create_message(*prepared(repository), message(0, text))
        mine.delete_session("support/42")
        assert anns.list_messages("support/42", "helper")[0].message["content"] == [{"text": "ann's"}]

    def test_it_takes_a_path_too_and_needs_no_history(self, tmp_path) -> None:
        path = tmp_path / "clew.db"
        repository = ClewSessionRepository(path)
        ids = prepared(repository)
        for id in range(4):
            repository.create_message(*ids, message(id, str(id)))
        repository.close()
        with clew.open(path) as store:
            store.apply_prune(store.plan_prune(keep_checkpoints=1))
            assert store.list_checkpoints(agent_session(store).id).total == 1
            later = ClewSessionRepository(store.aio)
            assert (len(later.list_messages(*ids)), later.read_agent(*ids)) == (4, AGENT)
