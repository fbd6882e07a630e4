"""Every method of a store, as a call that works where its session and checkpoint exist."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from clew.store import Id, Store

Call = Callable[[Store, Id, Id], Any]
"""A call of one method, given a session and its root checkpoint."""

OF_A_SESSION: dict[str, Call] = {
    "get_session": lambda store, session, _: store.get_session(session),
    "update_session": lambda store, session, _: store.update_session(session, title="changed"),
    "delete_session": lambda store, session, _: store.delete_session(session),
    "restore_session": lambda store, session, _: store.restore_session(session),
    "fork_session": lambda store, session, _: store.fork_session(session),
    "create_checkpoint": lambda store, session, _: store.create_checkpoint(session, [{"n": 1}]),
    "append": lambda store, session, _: store.append(session, [{"n": 2}]),
    "get_active_checkpoint": lambda store, session, _: store.get_active_checkpoint(session),
    "list_checkpoints": lambda store, session, _: store.list_checkpoints(session),
    "set_active_checkpoint": lambda store, session, checkpoint: store.set_active_checkpoint(session, checkpoint),
    "purge_session": lambda store, session, _: store.purge_session(session),
}

OF_A_CHECKPOINT: dict[str, Call] = {
    "get_checkpoint": lambda store, _, checkpoint: store.get_checkpoint(checkpoint),
    "get_messages": lambda store, _, checkpoint: store.get_messages(checkpoint),
    "diff": lambda store, _, checkpoint: store.diff(checkpoint, checkpoint),
}

OF_A_PART: dict[str, Call] = {
    "fork_session": lambda store, session, checkpoint: store.fork_session(session, checkpoint_id=checkpoint),
    "create_checkpoint": lambda store, session, checkpoint: store.create_checkpoint(session, [], parent_id=checkpoint),
    "append": lambda store, session, checkpoint: store.append(session, [], parent_id=checkpoint),
    "set_active_checkpoint": lambda store, session, checkpoint: store.set_active_checkpoint(session, checkpoint),
}
"""The calls that take a checkpoint of a session."""

OF_THE_STORE: dict[str, Call] = {
    "create_session": lambda store, session, _: store.create_session("new", parent_session_id=session),
    "ensure_session": lambda store, session, _: store.ensure_session("tool", "new", parent_session_id=session),
    "find_session": lambda store, *_: store.find_session("tool", "1"),
    "list_sessions": lambda store, session, _: store.list_sessions(parent_session_id=session),
    "backend_info": lambda store, *_: store.backend_info(),
}

EVERY: dict[str, Call] = {**OF_A_CHECKPOINT, **OF_THE_STORE, **OF_A_SESSION}
"""One call of every method, in an order in which each works: the purge comes last."""


def spellings(id: UUID) -> list[Id]:
    """The ways in which a caller may give an id."""
    return [id, str(id), str(id).upper(), id.hex]
