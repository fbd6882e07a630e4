"""Masks secrets in what is exported. What is stored stays as it is.

The formats in which services give out keys are known to `kingfisher_sdk`, which looks at every text by itself, never
over the network; a few that say what they are by a name or a place beside them are in `clew.exporters.named_secrets`.
A secret becomes `[redacted KIND N]`, the same everywhere in an export. JSON stays JSON: only texts within it change,
and of those that hold JSON themselves, as the arguments of a tool call do, again only the texts.

Ids, hashes and pictures stay. No detector knows every secret: what it masked is told, what it missed is not. What it
cannot look into, since it is no text, is told too.
"""

import json
import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from clew.archive import Masking
from clew.errors import CorruptStateError, missing_extra
from clew.exporters.named_secrets import Span, named_secrets, secret_under
from clew.importers import raw
from clew.model import Attachment

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_AFTER_KEY = re.compile(r"\s*:")
_DATA_URL = re.compile(r"data:[\w.+/;=-]{0,100};base64,[A-Za-z0-9+/=_-]+")
_BASE64 = re.compile(r"[A-Za-z0-9+/=_-]{512,}")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_COMPONENT = re.compile(r"secret|key|token|password")
"""Of rules that find a part of a credential: those of which the part is what is secret."""

_SHORTEST = 8
"""Characters of the shortest text that is looked at."""

_REMEMBERED = 20_000
_MASK = re.compile(r"\[redacted [a-z0-9 -]+ \d+\]")


class Masked(msgspec.Struct, frozen=True):
    """How often a secret was masked in one place; `kind` is what it was, `mask` what stands there now."""

    session_id: UUID
    checkpoint_id: UUID | None
    position: str
    kind: str
    mask: str
    count: int


class Redaction(Masking):
    """Masks secrets, and keeps account of it. InvalidRequestError where the extra `redact` is not installed."""

    def __init__(self) -> None:
        self._scanner = _scanner()
        self._masks: dict[str, str] = {}
        self._numbers: Counter[str] = Counter()
        self._clean: dict[str, None] = {}
        self._place: tuple[UUID | None, UUID | None, str] = (None, None, "")
        self._found: Counter[tuple[UUID | None, UUID | None, str, str]] = Counter()
        self._unchecked: Counter[tuple[UUID | None, str]] = Counter()

    def report(self) -> list[Masked]:
        """What was masked, in the order in which it was met. No secret is in it."""
        return [
            Masked(session, checkpoint, position, _kind_of(mask), mask, count)
            for (session, checkpoint, position, mask), count in self._found.items()
            if session is not None
        ]

    @property
    def unchecked(self) -> list[str]:
        """What is written as it is, since it is no text: attachments, and pictures and files within messages."""
        return [f"{what} of session {session}" for session, what in self._unchecked]

    # ---------------------------------------------------------------------------------------------- what is masked

    def at(self, session_id: UUID, checkpoint_id: UUID | None, position: str) -> None:
        self._place = (session_id, checkpoint_id, position)

    def text(self, text: str) -> str:
        if text.startswith(("{", "[")) and _is_json(text):
            return self._json(text)
        return self._plain(text, "")

    def json(self, text: bytes) -> bytes:
        return self._json(text.decode()).encode()

    def attachment(self, data: Attachment) -> Attachment:
        if data.content_type == "application/zstd":
            return self._records(data)
        try:
            text = bytes(data).decode()
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            self._pass_over(self._place[2])
            return data
        masked = self.text(text)
        return data if masked == text else Attachment(masked.encode(), data.content_type)

    def _records(self, data: Attachment) -> Attachment:
        """The records of an import, which are packed."""
        try:
            path, records = raw.unpack(bytes(data))
        except CorruptStateError:
            self._pass_over(self._place[2])
            return data
        masked = [msgspec.structs.replace(record, text=self._record(record.text)) for record in records]
        changed = any(new.text != old.text for new, old in zip(masked, records, strict=True))
        return raw.pack(path, masked) if changed else data

    def _pass_over(self, what: str) -> None:
        self._unchecked[self._place[0], what] += 1

    def _record(self, text: bytes) -> bytes:
        # A record may be no text at all: what is none of UTF-8 comes back as it was.
        return self.text(text.decode(errors="surrogateescape")).encode(errors="surrogateescape")

    def _json(self, text: str) -> str:
        """JSON of which only texts are changed: numbers, keys and white space stay as they are spelled."""
        parts, done, key = [], 0, ""
        for token in _STRING.finditer(text):
            is_key = _AFTER_KEY.match(text, token.end()) is not None
            value = token[0][1:-1] if "\\" not in token[0] else json.loads(token[0], strict=False)
            nested = value.startswith(("{", "[")) and _is_json(value)
            masked = self._json(value) if nested else self._plain(value, "" if is_key else key)
            if masked != value:
                parts += [text[done : token.start()], _quoted(masked)]
                done = token.end()
            key = value if is_key else ""
        return "".join([*parts, text[done:]]) if parts else text

    def _plain(self, text: str, key: str) -> str:
        """A text without its secrets; `key` is the name under which JSON has it."""
        if len(text) < _SHORTEST:
            return text
        if secret_under(key, text):
            return self._mask("secret", text)
        if text in self._clean:
            return text
        if _BASE64.fullmatch(text):
            self._pass_over(f"a picture or file in {self._place[2]}")
            return text
        shown = _HALF_CHARACTER.sub("\N{REPLACEMENT CHARACTER}", _DATA_URL.sub(self._blank, text))
        spans = _apart([*_known(self._scanner, shown), *named_secrets(shown)])
        spans = [span for span in spans if not _MASK.search(text[span.start : span.end])]
        if not spans:
            if len(self._clean) >= _REMEMBERED:
                self._clean.clear()
            if len(text) <= 1_000 and ";base64," not in text:
                self._clean[text] = None
            return text
        parts, done = [], 0
        for span in spans:
            parts += [text[done : span.start], self._mask(span.kind, text[span.start : span.end])]
            done = span.end
        return "".join([*parts, text[done:]])

    def _blank(self, url: re.Match[str]) -> str:
        """Spaces in the place of what a data: URL holds."""
        self._pass_over(f"a picture or file in {self._place[2]}")
        return " " * len(url[0])

    def _mask(self, kind: str, secret: str) -> str:
        mask = self._masks.get(secret)
        if mask is None:
            self._numbers[kind] += 1
            mask = self._masks[secret] = f"[redacted {kind} {self._numbers[kind]}]"
        self._found[*self._place, mask] += 1
        return mask


def _known(scanner: "Scanner", text: str) -> list[Span]:
    """The secrets in a text by their formats. Places in it are told in bytes of UTF-8."""
    data = text.encode()
    found = [finding for finding in scanner.scan(data) if finding.visible or _COMPONENT.search(finding.rule_id)]
    spans = []
    for finding in found:
        start, end = finding.location["start_offset"], finding.location["end_offset"]
        before = len(data[:start].decode(errors="replace"))
        spans.append(Span(before, before + len(data[start:end].decode(errors="replace")), _kind(finding.rule_id)))
    return spans


def _kind(rule: str) -> str:
    """The kind of secret that a rule finds, in plain words: its own name without that of its collection."""
    return re.sub(r"[^a-z0-9]+", " ", re.split(r"[./]", rule)[-1].lower()).strip() or "secret"


def _kind_of(mask: str) -> str:
    return mask.removeprefix("[redacted ").rpartition(" ")[0]


def _apart(spans: list[Span]) -> list[Span]:
    """The spans in order, those that overlap as one."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if joined and span.start < joined[-1].end:
            joined[-1] = joined[-1]._replace(end=max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def _quoted(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(text)
    return json.dumps(text, ensure_ascii=False)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


@cache
def _scanner() -> "Scanner":
    """The detector. To make its rules takes seconds; it keeps them in a file for the next time."""
    try:
        from kingfisher_sdk import Rules, Scanner
    except ImportError as error:
        raise missing_extra(error, "masking needs", "redact") from error
    options: dict[str, Any] = {"base64": False}  # pictures are base64, and no text of anybody
    return Scanner(Rules(), **options)
