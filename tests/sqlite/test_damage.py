"""Damage underneath the store: named, never returned as content, and it hides nothing else.

Each test changes the file with SQL (the store closed meanwhile), as a flipped bit or a lost row would.
"""

from pathlib import Path
from uuid import UUID

import apsw
import pytest

import clew
from clew.relational import prefixes

MESSAGES = [{"role": "user", "content": f"message {n}"} for n in range(6)]


class Damaged:
    """A store with a session `hurt` of six messages, and another one that nothing happens to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with clew.open(path) as store:
            hurt = store.create_session("hurt", messages=MESSAGES[:3], metadata={"note": "root"})
            assert hurt.active_checkpoint is not None
            self.session = hurt.id
            self.root = hurt.active_checkpoint.id
            self.tip = store.append(hurt.id, MESSAGES[3:]).id
            self.other = store.create_session("other", messages=MESSAGES).id

    def tamper(self, sql: str) -> None:
        connection = apsw.Connection(str(self.path))
        connection.execute(sql)
        assert connection.changes() > 0
        connection.close()

    def expect_corrupt(self, store: clew.Store, checkpoint_id: UUID, words: str) -> None:
        with pytest.raises(clew.CorruptStateError, match=words) as raised:
            _ = store.get_checkpoint(checkpoint_id)
        assert raised.value.checkpoint_id == checkpoint_id
        assert raised.value.code == "corrupt_state"

    def expect_others_whole(self, store: clew.Store) -> None:
        assert store.get_active_checkpoint(self.other).state.messages == MESSAGES
        assert {summary.title for summary in store.list_sessions()} == {"hurt", "other"}
        assert [summary.message_count for summary in store.list_checkpoints(self.session)] == [3, 6]


@pytest.fixture
def damaged(tmp_path: Path) -> Damaged:
    return Damaged(tmp_path / "store.db")


CONTENT_OF_HURT_5 = "key = (SELECT content FROM entry WHERE timeline = 1 AND position = 5)"


def test_a_changed_message_names_its_checkpoint_and_position(damaged: Damaged) -> None:
    damaged.tamper(f"UPDATE content SET body = replace(body, 'message', 'massage') WHERE {CONTENT_OF_HURT_5}")
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "message 5 that does not match its hash")
        with pytest.raises(clew.CorruptStateError, match="message 5"):
            store.get_messages(damaged.tip, start=-1)
        with pytest.raises(clew.CorruptStateError):
            store.get_session(damaged.session)
        assert store.get_messages(damaged.tip, stop=5) == MESSAGES[:5]
        assert store.get_checkpoint(damaged.root).state.messages == MESSAGES[:3]
        damaged.expect_others_whole(store)


def test_a_message_changed_together_with_its_hash_breaks_the_chain(damaged: Damaged) -> None:
    other = "(SELECT content FROM entry WHERE timeline = 1 AND position = 0)"
    damaged.tamper(f"UPDATE entry SET content = {other} WHERE timeline = 1 AND position = 5")
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "lost, doubled or out of place")
        damaged.expect_others_whole(store)


def test_a_lost_message_is_missed(damaged: Damaged) -> None:
    damaged.tamper("DELETE FROM entry WHERE timeline = 1 AND position = 4")
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "has 5 of its 6 messages")
        with pytest.raises(clew.CorruptStateError, match="out of place from 4 on"):
            store.get_messages(damaged.tip, start=4)
        damaged.expect_others_whole(store)


def test_swapped_messages_are_noticed(damaged: Damaged) -> None:
    damaged.tamper(
        "UPDATE entry SET content = (SELECT 9 - content FROM entry AS e WHERE e.timeline = entry.timeline"
        " AND e.position = entry.position) WHERE timeline = 1 AND position IN (3, 4)"
    )
    with clew.open(damaged.path) as store:
        with pytest.raises(clew.CorruptStateError):
            store.get_checkpoint(damaged.tip)
        for start, stop in ((3, 4), (3, 5), (None, None), (-2, None)):
            with pytest.raises(clew.CorruptStateError, match="out of place"):
                store.get_messages(damaged.tip, start=start, stop=stop)
        assert store.get_messages(damaged.tip, stop=3) == MESSAGES[:3]
        damaged.expect_others_whole(store)


def test_a_slice_along_another_ancestor_is_missed(tmp_path: Path) -> None:
    """Whole messages in whole places, of another conversation."""
    path = tmp_path / "store.db"
    with clew.open(path) as store:
        session = store.create_session("one", messages=MESSAGES[:3])
        assert session.active_checkpoint is not None
        store.append(session.id, MESSAGES[3:4])
        other = store.create_checkpoint(session.id, [{"other": n} for n in range(4)])
        tip = store.append(session.id, MESSAGES[4:], parent_id=session.active_checkpoint.id)
        assert other.parent_id is None
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE timeline SET ancestor = 2 WHERE key = 3")
    assert connection.changes() == 1
    connection.close()
    with clew.open(path) as store:
        for start, stop in ((0, 2), (None, None), (2, 4)):
            with pytest.raises(clew.CorruptStateError, match="does not match its seal"):
                store.get_messages(tip.id, start=start, stop=stop)
        with pytest.raises(clew.CorruptStateError):
            store.get_checkpoint(tip.id)
        assert {finding.kind for finding in store.verify()} == {"timeline", "messages"}


def test_lost_content_is_missed(damaged: Damaged) -> None:
    damaged.tamper(f"DELETE FROM content WHERE {CONTENT_OF_HURT_5}")
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "has 5 of its 6 messages")
        damaged.expect_others_whole(store)


def test_changed_metadata_is_noticed(damaged: Damaged) -> None:
    damaged.tamper('UPDATE content SET body = \'{"note":"boot"}\' WHERE body = \'{"note":"root"}\'')
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.root, "metadata of checkpoint .* does not match its hash")
        damaged.expect_others_whole(store)


def test_a_lost_timeline_is_missed(damaged: Damaged) -> None:
    connection = apsw.Connection(str(damaged.path))
    connection.execute("PRAGMA foreign_keys = OFF").fetchall()
    connection.execute("DELETE FROM timeline WHERE key = 1")
    connection.close()
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "has 0 of its 6 messages")
        damaged.expect_others_whole(store)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("title = CAST(x'ff41' AS TEXT)", "utf-8"),
        ("cwd = CAST(x'ff41' AS TEXT)", "utf-8"),
        ("created_at = 999999999999999999", "out of range"),
        ("metadata = 999", "metadata"),
        ("title = 'hunt'", "seal"),
        ("cwd = '/'", "seal"),
        ("visibility = 'PUBLIC'", "seal"),
        ("forked_from = id", "seal"),
        ("active = 1", "seal"),
        ("revision = 7", "seal"),
        ("updated_at = updated_at - 1", "seal"),
    ],
)
def test_one_damaged_session_hides_no_other_in_the_list(damaged: Damaged, change: str, words: str) -> None:
    damaged.tamper(f"UPDATE session SET {change} WHERE title = 'hurt'")
    with clew.open(damaged.path) as store:
        listed = {summary.id: summary for summary in store.list_sessions()}
        assert listed.keys() == {damaged.session, damaged.other}
        assert listed[damaged.other].damage is None
        assert words in str(listed[damaged.session].damage)
        with pytest.raises(clew.CorruptStateError, match="does not match its seal"):
            store.get_session(damaged.session)
        assert store.get_active_checkpoint(damaged.other).state.messages == MESSAGES


def test_a_lost_active_checkpoint_is_missed_and_not_written_over(damaged: Damaged) -> None:
    connection = apsw.Connection(str(damaged.path))
    connection.execute("PRAGMA foreign_keys = OFF").fetchall()
    connection.execute("DELETE FROM checkpoint WHERE session = 1 AND seq = 2")
    connection.close()
    with clew.open(damaged.path) as store:
        with pytest.raises(clew.CorruptStateError, match="active checkpoint"):
            store.get_session(damaged.session)
        with pytest.raises(clew.CorruptStateError, match="active checkpoint"):
            store.append(damaged.session, [{"role": "user"}])
        assert store.append(damaged.session, [], parent_id=damaged.root).parent_id == damaged.root


def test_a_filter_does_not_drop_what_it_cannot_read(damaged: Damaged) -> None:
    damaged.tamper("DELETE FROM content WHERE body LIKE '%note%'")
    with clew.open(damaged.path) as store:
        listed = store.list_checkpoints(damaged.session, metadata={"note": "root"})
        assert [summary.id for summary in listed] == [damaged.root, damaged.tip]


def test_parents_in_a_circle_end(damaged: Damaged) -> None:
    damaged.tamper("UPDATE checkpoint SET parent = 2 WHERE session = 1 AND seq = 1")
    with clew.open(damaged.path) as store:
        assert [item.id for item in store.ancestry(damaged.tip)] == [damaged.tip, damaged.root]
        damaged.expect_corrupt(store, damaged.root, "does not match its seal")


@pytest.mark.parametrize(
    "change",
    [
        "parent = NULL",
        "label = 'good'",
        "created_at = created_at + 1",
        "updated_at = created_at",
        "metadata = NULL",
        "length = 5",
        "chain = randomblob(16)",
        "id = randomblob(16)",
    ],
)
def test_a_damaged_checkpoint_is_named_and_nothing_goes_on_from_it(damaged: Damaged, change: str) -> None:
    damaged.tamper(f"UPDATE checkpoint SET {change} WHERE session = 1 AND seq = 2")
    with clew.open(damaged.path) as store:
        root, tip = store.list_checkpoints(damaged.session)
        assert root.damage is None
        assert "seal" in str(tip.damage)
        damaged.expect_corrupt(store, tip.id, "does not match its seal")
        with pytest.raises(clew.CorruptStateError):
            store.append(damaged.session, [])
        assert store.append(damaged.session, MESSAGES[3:], parent_id=damaged.root).parent_id == damaged.root


def test_metadata_that_a_key_no_longer_leads_to_is_missed(damaged: Damaged) -> None:
    """The row and its key are as they were; what lies under the key is content of its own that is whole."""
    damaged.tamper("UPDATE content SET key = key + 1000 WHERE body LIKE '%note%'")
    damaged.tamper(
        "UPDATE content SET key = (SELECT metadata FROM checkpoint WHERE seq = 1 AND session = 1) WHERE key = 1"
    )
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.root, "does not match its seal")


def test_timelines_in_a_circle_end(damaged: Damaged) -> None:
    damaged.tamper("UPDATE timeline SET ancestor = 1, ancestor_length = 2 WHERE key = 1")
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "has 4 of its 6 messages")
        damaged.expect_others_whole(store)


def test_text_that_is_not_utf_8_is_damage_and_not_a_crash(damaged: Damaged) -> None:
    damaged.tamper(f"UPDATE content SET body = CAST(x'7bff7d' AS TEXT) WHERE {CONTENT_OF_HURT_5}")
    with clew.open(damaged.path) as store:
        damaged.expect_corrupt(store, damaged.tip, "message 5")
        damaged.expect_others_whole(store)


def test_a_message_that_was_damaged_is_not_taken_for_the_same_one_written_again(damaged: Damaged) -> None:
    damaged.tamper(f"UPDATE content SET body = replace(body, 'message', 'massage') WHERE {CONTENT_OF_HURT_5}")
    with clew.open(damaged.path) as store:
        again = store.append(damaged.session, MESSAGES[5:], parent_id=damaged.root)
        assert store.get_checkpoint(again.id).state.messages == [*MESSAGES[:3], MESSAGES[5]]
        full = store.create_checkpoint(damaged.session, MESSAGES, parent_id=damaged.tip)
        assert store.get_checkpoint(full.id).state.messages == MESSAGES


def test_a_page_of_garbage_is_corruption_and_not_a_crash(damaged: Damaged) -> None:
    data = bytearray(damaged.path.read_bytes())
    data[4096 * 3 : 4096 * 4] = b"\xa5" * 4096
    damaged.path.write_bytes(data)
    with pytest.raises(clew.StorageError):
        touch_everything(damaged)


def touch_everything(damaged: Damaged) -> None:
    with clew.open(damaged.path) as store:
        for session in (damaged.session, damaged.other):
            store.get_session(session)
            store.append(session, [{"role": "user"}])


def test_a_held_error_keeps_no_log_from_being_emptied(damaged: Damaged) -> None:
    """The error of a read that broke off half-way holds its frames, and these the statement."""
    damaged.tamper(f"UPDATE content SET body = '{{}}' WHERE {CONTENT_OF_HURT_5}")
    with clew.open(damaged.path, busy_timeout=0.5) as store:
        with pytest.raises(clew.CorruptStateError) as held:
            store.get_messages(damaged.tip)
        with pytest.raises(clew.CorruptStateError) as also_held:
            store.get_checkpoint(damaged.tip)
        store.purge_session(damaged.other)
        assert held.value.checkpoint_id == also_held.value.checkpoint_id == damaged.tip


def test_metadata_that_cannot_be_trusted_does_not_drop_out_of_a_search(damaged: Damaged) -> None:
    damaged.tamper('UPDATE content SET body = \'{"note":"boot"}\' WHERE body = \'{"note":"root"}\'')
    with clew.open(damaged.path) as store:
        for found in (
            store.find_checkpoints(metadata={"note": "root"}).items,
            store.list_checkpoints(damaged.session, metadata={"note": "root"}).items,
            store.list_checkpoints(damaged.session, metadata={"note": "boot"}, with_metadata=True).items,
        ):
            assert [(item.id, item.metadata) for item in found] == [(damaged.root, None), (damaged.tip, None)]
            assert all("metadata" in str(item.damage) for item in found)


@pytest.mark.parametrize("text", ["CAST(x'7bff7d' AS TEXT)", "'{'"])
def test_metadata_that_is_no_text_or_no_json_hides_no_other_session(damaged: Damaged, text: str) -> None:
    with clew.open(damaged.path) as store:
        store.update_session(damaged.session, metadata={"tag": "x"})
        store.update_session(damaged.other, metadata={"tag": "y"})
    damaged.tamper(f"UPDATE content SET body = {text} WHERE body LIKE '%\"x\"%'")
    with clew.open(damaged.path) as store:
        listed = {item.title: item.damage for item in store.list_sessions(metadata={"tag": "y"})}
        assert listed["other"] is None
        assert "metadata" in str(listed["hurt"])


def test_a_wrong_number_of_messages_in_a_list_is_told(damaged: Damaged) -> None:
    damaged.tamper("UPDATE checkpoint SET length = 5 WHERE session = 1 AND seq = 2")
    with clew.open(damaged.path) as store:
        listed = {item.title: item.damage for item in store.list_sessions()}
        assert listed == {"other": None, "hurt": "the row of its active checkpoint does not match its seal"}


def test_a_total_that_cannot_be_trusted_is_not_told(damaged: Damaged) -> None:
    damaged.tamper("UPDATE session SET checkpoint_count = 9 WHERE title = 'hurt'")
    with clew.open(damaged.path) as store:
        page = store.list_checkpoints(damaged.session)
        assert page.total is None
        assert len(page) == 2
        assert store.list_checkpoints(damaged.other).total == 1


def test_a_damaged_id_in_a_list_does_not_keep_the_attachments_of_others_from_being_read(damaged: Damaged) -> None:
    with clew.open(damaged.path) as store:
        store.attach(damaged.session, {"a": b"bytes"}, checkpoint_id=damaged.root)
    damaged.tamper("UPDATE checkpoint SET id = randomblob(16) WHERE session = 1 AND seq = 2")
    with clew.open(damaged.path) as store:
        root, tip = store.list_checkpoints(damaged.session, with_attachments="")
        assert root.attachments == {"a": b"bytes"}
        assert (tip.attachments, root.damage) == ({}, None)
        assert "seal" in str(tip.damage)


@pytest.mark.parametrize("lost", ["DELETE FROM attachment WHERE name = 'a'", "UPDATE attachment SET seq = 2"])
def test_lost_attachments_are_missed(damaged: Damaged, lost: str) -> None:
    with clew.open(damaged.path) as store:
        store.attach(damaged.session, {"a": b"1", "b": b"2"}, checkpoint_id=damaged.root)
    damaged.tamper(lost)
    with clew.open(damaged.path) as store:
        with pytest.raises(clew.CorruptStateError, match="of its 2 attachments") as raised:
            store.get_attachments(damaged.root)
        assert raised.value.checkpoint_id == damaged.root
        with pytest.raises(clew.CorruptStateError, match="of its 2 attachments"):
            store.get_attachment(damaged.root, "a")
        assert "of its 2 attachments" in str(store.list_attachments(damaged.root)[-1].damage)
        assert any((finding.kind, finding.checkpoint_id) == ("attachment", damaged.root) for finding in store.verify())


def test_one_damaged_attachment_hides_no_other(damaged: Damaged) -> None:
    with clew.open(damaged.path) as store:
        store.attach(damaged.session, {"a": b"1", "b": b"2"}, checkpoint_id=damaged.root)
    damaged.tamper("UPDATE attachment SET content_type = CAST(x'ff' AS TEXT) WHERE name = 'a'")
    with clew.open(damaged.path) as store:
        a, b = store.list_attachments(damaged.root)
        assert (a.name, b.name, b.damage) == ("a", "b", None)
        assert "seal" in str(a.damage)
        root, _ = store.list_checkpoints(damaged.session, with_attachments="")
        assert root.attachments == {"b": b"2"}
        assert "attachment 'a'" in str(root.damage)


def test_a_common_ancestor_is_not_told_from_damaged_rows(damaged: Damaged) -> None:
    with clew.open(damaged.path) as store:
        left = store.append(damaged.session, [{"l": 1}])
        right = store.append(damaged.session, [{"r": 1}], parent_id=damaged.tip)
        assert store.diff(left.id, right.id).ancestor_id == damaged.tip
    damaged.tamper("UPDATE checkpoint SET parent = 1 WHERE session = 1 AND seq = 3")
    with clew.open(damaged.path) as store, pytest.raises(clew.CorruptStateError):
        store.diff(left.id, right.id)


def test_a_statement_that_an_error_holds_open_keeps_no_log_from_being_emptied(damaged: Damaged) -> None:
    held: list[object] = []

    def break_off(connection: apsw.Connection) -> None:
        rows = iter(connection.execute("SELECT id FROM session"))
        held.append((rows, next(rows)))
        raise clew.CorruptStateError("half-way")

    with clew.open(damaged.path, busy_timeout=0.5) as store:
        with pytest.raises(clew.CorruptStateError, match="half-way"):
            store._backend._engine.read(break_off, timeout=5)  # type: ignore[attr-defined]
        store.purge_session(damaged.other)
        assert held
        assert [session.title for session in store.list_sessions()] == ["hurt"]


class TestAfterABeginning:
    """A chain that is carried on by hashes alone is never carried on by wrong ones."""

    PLACE = "timeline = 1 AND position = 3"

    @pytest.mark.parametrize(
        "sql",
        [
            f"UPDATE entry SET content = (SELECT content FROM entry WHERE position = 0) WHERE {PLACE}",
            f"DELETE FROM entry WHERE {PLACE}",
            f"DELETE FROM content WHERE key = (SELECT content FROM entry WHERE {PLACE})",
        ],
        ids=["another message", "no entry", "no message"],
    )
    def test_it_is_not_written_where_the_hashes_are_wrong(self, damaged: Damaged, sql: str) -> None:
        damaged.tamper(sql)
        with clew.open(damaged.path) as store:
            for after in (4, 5):
                with pytest.raises(clew.CorruptStateError) as raised:
                    store.append(damaged.session, [{"n": 1}], after=after)
                assert raised.value.checkpoint_id == damaged.tip
            assert store.append(damaged.session, [], after=3).parent_id == damaged.tip
            assert store.get_active_checkpoint(damaged.session).state.messages == MESSAGES[:3]

    def test_it_is_written_right_where_only_a_hash_is_wrong(self, damaged: Damaged) -> None:
        damaged.tamper(
            f"UPDATE content SET hash = zeroblob(16) WHERE key = (SELECT content FROM entry WHERE {self.PLACE})"
        )
        with clew.open(damaged.path) as store:
            cut = store.append(damaged.session, [{"n": 1}], after=5)
            assert store.get_checkpoint(cut.id).state.messages == [*MESSAGES[:5], {"n": 1}]

    def test_a_chain_that_is_wrong_is_not_carried_on(self, damaged: Damaged) -> None:
        damaged.tamper("UPDATE checkpoint SET chain = zeroblob(16) WHERE session = 1 AND seq = 1")
        with clew.open(damaged.path) as store:
            for after in (3, 4):
                cut = store.append(damaged.session, [{"n": 1}], parent_id=damaged.tip, after=after)
                assert store.get_checkpoint(cut.id).state.messages == [*MESSAGES[:after], {"n": 1}]

    def test_a_parent_that_cannot_be_trusted_is_not_gone_on_from(self, damaged: Damaged) -> None:
        damaged.tamper("UPDATE timeline SET seal = seal + 1 WHERE key = 1")
        with clew.open(damaged.path) as store, pytest.raises(clew.CorruptStateError, match="seal"):
            store.append(damaged.session, [], after=4)


@pytest.mark.parametrize("most", [1, 3, 256])
def test_a_beginning_is_found_however_far_back_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(prefixes, "_MOST_STEPS_BACK", most)
    with clew.open(tmp_path / "long.db") as store:
        session = store.create_session("long")
        said = [{"n": n} for n in range(60)]
        steps = [store.append(session.id, said[n : n + 2]) for n in range(0, 60, 2)]
        for after in range(60):
            cut = store.append(session.id, [], parent_id=steps[-1].id, after=after)
            assert store.get_checkpoint(cut.id).state.messages == said[:after]
