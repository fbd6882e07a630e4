"""What attachments take in the file, and what is left of them."""

import os
from pathlib import Path

import apsw
import pytest
from tests.sqlite.conftest import Query

import clew
from clew import limits


def test_the_same_content_on_a_thousand_checkpoints_is_stored_once(path: Path, query: Query) -> None:
    image = os.urandom(50_000)
    with clew.open(path, durability="normal") as store:
        session = store.create_session("one")
        store.append(session.id, [], attachments={"image": image})
        for n in range(1_000):
            store.append(session.id, [], attachments={"image": image if n % 2 else clew.SAME})
        assert list(store.verify()) == []
    assert query("SELECT count(*) FROM content") == [(1,)]
    assert query("SELECT count(*) FROM attachment") == [(1_001,)]
    assert path.stat().st_size < 500_000


def test_a_growing_file_shares_all_pieces_but_the_last(path: Path, query: Query) -> None:
    log = os.urandom(3 * limits.ATTACHMENT_CHUNK_BYTES + 100)
    with clew.open(path) as store:
        session = store.create_session("one")
        for end in (limits.ATTACHMENT_CHUNK_BYTES * 2, len(log) - 50, len(log)):
            store.attach(session.id, {"log": log[:end]}, on_conflict="replace")
        assert session.active_checkpoint is not None
        assert store.get_attachment(session.active_checkpoint.id, "log") == log
    # Three whole pieces, two last ones, and three lists of hashes.
    assert query("SELECT count(*) FROM content") == [(3 + 2 + 3,)]


def test_bytes_that_are_the_text_of_a_message_are_kept_apart_from_it(path: Path, query: Query) -> None:
    """The views read messages as JSON text, which bytes are not."""
    with clew.open(path) as store:
        session = store.create_session("one")
        first = store.append(session.id, [], attachments={"a": b'{"role":"user"}'})
        store.append(session.id, [{"role": "user"}])
        second = store.append(session.id, [{"role": "tool"}], attachments={"a": b'{"role":"tool"}'})
        assert store.get_attachment(first.id, "a") == b'{"role":"user"}'
        assert store.get_attachment(second.id, "a") == b'{"role":"tool"}'
        assert store.get_messages(second.id) == [{"role": "user"}, {"role": "tool"}]
    assert query("SELECT role FROM messages ORDER BY position") == [("user",), ("tool",)]
    assert query("SELECT typeof(body) FROM content ORDER BY 1") == [("blob",), ("blob",), ("text",), ("text",)]


def test_the_view_of_attachments_can_be_read_by_hand(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        session = store.create_session("one")
        step = store.append(session.id, [], attachments={"a.png": clew.Attachment(b"123", "image/png")})
    assert query("SELECT * FROM attachments") == [(str(step.id), "a.png", "image/png", 3)]


def test_deleting_checkpoints_frees_what_nothing_reaches_any_more(path: Path, query: Query) -> None:
    with clew.open(path) as store:
        session = store.create_session("one", messages=[{"n": 0}])
        shared = store.append(session.id, [{"n": 1}], attachments={"shared": b"s" * 600_000, "own": b"own"})
        alone = store.append(session.id, [{"n": 2}], attachments={"alone": os.urandom(600_000)})
        store.append(session.id, [{"n": 3}], parent_id=shared.id, attachments={"shared": clew.SAME})
        store.delete_checkpoints(session.id, [shared.id, alone.id])
        assert list(store.verify()) == []
        assert [item.message_count for item in store.list_checkpoints(session.id)] == [1, 3]
    assert query("SELECT count(*) FROM attachment") == [(1,)]
    assert query("SELECT body FROM content WHERE typeof(body) = 'text' ORDER BY 1") == [
        ('{"n":0}',),
        ('{"n":1}',),
        ('{"n":3}',),
    ]
    # The list of hashes of what is shared, and its two distinct pieces: the first two are alike.
    assert query("SELECT count(*) FROM content WHERE typeof(body) = 'blob'") == [(3,)]
    assert query("SELECT count(*) FROM timeline") == [(2,)]


def test_a_slice_reads_only_the_pieces_it_touches(path: Path) -> None:
    data = os.urandom(4 * limits.ATTACHMENT_CHUNK_BYTES)
    with clew.open(path) as store:
        session = store.create_session("one")
        step = store.append(session.id, [], attachments={"a": data})
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE content SET body = x'00' WHERE key = (SELECT content FROM chunk WHERE position = 2)")
    connection.close()
    with clew.open(path) as store:
        size = limits.ATTACHMENT_CHUNK_BYTES
        assert store.get_attachment(step.id, "a", stop=2 * size) == data[: 2 * size]
        assert store.get_attachment(step.id, "a", start=3 * size) == data[3 * size :]
        with pytest.raises(clew.CorruptStateError, match="piece 2"):
            store.get_attachment(step.id, "a", start=2 * size, stop=2 * size + 1)
        (found,) = store.verify()
        assert (found.kind, found.checkpoint_id, found.attachment) == ("attachment", step.id, "a")


def test_the_bytes_of_a_purged_attachment_are_in_no_file(path: Path) -> None:
    secret = b"Needle-in-an-attachment" * 30_000
    with clew.open(path) as store:
        session = store.create_session("one")
        store.append(session.id, [], label="l", attachments={"Needle-in-an-attachment.txt": secret})
        store.attach(session.id, {"Needle-in-an-attachment-2": secret + b"!"}, label="Needle-in-an-attachment-3")
        store.purge_session(session.id)
        for file in path.parent.iterdir():
            assert b"Needle-in-an-attachment" not in file.read_bytes(), file
