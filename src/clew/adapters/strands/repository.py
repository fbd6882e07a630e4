"""`ClewSessionRepository`: the session repository of Strands over clew."""

from typing import TYPE_CHECKING, Any

from strands.session.session_repository import SessionRepository
from strands.types.exceptions import SessionException
from strands.types.session import Session, SessionAgent, SessionMessage, SessionType

from clew import ConflictError, CorruptStateError, InvalidRequestError, NotFoundError, Store
from clew.adapters.handle import AnyStore, Handle
from clew.adapters.strands.messages import as_json, check_same, to_message, to_session_message
from clew.adapters.strands.names import SOURCE, agent_name, multi_agent_name, session_name, title
from clew.adapters.strands.records import Found, Records

if TYPE_CHECKING:
    from strands.multiagent import MultiAgentBase

MAX_ATTEMPTS = 100
"""How often other writers may come between, each time having written themselves."""


class ClewSessionRepository(SessionRepository):
    """Keeps the sessions, agents and messages of Strands, for its `RepositorySessionManager`.

    A session is a clew session with the source "strands"; each of its agents, graphs and swarms is a child of that. A
    message is one checkpoint of its agent's session, and so is a change of the agent's state.

    What does not exist, or does already, is Strands' `SessionException`; what else fails is clew's own error.
    """

    def __init__(self, store: AnyStore, *, owner: str | None = None) -> None:
        """`store` is a `clew.Store` or a `clew.AsyncStore`, which the caller closes, or a URL or path to open here.

        `owner` is whose the sessions are: those of others are others, whatever their ids. None is nobody, and over a
        server the name of the caller's API key.
        """
        self._handle = Handle(store)
        self._records = Records(self._handle.store, owner)

    @property
    def _store(self) -> Store:
        return self._handle.store

    def close(self) -> None:
        """Close the store where it was opened here."""
        self._handle.close()

    # -- sessions

    def create_session(self, session: Session, **kwargs: Any) -> Session:
        """Create a session; SessionException where there is one of this id."""
        name = session_name(session.session_id)
        fields = {**session.to_dict(), "session_type": SessionType(session.session_type).value}
        try:
            self._store.create_session(
                title(session.session_id),
                source=SOURCE,
                source_id=name,
                owner=self._records.owner,
                session_metadata={**fields, "kind": "session"},
            )
        except ConflictError as error:
            is_hidden = self._records.find(name) is None
            hint = ", marked deleted in clew: restore or purge it there" if is_hidden else ""
            raise SessionException(f"session {session.session_id} already exists{hint}") from error
        return session

    def read_session(self, session_id: str, **kwargs: Any) -> Session | None:
        """The session; None where there is none, or one that was marked deleted in clew."""
        found = self._records.find(session_name(session_id))
        if found is None:
            return None
        try:
            session = Session.from_dict(dict(found.summary.metadata or {}))
            session.session_type = SessionType(session.session_type)
        except (TypeError, ValueError) as error:
            raise CorruptStateError(f"session {found.id} is none that this adapter stores") from error
        return session

    def delete_session(self, session_id: str, **kwargs: Any) -> None:
        """Remove a session for good, with all of its agents; SessionException where there is none."""
        found = self._records.get(session_name(session_id), f"session {session_id}")
        children = []
        cursor = None
        while True:
            page = self._store.list_sessions(source=SOURCE, parent_session_id=found.id, cursor=cursor)
            children += [child.id for child in page]
            cursor = page.next_cursor
            if cursor is None:
                break
        for id in (*children, found.id):  # the session last: until then the rest is found again
            try:
                self._store.purge_session(id)
            except NotFoundError:
                continue

    # -- agents

    def create_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """Create an agent in a session. One that exists keeps its messages and gets this state."""
        name = agent_name(session_id, session_agent.agent_id)
        self._create(session_id, name, "agent", session_agent.agent_id, _agent_fields(session_agent))

    def read_agent(self, session_id: str, agent_id: str, **kwargs: Any) -> SessionAgent | None:
        """An agent's state, that of the active checkpoint; None where there is no such agent."""
        found = self._records.find(agent_name(session_id, agent_id))
        return None if found is None else self._agent(found)

    def update_agent(self, session_id: str, session_agent: SessionAgent, **kwargs: Any) -> None:
        """Replace an agent's state; of two writers the last one's stays. `created_at` stays, in the argument too."""
        name = agent_name(session_id, session_agent.agent_id)
        found = self._records.get(name, f"agent {session_agent.agent_id} in session {session_id}")
        session_agent.created_at = self._agent(found).created_at
        self._store.append(found.id, [], metadata=_agent_fields(session_agent))

    # -- messages

    def create_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """Add a message to an agent's.

        The same message again changes nothing. Another one of an id that is taken is ConflictError: of two processes
        that go on with one agent at once, the second is told, and the first one's message stays.
        """
        message_id = _checked_id(session_message.message_id)
        name, stored = agent_name(session_id, agent_id), to_message(session_message)
        for _ in range(MAX_ATTEMPTS):
            found = self._records.get(name, f"agent {agent_id} in session {session_id}")
            count = found.summary.message_count
            if count and self._records.message_at(found, count - 1).message_id >= message_id:
                self._check_same(found, session_message)
                return
            try:
                self._give_title(found, stored)
                self._store.append(found.id, [stored], if_active=found.active)
            except (ConflictError, NotFoundError):
                continue
            return
        raise ConflictError(f"others have written to {name} {MAX_ATTEMPTS} times meanwhile")

    def read_message(self, session_id: str, agent_id: str, message_id: int, **kwargs: Any) -> SessionMessage | None:
        """The message of this id; None where there is none."""
        found = self._records.find(agent_name(session_id, agent_id))
        place = None if found is None else self._records.place_of(found, _checked_id(message_id))
        return None if found is None or place is None else self._records.message_at(found, place)

    def update_message(self, session_id: str, agent_id: str, session_message: SessionMessage, **kwargs: Any) -> None:
        """Replace a message, as for a redaction, and keep those after it. `created_at` stays, in the argument too.

        The checkpoints before are as they were: what was replaced is still in them, until `clew prune` removes them.
        """
        name = agent_name(session_id, agent_id)
        for _ in range(MAX_ATTEMPTS):
            found = self._records.get(name, f"agent {agent_id} in session {session_id}")
            place = self._records.place_of(found, _checked_id(session_message.message_id))
            if place is None:
                raise SessionException(f"message {session_message.message_id} does not exist")
            session_message.created_at = self._records.message_at(found, place).created_at
            messages = [to_message(session_message), *self._store.get_messages(found.active, start=place + 1)]
            try:
                self._store.append(found.id, messages, parent_id=found.active, after=place, if_active=found.active)
            except (ConflictError, NotFoundError):
                continue
            return
        raise ConflictError(f"others have written to {name} {MAX_ATTEMPTS} times meanwhile")

    def list_messages(
        self, session_id: str, agent_id: str, limit: int | None = None, offset: int = 0, **kwargs: Any
    ) -> list[SessionMessage]:
        """The messages of an agent from the oldest, without the first `offset`, at most `limit`.

        Nothing else is read. SessionException where there is no such agent.
        """
        if offset < 0 or (limit is not None and limit < 0):
            raise InvalidRequestError("limit and offset must not be negative")
        found = self._records.get(agent_name(session_id, agent_id), f"agent {agent_id} in session {session_id}")
        stop = None if limit is None else offset + limit
        stored = self._store.get_messages(found.active, start=offset, stop=stop)
        return [to_session_message(message, found.active) for message in stored]

    # -- graphs and swarms

    def create_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Create the state of a graph or swarm in a session; one that exists gets this state."""
        name = multi_agent_name(session_id, multi_agent.id)
        self._create(session_id, name, "multi-agent", multi_agent.id, _multi_agent_state(multi_agent))

    def read_multi_agent(self, session_id: str, multi_agent_id: str, **kwargs: Any) -> dict[str, Any] | None:
        """The state of a graph or swarm; None where there is none."""
        found = self._records.find(multi_agent_name(session_id, multi_agent_id))
        return None if found is None else self._records.kept(found)

    def update_multi_agent(self, session_id: str, multi_agent: "MultiAgentBase", **kwargs: Any) -> None:
        """Replace the state of a graph or swarm; of two writers the last one's stays."""
        name = multi_agent_name(session_id, multi_agent.id)
        found = self._records.get(name, f"multi-agent {multi_agent.id} in session {session_id}")
        self._store.append(found.id, [], metadata=_multi_agent_state(multi_agent))

    # --

    def _create(self, session_id: str, name: str, kind: str, id: str, state: dict[str, Any]) -> None:
        parent = self._records.get(session_name(session_id), f"session {session_id}")
        self._store.ensure_session(
            SOURCE,
            name,
            title(id),
            metadata=state,
            parent_session_id=parent.id,
            session_metadata={"session_id": session_id, "id": id, "kind": kind},
            owner=self._records.owner,
        )
        found = self._records.get(name, f"{kind} {id} was marked deleted in clew: until it is restored or purged it")
        if found.summary.parent_session_id != parent.id:
            raise SessionException(f"{kind} {id} is left from a session that was purged: purge {found.id} too")
        if self._records.kept(found) != state:  # it was there before
            self._store.append(found.id, [], metadata=state)

    def _agent(self, found: Found) -> SessionAgent:
        try:
            return SessionAgent.from_dict(self._records.kept(found))
        except TypeError as error:
            raise CorruptStateError(f"checkpoint {found.active} has no agent's state", found.active) from error

    def _check_same(self, found: Found, given: SessionMessage) -> None:
        place = self._records.place_of(found, given.message_id)
        if place is None or self._records.message_at(found, place) != given:
            raise ConflictError(f"message {given.message_id} of {found.summary.source_id} is another one already")

    def _give_title(self, found: Found, stored: dict[str, Any]) -> None:
        """Call the session by the first thing that the user says, unless somebody gave it another title."""
        text = _text(stored) if stored["role"] == "user" else ""
        if text and found.summary.title == title((found.summary.metadata or {}).get("id", "")):
            self._store.update_session(found.id, title=title(text), if_revision=found.summary.revision)


def _agent_fields(agent: SessionAgent) -> dict[str, Any]:
    fields: dict[str, Any] = as_json(agent.to_dict(), f"the state of agent {agent.agent_id}")
    check_same(vars(agent), vars(SessionAgent.from_dict(fields)), f"the state of agent {agent.agent_id}")
    return fields


def _multi_agent_state(multi_agent: "MultiAgentBase") -> dict[str, Any]:
    state = multi_agent.serialize_state()
    what = f"the state of multi-agent {multi_agent.id}"
    check_same(state, as_json(state, what), what)
    return state


def _checked_id(message_id: Any) -> int:
    if type(message_id) is not int or message_id < 0:
        raise InvalidRequestError(f"message_id must be a whole number, none or more, not {message_id!r}")
    return message_id


def _text(stored: dict[str, Any]) -> str:
    texts = (block.get("text") for block in stored["content"] if isinstance(block, dict))
    return next((" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()), "")
