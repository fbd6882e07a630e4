"""The ten methods of `AsyncDBChatStore`, as the framework's own store has them."""

import random

import msgspec
import pytest
from llama_index.core.llms import ChatMessage
from llama_index.core.storage.chat_store.base_db import AsyncDBChatStore, MessageStatus
from tests.adapters.llama_index.support import (
    KEY,
    WHOLE_READS,
    WRITES,
    active_of,
    run,
    said,
    session_of,
    talk,
    texts,
    watched,
)

import clew
from clew.adapters.llama_index import ClewChatStore

ACTIVE, ARCHIVED = MessageStatus.ACTIVE, MessageStatus.ARCHIVED


@pytest.fixture
def chats(store: clew.Store) -> ClewChatStore:
    return ClewChatStore(store)


@pytest.fixture
def on_file(file_store: clew.Store) -> ClewChatStore:
    return ClewChatStore(file_store)


class TestReading:
    def test_what_was_added_comes_back_equal_and_in_order(self, chats):
        run(chats.add_message(KEY, said("a")))
        run(chats.add_messages(KEY, [said("b", "assistant"), said("c", name="Ann")]))

        assert isinstance(chats, AsyncDBChatStore)
        assert run(chats.get_messages(KEY)) == [said("a"), said("b", "assistant"), said("c", name="Ann")]

    def test_an_unknown_key_has_nothing(self, chats):
        assert run(chats.get_messages("nobody")) == []
        assert run(chats.count_messages("nobody")) == 0
        assert run(chats.delete_message("nobody", 0)) is None
        assert run(chats.delete_oldest_messages("nobody", 1)) == []
        assert run(chats.archive_oldest_messages("nobody", 1)) == []
        run(chats.delete_messages("nobody"))
        assert run(chats.get_keys()) == []

    def test_limit_and_offset_count_from_the_oldest(self, chats):
        run(chats.add_messages(KEY, talk("1", "2", "3", "4", "5")))

        assert texts(run(chats.get_messages(KEY, limit=2))) == ["1", "2"]
        assert texts(run(chats.get_messages(KEY, offset=2))) == ["3", "4", "5"]
        assert texts(run(chats.get_messages(KEY, limit=2, offset=1))) == ["2", "3"]
        assert run(chats.get_messages(KEY, limit=0)) == []
        assert run(chats.get_messages(KEY, offset=9)) == []

    def test_limit_and_offset_count_messages_of_the_status(self, on_file):
        run(on_file.add_messages(KEY, talk("1", "2", "3", "4", "5")))
        run(on_file.archive_oldest_messages(KEY, 2))

        assert texts(run(on_file.get_messages(KEY, limit=1, offset=1))) == ["4"]
        assert texts(run(on_file.get_messages(KEY, ARCHIVED, limit=1, offset=1))) == ["2"]
        assert texts(run(on_file.get_messages(KEY, None, limit=3, offset=1))) == ["2", "3", "4"]

    def test_keys_are_those_that_have_messages(self, chats):
        for key in ("a", "b", "c"):
            run(chats.add_message(key, said("x")))
        run(chats.delete_messages("b"))

        assert sorted(run(chats.get_keys())) == ["a", "c"]

    def test_sessions_of_others_are_no_keys(self, on_file, file_store):
        file_store.create_session("mine", source="other", source_id="a", messages=[{"role": "user", "content": "x"}])

        assert run(on_file.get_keys()) == []
        assert run(on_file.get_messages("a")) == []

    def test_of_another_owner_are_no_keys_either(self, on_file, file_store):
        run(on_file.add_message("mine", said("x")))
        said_by_ada = [{"role": "user", "content": "x"}]
        file_store.create_session("", source="llama-index", source_id="hers", owner="Ada", messages=said_by_ada)

        assert run(on_file.get_keys()) == ["mine"]
        assert run(on_file.get_messages("hers")) == []

    def test_a_key_that_is_added_to_while_they_are_listed_is_there(self, on_file, file_store, monkeypatch):
        monkeypatch.setattr("clew.adapters.listing.PAGE", 2)
        for number in range(5):
            run(on_file.add_message(str(number), said("x")))
        oldest, read, pages = session_of(file_store, "0").id, file_store.list_sessions, []

        def list_sessions(**query):
            pages.append(read(**query))
            if len(pages) == 1:
                file_store.append(oldest, [])  # it goes to the front, which has been read
            return pages[-1]

        monkeypatch.setattr(file_store, "list_sessions", list_sessions)
        assert sorted(run(on_file.get_keys())) == ["0", "1", "2", "3", "4"]

    def test_more_keys_than_a_page_are_all_there(self, on_file, file_store, monkeypatch):
        monkeypatch.setattr("clew.adapters.listing.PAGE", 2)
        for number in range(5):
            run(on_file.add_message(str(number), said("x")))

        assert sorted(run(on_file.get_keys())) == ["0", "1", "2", "3", "4"]

    def test_a_damaged_session_is_an_error_and_no_shorter_list(self, on_file, file_store, monkeypatch):
        run(on_file.add_message(KEY, said("x")))
        [found] = file_store.list_sessions().items
        damaged = clew.Page([msgspec.structs.replace(found, damage="its row is damaged")])
        monkeypatch.setattr(file_store, "list_sessions", lambda **filters: damaged)

        with pytest.raises(clew.CorruptStateError, match="its row is damaged"):
            run(on_file.get_keys())


class TestArchiving:
    def test_an_archived_message_leaves_the_active_ones_and_shows_among_the_archived(self, chats):
        run(chats.add_messages(KEY, talk("1", "2", "3")))

        assert texts(run(chats.archive_oldest_messages(KEY, 2))) == ["1", "2"]
        assert texts(run(chats.get_messages(KEY))) == ["3"]
        assert texts(run(chats.get_messages(KEY, ARCHIVED))) == ["1", "2"]
        assert texts(run(chats.get_messages(KEY, None))) == ["1", "2", "3"]
        assert [run(chats.count_messages(KEY, status)) for status in (ACTIVE, ARCHIVED, None)] == [1, 2, 3]

    def test_the_oldest_are_the_oldest_active_ones(self, chats):
        run(chats.add_messages(KEY, talk("1", "2", "3", "4")))
        run(chats.archive_oldest_messages(KEY, 1))

        assert texts(run(chats.archive_oldest_messages(KEY, 2))) == ["2", "3"]
        assert texts(run(chats.archive_oldest_messages(KEY, 9))) == ["4"]
        assert run(chats.archive_oldest_messages(KEY, 1)) == []

    def test_a_message_may_be_archived_from_the_start(self, chats):
        run(chats.add_message(KEY, said("old"), ARCHIVED))
        run(chats.add_message(KEY, said("now")))
        run(chats.add_messages(KEY, talk("older", "oldest"), ARCHIVED))
        run(chats.add_message(KEY, said("then")))

        assert texts(run(chats.get_messages(KEY))) == ["now", "then"]
        assert texts(run(chats.get_messages(KEY, ARCHIVED))) == ["old", "older", "oldest"]
        assert texts(run(chats.get_messages(KEY, None))) == ["old", "now", "older", "oldest", "then"]

    def test_archiving_writes_no_message(self, on_file, file_store):
        run(on_file.add_messages(KEY, talk("1", "2", "3")))

        with watched(file_store) as calls:
            run(on_file.archive_oldest_messages(KEY, 2))

        assert [args[1] for name, args, _ in calls if name == "append"] == [[]]

    def test_the_whole_conversation_can_still_be_read(self, on_file, file_store):
        run(on_file.add_messages(KEY, talk("1", "2", "3")))
        run(on_file.archive_oldest_messages(KEY, 2))

        shown = active_of(file_store).state.messages
        assert [message["content"] for message in shown] == ["1", "2", "3"]


class TestDeleting:
    def test_one_message_by_its_place_among_all(self, chats):
        run(chats.add_messages(KEY, talk("1", "2", "3", "4")))
        run(chats.archive_oldest_messages(KEY, 1))

        assert run(chats.delete_message(KEY, 2)).content == "3"
        assert run(chats.delete_message(KEY, 0)).content == "1"
        assert texts(run(chats.get_messages(KEY, None))) == ["2", "4"]
        assert run(chats.get_messages(KEY, ARCHIVED)) == []

    def test_a_place_that_is_not_there_deletes_nothing(self, on_file):
        run(on_file.add_messages(KEY, talk("1", "2")))

        assert run(on_file.delete_message(KEY, 2)) is None
        assert run(on_file.delete_message(KEY, -1)) is None
        assert texts(run(on_file.get_messages(KEY))) == ["1", "2"]

    def test_the_oldest_active_messages(self, chats):
        run(chats.add_messages(KEY, talk("1", "2", "3", "4")))
        run(chats.archive_oldest_messages(KEY, 1))

        assert texts(run(chats.delete_oldest_messages(KEY, 2))) == ["2", "3"]
        assert texts(run(chats.get_messages(KEY))) == ["4"]
        assert texts(run(chats.get_messages(KEY, ARCHIVED))) == ["1"]

    @pytest.mark.parametrize(
        ("status", "left"),
        [(ACTIVE, ["1", "3"]), (ARCHIVED, ["2", "4"]), (None, [])],
        ids=["active", "archived", "all"],
    )
    def test_all_of_a_status(self, chats, status, left):
        run(chats.add_message(KEY, said("1"), ARCHIVED))
        run(chats.add_message(KEY, said("2")))
        run(chats.add_message(KEY, said("3"), ARCHIVED))
        run(chats.add_message(KEY, said("4")))

        run(chats.delete_messages(KEY, status))

        assert texts(run(chats.get_messages(KEY, None))) == left
        other = ARCHIVED if status is ACTIVE else ACTIVE
        assert texts(run(chats.get_messages(KEY, other))) == left

    def test_what_was_deleted_stays_in_the_tree(self, chats, store):
        run(chats.add_messages(KEY, talk("1", "2", "3")))
        before = active_of(store).id

        run(chats.delete_oldest_messages(KEY, 1))
        run(chats.set_messages(KEY, [said("new")]))
        run(chats.delete_messages(KEY))

        assert [message["content"] for message in store.get_messages(before)] == ["1", "2", "3"]
        assert before in [one.id for one in store.ancestry(active_of(store).id)]

    def test_adding_goes_on_after_everything_was_deleted(self, chats):
        run(chats.add_messages(KEY, talk("1", "2"), ARCHIVED))
        run(chats.delete_messages(KEY))
        run(chats.add_message(KEY, said("again")))

        assert texts(run(chats.get_messages(KEY))) == ["again"]


class TestSetting:
    def test_replaces_messages_of_both_statuses(self, chats):
        run(chats.add_messages(KEY, talk("1", "2", "3")))
        run(chats.archive_oldest_messages(KEY, 1))

        run(chats.set_messages(KEY, talk("a", "b")))

        assert texts(run(chats.get_messages(KEY, None))) == ["a", "b"]
        assert run(chats.get_messages(KEY, ARCHIVED)) == []

    def test_may_make_the_key_and_archive(self, chats):
        run(chats.set_messages(KEY, talk("a", "b"), ARCHIVED))
        assert texts(run(chats.get_messages(KEY, ARCHIVED))) == ["a", "b"]
        run(chats.set_messages(KEY, talk("a", "b", "c"), ARCHIVED))
        assert texts(run(chats.get_messages(KEY, ARCHIVED))) == ["a", "b", "c"]
        assert run(chats.get_messages(KEY)) == []

    def test_to_nothing(self, on_file):
        run(on_file.add_messages(KEY, talk("1")))
        run(on_file.set_messages(KEY, []))
        assert run(on_file.get_messages(KEY, None)) == []


class TestCosts:
    def test_each_method_that_changes_something_writes_once(self, on_file, file_store):
        run(on_file.add_messages(KEY, talk("1", "2", "3", "4", "5", "6")))
        for change in (
            lambda: on_file.add_message(KEY, said("x")),
            lambda: on_file.add_message(KEY, said("y"), ARCHIVED),
            lambda: on_file.archive_oldest_messages(KEY, 1),
            lambda: on_file.delete_oldest_messages(KEY, 1),
            lambda: on_file.delete_message(KEY, 1),
            lambda: on_file.set_messages(KEY, talk("a", "b")),
            lambda: on_file.delete_messages(KEY),
            lambda: on_file.add_message("a new key", said("x")),
        ):
            with watched(file_store) as calls:
                run(change())
            assert len([name for name, _, _ in calls if name in WRITES]) == 1

    def test_the_active_messages_are_read_without_the_archived_ones(self, on_file, file_store):
        run(on_file.add_messages(KEY, talk(*map(str, range(20)))))
        run(on_file.archive_oldest_messages(KEY, 18))
        run(on_file.count_messages(KEY))

        with watched(file_store) as calls:
            assert texts(run(on_file.get_messages(KEY))) == ["18", "19"]
            assert run(on_file.count_messages(KEY)) == 2

        assert not [name for name, _, _ in calls if name in WHOLE_READS]
        assert [kwargs for name, _, kwargs in calls if name == "get_messages"] == [{"start": 18, "stop": 20}]

    def test_adding_reads_nothing(self, on_file, file_store):
        run(on_file.add_message(KEY, said("1")))
        run(on_file.count_messages(KEY))

        with watched(file_store) as calls:
            run(on_file.add_message(KEY, said("2")))

        assert [name for name, _, _ in calls] == ["append"]

    def test_setting_the_same_and_more_stores_only_what_is_new(self, on_file, file_store, tmp_path):
        long = random.Random(7).randbytes(100_000).hex()
        run(on_file.set_messages(KEY, talk(long)))
        file_store.compact()
        before = (tmp_path / "clew.db").stat().st_size

        for number in range(5):
            run(on_file.set_messages(KEY, talk(long, str(number))))

        file_store.compact()
        assert (tmp_path / "clew.db").stat().st_size < before + 50_000

    def test_adding_nothing_writes_nothing(self, on_file, file_store):
        run(on_file.add_messages(KEY, []))
        assert file_store.list_sessions().items == []


class TestTheSession:
    def test_is_called_after_what_the_user_said_first(self, chats, store):
        run(chats.add_messages(KEY, [said("be kind", "system"), said("Which train\0 goes\n to Oslo?")]))

        session = session_of(store)
        assert (session.title, session.source, session.source_id) == ("Which train goes to Oslo?", "llama-index", KEY)

    def test_a_long_first_message_is_cut_in_the_title_only(self, on_file, file_store):
        run(on_file.add_message(KEY, said("word " * 100)))

        assert len(session_of(file_store).title) == 80
        assert run(on_file.get_messages(KEY)) == [said("word " * 100)]

    def test_without_words_of_the_user_it_is_called_by_its_key(self, on_file, file_store):
        run(on_file.add_message(KEY, ChatMessage(role="assistant", content="hello")))
        assert session_of(file_store).title == KEY

    def test_a_purged_key_begins_anew(self, chats, store):
        run(chats.add_message(KEY, said("1")))
        store.purge_session(session_of(store).id)

        assert run(chats.get_messages(KEY)) == []
        run(chats.add_message(KEY, said("2")))
        assert texts(run(chats.get_messages(KEY))) == ["2"]

    def test_marked_deleted_is_not_found_and_takes_no_messages(self, chats, store):
        run(chats.add_message(KEY, said("1")))
        store.delete_session(session_of(store).id)

        for reader in (chats, ClewChatStore(store)):
            assert run(reader.get_messages(KEY)) == run(reader.get_keys()) == []
            assert run(reader.count_messages(KEY, None)) == 0
            assert run(reader.archive_oldest_messages(KEY, 1)) == []
            for write in (reader.add_message(KEY, said("2")), reader.set_messages(KEY, talk("2"))):
                with pytest.raises(clew.ConflictError, match="marked deleted"):
                    run(write)

        store.restore_session(session_of(store).id)
        run(chats.add_message(KEY, said("2")))
        assert texts(run(chats.get_messages(KEY))) == ["1", "2"]

    def test_marked_deleted_keeps_the_messages_of_who_has_not_looked_since(self, on_file, file_store):
        run(on_file.add_message(KEY, said("1")))
        run(on_file.count_messages(KEY))
        file_store.delete_session(session_of(file_store).id)
        run(on_file.add_message(KEY, said("2")))
        file_store.restore_session(session_of(file_store).id)
        assert texts(run(on_file.get_messages(KEY))) == ["1", "2"]

    def test_is_found_again_when_its_id_was_forgotten(self, on_file, monkeypatch):
        monkeypatch.setattr("clew.adapters.by_name.MAX_KNOWN", 1)
        for text in ("1", "2"):
            for key in ("a", "b", "c"):
                run(on_file.add_message(key, said(key + text)))

        assert [texts(run(on_file.get_messages(key))) for key in ("a", "b", "c")] == [
            ["a1", "a2"], ["b1", "b2"], ["c1", "c2"],
        ]  # fmt: skip

    def test_after_a_rewind_the_framework_goes_on_from_there(self, chats, store):
        run(chats.add_messages(KEY, talk("1", "2")))
        then = active_of(store).id
        run(chats.add_message(KEY, said("3")))
        run(chats.archive_oldest_messages(KEY, 2))

        store.set_active_checkpoint(session_of(store).id, then)

        assert texts(run(chats.get_messages(KEY))) == ["1", "2"]
        assert run(chats.get_messages(KEY, ARCHIVED)) == []


class TestRefusing:
    @pytest.mark.parametrize("key", ["a\0b", "\ud800", "x" * 1001], ids=["NUL", "surrogate", "long"])
    def test_a_key_that_no_store_takes(self, chats, key):
        with pytest.raises(clew.InvalidRequestError, match="source_id"):
            run(chats.add_message(key, said("x")))
        assert run(chats.get_keys()) == []

    @pytest.mark.parametrize("number", [-1, 1.5, True, "2"])
    def test_a_number_that_counts_nothing(self, on_file, number):
        run(on_file.add_message(KEY, said("x")))
        for call in (
            lambda: on_file.get_messages(KEY, limit=number),
            lambda: on_file.get_messages(KEY, offset=number),
            lambda: on_file.archive_oldest_messages(KEY, number),
            lambda: on_file.delete_oldest_messages(KEY, number),
        ):
            with pytest.raises(clew.InvalidRequestError, match="whole number"):
                run(call())
        assert run(on_file.count_messages(KEY)) == 1

    def test_a_status_that_there_is_not(self, on_file):
        with pytest.raises(clew.InvalidRequestError, match="status"):
            run(on_file.get_messages(KEY, "gone"))
        with pytest.raises(clew.InvalidRequestError, match="status"):
            run(on_file.add_message(KEY, said("x"), None))

    def test_a_store_that_was_opened_for_a_path_is_closed_with_it(self, tmp_path):
        chats = ClewChatStore(tmp_path / "own.db")
        run(chats.add_message(KEY, said("x")))
        chats.close()
        with pytest.raises(clew.UnavailableError):
            run(chats.get_messages(KEY))

    def test_a_store_that_was_given_stays_open(self, file_store):
        ClewChatStore(file_store).close()
        ClewChatStore(file_store.aio).close()
        assert file_store.list_sessions().items == []
