"""Messages as OpenCode's first versions wrote them: with their parts in them, and `metadata` on them."""

from typing import Any

from clew.importers import values
from clew.importers.opencode.items import Group, Item


def expanded(group: Group) -> Group:
    """The group with the parts that stand in its message, as later versions have them; any other as it is."""
    message = group.message
    if message is None or group.parts or not isinstance(message.value.get("parts"), list):
        return group
    told = values.fields(message.value.get("metadata"))
    about = values.fields(told.get("assistant"))
    info = {**about, **message.value, "time": told.get("time") or message.value.get("time"), "error": told.get("error")}
    at = values.moment(values.fields(info["time"]).get("created")) or message.at
    held = Item(message.table, message.id, "", at, message.updated, message.type, info, message.record)
    parts = [_part(held, number, part) for number, part in enumerate(values.objects(info["parts"]))]
    return Group(held, parts, group.records)


def _part(message: Item, number: int, part: dict[str, Any]) -> Item:
    kind = values.text(part.get("type")) or ""
    if kind == "tool-invocation":
        kind, part = "tool", _tool(values.fields(part.get("toolInvocation")))
    elif kind == "file":
        part = {**part, "mime": part.get("mediaType")}
    return Item("part", f"{message.id}/{number}", message.id, None, 0, kind, part, message.record)


def _tool(invocation: dict[str, Any]) -> dict[str, Any]:
    done = invocation.get("state") == "result"
    state = {
        "status": "completed" if done else "running",
        "input": invocation.get("args"),
        "output": invocation.get("result"),
    }
    return {"callID": invocation.get("toolCallId"), "tool": invocation.get("toolName"), "state": state}
