"""Sessions within a session: the records of subagents that older versions wrote into the file of their parent.

Each such lane is a session of its own. A look over the file, which decodes few of its lines, says where they are, and
which tool calls have spawned subagents.
"""

import re
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from clew.hashing import content_hasher
from clew.importers.claude_code.kinds import CHAIN, json_value
from clew.importers.records import LineRecords, Record, Records, Watermark
from clew.importers.values import fields, objects, text

_SIDECHAIN = re.compile(rb'"isSidechain"\s*:\s*true')
_SPAWNING = re.compile(rb'"name"\s*:\s*"(?:Task|Agent)"|"agentId"')
_TALK = re.compile(rb'"type"\s*:\s*"(?:user|assistant)"')
_TASKS = ("Task", "Agent")


class Task(msgspec.Struct):
    """A tool call that spawns a subagent."""

    tool_call_id: str
    description: str | None
    type: str | None
    prompt: str | None
    agent_id: str | None = None


class _Member(NamedTuple):
    position: int
    uuid: str | None
    parent: str | None
    agent_id: str | None
    prompt: str


class Lane(msgspec.Struct):
    """The records of one subagent within the file of its parent: the id of the agent, or the uuid of the first one."""

    root: str
    agent_id: str | None
    prompt: str
    positions: set[int]


class Survey(msgspec.Struct):
    """What a file holds: `end` is its size then, `session` the id that its first records name."""

    end: int = 0
    session: str | None = None
    has_main: bool = False
    """Whether somebody talks in it who is no subagent."""
    has_talk: bool = False
    lanes: list[Lane] = []
    tasks: dict[str, Task] = {}

    @property
    def positions(self) -> set[int]:
        """Where the records of subagents stand."""
        return {position for lane in self.lanes for position in lane.positions}

    def task_of(self, agent_id: str | None, tool_call_id: str | None = None) -> Task | None:
        """The call that spawned an agent, None where that is not known."""
        by_agent = (task for task in self.tasks.values() if agent_id and task.agent_id == agent_id)
        return self.tasks.get(tool_call_id or "") or next(by_agent, None)


class LaneRecords(Records):
    """Some of the records of a file, as it was when they were looked for: those at the positions, or all others."""

    def __init__(self, path: Path, positions: Set[int], end: int, *, others: bool = False) -> None:
        self._lines = LineRecords(path)
        self._positions = positions
        self._end = end
        self._others = others

    def __iter__(self) -> Iterator[Record]:
        for record in self._lines:
            if record.position >= self._end:
                return  # it may be of either: the next look over the file says
            if (record.position in self._positions) is not self._others:
                yield record

    def watermark(self) -> Watermark:
        digest, size = content_hasher(), 0
        for record in self:
            digest.update(record.text + b"\n")
            size += len(record.text)
        return Watermark(size, digest.hexdigest())


def survey(path: Path) -> Survey:
    """Look over a file of a session."""
    found, members = Survey(end=path.stat().st_size), []
    for record in LineRecords(path):
        if record.position >= found.end:
            break
        is_aside = _SIDECHAIN.search(record.text) is not None
        is_talk = _TALK.search(record.text) is not None
        if is_aside or found.session is None or _SPAWNING.search(record.text):
            value = fields(json_value(record))
            found.session = found.session or text(value.get("sessionId"))
            is_aside = is_aside and value.get("isSidechain") is True and value.get("type") in tuple(CHAIN)
            if is_aside:
                members.append(_member(record, value))
            _find_tasks(value, found.tasks)
        found.has_talk = found.has_talk or is_talk
        found.has_main = found.has_main or (is_talk and not is_aside)
    found.lanes = _lanes(members)
    return found


def _member(record: Record, value: dict[str, Any]) -> _Member:
    content = fields(value.get("message")).get("content")
    prompt = content if isinstance(content, str) else "\n".join(text(b.get("text")) or "" for b in objects(content))
    named = [text(value.get(name)) for name in ("uuid", "parentUuid", "agentId")]
    return _Member(record.position, named[0], named[1], named[2], prompt if value.get("type") == "user" else "")


def _lanes(members: list[_Member]) -> list[Lane]:
    """The records of subagents by their agent, or, where they name none, by the record that they all lead to."""
    known = {member.uuid for member in members if member.uuid}
    lanes: dict[str, Lane] = {}
    lane_of: dict[str, str] = {}
    last: str | None = None
    for member in members:
        name = f"agent-{member.agent_id}" if member.agent_id else lane_of.get(member.parent or "")
        if name is None and member.parent in known:
            name = last  # its parent stands after it
        if name is None:
            name = member.uuid or f"@{member.position}"
        lane = lanes.setdefault(name, Lane(name, member.agent_id, member.prompt, set()))
        lane.prompt = lane.prompt or member.prompt
        lane.positions.add(member.position)
        if member.uuid:
            lane_of[member.uuid] = name
        last = name
    return list(lanes.values())


def _find_tasks(value: dict[str, Any], tasks: dict[str, Task]) -> None:
    for block in objects(fields(value.get("message")).get("content")):
        id = text(block.get("id"))
        if block.get("type") == "tool_use" and block.get("name") in _TASKS and id:
            given = fields(block.get("input"))
            named = (text(given.get(name)) for name in ("description", "subagent_type", "prompt"))
            tasks.setdefault(id, Task(id, *named))
        task = tasks.get(text(block.get("tool_use_id")) or "")
        if task is not None and block.get("type") == "tool_result":
            task.agent_id = text(fields(value.get("toolUseResult")).get("agentId")) or task.agent_id


def link(survey: Survey) -> dict[str, Task]:
    """The calls that spawned the lanes, by the lanes' roots: the first with the same prompt that is left."""
    left, links = dict(survey.tasks), {}
    for lane in survey.lanes:
        by_agent = survey.task_of(lane.agent_id)
        same = (task for task in left.values() if task.prompt and task.prompt.strip() == lane.prompt.strip())
        task = by_agent if by_agent is not None else next(same, None)
        if task is not None:
            links[lane.root] = task
            left.pop(task.tool_call_id, None)
    return links
