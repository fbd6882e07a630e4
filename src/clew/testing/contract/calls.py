"""Every method of a store, as a call that works where its session and checkpoint exist."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from clew.errors import InvalidRequestError, UnauthorizedError
from clew.reports import PrunePlan, Thinning
from clew.store import Id, Store
from clew.testing.clock import moment

Call = Callable[[Store, Id, Id], Any]
"""A call of one method, given a session and its root checkpoint."""

SOME_PLAN = PrunePlan(
    made_at=moment(0),
    sessions=[],
    thinned=[Thinning(session_id=UUID(int=1), title="gone", revision=1, checkpoint_ids=[UUID(int=2)])],
)
"""A plan for a session that is not there, which is then skipped."""

OF_A_SESSION: dict[str, Call] = {
    "get_session": lambda store, session, _: store.get_session(session),
    "get_session_summary": lambda store, session, _: store.get_session_summary(session),
    "session_stats": lambda store, session, _: store.session_stats(session),
    "validate": lambda store, session, _: store.validate(session),
    "repair": lambda store, session, _: store.repair(session),
    "update_session": lambda store, session, _: store.update_session(session, title="changed"),
    "delete_session": lambda store, session, _: store.delete_session(session),
    "restore_session": lambda store, session, _: store.restore_session(session),
    "fork_session": lambda store, session, _: store.fork_session(session),
    "create_checkpoint": lambda store, session, _: store.create_checkpoint(session, [{"n": 1}]),
    "append": lambda store, session, _: store.append(session, [{"n": 2}]),
    "get_active_checkpoint": lambda store, session, _: store.get_active_checkpoint(session),
    "list_checkpoints": lambda store, session, _: store.list_checkpoints(session),
    "branches": lambda store, session, _: store.branches(session),
    "find_checkpoint": lambda store, session, _: store.find_checkpoint(session, "label"),
    "set_active_checkpoint": lambda store, session, checkpoint: store.set_active_checkpoint(session, checkpoint),
    "attach": lambda store, session, _: store.attach(session, {"name": b"bytes"}),
    "detach": lambda store, session, _: store.detach(session, "name"),
    "list_waiting": lambda store, session, _: store.list_waiting(session),
    "copy_session": lambda store, session, _: store.copy_session(session),
    "delete_checkpoints": lambda store, session, _: store.delete_checkpoints(session, []),
    "purge_session": lambda store, session, _: store.purge_session(session),
}

OF_A_CHECKPOINT: dict[str, Call] = {
    "get_checkpoint": lambda store, _, checkpoint: store.get_checkpoint(checkpoint),
    "get_checkpoint_summary": lambda store, _, checkpoint: store.get_checkpoint_summary(checkpoint),
    "get_messages": lambda store, _, checkpoint: store.get_messages(checkpoint),
    "children": lambda store, _, checkpoint: store.children(checkpoint),
    "ancestry": lambda store, _, checkpoint: store.ancestry(checkpoint),
    "set_label": lambda store, _, checkpoint: store.set_label(checkpoint, "label"),
    "get_attachments": lambda store, _, checkpoint: store.get_attachments(checkpoint),
    "list_attachments": lambda store, _, checkpoint: store.list_attachments(checkpoint),
    "get_attachment": lambda store, _, checkpoint: store.get_attachment(checkpoint, "attached"),
    "diff": lambda store, _, checkpoint: store.diff(checkpoint, checkpoint),
}

OF_A_PART: dict[str, Call] = {
    "fork_session": lambda store, session, checkpoint: store.fork_session(session, checkpoint_id=checkpoint),
    "create_checkpoint": lambda store, session, checkpoint: store.create_checkpoint(session, [], parent_id=checkpoint),
    "append": lambda store, session, checkpoint: store.append(session, [], parent_id=checkpoint),
    "set_active_checkpoint": lambda store, session, checkpoint: store.set_active_checkpoint(session, checkpoint),
    "attach": lambda store, session, checkpoint: store.attach(
        session, {"attached": b"bytes"}, checkpoint_id=checkpoint
    ),
    "delete_checkpoints": lambda store, session, checkpoint: _grown_and_cut(store, session, checkpoint),
}
"""The calls that take a checkpoint of a session."""

OF_THE_STORE: dict[str, Call] = {
    "create_session": lambda store, session, _: store.create_session("new", parent_session_id=session),
    "ensure_session": lambda store, session, _: store.ensure_session("tool", "new", parent_session_id=session),
    "find_session": lambda store, *_: store.find_session("tool", "1"),
    "find_session_summary": lambda store, *_: store.find_session_summary("tool", "1"),
    "list_sessions": lambda store, session, _: store.list_sessions(parent_session_id=session),
    "find_checkpoints": lambda store, *_: store.find_checkpoints(metadata={"k": 1}),
    "search": lambda store, *_: store.search("a"),
    "update_search_index": lambda store, *_: store.update_search_index(),
    "store_stats": lambda store, *_: store.store_stats(),
    "move_directory": lambda store, *_: store.move_directory("/nowhere", "/elsewhere"),
    "create_key": lambda store, *_: store.create_key("name", "read"),
    "list_keys": lambda store, *_: store.list_keys(),
    "revoke_key": lambda store, *_: store.revoke_key(store.create_key("name", "read").key.id),
    "authenticate": lambda store, *_: _refused(store),
    "last_change": lambda store, *_: store.last_change(),
    "watch": lambda store, *_: list(store.watch(after=0, idle_timeout=0)),
    "verify": lambda store, *_: list(store.verify()),
    "backup": lambda store, *_: _backed_up(store),
    "compact": lambda store, *_: store.compact(),
    "plan_prune": lambda store, *_: store.plan_prune(deleted_longer_than=timedelta(days=1)),
    "apply_prune": lambda store, *_: store.apply_prune(SOME_PLAN),
    "backend_info": lambda store, *_: store.backend_info(),
}


def _grown_and_cut(store: Store, session: Id, checkpoint: Id) -> Any:
    """Deletes a checkpoint that has a child, and with it the child: the one that it was given stays."""
    branch = store.append(session, [], parent_id=checkpoint)
    return store.delete_checkpoints(session, [branch.id], children="delete")


def _refused(store: Store) -> None:
    with suppress(UnauthorizedError):
        store.authenticate(f"clew_{'x' * 43}")


def _backed_up(store: Store) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        try:
            return store.backup(Path(folder) / "copy")
        except InvalidRequestError:  # a backend that makes none, which has a test of its own
            return None


EVERY: dict[str, Call] = {**OF_A_CHECKPOINT, **OF_THE_STORE, **OF_A_SESSION}
"""One call of every method, in an order in which each works: the purge comes last."""


def spellings(id: UUID) -> list[Id]:
    """The ways in which a caller may give an id."""
    return [id, str(id), str(id).upper(), id.hex]
