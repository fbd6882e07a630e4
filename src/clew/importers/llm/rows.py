"""The sessions of llm's `logs.db`, of both generations of its tables.

A message is in the database once, however many threads lead to it; each thread is a session, so it has records of all
that leads to its tip, and to those of its turns: two programs that go on with a thread at once leave one beside it.
"""

from collections.abc import Iterator
from pathlib import Path

from clew.importers import values
from clew.importers.database import Database, Row, is_damaged, tables_of
from clew.importers.formats import Source
from clew.importers.records import GeneratedRecords, encode_value

_MESSAGES = {
    "messages": {"hash", "parent_hash", "role"},
    "parts": {"message_hash", "position", "type"},
    "threads": {"id"},
}
_RESPONSES = {"responses": {"id", "prompt", "response", "conversation_id"}}
_LOG = "log-"
_MAX_DIGITS = 18  # of a number that every integer of SQLite can be
_LOGS = {"logs": {"id", "prompt", "response", "chat_id"}}
"""Of before 0.5, which are left where they are when llm is updated. The first prompt of a chat has no `chat_id`."""

Rows = Iterator[tuple[str, Row]]


def is_llm(path: Path) -> bool:
    """Whether the file is a log of llm; where nobody can say, its name does."""
    tables = tables_of(path)
    if not tables:
        return path.name == "logs.db" and is_damaged(path)
    return any(
        all(columns <= set(tables.get(table, ())) for table, columns in generation.items())
        for generation in (_MESSAGES, _RESPONSES, _LOGS)
    )


def sources(path: Path) -> Iterator[Source]:
    """The sessions of a log: threads, conversations, what belongs to none of them, and chats of before 0.5."""
    with Database(path) as database:
        for id in _names(database):
            yield Source(source_id=id, path=path, records=SessionRows(path, id))


def _names(database: Database) -> list[str]:
    queries = []
    if database.has("turns", "thread_id"):
        queries.append("SELECT id FROM threads WHERE tip_message_hash IS NOT NULL ORDER BY id")
        queries.append("SELECT DISTINCT thread_id FROM turns WHERE thread_id IS NOT NULL ORDER BY thread_id")
        queries.append("SELECT id FROM turns WHERE thread_id IS NULL ORDER BY id")
        queries.append(_LOOSE_TIPS)
    if database.has("responses", "conversation_id"):
        queries.append(
            "SELECT conversation_id FROM responses GROUP BY 1 HAVING conversation_id IS NOT NULL ORDER BY min(id)"
        )
        queries.append("SELECT id FROM responses WHERE conversation_id IS NULL ORDER BY id")
    if database.has("logs", "chat_id"):
        queries.append("SELECT 'log-' || coalesce(chat_id, id) FROM logs GROUP BY 1 ORDER BY min(id)")
    found = (values.storable(name) for query in queries for (name,) in database.select(query))
    return list(dict.fromkeys(name for name in found if name is not None))


# Messages that a program has stored for itself, without a thread.
_LOOSE_TIPS = """
SELECT hash FROM messages
WHERE hash NOT IN (SELECT parent_hash FROM messages WHERE parent_hash IS NOT NULL)
AND hash NOT IN (SELECT tip_message_hash FROM threads WHERE tip_message_hash IS NOT NULL)
AND hash NOT IN (SELECT tip_message_hash FROM turns WHERE tip_message_hash IS NOT NULL)
AND hash NOT IN (SELECT parent_message_hash FROM turns WHERE parent_message_hash IS NOT NULL)
ORDER BY rowid
"""


class SessionRows(GeneratedRecords):
    """The rows of a session, each turn behind the messages that it has added, and the thread last.

    What a part borrows, text of a fragment or the bytes of an attachment, stands before it.
    """

    def __init__(self, path: Path, id: str) -> None:
        self._path = path
        self._id = id

    def texts(self) -> Iterator[bytes]:
        with Database(self._path) as database:
            for rows in (_Session(database, self._id).rows(), database.lost()):
                for table, row in rows:
                    yield encode_value({"table": table, "row": row})


class _Session:
    def __init__(self, database: Database, id: str) -> None:
        self._database = database
        self._id = id
        self._seen: set[str] = set()

    def rows(self) -> Rows:
        turns: set[str] = set()
        found = list(self._database.rows("threads", "id = ?", (self._id,)))
        for turn in self._turns():
            turns.add(str(turn["id"]))
            yield from self._chain(values.text(turn.get("parent_message_hash")))
            yield from self._chain(values.text(turn.get("tip_message_hash")))
            yield "turns", turn
        for thread in found:
            yield from self._chain(values.text(thread.get("tip_message_hash")))
        yield from self._chain(self._id)
        yield from self._responses(turns)
        yield from self._logs()
        for thread in found:
            yield "threads", thread
        for conversation in self._database.rows("conversations", "id = ?", (self._id,)):
            yield "conversations", conversation

    def _turns(self) -> Iterator[Row]:
        if "turns" in self._database.tables:
            where = "thread_id = ?1 OR (thread_id IS NULL AND id = ?1)"
            yield from self._database.rows("turns", where, (self._id,), order=("datetime_utc", "id"))

    def _chain(self, tip: str | None) -> Rows:
        """The messages that lead to a tip, first to last, that have not come yet."""
        way: list[Row] = []
        while tip is not None and tip not in self._seen:
            message = next(self._database.rows("messages", "hash = ?", (tip,)), None)
            if message is None:
                break
            self._seen.add(tip)
            way.append(message)
            tip = values.text(message["parent_hash"])
        for message in reversed(way):
            yield "messages", message
            yield from self._parts(message["hash"])

    def _parts(self, hash: str) -> Rows:
        for part in self._database.rows("parts", "message_hash = ?", (hash,), order=("position",)):
            yield from self._borrowed("fragments", "part_fragments", "fragment_id", "part_id", part.get("id"))
            yield from self._borrowed("attachments", "part_attachments", "attachment_id", "part_id", part.get("id"))
            yield "parts", part

    def _borrowed(self, table: str, links: str, column: str, owner_column: str, owner: object) -> Rows:
        if not self._database.has(links, column, owner_column):
            return
        where = f"id IN (SELECT {column} FROM {links} WHERE {owner_column} = ?)"  # noqa: S608
        for row in self._database.rows(table, where, (owner,)):
            yield table, row

    def _responses(self, turns: set[str]) -> Rows:
        """The responses of before, but for those that have been written both ways."""
        if "responses" not in self._database.tables:
            return
        where = "conversation_id = ?1 OR (conversation_id IS NULL AND id = ?1)"
        for row in self._database.rows("responses", where, (self._id,), order=("datetime_utc", "id")):
            if str(row["id"]) not in turns:
                yield from self._of_response(str(row["id"]))
                yield "responses", row

    def _logs(self) -> Rows:
        """What was logged before 0.5, as the responses that it would be later."""
        number = self._id.removeprefix(_LOG)
        is_number = number.isdecimal() and len(number) <= _MAX_DIGITS
        if number != self._id and is_number and self._database.has("logs", "chat_id"):
            where = "chat_id = ?1 OR (chat_id IS NULL AND id = ?1)"
            for row in self._database.rows("logs", where, (int(number),), order=("id",)):
                yield "responses", {**row, "id": f"{_LOG}{row['id']}"}

    def _of_response(self, id: str) -> Rows:
        for links in ("prompt_fragments", "system_fragments"):
            kind = links.removesuffix("_fragments")
            for link in self._database.rows(links, "response_id = ?", (id,), order=("order",)):
                for row in self._database.rows("fragments", "id = ?", (link.get("fragment_id"),)):
                    yield "fragments", {**row, "kind": kind}
        yield from self._attachments("prompt_attachments", "response_id", id, {})
        for call in self._database.rows("tool_calls", "response_id = ?", (id,), order=("id",)):
            yield "tool_calls", call
        for result in self._database.rows("tool_results", "response_id = ?", (id,), order=("id",)):
            about = {"tool_result_id": result.get("id")}
            yield from self._attachments("tool_results_attachments", "tool_result_id", result.get("id"), about)
            yield "tool_results", result

    def _attachments(self, links: str, column: str, owner: object, about: Row) -> Rows:
        for link in self._database.rows(links, f"{column} = ?", (owner,), order=("order",)):
            for row in self._database.rows("attachments", "id = ?", (link.get("attachment_id"),)):
                yield "attachments", {**row, **about}
