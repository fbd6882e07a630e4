"""The methods of a store that look for what model providers refuse of a conversation, and mend it."""

from clew import checks, limits
from clew.backend import checkpoint_not_found
from clew.conversation.parts import Parts
from clew.conversation.repair import Answers, Dangling, repaired
from clew.conversation.validity import flaws, light_parts
from clew.errors import InvalidRequestError
from clew.ids import to_id
from clew.messages import decode_messages
from clew.model import ACTIVE, SAME, Active, Checkpoint, CheckpointSummary, Label, Message, Same, SessionSummary
from clew.reports import Flaw
from clew.store.base import Id
from clew.store.keys import KeyMethods


class RepairMethods(KeyMethods):
    """Checking and mending conversations. What a conversation was stays as it is."""

    def validate(self, session_id: Id, *, checkpoint_id: Id | Label | Active = ACTIVE) -> list[Flaw]:
        """What model providers refuse of a conversation, in the order of its messages; nothing is changed.

        Tool calls without result, results without call or not right after it, ids that are used twice, and messages
        that say nothing; where providers differ, what any of them refuses. The codes are ``interrupted`` (a call at the
        end that has no result, or not yet), ``call_without_result``, ``result_without_call``, ``result_before_call``,
        ``result_separated``, ``duplicate_call``, ``duplicate_result``, ``missing_id``, ``empty_content`` and
        ``empty_tool_calls``.
        """
        point = self._point(session_id, checkpoint_id)
        if point is None:
            return []
        parts: list[Parts] = []
        for start in range(0, point.message_count, limits.STATS_BATCH):
            parts += light_parts(self._slice(point, start))
        return flaws(parts)

    def repair(
        self,
        session_id: Id,
        *,
        checkpoint_id: Id | Label | Active = ACTIVE,
        dangling: Dangling = "interrupt",
        results: Answers = "user",
        if_active: Id | None = None,
    ) -> Checkpoint | None:
        """Write a checkpoint whose conversation providers take, and make it active; None where nothing is wrong.

        With `dangling` "interrupt" a tool call without result gets one that says that it was interrupted, with "drop"
        the call goes. `results` says how calls in blocks are answered where the conversation does not show it: in
        blocks of the "user", in those of a "tool" message, or by "messages" of the role tool. A result that stands
        elsewhere is moved to its call, one that answers nothing is left out, ids that are used twice are replaced, and
        what says nothing is left out. The new checkpoint is a child of the one that is repaired, which stays as it is,
        and shares with it the messages before the first that changes; metadata and attachments are taken over.
        ConflictError, and nothing is written, where another checkpoint has become active meanwhile, or is not
        `if_active`.

        InvalidRequestError for a session whose program keeps a form of its own in its messages, under a key of the name
        of the source with _ for -, and would not read one without; a fork of it can be repaired, for everything else
        that reads conversations.
        """
        wanted, answers = checks.dangling(dangling), checks.answers(results)
        expected = None if if_active is None else to_id(if_active, "if_active")
        point = self._point(session_id, checkpoint_id)
        if point is None:
            return None
        session = self._backend.get_session_summary(point.session_id)
        messages: list[Message] = []
        for start in range(0, point.message_count, limits.STATS_BATCH):
            messages += self._slice(point, start)
        made = repaired(messages, wanted, answers)
        if made == messages:
            return None
        _check_readable(session, messages)
        kept = _same(messages, made)
        attached: dict[str, bytes | Same] = {item.name: SAME for item in self._backend.list_attachments(point.id, "")}
        return self.append(
            point.session_id,
            made[kept:],
            parent_id=point.id,
            after=kept,
            attachments=attached,
            if_active=session.active_checkpoint_id if expected is None else expected,
        )

    def _slice(self, point: CheckpointSummary, start: int) -> list[Message]:
        """Some messages of a checkpoint, so that a long conversation is not read as a whole."""
        stop = min(start + limits.STATS_BATCH, point.message_count)
        return decode_messages(self._backend.get_messages(point.id, start, stop), point.id)

    def _point(self, session_id: Id, checkpoint_id: Id | Label | Active) -> CheckpointSummary | None:
        """A checkpoint of a session without its state; None where the session has no active one."""
        session, place = to_id(session_id, "session_id"), checks.place(checkpoint_id)
        if isinstance(place, Label):
            place = self._backend.find_checkpoint(session, place.name).id
        if place is ACTIVE:
            active = self._backend.get_session_summary(session).active_checkpoint_id
            return None if active is None else self._backend.get_checkpoint_summary(active)
        point = self._backend.get_checkpoint_summary(place)
        if point.session_id != session:
            raise checkpoint_not_found(point.id)
        return point


def _check_readable(session: SessionSummary, messages: list[Message]) -> None:
    own = (session.source or "").replace("-", "_")
    if any(isinstance(message.get(own), dict) for message in messages):
        raise InvalidRequestError(
            f"session {session.id} is of {session.source}, which keeps more in its messages than a repair can write, "
            "and would not read them any more: repair a fork of it"
        )


def _same(before: list[Message], after: list[Message]) -> int:
    """How many messages at the start are the same."""
    for index, (one, other) in enumerate(zip(before, after, strict=False)):
        if one is not other:
            return index
    return min(len(before), len(after))
