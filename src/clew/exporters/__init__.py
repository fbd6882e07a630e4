"""Sessions written as files: for other programs, for people, and for agents to go on from.

`export` writes any of the formats into a stream. What is stored is only read.
"""

from collections.abc import Iterable
from typing import BinaryIO

from clew import checks
from clew.archive import Masking
from clew.backend import Report
from clew.errors import InvalidRequestError
from clew.exporters.base import Exported, Exporter, Wanted
from clew.exporters.claude_code import ClaudeCodeExporter
from clew.exporters.codex import CodexExporter
from clew.exporters.html import HtmlExporter
from clew.exporters.jsonl import JsonLinesExporter
from clew.exporters.markdown import MarkdownExporter
from clew.exporters.stakpak import StakpakExporter
from clew.ids import to_id
from clew.store import Id, Store

__all__ = ["EXPORTERS", "Exported", "Exporter", "export"]

EXPORTERS: dict[str, Exporter] = {
    exporter.name: exporter
    for exporter in (
        JsonLinesExporter(),
        MarkdownExporter(),
        HtmlExporter(),
        StakpakExporter(),
        ClaudeCodeExporter(),
        CodexExporter(),
    )
}
"""Every format by its name."""


def export(
    store: Store,
    format: str,
    out: BinaryIO,
    *,
    sessions: Id | Iterable[Id] | None = None,
    checkpoint_id: Id | None = None,
    all_branches: bool = False,
    result_lines: int | None = None,
    attachments: bool = True,
    masking: Masking | None = None,
    progress: Report | None = None,
) -> Exported:
    """Write sessions of a store into a stream of bytes, in one of the formats of `EXPORTERS`.

    "jsonl" and "stakpak" take any number of `sessions`, with all of their checkpoints; without them every session,
    deleted ones too. The others take one session, and of it the conversation of `checkpoint_id`, by default the active
    one; "markdown" and "html" also what other branches say (`all_branches`), and of the result of a tool no more than
    `result_lines`. "claude-code" and "codex" are experimental. `masking` is applied to all that is written: with
    `clew.exporters.redaction.Redaction()` secrets are masked, and its `report` says which.

    InvalidRequestError where a format cannot do what is asked, NotFoundError where something is not there,
    CorruptStateError where a conversation for people is damaged; "jsonl" and "stakpak" leave out what is, and name it
    in the result. InvalidRequestError also where an extra of the package is missing.
    """
    exporter = EXPORTERS.get(format)
    if exporter is None:
        raise InvalidRequestError(f"format must be one of {', '.join(EXPORTERS)}, not {format!r}")
    chosen = None if sessions is None else checks.ids(sessions, "sessions")
    if exporter.takes_many and (checkpoint_id is not None or all_branches):
        raise InvalidRequestError(f"{format} has all checkpoints of a session: none of them can be chosen")
    if result_lines is not None and (not isinstance(result_lines, int) or result_lines < 1):
        raise InvalidRequestError("result_lines must be a number from 1 on")
    wanted = Wanted(
        sessions=chosen,
        checkpoint_id=None if checkpoint_id is None else to_id(checkpoint_id, "checkpoint_id"),
        all_branches=bool(all_branches),
        result_lines=result_lines,
        attachments=bool(attachments),
        masking=masking or Masking(),
        progress=checks.optional_report(progress),
    )
    return exporter.write(store, wanted, out)
