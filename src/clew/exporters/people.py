"""What the formats for people have in common: the facts of a session, its branches, its messages with their texts."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from clew.display.blocks import Call, Leaf, Result
from clew.display.conversation import Shown, preview, read
from clew.display.visible import one_line
from clew.exporters.base import Conversation, Wanted, read_messages
from clew.model import CheckpointSummary, Message
from clew.store import Store


class Told(NamedTuple):
    """A message as people read it: its blocks, the texts of these, and the messages that answer its tool calls."""

    shown: Shown
    leaves: list[Leaf]
    answers: "list[Told]"

    def answers_to(self, call: Call) -> "list[tuple[Told, Result]]":
        """The results of one of its calls, each with the message that it stands in."""
        return [(told, result) for told in self.answers for result in told.shown.results if result.call == call.id]


class Branch(NamedTuple):
    """Another end of a session: what it says after the first `common` messages of the conversation that is shown."""

    number: int
    checkpoint: CheckpointSummary
    label: str
    words: str
    common: int


def tell(messages: Iterable[Message], first: int = 1) -> Iterator[Told]:
    """Messages from number `first` on. Those that are results of tools stand with the message that called these."""
    held: Told | None = None
    for number, message in enumerate(messages, first):
        told = Told(*read(message, number), [])
        if held is not None and _answers(told, held):
            held.answers.append(told)
            continue
        if held is not None:
            yield held
        held = told
    if held is not None:
        yield held


def _answers(told: Told, held: Told) -> bool:
    calls = {block.id for block in held.shown.blocks if isinstance(block, Call) and block.id}
    return bool(told.shown.results) and all(result.call in calls for result in told.shown.results)


def facts(store: Store, conversation: Conversation) -> list[tuple[str, str]]:
    """What is known of the session and of this conversation, by name."""
    session, checkpoint = conversation.session, conversation.checkpoint
    stats = store.session_stats(session.id, checkpoint_id=checkpoint.id) if checkpoint is not None else None
    found = [
        ("Session", str(session.id)),
        ("Checkpoint", "" if checkpoint is None else str(checkpoint.id)),
        ("Created", f"{session.created_at:%Y-%m-%d %H:%M} UTC"),
        ("Updated", f"{session.updated_at:%Y-%m-%d %H:%M} UTC"),
        ("Directory", one_line(conversation.cwd or "", 300)),
        ("Source", one_line(session.source or "")),
        ("Messages", f"{conversation.count:,}"),
    ]
    if stats is not None:
        tokens = f"{stats.input_tokens:,} in, {stats.output_tokens:,} out" if stats.usage_messages else ""
        found += [
            ("Tool calls", f"{stats.total_tool_calls:,}" if stats.total_tool_calls else ""),
            ("Models", ", ".join(one_line(model) for model in stats.models)),
            ("Tokens", tokens),
            ("Cost", "" if stats.cost is None else f"{stats.cost:.2f}"),
        ]
    return [(name, value) for name, value in found if value]


def branches(store: Store, conversation: Conversation, wanted: Wanted) -> list[Branch]:
    """The other ends of the session, the newest first; none where they are not wanted."""
    shown = conversation.checkpoint
    if not wanted.all_branches or shown is None:
        return []
    ends = [leaf for leaf in store.branches(conversation.session.id) if leaf.id != shown.id]
    found = []
    for number, leaf in enumerate(ends, 1):
        common = store.diff(shown.id, leaf.id).common
        label = "" if leaf.label is None else one_line(wanted.masking.text(leaf.label))
        own = next(iter(read_messages(store, leaf, wanted.masking, common)), None)
        found.append(Branch(number, leaf, label, "" if own is None else preview(own), common))
    return found


def own_messages(store: Store, branch: Branch, wanted: Wanted) -> Iterator[Told]:
    """What a branch says by itself."""
    return tell(read_messages(store, branch.checkpoint, wanted.masking, branch.common), branch.common + 1)


def shortened(text: str, lines: int | None) -> str:
    """The first lines of a text, and how many more there are."""
    listed = text.split("\n")
    if lines is None or len(listed) <= lines:
        return text
    left = len(listed) - lines
    return "\n".join([*listed[:lines], f"… {left:,} more line{'' if left == 1 else 's'} …"])
