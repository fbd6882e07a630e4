"""The sessions of OpenCode where they are JSON: the trees of files of before 1.2, and `opencode export`."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from clew.errors import InvalidRequestError
from clew.importers import values
from clew.importers.base import read_json
from clew.importers.formats import Source
from clew.importers.records import GeneratedRecords, ListedRecords, Record, encode_value, open_source
from clew.importers.steps import Notes

_HEAD_BYTES = 64 * 1024
_LOOKED_AT = 5
_EXPORT = re.compile(rb'\{\s*"info"\s*:\s*\{.*?"(?:projectID|directory|slug|version)"', re.DOTALL)


class Tree:
    """A tree of files: `session/PROJECT/SESSION.json`, `message/SESSION/MESSAGE.json` and `part/MESSAGE/PART.json`.

    Before that there was one below each project: `session/info/SESSION.json`, `session/message/SESSION/MESSAGE.json`
    and `session/part/SESSION/MESSAGE/PART.json`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.is_oldest = (root / "session" / "info").is_dir()

    def sessions(self) -> list[Path]:
        """The files of the sessions."""
        pattern = "session/info/*.json" if self.is_oldest else "session/*/*.json"
        return sorted(self.root.glob(pattern))

    def messages(self, session: str) -> Path:
        """The folder of a session's messages."""
        return self.root / ("session/message" if self.is_oldest else "message") / session

    def parts(self, session: str, message: str) -> Path:
        """The folder of a message's parts."""
        return self.root / (f"session/part/{session}" if self.is_oldest else "part") / message


def trees(path: Path) -> list[Tree]:
    """The trees in a folder, which may be OpenCode's own or one in it."""
    below = [*sorted(path.glob("project/*/storage")), *sorted(path.glob("*/storage"))]
    roots = [path, path / "storage", *below, *sorted(folder.parent for folder in path.glob("*/session"))]
    return [tree for root in dict.fromkeys(roots) if (tree := Tree(root)).sessions()]


def tree_folders(path: Path) -> list[Path]:
    """The folders in which what a tree has may be, where `path` is a tree or holds some."""
    return [path / name for name in ("session", "message", "part", "storage", "project")]


def is_tree(tree: Tree) -> bool:
    """Whether what looks like a tree is one: it has messages, and one of its first sessions names itself as one."""
    if not tree.messages("any").parent.is_dir():
        return False
    told = (values.fields(_read(path)) for path in tree.sessions()[:_LOOKED_AT])
    return any("id" in value and ("title" in value or "time" in value) for value in told)


def tree_sources(tree: Tree) -> Iterator[Source]:
    """The sessions of a tree that have a message."""
    for path in tree.sessions():
        told = values.fields(_read(path))
        names = list(
            dict.fromkeys(name for name in (path.stem, values.storable(told.get("id"))) if name and "/" not in name)
        )
        folders = [folder for name in names if (folder := tree.messages(name)).is_dir()]
        if folders and any(folders[0].glob("*.json")):
            # The name of the file is the truth, but a tree may have been put together otherwise.
            id = names[0] if folders[0].name == names[0] else names[-1]
            yield Source(
                source_id=id,
                path=path,
                records=TreeRecords(tree, path, folders[0]),
                parent=values.text(told.get("parentID")),
            )


class TreeRecords(GeneratedRecords):
    """The files of a session, read each time, each message before its parts, and the session last."""

    def __init__(self, tree: Tree, session: Path, folder: Path) -> None:
        self._tree = tree
        self._session = session
        self._folder = folder

    def texts(self) -> Iterator[bytes]:
        for name, path, id in self._messages():
            yield self._text("message", path, id=id)
            folders = (self._tree.parts(self._folder.name, named) for named in dict.fromkeys((name, id)) if named)
            for folder in folders:
                for part in sorted(folder.glob("*.json")):
                    yield self._text("part", part, message=id)
        yield self._text("session", self._session, id=self._session.stem)

    def _messages(self) -> list[tuple[str, Path, str]]:
        """The messages in order: the name of each one's file, the file, and its id."""
        found = []
        for path in self._folder.glob("*.json"):
            value = values.fields(_read(path))
            times = values.fields(value.get("time")) or values.fields(values.fields(value.get("metadata")).get("time"))
            id = values.text(value.get("id")) or path.stem
            found.append((values.number(times.get("created")) or 0, path.stem, path, "" if "/" in id else id))
        return [(name, path, id or name) for _, name, path, id in sorted(found)]

    def _text(self, table: str, path: Path, **more: str) -> bytes:
        named = {"table": table, "file": str(path.relative_to(self._tree.root)), **more}
        with open_source(path) as file:
            text = file.read()
        return b'%b,"value":%b}' % (encode_value(named)[:-1], _on_one_line(text))


def is_export(path: Path) -> bool:
    """Whether the file is what `opencode export` writes."""
    try:
        with open_source(path) as file:
            return _EXPORT.match(_from_brace(file.read(_HEAD_BYTES))) is not None
    except (OSError, InvalidRequestError, EOFError):
        return False


def export_sources(path: Path, notes: Notes) -> Iterator[Source]:
    """The session of an export."""
    try:
        top = _object(_whole(path))
        info = values.fields(read_json(bytes(top.get("info", b"{}"))))
        id = values.storable(info.get("id"))
        if id is None:
            raise ValueError("names no session")
        records = [Record(number, text) for number, text in enumerate(_export_texts(top))]
    except ValueError as error:
        notes.broken.append((path.name, str(error)))
        return
    yield Source(source_id=id, path=path, records=ListedRecords(records), parent=values.text(info.get("parentID")))


def _whole(path: Path) -> bytes:
    with open_source(path) as file:
        return _from_brace(file.read())


def _export_texts(top: dict[str, Any]) -> Iterator[bytes]:
    messages = _array(top.pop("messages", b"[]"))
    for raw in messages:
        try:
            message = _object(raw)
        except ValueError:
            yield _text("message", raw)
            continue
        if "info" not in message:
            yield _entry(raw, message)
            continue
        id = values.fields(_value(message["info"])).get("id")
        yield _text("message", message["info"])
        for part in _array(message.get("parts", b"[]")):
            yield _text("part", part, **({"message": id} if isinstance(id, str) else {}))
    yield _text("session", top.pop("info"))
    for name, raw in top.items():
        yield _text("todo" if name == "todos" else name, raw)


def _entry(raw: bytes, message: dict[str, Any]) -> bytes:
    """A message of 2.x, which has its type where one of 1.x has its role."""
    is_second = "type" in message and "role" not in message
    return _text("session_message" if is_second else "message", raw)


def _text(table: str, raw: bytes, **more: str) -> bytes:
    return b'%b,"value":%b}' % (encode_value({"table": table, **more})[:-1], _on_one_line(bytes(raw)))


def _object(text: Any) -> dict[str, Any]:
    """The members of an object, each as its text; ValueError where it is none."""
    try:
        return dict(msgspec.json.decode(text, type=dict[str, msgspec.Raw]))
    except msgspec.MsgspecError:
        value = read_json(bytes(text))  # the fast decoder refuses some without need
    if not isinstance(value, dict):
        raise ValueError("is no object")
    return {name: encode_value(item) for name, item in value.items()}


def _array(text: Any) -> list[Any]:
    """The elements of an array, each as its text; none where it is none."""
    try:
        return list(msgspec.json.decode(text, type=list[msgspec.Raw]))
    except msgspec.MsgspecError:
        value = _value(text)
    return [encode_value(item) for item in value] if isinstance(value, list) else []


def _value(text: Any) -> Any:
    try:
        return read_json(bytes(text))
    except ValueError:
        return None


def _read(path: Path) -> Any:
    """The value of a small file, None where it has none."""
    try:
        with open_source(path) as file:
            return read_json(file.read())
    except (ValueError, OSError, InvalidRequestError):
        return None


def _from_brace(text: bytes) -> bytes:
    """What an export holds, without the line that says so, which some write into the file too."""
    return text[max(text.find(b"{"), 0) :]


def _on_one_line(text: bytes) -> bytes:
    """JSON without ends of lines, which can only be white space in it."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ")
