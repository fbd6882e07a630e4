"""The promises of the JSON forms: names and their order, spellings, and text that is valid whatever it holds."""

import json
import math
from datetime import UTC, datetime
from uuid import UUID

import pytest

from clew import wire
from clew.model import (
    AttachmentInfo,
    BackendInfo,
    Checkpoint,
    CheckpointSummary,
    Diff,
    Session,
    SessionStatus,
    SessionSummary,
    State,
    Visibility,
)
from clew.reports import Backup, Compaction, Finding, Pruned, PrunePlan, Thinning

A, B, C = (UUID(int=number) for number in (1, 2, 3))
AT = datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
LATER = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
CHECKPOINT = Checkpoint(
    id=B, session_id=A, parent_id=C, state=State([{"role": "user"}]), created_at=AT, updated_at=LATER
)
ORIGIN = ["source", "source_id", "parent_session_id", "forked_from", "metadata", "revision"]


def session(**fields: object) -> Session:
    return Session(
        **{"id": A, "title": "t", "revision": 1, "created_at": AT, "updated_at": LATER, **fields}  # type: ignore[arg-type]
    )


def test_a_session_has_its_keys_in_order_and_nulls_where_there_is_nothing():
    form = wire.session(session())
    old = ["id", "title", "visibility", "status", "cwd", "created_at", "updated_at", "active_checkpoint"]
    assert list(form) == [*old, *ORIGIN, "owner"]
    assert form["cwd"] is form["active_checkpoint"] is form["parent_session_id"] is form["metadata"] is None


def test_times_end_in_z_with_the_shortest_exact_fraction_and_ids_are_text():
    form = wire.session(session(active_checkpoint=CHECKPOINT, forked_from=C))
    assert (form["created_at"], form["updated_at"]) == ("2026-01-02T03:04:05.500Z", "2026-01-02T03:04:06Z")
    assert form["active_checkpoint"]["id"] == "00000000-0000-0000-0000-000000000002"
    assert form["forked_from"] == "00000000-0000-0000-0000-000000000003"


def test_states_are_spelled_in_capitals():
    form = wire.session(session(visibility=Visibility.PUBLIC, status=SessionStatus.DELETED))
    assert json.loads(wire.pretty(form))["visibility"] == "PUBLIC"
    assert json.loads(wire.pretty(form))["status"] == "DELETED"


def test_a_summary_has_its_keys_in_order():
    summary = SessionSummary(
        id=A, title="t", revision=1, created_at=AT, updated_at=AT, message_count=3, checkpoint_count=2
    )
    assert list(wire.session_summary(summary)) == [
        "id", "title", "visibility", "status", "cwd", "created_at", "updated_at", "message_count",
        "active_checkpoint_id", "last_message_at", *ORIGIN, "checkpoint_count", "damage", "owner",
    ]  # fmt: skip


def test_a_checkpoint_has_its_keys_in_order():
    form = wire.checkpoint(CHECKPOINT)
    assert list(form) == ["id", "session_id", "parent_id", "state", "created_at", "updated_at", "label"]
    assert form["state"] == {"messages": [{"role": "user"}]}


def test_a_checkpoint_summary_has_its_keys_in_order():
    summary = CheckpointSummary(id=A, session_id=B, message_count=4, created_at=AT, updated_at=AT, label="x")
    form = wire.checkpoint_summary(summary)
    assert list(form) == [
        "id", "session_id", "parent_id", "message_count", "created_at", "updated_at", "label", "damage",
    ]  # fmt: skip
    assert (form["parent_id"], form["message_count"], form["label"]) == (None, 4, "x")


def test_a_checkpoint_in_a_tree_has_what_a_summary_has_and_then_its_own():
    summary = CheckpointSummary(id=A, session_id=B, message_count=4, created_at=AT, updated_at=AT)
    form = wire.checkpoint_in_tree(summary, active=True, added=-1, preview=None, damage="d")
    own = {"active": True, "added": -1, "preview": None}
    assert list(form.items()) == list({**wire.checkpoint_summary(summary), "damage": "d", **own}.items())


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            wire.diff(Diff(checkpoint_a=A, checkpoint_b=B, common=1, only_a=[{"k": 1}], only_b=[], metadata_a=0)),
            {
                "checkpoint_a": str(A), "checkpoint_b": str(B), "common": 1, "only_a": [{"k": 1}], "only_b": [],
                "ancestor_id": None, "metadata_a": 0, "metadata_b": None, "metadata_changed": False,
            },
        ),
        (
            wire.attachment_info(AttachmentInfo(name="n", size=1)),
            {"name": "n", "size": 1, "content_type": None},
        ),
        (
            wire.finding(Finding(kind="k", message="m", checkpoint_id=A, position=0)),
            {
                "kind": "k", "message": "m", "session_id": None, "checkpoint_id": str(A), "position": 0,
                "attachment": None,
            },
        ),
        (
            wire.backup(Backup(path="/p", bytes=1, sessions=2, verified=True)),
            {"path": "/p", "bytes": 1, "sessions": 2, "verified": True},
        ),
        (wire.compaction(Compaction(bytes_before=2, bytes_after=1)), {"bytes_before": 2, "bytes_after": 1}),
        (
            wire.prune_plan(
                PrunePlan(
                    made_at=AT,
                    sessions=[],
                    thinned=[Thinning(session_id=A, title="t", revision=3, checkpoint_ids=[B])],
                )
            ),
            {
                "made_at": "2026-01-02T03:04:05.500Z",
                "sessions": [],
                "thinned": [{"session_id": str(A), "title": "t", "revision": 3, "checkpoint_ids": [str(B)]}],
            },
        ),
        (
            wire.pruned(Pruned(sessions=[A], checkpoints=2, skipped=[B], left=[A])),
            {"sessions": [str(A)], "checkpoints": 2, "skipped": [str(B)], "log_held": False, "left": [str(A)]},
        ),
    ],
    ids=["diff", "attachment", "finding", "backup", "compaction", "plan", "pruned"],
)  # fmt: skip
def test_reports_have_their_keys_in_order(form, expected):
    assert list(form.items()) == list(expected.items())


def test_metadata_of_a_state_is_left_out_where_there_is_none_and_kept_where_it_is_empty():
    assert wire.state(State([])) == {"messages": []}
    assert wire.state(State([], {})) == {"messages": [], "metadata": {}}


def test_what_does_not_apply_to_a_backend_is_left_out():
    assert wire.backend_info(BackendInfo(kind="local", store_path="/a")) == {"kind": "local", "store_path": "/a"}
    remote = BackendInfo(kind="http", endpoint="https://host", profile="p")
    assert wire.backend_info(remote) == {"kind": "http", "profile": "p", "endpoint": "https://host"}


def test_json_is_indented_by_two_and_ends_with_a_newline():
    assert wire.pretty({"a": [1, {}], "b": []}) == b'{\n  "a": [\n    1,\n    {}\n  ],\n  "b": []\n}\n'


def test_a_line_is_one_line():
    assert wire.compact({"error": "a\nb", "code": "é"}) == '{"error":"a\\nb","code":"é"}\n'.encode()


@pytest.mark.parametrize(
    "text", ["\ud800", "a\udfffb", "\x7f\x80\x9b\x85", "\u202e\u2066\u2028", "\x1b[31m", "é😀\ufffd"]
)
def test_every_text_comes_back_from_valid_json_that_a_terminal_does_not_act_on(text):
    for written in (wire.pretty([text, {text: text}]), wire.compact([text, {text: text}])):
        read = written.decode("utf-8")
        assert json.loads(read) == [text, {text: text}]
        assert not set(read) & {chr(point) for point in (0x1B, *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2066)}


@pytest.mark.parametrize("beside", ["", "\ud800"])
def test_numbers_are_written_exactly(beside):
    numbers = [0, -1, 2**64, 10**400, 0.1, 1e-7, 1e16, 5.0, math.pi]
    assert repr(json.loads(wire.pretty([numbers, beside]))[0]) == repr(numbers)


@pytest.mark.parametrize("text", ["x", "\ud800"])
def test_the_deepest_value_that_a_store_takes_is_written(text):
    value: object = text
    for _ in range(256):
        value = [value]
    assert json.loads(wire.pretty(value)) == value
