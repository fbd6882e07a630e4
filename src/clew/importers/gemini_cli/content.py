"""Messages of Gemini CLI in the form in which clew stores them.

A content is a text, a part, or a list of both, as the Gemini API has it. Tool calls stand beside the content of an
answer, each with its result; in the history that is sent to the model, and so in a `$set.messages`, they are parts: the
calls in the answer and the results in a message of the user. Where both are there, the ones beside the content win.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from clew.importers import chat
from clew.importers.values import count, fields, moment, objects, text
from clew.model import Message

_FAILED = frozenset(("error", "cancelled"))
_ENDED = _FAILED | {"success"}
_SUMMARY_BEGINS = "<state_snapshot>"
_KNOWN_PARTS = (
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "thoughtSignature",
)


class Content(msgspec.Struct):
    """What the parts of a content are."""

    parts: list[chat.Part] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    responses: list[dict[str, Any]] = []
    unknown: list[str] = []


def read_content(value: Any) -> Content:
    """The parts of a content, whichever way it is written."""
    content = Content()
    for part in listed(value):
        if (known := text(part.get("text"))) is not None:
            if part.get("thought") is True:
                content.thoughts.append(known)
            else:
                content.parts.append(chat.text_part(known))
        elif isinstance(part.get("functionCall"), dict):
            content.calls.append(part["functionCall"])
        elif isinstance(part.get("functionResponse"), dict):
            content.responses.append(part["functionResponse"])
        else:
            content.parts += _other_part(part)
            content.unknown += [] if any(name in part for name in _KNOWN_PARTS) else [next(iter(part), "empty")]
    return content


def listed(value: Any) -> list[dict[str, Any]]:
    """The parts of a content as a list of objects."""
    items = value if isinstance(value, list) else [value]
    parts = ({"text": item} if isinstance(item, str) else item for item in items)
    return [part for part in parts if isinstance(part, dict)]


def kind_of(value: dict[str, Any]) -> str | None:
    """Which type a message is of; the API's own name for the model stands for `gemini`."""
    kind = text(value.get("type"))
    return "gemini" if kind == "model" else kind


def said_in(value: dict[str, Any]) -> Any:
    """The content of a message, which the API calls its parts."""
    return value["content"] if value.get("content") is not None else value.get("parts")


def plain_text(value: Any) -> str:
    """The text of a content, without thoughts and what is no text."""
    return "\n".join(part["text"] for part in read_content(value).parts if part["type"] == "text")


def is_summary(value: dict[str, Any]) -> bool:
    """Whether a message stands for what was said before it, as after a compression."""
    return kind_of(value) == "user" and plain_text(said_in(value)).lstrip().startswith(_SUMMARY_BEGINS)


def messages_of(
    value: dict[str, Any], answered: Collection[str] = (), named: Mapping[int, str] | None = None
) -> list[Message]:
    """What a message of Gemini CLI becomes; results of calls that are `answered` already are left out.

    `named` has the calls that results are of, by the place of the result, where these do not say so.
    """
    kind = kind_of(value)
    if kind == "gemini":
        return _answer(value)
    if kind != "user":
        return []  # shown to the user, and never sent to the model
    content = read_content(said_in(value))
    messages = [
        _response(
            {**response, "id": (named or {}).get(place, response.get("id"))}, [], at=moment(value.get("timestamp"))
        )
        for place, response in enumerate(content.responses)
        if text(response.get("id")) not in answered
    ]
    if content.parts:
        compaction = {"kind": "compression"} if is_summary(value) else None
        messages.append(_message("user", content, value, compaction=compaction))
    return messages


class Named(NamedTuple):
    """A call or the result of one: its id, where it has one, and the name of the tool."""

    id: str | None
    name: str | None


def responses_of(value: dict[str, Any]) -> tuple[Named, ...]:
    """The results of calls that a message of the user holds."""
    if kind_of(value) != "user":
        return ()
    return tuple(_named(item) for item in read_content(said_in(value)).responses)


def calls_of(value: dict[str, Any]) -> tuple[tuple[Named, ...], tuple[Named, ...]]:
    """The calls of an answer: those that have an id of their own, and those that were given one here."""
    if kind_of(value) != "gemini":
        return (), ()
    made = {id: name for id, name, *_ in _calls(value, read_content(said_in(value)))}
    own = {call.id for call in map(_named, [*read_content(said_in(value)).calls, *objects(value.get("toolCalls"))])}
    listed = [Named(id, name) for id, name in made.items()]
    return tuple(call for call in listed if call.id in own), tuple(call for call in listed if call.id not in own)


def _named(item: dict[str, Any]) -> Named:
    return Named(text(item.get("id")), text(item.get("name")))


def _message(role: str, content: Content, value: dict[str, Any], **more: Any) -> Message:
    at = moment(value.get("timestamp"))
    return chat.message(role, chat.content_of(content.parts), id=text(value.get("id")), at=at, **more)


def _answer(value: dict[str, Any]) -> list[Message]:
    content = read_content(said_in(value))
    thoughts = [_thought(item) for item in objects(value.get("thoughts"))] or content.thoughts
    calls = list(_calls(value, content))
    if not (content.parts or calls or thoughts):
        return []
    made = chat.assistant(
        content.parts,
        [chat.tool_call(id, name, arguments) for id, name, arguments, _ in calls],
        thoughts,
        id=text(value.get("id")),
        at=moment(value.get("timestamp")),
        model=text(value.get("model")),
        usage=_usage(fields(value.get("tokens"))),
    )
    ids = {id for id, *_ in calls}
    results = [_result(id, name, call, ids - {id}) for id, name, _, call in calls]
    return [made, *(result for result in results if result is not None)]


def _calls(value: dict[str, Any], content: Content) -> Iterator[tuple[str, str, Any, dict[str, Any]]]:
    """Each call with its id, name, arguments and, where it stands beside the content, what is told of it."""
    beside = objects(value.get("toolCalls"))
    ids = {call.get("id") for call in beside if isinstance(call.get("id"), str)}
    same = [(call.get("name"), call.get("args")) for call in beside]
    for number, call in enumerate(content.calls):
        id = text(call.get("id"))
        if id in ids or (id is None and (call.get("name"), call.get("args")) in same):
            continue
        yield id or f"{value.get('id')}:{number}", text(call.get("name")) or "unknown", call.get("args"), {}
    for number, call in enumerate(beside, len(content.calls)):
        id = text(call.get("id")) or f"{value.get('id')}:{number}"
        yield id, text(call.get("name")) or "unknown", call.get("args"), call


def _result(id: str, name: str, call: dict[str, Any], others: set[str]) -> Message | None:
    """The result of a call; None where there is none yet."""
    status, result = text(call.get("status")), call.get("result")
    if not result and status not in _ENDED:
        return None
    content = read_content(result)
    # With several calls at once each of them may have the results of all.
    own = [response for response in content.responses if text(response.get("id")) not in others]
    response = own[0] if own else {"response": {"output": _shown(call) if not content.parts else ""}}
    at = moment(call.get("timestamp"))
    response = {**response, "id": id, "name": name}
    return _response(response, content.parts, at=at, failed=status in _FAILED)


def _shown(call: dict[str, Any]) -> Any:
    """What the user was shown of a result; no text where that was nothing."""
    shown = call.get("resultDisplay")
    return "" if shown is None else shown


def _response(response: dict[str, Any], beside: list[chat.Part], *, at: Any, failed: bool = False) -> Message:
    told = response.get("response")
    output, error = (told.get("output"), told.get("error")) if isinstance(told, dict) else (told, None)
    shown = output if output is not None else error if error is not None else told
    words = "" if shown in (None, {}) else shown if isinstance(shown, str) else chat.json_text(shown)
    parts = [*read_content(response.get("parts", [])).parts, *beside]
    listed = [chat.text_part(words), *parts] if words else parts
    name, failed = text(response.get("name")), failed or (output is None and error is not None)
    return chat.tool_result(text(response.get("id")) or "", listed, name=name, is_error=failed, at=at)


def _thought(thought: dict[str, Any]) -> str:
    told = (text(thought.get("subject")), text(thought.get("description")))
    return "\n".join(line for line in told if line is not None)


def _other_part(part: dict[str, Any]) -> list[chat.Part]:
    data, file = fields(part.get("inlineData")), fields(part.get("fileData"))
    media_type = text(data.get("mimeType")) or text(file.get("mimeType")) or "application/octet-stream"
    is_image = media_type.startswith("image/")
    if bytes_ := text(data.get("data")):
        url = f"data:{media_type};base64,{bytes_}"
        name = text(data.get("displayName"))
        return [chat.image_part(bytes_, media_type) if is_image else chat.file_part(file_data=url, filename=name)]
    if uri := text(file.get("fileUri")):
        return [chat.image_part(uri) if is_image else chat.file_part(path=uri, media_type=media_type)]
    code, ran = fields(part.get("executableCode")), fields(part.get("codeExecutionResult"))
    return [chat.text_part(known) for known in (text(code.get("code")), text(ran.get("output"))) if known]


def _usage(tokens: dict[str, Any]) -> dict[str, Any]:
    """Gemini counts what a model thinks beside its answer, and what tools cost beside the prompt."""
    prompt, answer = count(tokens.get("input")), count(tokens.get("output"))
    thoughts, tool = count(tokens.get("thoughts")), count(tokens.get("tool"))
    return chat.usage_of(
        prompt=None if prompt is None else prompt + (tool or 0),
        completion=None if answer is None else answer + (thoughts or 0),
        cached=count(tokens.get("cached")),
        reasoning=thoughts,
    )
