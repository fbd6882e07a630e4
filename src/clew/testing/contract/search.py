"""Full text search: what is found, where it is shown, and who finds it."""

from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clew.errors import InvalidRequestError, NotFoundError
from clew.model import Message, Page, SearchHit, Session
from clew.store import Store
from clew.testing.clock import moment
from clew.testing.contract.base import (
    Contract,
    active,
    findings,
    missing,
    nothing_changes,
    user,
    users,
)

CALL: Message = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "call_1",
            "type": "function",
            "function": {"name": "read_file", "arguments": '{"path": "src/engine.py"}'},
        }
    ],
}
RESULT: Message = {"role": "tool", "tool_call_id": "call_1", "name": "read_file", "content": "Traceback: boiler burst"}

# A message in each form, and a word that only it has.
FORMS: list[tuple[str, Message]] = [
    ("plain", {"role": "user", "content": "plain words"}),
    (
        "parted",
        {"role": "user", "content": [{"type": "text", "text": "parted"}, {"type": "image_url", "image_url": {}}]},
    ),
    (
        "argued",
        {**CALL, "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": '{"a": "argued"}'}}]},
    ),
    ("answered", {"role": "tool", "tool_call_id": "1", "content": "answered"}),
    ("pondered", {"role": "assistant", "content": [{"type": "thinking", "thinking": "pondered", "signature": "c2ln"}]}),
    (
        "entered",
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {"x": "entered"}}]},
    ),
    (
        "resulted",
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "resulted"}]}],
        },
    ),
    ("itemised", {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"x": "itemised"}'}),
    ("produced", {"type": "function_call_output", "call_id": "1", "output": "produced"}),
    ("reasoned", {"type": "reasoning", "summary": [{"type": "summary_text", "text": "reasoned"}]}),
    ("gemini", {"role": "model", "parts": [{"text": "gemini"}]}),
    ("whatever", {"anything": {"deep": ["whatever", 1, None]}}),
]


def found(page: Page[SearchHit]) -> set[str]:
    """The snippets on a page, of messages that are short enough to be all of it."""
    return {hit.snippet for hit in page}


def marked(hit: SearchHit) -> list[str]:
    """The words of a snippet that are marked."""
    return [hit.snippet[start:stop] for start, stop in hit.marks]


def says(store: Store, texts: Iterable[str], title: str = "", **fields: Any) -> Session:
    """A session with these messages of the user's."""
    return store.create_session(title, messages=[user(text) for text in texts], **fields)


def _turned(store: Store, query: str, meanwhile: Callable[[], None]) -> list[UUID]:
    """The sessions on all pages of a search, while something happens before each but the first."""
    page = store.search(query, limit=3)
    seen = [hit.session_id for hit in page]
    while page.next_cursor is not None:
        meanwhile()
        page = store.search(query, limit=3, cursor=page.next_cursor)
        seen += [hit.session_id for hit in page]
    return seen


class SearchContract(Contract):
    """What was written is found at once, by its words, in whatever session and branch it stands."""

    # -- what is found

    def test_nothing_is_found_where_nothing_was_said(self, store: Store) -> None:
        for query in ("red", "red fox", "red OR fox -hen"):
            assert store.search(query).items == []
        store.purge_session(says(store, ["red fox"]).id)
        for query in ("red", "red fox", "red OR fox -hen"):
            assert store.search(query).items == []

    def test_what_was_written_is_found_at_once_and_shown_where_it_stands(self, store: Store) -> None:
        session = says(store, ["one", "two"], "Title", cwd="/r", source="tool", source_id="1")
        for number in range(3):
            step = store.append(session.id, [user(f"step boiler{number}"), user("more")])
            (hit,) = store.search(f"boiler{number}")
            assert (hit.session_id, hit.title, hit.cwd, hit.source) == (session.id, "Title", "/r", "tool")
            assert (hit.checkpoint_id, hit.created_at, hit.position) == (step.id, step.created_at, 2 + 2 * number)
            assert (hit.role, hit.tool, hit.snippet, marked(hit)) == (
                "user",
                None,
                f"step boiler{number}",
                [f"boiler{number}"],
            )
            assert hit.damage is None
            assert store.get_messages(hit.checkpoint_id)[hit.position]["content"] == hit.snippet
        assert len(store.search("step")) == 3
        assert findings(store) == []

    def test_a_message_of_any_form_is_found_by_what_it_says(self, store: Store) -> None:
        store.create_session("", messages=[message for _, message in FORMS])
        for position, (word, message) in enumerate(FORMS):
            (hit,) = store.search(word)
            assert (hit.position, marked(hit)) == (position, [hit.snippet[slice(*hit.marks[0])]])
            assert marked(hit)[0].casefold() == word, message

    def test_bytes_that_are_written_as_text_and_names_of_fields_are_not_found(self, store: Store) -> None:
        data = "QUJD" * 100
        store.create_session(
            "", messages=[{"role": "user", "content": f"see data:image/png;base64,{data} here"}, user(data)]
        )
        assert len(store.search("see here")) == 1
        for word in (data, data[:20] + "*", "content", "role"):
            assert store.search(word).items == [], word

    @pytest.mark.parametrize(
        ("query", "texts"),
        [
            ("red", {"red fox", "Red hen", "red"}),
            ("red fox", {"red fox"}),
            ("fox red", {"red fox"}),
            ('"red fox"', {"red fox"}),
            ('"fox red"', set()),
            ("RED -fox", {"Red hen", "red"}),
            ("red NOT fox", {"Red hen", "red"}),
            ("hen OR fox", {"red fox", "Red hen"}),
            ("(hen OR fox) red -hen", {"red fox"}),
            ("re*", {"red fox", "Red hen", "red", "café résumé"}),
            ('"red f"*', {"red fox"}),
            ("cafe RESUME", {"café résumé"}),
            ("cafe\u0301", {"café résumé"}),
            ("snake_case", {"snake_case a.b.c src/main.py"}),
            ("case", {"snake_case a.b.c src/main.py"}),
            ("main.py", {"snake_case a.b.c src/main.py"}),
            ("b.c", {"snake_case a.b.c src/main.py"}),
            ("py.main", set()),
            ("getUserName", {"getUserName() it's C++"}),
            ("getusername", {"getUserName() it's C++"}),
            ("it's", {"getUserName() it's C++"}),
            ("C++", {"snake_case a.b.c src/main.py", "getUserName() it's C++"}),
            ("検索", {"全文検索のテスト"}),
            ("索検", set()),
            ("テスト", {"全文検索のテスト"}),
            ("", set()),
            ("?! -- \u2026 ()", set()),
            ("-red", set()),
            ("\0 \ud800 \U0001f600", set()),
            ('"red fo', set()),
            ("red AND OR", {"red fox", "Red hen", "red"}),
            ("--red", {"red fox", "Red hen", "red"}),
            ("words:red", set()),
            ("fam* OR ro*", set()),
        ],
    )
    def test_a_query_finds(self, store: Store, query: str, texts: set[str]) -> None:
        says(
            store,
            [
                "red fox",
                "Red hen",
                "red",
                "café résumé",
                "snake_case a.b.c src/main.py",
                "getUserName() it's C++",
                "全文検索のテスト",
            ],
        )
        assert found(store.search(query)) == texts

    def test_nothing_that_is_typed_is_an_error(self, store: Store) -> None:
        says(store, ["red fox"])

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(
            st.lists(
                st.one_of(
                    st.sampled_from(
                        [
                            "red",
                            '"',
                            "(",
                            ")",
                            "OR",
                            "NOT",
                            "AND",
                            "-",
                            "*",
                            "NEAR(a b)",
                            "{words}:",
                            "^a",
                            "'",
                            "\\",
                            ":*",
                            "<->",
                            "!",
                            "&",
                            "|",
                            "\0",
                            "\ud800",
                            " ",
                            "½",
                            "ﷺ",
                        ]
                    ),
                    st.text(max_size=6),
                )
            ).map(" ".join)
        )
        def accepts(query: str) -> None:
            assert len(store.search(query)) <= 1

        accepts()
        assert found(store.search("red " + "(" * 300 + "fox")) <= {"red fox"}
        assert len(store.search(" ".join(["red"] * 2_000))) == 1

    def test_the_best_comes_first(self, store: Store) -> None:
        says(store, ["boiler among many other words that have nothing to do with it at all", "boiler boiler", "other"])
        page = store.search("boiler")
        assert [hit.position for hit in page] == [1, 0]
        assert page.items[0].score > page.items[1].score

    def test_a_snippet_shows_the_words_in_a_long_text_in_one_line(self, store: Store) -> None:
        says(store, ["before\n" * 300 + "the \n  boiler\tburst here " + "after " * 300])
        (hit,) = store.search('"boiler burst" after')
        assert "the boiler burst here" in hit.snippet
        assert {"boiler burst", "after"} == set(marked(hit))
        assert len(hit.snippet) < 300
        assert "\n" not in hit.snippet

    # -- where it is shown

    def test_a_branch_that_was_left_is_found_too(self, store: Store) -> None:
        session = says(store, ["root"])
        left = store.append(session.id, [user("left behind")])
        store.set_active_checkpoint(session.id, active(session).id)
        store.append(session.id, [user("gone on")])
        (hit,) = store.search("behind")
        assert (hit.checkpoint_id, hit.position) == (left.id, 1)

    def test_what_forks_and_copies_share_is_one_hit_where_it_was_written(self, store: Store) -> None:
        origin = says(store, ["shared boiler"], "origin", cwd="/one")
        fork = store.fork_session(origin.id, title="fork")
        copy = store.copy_session(origin.id, title="copy")
        store.update_session(fork.id, cwd="/two")
        store.append(fork.id, [user("own boiler")])
        store.append(origin.id, [user("late boiler")])
        for _ in range(2):
            assert [
                (hit.title, hit.snippet) for hit in sorted(store.search("boiler"), key=lambda hit: hit.snippet)
            ] == [
                ("origin", "late boiler"),
                ("fork", "own boiler"),
                ("origin", "shared boiler"),
            ]
            assert {(hit.title, hit.snippet) for hit in store.search("boiler", session_id=fork.id)} == {
                ("fork", "shared boiler"),
                ("fork", "own boiler"),
            }
            assert found(store.search("boiler", cwd="/two")) == {"shared boiler", "own boiler"}
        store.delete_session(origin.id)
        assert {(hit.title, hit.snippet) for hit in store.search("boiler")} == {
            ("fork", "shared boiler"),
            ("fork", "own boiler"),
            ("copy", "late boiler"),
        } - {("copy", "late boiler")}
        store.purge_session(origin.id)
        assert {hit.snippet for hit in store.search("boiler", status=None)} == {"shared boiler", "own boiler"}
        assert [hit.title for hit in store.search("shared", session_id=copy.id)] == ["copy"]
        assert findings(store) == []

    def test_a_message_is_shown_in_the_first_checkpoint_that_is_left(self, store: Store) -> None:
        session = says(store, ["root"])
        first = store.append(session.id, [user("the boiler")])
        second = store.append(session.id, [user("more")])
        third = store.append(session.id, [user("other")], parent_id=first.id)
        assert [hit.checkpoint_id for hit in store.search("boiler")] == [first.id]
        store.delete_checkpoints(session.id, first.id)
        assert [hit.checkpoint_id for hit in store.search("boiler")] == [second.id]
        store.delete_checkpoints(session.id, second.id)
        assert [hit.checkpoint_id for hit in store.search("boiler")] == [third.id]
        store.delete_checkpoints(session.id, third.id)
        assert store.search("boiler").items == []
        store.append(session.id, [user("the boiler again")])
        assert len(store.search("boiler")) == 1
        assert findings(store) == []

    def test_the_same_message_again_is_found_in_another_branch_and_session(self, store: Store) -> None:
        session = says(store, ["root"])
        store.append(session.id, [user("yes")])
        assert len(store.search("yes")) == 1
        fork = store.fork_session(session.id, checkpoint_id=active(session).id)
        assert store.search("yes", session_id=fork.id).items == []
        store.append(fork.id, [user("between"), user("yes")])
        (hit,) = store.search("yes", session_id=fork.id)
        assert hit.position == 2
        assert [hit.session_id for hit in store.search("yes")] == [session.id]

    def test_metadata_that_is_also_a_message_is_found_once_it_is_one(self, store: Store) -> None:
        session = store.create_session("", metadata=user("double"))
        assert store.search("double").items == []
        store.append(session.id, [user("double")])
        assert len(store.search("double")) == 1

    def test_what_is_gone_is_not_found(self, store: Store) -> None:
        kept, gone = says(store, ["boiler kept"]), says(store, ["boiler gone"])
        step = store.append(kept.id, [user("boiler step")])
        assert len(store.search("boiler")) == 3
        store.purge_session(gone.id)
        store.delete_checkpoints(kept.id, step.id)
        assert found(store.search("boiler")) == {"boiler kept"}
        # Keys that were given up may be given to others.
        store.append(kept.id, [user("other"), user("words")])
        assert found(store.search("boiler")) == {"boiler kept"}
        assert found(store.search("words")) == {"words"}
        store.compact()
        assert found(store.search("boiler")) == {"boiler kept"}
        assert findings(store) == []

    # -- filters

    def test_filters_let_through_what_they_say(self, store: Store) -> None:
        one = store.create_session(
            "one",
            messages=[user("boiler"), CALL, RESULT],
            cwd="/r",
            source="tool",
            source_id="1",
            owner="Ada",
            created_at=moment(10),
        )
        two = says(
            store, ["boiler 2"], "two", cwd="/s", source="other", source_id="1", owner="Bob", created_at=moment(20)
        )
        three = says(store, ["boiler 3"], "three", created_at=moment(30))
        store.delete_session(three.id)
        for filters, wanted in (
            ({}, {"one", "two"}),
            ({"status": None}, {"one", "two", "three"}),
            ({"status": "DELETED"}, {"three"}),
            ({"session_id": one.id}, {"one"}),
            ({"session_id": str(two.id)}, {"two"}),
            ({"cwd": "/r"}, {"one"}),
            ({"cwd": "/"}, set()),
            ({"source": "other"}, {"two"}),
            ({"owner": "Ada"}, {"one"}),
            ({"owner": "Cy"}, set()),
            ({"since": moment(20)}, {"two"}),
            ({"until": moment(20)}, {"one"}),
            ({"role": "tool"}, {"one"}),
            ({"since": moment(10), "until": moment(20)}, {"one"}),
            ({"tool": "READ_file"}, {"one"}),
            ({"tool": "read"}, set()),
            ({"role": "system"}, set()),
            ({"owner": "Ada", "cwd": "/s"}, set()),
        ):
            arguments: dict[str, Any] = filters
            assert {hit.title for hit in store.search("boiler", **arguments)} == wanted, filters
        assert [hit.position for hit in store.search("boiler", role="user", session_id=one.id)] == [0]
        assert [(hit.position, hit.tool) for hit in store.search("engine.py", tool="read_file")] == [(1, "read_file")]

    def test_what_belongs_to_others_is_not_found(self, store: Store) -> None:
        origin = says(store, ["shared boiler"], "origin", owner="Ada")
        fork = store.fork_session(origin.id, title="fork", owner="Bob")
        store.append(origin.id, [user("secret boiler")])
        store.append(fork.id, [user("other boiler")])
        assert {(hit.title, hit.snippet) for hit in store.search("boiler", owner="Bob")} == {
            ("fork", "shared boiler"),
            ("fork", "other boiler"),
        }
        store.update_session(fork.id, owner="Cy")
        assert store.search("boiler", owner="Bob").items == []
        assert found(store.search("boiler", owner="Cy")) == {"shared boiler", "other boiler"}

    def test_arguments_that_make_no_sense_are_refused(self, store: Store) -> None:
        says(store, ["red"])
        with pytest.raises(NotFoundError):
            store.search("red", session_id=missing())
        wrong: list[dict[str, Any]] = [
            {"limit": -1},
            {"cursor": "x"},
            {"status": "GONE"},
            {"owner": ""},
            {"since": 1},
            {"role": 1},
            {"tool": "\0"},
        ]
        for arguments in wrong:
            with pytest.raises(InvalidRequestError):
                store.search("red", **arguments)
        query: Any = None
        with pytest.raises(InvalidRequestError, match="query must be text"):
            store.search(query)

    # -- pages

    @pytest.mark.parametrize("limit", [1, 3])
    def test_pages_lead_over_every_hit_once(self, store: Store, limit: int) -> None:
        for number in range(4):
            says(store, [f"boiler {number}", "boiler " * (number + 1)])
        whole = store.search("boiler", limit=99)
        assert (len(whole), whole.next_cursor) == (8, None)
        seen: list[SearchHit] = []
        cursor = None
        while len(seen) <= len(whole):
            page = store.search("boiler", limit=limit, cursor=cursor)
            assert len(page) <= limit
            seen += page
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [(hit.session_id, hit.position) for hit in seen] == [(hit.session_id, hit.position) for hit in whole]

    @pytest.mark.parametrize("query", ["boiler", "boiler burst", "boiler OR burst", "bo* -other"])
    def test_pages_stay_complete_while_others_write(self, store: Store, query: str) -> None:
        for number in range(12):
            says(store, [f"boiler {'burst ' * (number % 5 + 1)}{number}"])
        whole = {hit.session_id for hit in store.search(query, limit=99)}

        def write() -> None:
            says(store, ["boiler burst", "burst " * 20, "boiler", "another thing"])

        seen = _turned(store, query, write)
        assert (len(seen), set(seen)) == (12, whole)

    @pytest.mark.parametrize("query", ["boiler", "boiler burst", "boiler OR burst"])
    def test_pages_stay_complete_while_others_purge(self, store: Store, query: str) -> None:
        made = [says(store, [f"boiler {'burst ' * (number % 5 + 1)}{number}"]).id for number in range(12)]
        pending = list(made)

        def purge() -> None:
            for _ in range(2 if pending else 0):
                store.purge_session(pending.pop())

        seen = _turned(store, query, purge)
        assert len(seen) == len(set(seen))
        assert set(seen) >= set(pending)

    def test_a_page_of_none_is_empty(self, store: Store) -> None:
        says(store, ["red"])
        assert store.search("red", limit=0).items == []

    # -- the index

    def test_a_search_changes_nothing_that_is_seen(self, store: Store) -> None:
        session = says(store, ["red"])
        start = store.last_change()
        with nothing_changes(store):
            store.search("red")
        assert store.last_change() == start
        assert store.get_session(session.id) == session

    def test_a_long_session_is_found_in_full(self, store: Store) -> None:
        session = store.create_session("", messages=[user(f"word number{n}") for n in range(300)])
        for n in range(300, 320):
            store.append(session.id, [user(f"word number{n}")])
        assert [hit.position for n in (0, 64, 255, 299, 300, 319) for hit in store.search(f"number{n}")] == [
            0,
            64,
            255,
            299,
            300,
            319,
        ]
        assert len(store.search("word", limit=1_000)) == 320
        assert findings(store) == []

    def test_messages_without_words_are_in_nobodys_way(self, store: Store) -> None:
        session = store.create_session("", messages=[{}, {"role": None, "content": 5}, {"role": ["x"]}, *users("ab")])
        assert found(store.search("a OR b")) == {"a", "b"}
        store.purge_session(session.id)
        assert store.search("a").items == []
        assert findings(store) == []
