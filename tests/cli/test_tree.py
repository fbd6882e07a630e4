"""The promises of `clew tree`."""

from uuid import UUID

import pytest
from tests.cli.support import minute, texts

import clew
from clew.cli import drawing, lookup
from clew.cli.drawing import digits, short_id
from clew.errors import CorruptStateError

NODE_KEYS = [
    "id", "session_id", "parent_id", "message_count", "created_at", "updated_at", "label", "damage", "active", "added",
    "preview",
]  # fmt: skip
NASTY = "\x1b]0;owned\x07\x9b31m\u202e[bold]\r\n│ ○ x"


def uid(number: int) -> UUID:
    """An id that begins with eight digits of its own."""
    return UUID(f"{number:08x}-0000-4000-8000-000000000000")


def say(*words: str, role: str = "user") -> list[dict[str, str]]:
    return [{"role": role, "content": word} for word in words]


@pytest.fixture
def session(command):
    """A root, an answer, and two branches from there, the older one of two checkpoints."""
    made = command.create("a title", messages=say("q1"), id=uid(1), checkpoint_id=uid(2), created_at=minute(0))
    with command.open() as store:
        store.append(made.id, say("a1", role="assistant"), id=uid(3), label="fork point", created_at=minute(1))
        store.append(made.id, say("q2"), id=uid(4), created_at=minute(2))
        store.append(made.id, say("a2", "a3", role="assistant"), id=uid(5), created_at=minute(3))
        store.append(made.id, say("q2 otherwise"), parent_id=uid(3), id=uid(6), created_at=minute(4))
    return made.id


def picture(command, session, *arguments):
    head, title, blank, *lines = command.lines("tree", session, *arguments)
    assert (head, blank) == (f"Backend: local ({command.path})", "")
    assert title.startswith(f"{session}  ")
    return lines


class TestText:
    def test_branches_are_drawn_the_newest_on_top_with_what_each_adds(self, command, session):
        assert command.lines("tree", session) == [
            f"Backend: local ({command.path})",
            f"{session}  a title",
            "",
            "● 00000006  2026-01-02 03:08:05  3 messages (+1)  (active)  user: q2 otherwise",
            "│ ○ 00000005  2026-01-02 03:07:05  5 messages (+2)  assistant: a2",
            "│ ○ 00000004  2026-01-02 03:06:05  3 messages (+1)  user: q2",
            "├─╯",
            "○ 00000003  2026-01-02 03:05:05  2 messages (+1)  [fork point]  assistant: a1",
            "○ 00000002  2026-01-02 03:04:05  1 message (+1)   user: q1",
        ]

    def test_the_mark_follows_the_active_checkpoint(self, command, session):
        command.output("rewind", session, "--checkpoint", uid(4))
        marked = [line for line in picture(command, session) if "●" in line or "(active)" in line]
        assert marked == ["│ ● 00000004  2026-01-02 03:06:05  3 messages (+1)  (active)  user: q2"]

    def test_a_checkpoint_that_adds_nothing_shows_how_it_ends(self, command):
        made = command.create(messages=say("q1", "q2"), id=uid(1), checkpoint_id=uid(2), created_at=minute(0))
        with command.open() as store:
            store.append(made.id, [], metadata={"k": 1}, id=uid(3), created_at=minute(1))
            store.create_checkpoint(made.id, say("short"), parent_id=uid(3), id=uid(4), created_at=minute(2))
            store.create_checkpoint(made.id, [], parent_id=uid(4), id=uid(5), created_at=minute(3))
        assert picture(command, made.id) == [
            "● 00000005  2026-01-02 03:07:05  0 messages (-1)  (active)",
            "○ 00000004  2026-01-02 03:06:05  1 message (-1)   … user: short",
            "○ 00000003  2026-01-02 03:05:05  2 messages (+0)  … user: q2",
            "○ 00000002  2026-01-02 03:04:05  2 messages (+2)  user: q1",
        ]

    def test_a_limit_draws_the_newest_and_says_that_there_are_more(self, command, session):
        assert picture(command, session, "--limit", 3) == [
            "● 00000006  2026-01-02 03:08:05  3 messages (+1)  (active)  user: q2 otherwise",
            "│ ○ 00000005  2026-01-02 03:07:05  5 messages (+2)  assistant: a2",
            "│ ○ 00000004  2026-01-02 03:06:05  3 messages (+1)  user: q2",
            "├─╯",
            "~",
            "",
            "showing the newest 3 of 5 checkpoints (use --limit 0 for all)",
        ]

    def test_an_active_checkpoint_that_is_not_drawn_is_named(self, command, session):
        command.output("rewind", session, "--checkpoint", uid(2))
        assert picture(command, session, "--limit", 1)[-1] == f"the active one is older: {uid(2)}"

    def test_fifty_are_drawn_by_default_and_all_without_a_limit(self, command):
        made = command.create(created_at=minute(0))
        with command.open() as store:
            for number in range(59):
                store.append(made.id, texts(1), created_at=minute(number))
        assert picture(command, made.id)[-1].startswith("showing the newest 50 of 60 checkpoints")
        assert len(picture(command, made.id, "--limit", 0)) == 60

    def test_several_roots_are_several_trees(self, command):
        made = command.create(messages=say("one"), id=uid(1), checkpoint_id=uid(2), created_at=minute(0))
        with command.open() as store:
            store.create_checkpoint(made.id, say("two"), id=uid(3), created_at=minute(1))
        first, blank, second = picture(command, made.id)
        assert (first[:10], blank, second[:10]) == ("● 00000003", "", "○ 00000002")

    def test_hundreds_of_branches_take_two_columns(self, command):
        made = command.create(messages=say("q"), id=uid(1), checkpoint_id=uid(2), created_at=minute(0))
        with command.open() as store:
            for number in range(300):
                store.append(made.id, say(f"try {number}"), parent_id=uid(2), created_at=minute(number))
        lines = picture(command, made.id, "--limit", 0)
        assert len(lines) == 301 + 299
        assert {line[:4] for line in lines[1:-1]} == {"│ ○ ", "├─╯"}
        assert lines[-1].endswith("user: q")

    def test_stored_text_cannot_break_a_line(self, command):
        made = command.create(NASTY, messages=[{"role": NASTY, "content": NASTY}], created_at=minute(0))
        with command.open() as store:
            store.append(made.id, say(NASTY * 100), label=NASTY, created_at=minute(1))
        shown = command.output("tree", made.id)
        assert shown.count("\n") == 5
        assert "owned" in shown
        assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}

    def test_a_long_message_is_cut(self, command):
        made = command.create(messages=say("x" * 1000), created_at=minute(0))
        (line,) = picture(command, made.id)
        assert line.endswith(f"  user: {'x' * 73}…")

    def test_a_call_of_a_tool_shows_the_call(self, command):
        call = {"id": "c", "type": "function", "function": {"name": "run", "arguments": '{"cmd":"ls"}'}}
        made = command.create(messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])
        (line,) = picture(command, made.id)
        assert line.endswith('assistant: [tool_call] run (c) arguments: { "cmd": "ls" }')


class TestReading:
    def test_only_one_message_of_each_checkpoint_is_read(self, command, session, monkeypatch):
        read = []
        get_messages = clew.Store.get_messages

        def spy(store, id, *, start, stop):
            read.append((id, start, stop))
            return get_messages(store, id, start=start, stop=stop)

        monkeypatch.setattr(clew.Store, "get_messages", spy)
        monkeypatch.setattr(clew.Store, "get_checkpoint", lambda *_: pytest.fail("a whole state was read"))
        command.output("tree", session, "--limit", 3)
        assert read == [(uid(6), 2, 3), (uid(5), 3, 4), (uid(4), 2, 3)]

    def test_a_message_that_is_damaged_is_said_so_and_the_rest_is_drawn(self, command, session, monkeypatch):
        get_messages = clew.Store.get_messages

        def damaged(store, id, **window):
            if id == uid(4):
                raise CorruptStateError("message 3 of 4 is\nwrong", id)
            return get_messages(store, id, **window)

        monkeypatch.setattr(clew.Store, "get_messages", damaged)
        lines = picture(command, session)
        assert lines[2] == "│ ○ 00000004  2026-01-02 03:06:05  3 messages (+1)  damaged: message 3 of 4 is wrong"
        assert len(lines) == 6
        nodes = command.json("tree", session)["checkpoints"]
        assert [node["damage"] for node in nodes] == [None, None, "message 3 of 4 is\nwrong", None, None]

    def test_a_session_whose_active_state_is_damaged_is_drawn(self, command, session, monkeypatch):
        def damaged(*_):
            raise CorruptStateError("damaged")

        monkeypatch.setattr(clew.Store, "get_session", damaged)
        assert len(picture(command, session)) == 6

    def test_a_session_that_does_not_exist_is_not_found(self, command):
        assert command.json_error("tree", uid(9)) == (1, "not_found", f"Not found: Session {uid(9)} not found")


class TestJson:
    def test_every_checkpoint_is_a_node_the_newest_first(self, command, session):
        tree = command.json("tree", session)
        assert list(tree) == ["backend", "session_id", "active_checkpoint_id", "checkpoints", "total"]
        assert (tree["session_id"], tree["active_checkpoint_id"], tree["total"]) == (str(session), str(uid(6)), 5)
        nodes = tree["checkpoints"]
        assert [list(node) for node in nodes] == [NODE_KEYS] * 5
        assert [node["id"] for node in nodes] == [str(uid(number)) for number in (6, 5, 4, 3, 2)]
        assert [node["parent_id"] for node in nodes] == [str(uid(n)) for n in (3, 4, 3, 2)] + [None]
        assert [node["label"] for node in nodes] == [None, None, None, "fork point", None]
        assert [node["active"] for node in nodes] == [True, False, False, False, False]
        assert [(node["message_count"], node["added"]) for node in nodes] == [(3, 1), (5, 2), (3, 1), (2, 1), (1, 1)]
        assert nodes[0]["preview"] == "user: q2 otherwise"

    def test_a_limit_leaves_the_total_as_it_is(self, command, session):
        tree = command.json("tree", session, "--limit", 2)
        assert (len(tree["checkpoints"]), tree["total"]) == (2, 5)


class TestShortIds:
    def test_they_have_as_many_digits_as_tell_all_of_the_session_apart(self):
        same = UUID("01a20671-f458-794b-ae2b-cf6b071c7847")
        near = UUID("01a20671-f458-794b-ae2b-cf6b071c7848")
        late = UUID("01a20671-f459-794b-ae2b-cf6b071c7848")
        assert digits([same, UUID(int=0)]) == 8
        assert digits([same, late, same]) == 12
        assert digits([same, late, near]) == 32
        assert digits([same]) == digits([]) == 8

    @pytest.mark.parametrize(
        ("count", "text"),
        [
            (8, "01a20671"), (9, "01a20671-f"), (12, "01a20671-f458"), (13, "01a20671-f458-7"),
            (16, "01a20671-f458-794b"), (17, "01a20671-f458-794b-a"), (20, "01a20671-f458-794b-ae2b"),
            (21, "01a20671-f458-794b-ae2b-c"), (32, "01a20671-f458-794b-ae2b-cf6b071c7847"),
        ],
    )  # fmt: skip
    def test_they_are_spelled_as_ids_are(self, count, text):
        assert short_id(UUID("01a20671-f458-794b-ae2b-cf6b071c7847"), count) == text

    def test_they_are_taken_where_an_id_is(self, command):
        made = command.create(messages=texts(1))
        with command.open() as store:
            for _ in range(20):
                store.append(made.id, texts(1))
        for line in picture(command, made.id):
            id = line.split()[1]
            assert command.json("show", made.id, "--checkpoint", id)["checkpoint_id"].startswith(id)
            assert command.json("diff", id, id)["checkpoint_a"].startswith(id)


class TestWidth:
    """Of the picture alone; `test_process` has the same with a real terminal."""

    @pytest.fixture
    def tree(self, command, session):
        with command.open() as store:
            return drawing._read(store, lookup.find_session(store, lookup.parse_id(str(session), "session")), 0)

    @staticmethod
    def lines(tree, width):
        return [line if isinstance(line, str) else line.text for line in drawing.picture(tree, width)]

    @pytest.mark.parametrize("width", [40, 60, 70, 80, 99, 100, 200])
    def test_previews_are_cut_and_ids_are_not(self, tree, width):
        lines = self.lines(tree, width)
        assert [f"0000000{number}" in "".join(lines) for number in (2, 3, 4, 5, 6)] == [True] * 5
        assert width < 60 or max(map(len, lines)) <= width

    def test_a_narrow_picture_leaves_room_for_what_was_said(self, tree):
        assert self.lines(tree, 62)[:2] == [
            "● 00000006  2026-01-02 03:08:05  3 (+1)  (active)  user: q2 o…",
            "│ ○ 00000005  2026-01-02 03:07:05  5 (+2)  assistant: a2",
        ]
        assert self.lines(tree, 59)[:2] == [
            "● 00000006  2026-01-02 03:08:05  3 (+1)  (active)",
            "│ ○ 00000005  2026-01-02 03:07:05  5 (+2)  assistant: a2",
        ]
