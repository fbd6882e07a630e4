"""Claude Code's sessions."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from clew.errors import StorageError
from clew.importers.claude_code import lanes
from clew.importers.claude_code.chains import Chains
from clew.importers.claude_code.facts import Facts
from clew.importers.claude_code.files import (
    AgentFile,
    Peek,
    agent_source_id,
    files,
    holds_only_facts,
    is_agents,
    is_damaged,
    is_named_by_id,
    peek,
)
from clew.importers.claude_code.kinds import json_value
from clew.importers.claude_code.replay import Replay, active_key
from clew.importers.claude_code.tree import Tree
from clew.importers.formats import FormatImporter, Source
from clew.importers.looking import may_be_dir
from clew.importers.records import LineRecords, Records
from clew.importers.steps import Notes, Parsed
from clew.importers.values import count, text

_MAX_FILES_LOOKED_AT = 1_000  # of a folder that may be none of Claude Code's


class ClaudeCodeImporter(FormatImporter):
    """The transcripts of Claude Code, with those of its subagents."""

    name = "claude-code"
    summary = "Claude Code (~/.claude/projects)"
    version = 1
    patterns = ("*.jsonl",)

    def detect(self, path: Path) -> bool:
        if path.is_file():
            return peek(path).is_session
        found = islice(files(path, lambda where, why: None), _MAX_FILES_LOOKED_AT) if path.is_dir() else iter(())
        return any(peek(file).is_session for file in found)

    def locations(self, home: Path) -> list[Path]:
        homes = [home / ".claude", home / ".config" / "claude"]
        named = os.environ.get("CLAUDE_CONFIG_DIR")
        if named and home == Path.home():
            homes = [Path(named).expanduser()]
        return [folder for place in homes if may_be_dir(folder := place / "projects")]

    def sources(self, path: Path, notes: Notes) -> Iterator[Source]:
        surveys: dict[Path, lanes.Survey] = {}
        if path.is_file():
            yield from _sources_of(path, peek(path), surveys)
            return
        for file in files(path, lambda where, why: notes.broken.append((where, why))):
            look = peek(file)
            is_its = look.is_session or (is_named_by_id(file) and look.session)
            if (is_its and not _is_left_out(file, look)) or is_damaged(file):
                yield from _sources_of(file, look, surveys)

    def parse(self, records: Records, context: dict[str, Any], notes: Notes) -> Parsed:
        chains, facts = Chains(), Facts()
        for record in records:
            value = json_value(record)
            chains.add(record, value)
            facts.see(value)
        known_leaves = {leaf for leaf in facts.leaves if chains.knows(leaf)}
        chains.finish()
        tree = Tree(chains)
        steps = iter(Replay(records, tree, facts.compactions, notes))
        return Parsed(facts.info(context, known_leaves), steps, active_key(records, tree))


def _is_left_out(file: Path, look: Peek) -> bool:
    """Whether a file of a folder is a copy of a session that is there, or holds no more than, say, a title."""
    is_copy = not is_named_by_id(file) and not is_agents(file, look)
    if is_copy and look.session and file.with_name(f"{look.session}{file.suffix}").is_file():
        return True
    return holds_only_facts(file)


def _sources_of(file: Path, look: Peek, surveys: dict[Path, lanes.Survey]) -> Iterator[Source]:
    if is_agents(file, look):
        yield _source_of_agent(file, look, surveys)
        return
    found = _survey(file, surveys)
    session = file.stem if is_named_by_id(file) or found.session is None else found.session
    if found.lanes and not found.has_main:
        yield _source_of_lone_agent(file, session, found)
        return
    context = {"folder": file.parent.name}
    records = lanes.LaneRecords(file, found.positions, found.end, others=True) if found.lanes else LineRecords(file)
    yield Source(source_id=session, path=file, records=records, context=context)
    links = lanes.link(found)
    for lane in found.lanes:
        task = links.get(lane.root)
        yield Source(
            source_id=f"{session}/{lane.root}",
            path=file,
            records=lanes.LaneRecords(file, lane.positions, found.end),
            context={**context, "parent": session, "agent": _agent(lane.agent_id, task, {})},
            parent=session,
        )


def _source_of_agent(file: Path, look: Peek, surveys: dict[Path, lanes.Survey]) -> Source:
    agent = AgentFile(file, look)
    main = agent.main_file
    call = text(agent.meta.get("toolUseId"))
    task = None if main is None else _survey(main, surveys).task_of(agent.id, call)
    context = {"folder": agent.project.name, "parent": agent.parent, "agent": _agent(agent.id, task, agent.meta)}
    return Source(source_id=agent.source_id, path=file, records=LineRecords(file), context=context, parent=agent.parent)


def _source_of_lone_agent(file: Path, session: str, found: lanes.Survey) -> Source:
    """A file in which only subagents talk: that of one, under another name."""
    agent_id = found.lanes[0].agent_id if len(found.lanes) == 1 else None
    parent = session if agent_id else None
    context = {"folder": file.parent.name, "parent": parent, "agent": _agent(agent_id, None, {})}
    source_id = agent_source_id(session, agent_id) if agent_id else session
    return Source(source_id=source_id, path=file, records=LineRecords(file), context=context, parent=parent)


def _agent(agent_id: str | None, task: lanes.Task | None, meta: dict[str, Any]) -> dict[str, Any]:
    """What is known of a subagent from beside its records."""
    known = {
        "id": agent_id,
        "type": text(meta.get("agentType")) or (task.type if task else None),
        "description": text(meta.get("description")) or (task.description if task else None),
        "tool_call_id": text(meta.get("toolUseId")) or (task.tool_call_id if task else None),
        "depth": count(meta.get("spawnDepth")),
    }
    return {name: value for name, value in known.items() if value is not None}


def _survey(file: Path, surveys: dict[Path, lanes.Survey]) -> lanes.Survey:
    if file not in surveys:
        try:
            surveys[file] = lanes.survey(file)
        except (StorageError, OSError):
            surveys[file] = lanes.Survey()  # what is wrong with it is told where its records are read
    return surveys[file]
