"""A conversation that providers take, made of one that they refuse.

What is in order stays as it is, to the byte. A result that stands in the wrong place is moved to its call, one that
answers nothing is left out; a call without a result gets one that says so, or is left out; an id that is missing or
used twice is replaced; what says nothing is left out.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from clew.conversation.pairing import CallAt, Pairing, ResultAt, Turns
from clew.conversation.parts import Form, Parts, parts_of, tool_calls
from clew.conversation.validity import flaws, is_refused_as_empty
from clew.errors import InternalError
from clew.model import Message

Dangling = Literal["interrupt", "drop"]
"""What becomes of a tool call without a result: it gets one that says that it was interrupted, or goes."""

Answers = Literal["user", "tool", "messages"]
"""How blocks that are calls get a result: in blocks of the user, in those of a message with the role ``tool``, or by
such a message of OpenAI's chat form."""

INTERRUPTED = "[interrupted]"
"""How the result begins that a call gets which has none."""

_TEXT = f"{INTERRUPTED} This tool call was interrupted: it has no result, and may have been carried out in part."
_PASSES = 10
_OUTPUT_OF = {"tool_search_call": "tool_search_output"}
_THOUGHTS = ("thinking", "redacted_thinking")


def repaired(messages: Sequence[Message], dangling: Dangling, answers: Answers = "user") -> list[Message]:
    """The messages as providers take them; those before the first flaw are the same objects.

    `answers` counts where no block in the conversation is answered.
    """
    found = list(messages)
    for _ in range(_PASSES):
        parts = [parts_of(message) for message in found]
        if not flaws(parts):
            return found
        found = list(_Pass(found, parts, dangling, answers).run())
    raise InternalError("the conversation cannot be repaired")


class _Pass:
    """One pass over a conversation. What it leaves out may leave something else without its place: see `repaired`."""

    def __init__(
        self, messages: Sequence[Message], parts: Sequence[Parts], dangling: Dangling, answers: Answers
    ) -> None:
        self._messages = messages
        self._parts = parts
        self._drops = dangling == "drop"
        self._turns = Turns(parts)
        self._answers = answers
        self._gone: set[tuple[int, int]] = set()  # results, by position and part
        self._ids: dict[tuple[int, Form, int], str] = {}  # new ids of calls and results
        self._dropped: set[tuple[int, Form, int]] = set()  # calls
        self._before: defaultdict[int, list[Message]] = defaultdict(list)  # messages to come before a position
        self._blocks: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)  # the same of blocks
        self._numbers: defaultdict[str, int] = defaultdict(lambda: 2)  # by id, what a new one made of it may end with
        self._plan()

    def run(self) -> Iterator[Message]:
        """The messages after the pass."""
        last = max((place for place, message in enumerate(self._parts) if message.is_known), default=-1)
        for position, message in enumerate(self._messages):
            yield from self._before[position]
            parts = self._parts[position]
            takes = _is_tool_of_blocks(parts) or parts.role == self._answers == "user"
            blocks = self._blocks[position]
            if blocks and not takes:
                yield self._holder(blocks)
            changed = self._changed(position, message, blocks if takes else [], position == last)
            if changed is not None:
                yield changed
        yield from self._before[len(self._messages)]
        if self._blocks[len(self._messages)]:
            yield self._holder(self._blocks[len(self._messages)])

    def _holder(self, blocks: list[dict[str, Any]]) -> Message:
        return {"role": "tool" if self._answers == "tool" else "user", "content": blocks}

    # -- what is to be done

    def _plan(self) -> None:
        pairing = Pairing()
        for position, message in enumerate(self._parts):
            pairing.add(position, message)
        for result in (*pairing.end(), *pairing.again):
            self._gone.add((result.position, result.part))
        self._answers = self._usual(pairing)
        repeated = set(pairing.repeated)
        self._used = {call.id for call in pairing.calls}
        for call in pairing.calls:
            id = call.id
            if id is None or call in repeated:
                id = self._ids[call.position, call.form, call.part] = self._fresh(call.id or "call")
            self._settle(call, id, pairing.answers.get(call))

    def _usual(self, pairing: Pairing) -> Answers:
        """How blocks are answered in this conversation."""
        for call, result in pairing.answers.items():
            if call.form == "blocks":
                role = self._parts[result.position].role
                return "messages" if result.form == "chat" else "tool" if role == "tool" else "user"
        return self._answers

    def _settle(self, call: CallAt, id: str, result: ResultAt | None) -> None:
        if result is None:
            if self._drops:
                self._dropped.add((call.position, call.form, call.part))
            else:
                form: Form = "chat" if (call.form, self._answers) == ("blocks", "messages") else call.form
                self._insert(call, form, self._interrupted(call, form, id))
        elif not self._turns.is_in_place(call, result):
            self._gone.add((result.position, result.part))
            self._insert(call, result.form, _with_id(self._result(result), result.form, id))
        elif id != call.id:
            self._ids[result.position, result.form, result.part] = id

    def _insert(self, call: CallAt, form: Form, result: dict[str, Any]) -> None:
        """Put a result to its call: behind those that stand there already, a block before everything else."""
        turn = self._turns.of(call)
        if form == "blocks":
            self._blocks[turn.start].append(result)
            return
        place = turn.start
        while place < turn.stop and call.form != "item" and self._parts[place].role == "tool":
            place += 1
        self._before[place].append(result)

    def _result(self, result: ResultAt) -> dict[str, Any]:
        return next(one.value for one in self._parts[result.position].results if one.part == result.part)

    def _interrupted(self, call: CallAt, form: Form, id: str) -> dict[str, Any]:
        """The result of a call that has none."""
        if form == "chat":
            return {"role": "tool", "tool_call_id": id, "content": _TEXT}
        if form == "blocks":
            block = {"type": "tool_result", "tool_use_id": id, "content": _TEXT}
            return block if self._answers == "tool" else {**block, "is_error": True}  # which only Anthropic's have
        kind = self._messages[call.position]["type"]
        return {"type": _OUTPUT_OF.get(kind, f"{kind}_output"), "call_id": id, "output": _TEXT}

    def _fresh(self, id: str) -> str:
        while f"{id}_{self._numbers[id]}" in self._used:
            self._numbers[id] += 1
        self._used.add(f"{id}_{self._numbers[id]}")
        return f"{id}_{self._numbers[id]}"

    # -- what becomes of a message

    def _changed(self, position: int, message: Message, blocks: list[dict[str, Any]], is_last: bool) -> Message | None:
        """The message as it is from now on, itself where nothing is to be done, None where nothing is left."""
        parts = self._parts[position]
        if any(result.form != "blocks" and (position, result.part) in self._gone for result in parts.results):
            return None
        if any((position, "item", call.part) in self._dropped for call in parts.calls):
            return None
        changed = self._with_calls(position, self._with_result_id(position, message))
        changed = self._with_content(position, changed, blocks)
        if changed is message:
            return None if is_refused_as_empty(parts, is_last=is_last) else message
        left = parts_of(changed)
        has_no_result = _is_tool_of_blocks(parts) and not left.results
        return None if left.is_empty or has_no_result or _only_thinks(changed) else changed

    def _with_result_id(self, position: int, message: Message) -> Message:
        for result in self._parts[position].results:
            id = self._ids.get((position, result.form, result.part))
            if id is not None and result.form != "blocks":
                return _with_id(message, result.form, id)
        return message

    def _with_calls(self, position: int, message: Message) -> Message:
        item = self._ids.get((position, "item", 0))
        if item is not None and self._parts[position].calls:
            return {**message, "call_id": item}
        kept, is_same = [], True
        for place, call in enumerate(tool_calls(message)):
            id = self._ids.get((position, "chat", place))
            is_same = is_same and id is None and (position, "chat", place) not in self._dropped
            if (position, "chat", place) not in self._dropped:
                kept.append(call if id is None else {**call, "id": id})
        if is_same and not self._parts[position].lists_no_calls:
            return message
        rest = {key: value for key, value in message.items() if key != "tool_calls"}
        told = {id for id in (_told(call) for call in tool_calls(message)) if id} - {_told(call) for call in kept}
        content = message.get("content")
        if told and isinstance(content, list):  # where the same calls stand in blocks once more
            left = [block for block in content if not _is_call_of(block, told)]
            rest |= {"content": left} if len(left) < len(content) else {}
        return {**rest, "tool_calls": kept} if kept else rest

    def _with_content(self, position: int, message: Message, blocks: list[dict[str, Any]]) -> Message:
        content = message.get("content")
        is_rewritten = content is not self._messages[position].get("content")
        if not isinstance(content, list):
            if not blocks:
                return message
            said = [{"type": "text", "text": content}] if isinstance(content, str) and content.strip() else []
            return {**message, "content": [*blocks, *said]}
        if is_rewritten:
            return message  # what else is to be done here is done in the next pass
        kept = [*blocks, *self._kept(position, content)]
        same = len(kept) == len(content) and all(one is other for one, other in zip(kept, content, strict=True))
        return message if same else {**message, "content": kept}

    def _kept(self, position: int, content: list[Any]) -> Iterator[Any]:
        parts = self._parts[position]
        for place, block in enumerate(content):
            id = self._ids.get((position, "blocks", place))
            if (position, place) in self._gone or (position, "blocks", place) in self._dropped or place in parts.blank:
                continue
            if id is None:
                yield block
            else:
                yield {**block, "id" if block.get("type") == "tool_use" else "tool_use_id": id}


def _is_tool_of_blocks(parts: Parts) -> bool:
    return parts.role == "tool" and any(result.form == "blocks" for result in parts.results)


def _with_id(result: dict[str, Any], form: Form, id: str) -> dict[str, Any]:
    key = {"chat": "tool_call_id", "blocks": "tool_use_id", "item": "call_id"}[form]
    return {**result, key: id}


def _told(call: Any) -> str | None:
    id = call.get("id") if isinstance(call, dict) else None
    return id if isinstance(id, str) else None


def _is_call_of(block: Any, ids: set[str]) -> bool:
    return isinstance(block, dict) and block.get("type") == "tool_use" and block.get("id") in ids


def _only_thinks(message: Message) -> bool:
    content = message.get("content")
    return (
        message.get("role") == "assistant"
        and isinstance(content, list)
        and not tool_calls(message)
        and all(isinstance(block, dict) and block.get("type") in _THOUGHTS for block in content)
    )
