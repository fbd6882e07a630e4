"""The promises of `clew diff`: what stands for a checkpoint, and what is said of two."""

from uuid import UUID

import pytest
from tests.cli.support import texts

from clew.cli import lookup
from clew.cli.points import parse_point

KEYS = [
    "checkpoint_a", "checkpoint_b", "common", "only_a", "only_b", "ancestor_id", "metadata_a", "metadata_b",
    "metadata_changed", "backend",
]  # fmt: skip
SESSION = UUID("aaaa0000-0000-4000-8000-000000000001")
OTHER = UUID("bbbb0000-0000-4000-8000-000000000002")
ROOT, LEFT, RIGHT = (UUID(f"cccc{number}000-0000-4000-8000-000000000003") for number in (1, 2, 3))
APART = UUID("dddd0000-0000-4000-8000-000000000004")


@pytest.fixture
def two(command):
    """A session with two branches of a root, the right one active and labelled, and another session."""
    command.create("one", messages=texts(2), metadata={"k": 1, "same": []}, id=SESSION, checkpoint_id=ROOT)
    command.create("two", messages=texts(1), id=OTHER, checkpoint_id=APART)
    with command.open() as store:
        store.append(SESSION, [{"role": "user", "content": "left"}], id=LEFT)
        store.append(
            SESSION,
            [{"role": "assistant", "content": "right\n"}, {"role": "user", "content": "more"}],
            metadata={"k": True, "new": "x"},
            parent_id=ROOT,
            label="to: the right",
            id=RIGHT,
        )
    return command


class TestPoints:
    @pytest.mark.parametrize(
        ("text", "id"),
        [
            (LEFT, LEFT), ("cccc2", LEFT), (f"{LEFT.urn}", LEFT), (f"{{{LEFT}}}", LEFT), (LEFT.hex.upper(), LEFT),
            (SESSION, RIGHT), ("aaaa", RIGHT), ("aaaa:", RIGHT), (f"{SESSION}:", RIGHT), ("bbbb", APART),
            ("aaaa:to: the right", RIGHT), (f"{SESSION}:to: the right", RIGHT),
        ],
    )  # fmt: skip
    def test_an_id_of_either_kind_or_a_label_is_a_checkpoint(self, two, text, id):
        assert two.json("diff", text, "dddd")["checkpoint_a"] == str(id)

    def test_the_beginning_of_a_session_and_a_checkpoint_names_both(self, command):
        command.create(id=SESSION, checkpoint_id=UUID(int=SESSION.int + 1))
        assert command.json_error("diff", "aaaa", "aaaa:") == (
            2,
            "invalid_argument",
            f"ambiguous checkpoint or session id 'aaaa': it is the beginning of session {SESSION}, "
            f"checkpoint {UUID(int=SESSION.int + 1)}",
        )
        assert command.json("diff", "aaaa:", "aaaa:")["common"] == 0

    def test_a_whole_id_is_a_checkpoint_first(self, command):
        command.create(id=SESSION, checkpoint_id=SESSION)
        with command.open() as store:
            store.append(SESSION, texts(1))
        assert command.json("diff", SESSION, "aaaa:")["checkpoint_a"] == str(SESSION)

    @pytest.mark.parametrize("text", ["", ":", "abc", "abc:label", ":label", "zzzz", "zzzz:x", "urn:uuid:"])
    def test_anything_else_is_refused_before_the_store_is_opened(self, command, text):
        for arguments in ((text, "aaaa"), ("aaaa", text)):
            assert command.json_error("diff", *arguments)[:2] == (2, "invalid_argument")
        assert not command.path.exists()

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("eeee", "no checkpoint or session id begins with 'eeee'"),
            ("eeee:x", "no session id begins with 'eeee'"),
            ("aaaa:x", "Checkpoint with label 'x' not found"),
            (UUID(int=9), f"no checkpoint and no session has the id {UUID(int=9)}"),
        ],
    )
    def test_what_does_not_exist_is_not_found(self, two, text, told):
        assert two.json_error("diff", "cccc1", text) == (1, "not_found", f"Not found: {told}")

    def test_what_is_spelled_with_colons_is_taken_apart_at_the_first(self):
        point = parse_point("aaaa:b:c")
        assert (point.wanted.digits, point.of_session, point.label) == ("aaaa", True, "b:c")
        assert parse_point(LEFT.urn).wanted.id == LEFT

    def test_checkpoints_on_later_pages_are_found(self, two, monkeypatch):
        monkeypatch.setattr(lookup, "_PAGE", 1)
        assert two.json("diff", "cccc1", "dddd")["checkpoint_b"] == str(APART)
        assert two.json("diff", "aaaa:to: the right", "dddd")["checkpoint_a"] == str(RIGHT)


class TestJson:
    def test_it_has_what_is_common_and_what_each_has_alone(self, two):
        told = two.json("diff", LEFT, RIGHT)
        assert list(told) == KEYS
        backend = told.pop("backend")
        assert backend == {"kind": "local", "store_path": str(two.path)}
        assert told == {
            "checkpoint_a": str(LEFT),
            "checkpoint_b": str(RIGHT),
            "common": 2,
            "only_a": [{"role": "user", "content": "left"}],
            "only_b": [{"role": "assistant", "content": "right\n"}, {"role": "user", "content": "more"}],
            "ancestor_id": str(ROOT),
            "metadata_a": {"k": 1, "same": []},
            "metadata_b": {"k": True, "new": "x"},
            "metadata_changed": True,
        }

    def test_checkpoints_without_a_common_ancestor_may_begin_alike(self, two):
        told = two.json("diff", APART, LEFT)
        assert (told["common"], told["ancestor_id"], len(told["only_b"])) == (1, None, 2)


class TestText:
    def test_it_says_what_differs_and_ends_with_success(self, two):
        assert two.lines("diff", LEFT, "aaaa") == [
            f"Backend: local ({two.path})",
            f"A:         {LEFT} of session {SESSION}",
            f"B:         {RIGHT} [to: the right] of session {SESSION}",
            f"Ancestor:  {ROOT}",
            "Common:    2 messages",
            "Only in A: 1 message",
            "Only in B: 2 messages",
            "Metadata:  differs",
            "  - k: 1",
            "  + k: true",
            "  - same: []",
            '  + new: "x"',
            "",
            "- [3] user",
            "-     left",
            "",
            "+ [3] assistant",
            "+     right",
            "",
            "",
            "+ [4] user",
            "+     more",
        ]

    def test_a_checkpoint_does_not_differ_from_itself(self, two):
        assert two.lines("diff", LEFT, LEFT)[3:] == [
            f"Ancestor:  {LEFT}",
            "Common:    3 messages",
            "Only in A: 0 messages",
            "Only in B: 0 messages",
            "Metadata:  is the same",
        ]

    def test_metadata_that_is_no_object_is_shown_whole(self, command):
        command.create(id=SESSION, checkpoint_id=ROOT, metadata=[1, "\x1b\n"])
        with command.open() as store:
            store.append(SESSION, [], metadata=None, id=LEFT)
        lines = command.lines("diff", ROOT, LEFT)
        assert lines[-2:] == ['  - [1, "\\u001b\\n"]', "  + null"]

    def test_stored_text_cannot_break_a_line(self, command):
        nasty = "\x1b]0;owned\x07\x9b31m\u202e\r\nA: x"
        made = command.create(messages=[{"role": nasty, "content": nasty}], metadata={nasty: nasty})
        with command.open() as store:
            store.create_checkpoint(made.id, [], metadata={}, label=nasty)
        shown = command.output("diff", made.active_checkpoint.id, f"{made.id}:{nasty}")
        assert "owned" in shown
        assert not set(shown) & {"\x1b", "\x07", "\x9b", "\u202e", "\r"}
        assert [line[:2] for line in shown.splitlines()].count("A:") == 1


def test_a_session_without_an_active_checkpoint_has_nothing_to_compare(two, monkeypatch):
    found = lookup.Found(two.sessions()[0], None, 0)
    monkeypatch.setattr(lookup, "find_damaged_session", lambda *_: found)
    assert two.json_error("diff", "aaaa:", LEFT)[1] == "not_found"


def test_a_store_that_is_read_is_not_changed(two):
    before = [(session.revision, session.updated_at) for session in two.sessions()]
    two.output("diff", LEFT, RIGHT)
    assert [(session.revision, session.updated_at) for session in two.sessions()] == before
