"""Two writers of one key: in one process, and in eight."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from llama_index.core.storage.chat_store.base_db import MessageStatus
from tests.adapters.llama_index.support import KEY, active_of, run, said, session_of, talk, texts

import clew
from clew.adapters.llama_index import ClewChatStore

WRITER = """
import asyncio, sys
from llama_index.core.llms import ChatMessage
from clew.adapters.llama_index import ClewChatStore

chats = ClewChatStore(sys.argv[1])
for number in range(10):
    asyncio.run(chats.add_message("k", ChatMessage(f"{sys.argv[2]}-{number}")))
chats.close()
"""


def overtaken(store: clew.Store, monkeypatch: pytest.MonkeyPatch, other: Callable[[], object]) -> None:
    """Let another writer write once, just before the next write of this one."""
    append = store.append
    writes = [other]

    def late(*args, **kwargs):
        if writes:
            writes.pop()()
        return append(*args, **kwargs)

    monkeypatch.setattr(store, "append", late)


@pytest.fixture
def other(file_store: clew.Store, tmp_path: Path) -> Iterator[clew.Store]:
    with clew.open(tmp_path / "clew.db", durability="normal") as opened:
        yield opened


def test_a_message_that_arrives_while_others_are_archived_stays_active(file_store, other, monkeypatch):
    chats = ClewChatStore(file_store)
    run(chats.add_messages(KEY, talk("1", "2")))
    overtaken(file_store, monkeypatch, lambda: other.append(session_of(other).id, [{"role": "user", "content": "3"}]))

    assert texts(run(chats.archive_oldest_messages(KEY, 9))) == ["1", "2", "3"]
    assert run(chats.get_messages(KEY)) == []


def test_nothing_that_another_adds_is_deleted_unseen(file_store, other, monkeypatch):
    chats = ClewChatStore(file_store)
    run(chats.add_messages(KEY, talk("1", "2")))
    overtaken(file_store, monkeypatch, lambda: other.append(session_of(other).id, [{"role": "user", "content": "3"}]))

    assert texts(run(chats.delete_oldest_messages(KEY, 2))) == ["1", "2"]
    assert texts(run(chats.get_messages(KEY))) == ["3"]


def test_a_message_added_as_archived_is_archived_whatever_comes_before_it(file_store, other, monkeypatch):
    chats = ClewChatStore(file_store)
    run(chats.add_message(KEY, said("1")))
    overtaken(file_store, monkeypatch, lambda: other.append(session_of(other).id, [{"role": "user", "content": "2"}]))

    run(chats.add_message(KEY, said("3"), MessageStatus.ARCHIVED))

    assert texts(run(chats.get_messages(KEY))) == ["1", "2"]
    assert texts(run(chats.get_messages(KEY, MessageStatus.ARCHIVED))) == ["3"]


def test_archiving_by_another_holds_for_a_message_that_is_added(store):
    ours, theirs = ClewChatStore(store), ClewChatStore(store)
    run(ours.add_messages(KEY, talk("1", "2")))
    run(theirs.archive_oldest_messages(KEY, 1))
    run(ours.add_message(KEY, said("3")))

    assert texts(run(ours.get_messages(KEY))) == ["2", "3"]


def test_who_is_overtaken_for_ever_is_told(file_store, monkeypatch):
    chats = ClewChatStore(file_store)
    run(chats.add_messages(KEY, talk("1", "2")))

    def never(*args, **kwargs):
        raise clew.ConflictError("overtaken")

    monkeypatch.setattr(file_store, "append", never)
    with pytest.raises(clew.ConflictError):
        run(chats.archive_oldest_messages(KEY, 1))


def test_who_comes_second_to_a_new_key_adds_to_it(file_store, other, monkeypatch):
    ensure = file_store.ensure_session

    def late(*args, **kwargs):
        run(ClewChatStore(other).add_message(KEY, said("1")))
        return ensure(*args, **kwargs)

    monkeypatch.setattr(file_store, "ensure_session", late)
    run(ClewChatStore(file_store).add_message(KEY, said("2")))

    assert texts(run(ClewChatStore(other).get_messages(KEY))) == ["1", "2"]


def test_both_may_make_the_key_at_once(store):
    started = threading.Barrier(4)

    def add(name: str) -> None:
        chats = ClewChatStore(store)
        started.wait()
        run(chats.add_message(KEY, said(name)))

    threads = [threading.Thread(target=add, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(message["content"] for message in active_of(store).state.messages) == ["0", "1", "2", "3"]


def test_eight_processes_on_one_new_file_lose_nothing(tmp_path):
    path = tmp_path / "new.db"
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)]) for number in range(8)]
    assert [process.wait() for process in processes] == [0] * 8

    with clew.open(path) as store:
        found = [str(message.content) for message in run(ClewChatStore(store).get_messages("k"))]
    assert sorted(found) == sorted(f"{process}-{number}" for process in range(8) for number in range(10))
    for process in range(8):
        assert [text for text in found if text.startswith(f"{process}-")] == [f"{process}-{n}" for n in range(10)]
