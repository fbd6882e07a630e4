"""What llm keeps of a message, as messages of the common form."""

from collections.abc import Iterable
from typing import Any

from clew.importers import chat, values
from clew.importers.base import read_json
from clew.importers.steps import Notes
from clew.model import Message

Row = dict[str, Any]


def json_of(text: Any) -> Row:
    """The object in a column of JSON; an empty one where there is none."""
    try:
        return values.fields(read_json(text.encode(errors="surrogatepass"))) if isinstance(text, str) else {}
    except ValueError:
        return {}


class Borrowed:
    """What parts borrow: the text of fragments, and the attachments, since the last part."""

    def __init__(self) -> None:
        self.fragments: list[Row] = []
        self.attachments: list[Row] = []

    def text(self, pieces: Any) -> str:
        """The text of a part that is put together from fragments and what stands between them."""
        texts = {row.get("id"): values.text(row.get("content")) or "" for row in self.fragments}
        parts = (
            values.text(piece.get("literal")) or texts.get(_id(piece.get("fragment")), "")
            for piece in values.objects(pieces)
        )
        return "".join(parts)

    def files(self, refs: Any) -> list[chat.Part]:
        """The attachments that a part refers to."""
        rows = {row.get("id"): row for row in self.attachments}
        found = (rows.get(_id(ref.get("id"))) for ref in values.objects(refs))
        return [file_of(row) for row in found if row is not None]


def _id(value: Any) -> Any:
    return value if isinstance(value, (str, int)) else None


class Builder:
    """Puts the messages of one of llm's together: a result of a tool is a message of its own."""

    def __init__(self, role: str, told: dict[str, Any], calls_of: str | None = None) -> None:
        """`calls_of` is the answer whose calls, or results of calls, these are: it names those without an id."""
        self._role = role
        self._told = told
        self._calls_of = calls_of
        self._parts: list[chat.Part] = []
        self._calls: list[dict[str, Any]] = []
        self._thoughts: list[str] = []
        self._made: list[Message] = []
        self._unnamed = [0, 0]

    def say(self, parts: Iterable[chat.Part]) -> None:
        """Text and files."""
        self._parts += parts

    def think(self, text: Any) -> None:
        """What the model thought."""
        if isinstance(text, str) and text:
            self._thoughts.append(text)

    def call(self, id: Any, name: Any, arguments: Any) -> None:
        """A call of a tool."""
        self._calls.append(chat.tool_call(self._call_id(id, 0), values.text(name) or "", arguments))

    def result(self, id: Any, name: Any, output: Any, files: Iterable[chat.Part], error: Any) -> None:
        """What a tool answered."""
        self._end()
        parts = [*text_parts(output), *files]
        told = {"id": self._told.get("id"), "at": self._told.get("at")}
        call_id, is_error = self._call_id(id, 1), values.text(error) is not None
        self._made.append(chat.tool_result(call_id, parts, name=values.text(name), is_error=is_error, **told))

    def messages(self) -> list[Message]:
        """All of them."""
        self._end()
        return self._made

    def _call_id(self, id: Any, kind: int) -> str:
        """The id of a call. Some models name none: then the first result is that of the first call, and so on."""
        if (named := values.text(id)) is not None:
            return named
        self._unnamed[kind] += 1
        return f"{self._calls_of or 'call'}:{self._unnamed[kind]}"

    def _end(self) -> None:
        if self._role == "assistant" and (self._parts or self._calls or self._thoughts):
            self._made.append(chat.assistant(self._parts, self._calls, self._thoughts, **self._told))
        elif self._role != "assistant" and self._parts:
            told = {"id": self._told.get("id"), "at": self._told.get("at")}
            role = "user" if self._role == "tool" else self._role
            self._made.append(chat.message(role, chat.content_of(self._parts), **told))
        self._parts, self._calls, self._thoughts = [], [], []


def add_part(builder: Builder, row: Row, borrowed: Borrowed, notes: Notes) -> None:
    """Take one row of `parts`."""
    payload = json_of(row.get("payload"))
    kind = values.text(row.get("type")) or ""
    text = values.text(row.get("text")) or values.text(payload.get("text")) or borrowed.text(payload.get("text_ref"))
    if kind == "text":
        builder.say(text_parts(text))
    elif kind == "reasoning":
        builder.think(text)
    elif kind == "tool_call":
        builder.call(payload.get("tool_call_id"), _tool(row, payload), payload.get("arguments"))
    elif kind == "tool_result":
        files = borrowed.files(payload.get("attachments"))
        output = payload.get("output")
        builder.result(payload.get("tool_call_id"), _tool(row, payload), output, files, payload.get("exception"))
    elif kind == "attachment":
        builder.say(borrowed.files([payload.get("attachment")]))
    else:
        notes.unknown[f"part {kind}"] += 1


def _tool(row: Row, payload: Row) -> Any:
    return row.get("tool_name") or payload.get("name")


def file_of(row: Row) -> chat.Part:
    """An attachment: its bytes, its path or its URL."""
    media_type, url = values.text(row.get("type")), values.text(row.get("url"))
    data = values.text(values.fields(row.get("content")).get("$base64"))
    if data is not None:
        url = f"data:{media_type or 'application/octet-stream'};base64,{data}"
    if url is not None and (media_type or "").startswith("image/"):
        return chat.image_part(url)
    path = values.text(row.get("path"))
    name = None if path is None else path.replace("\\", "/").rpartition("/")[2]
    is_data = data is not None
    return chat.file_part(
        file_data=url if is_data else None,
        url=None if is_data else url,
        path=path,
        filename=name,
        media_type=media_type,
    )


def text_parts(text: Any) -> list[chat.Part]:
    """Text as parts; what is no text as JSON."""
    if text is None or text == "":
        return []
    return [chat.text_part(text if isinstance(text, str) else chat.json_text(text))]


def usage_of(row: Row) -> dict[str, Any]:
    """The usage of a turn or response."""
    taken, given = values.count(row.get("input_tokens")), values.count(row.get("output_tokens"))
    if taken is None and given is None:
        return {}
    details = json_of(row.get("token_details"))
    # As the model's maker names them: llm keeps what it is told.
    held = [details, *(value for value in details.values() if isinstance(value, dict))]
    return chat.usage_of(
        prompt=taken,
        completion=given,
        cached=_first(value.get("cached_tokens") for value in held),
        reasoning=_first(value.get("reasoning_tokens") for value in held),
    )


def _first(numbers: Iterable[Any]) -> int | None:
    return next((count for number in numbers if (count := values.count(number))), None)
