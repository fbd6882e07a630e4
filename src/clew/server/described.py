"""The words and bounds of the API's description that neither the routes nor the bodies have.

They are by name, since a name means the same wherever it stands.
"""

from typing import Any, get_args

from clew import limits
from clew.backend import Children, OnConflict, Order
from clew.model import Role, SessionStatus, Visibility

Schema = dict[str, Any]

ABOUT = (
    "Sessions of AI agents and the checkpoints they are made of. Bodies are JSON; what is said here of "
    "`application/json` is true of `application/msgpack` too, where stored values are their JSON text as bytes."
)


def _text(most: int, least: int = 0) -> Schema:
    # NUL is the one character that no text has.
    return {"maxLength": most, "pattern": r"^[^\x00]*$"} | ({"minLength": least} if least else {})


def _choice(names: Any) -> Schema:
    return {"enum": list(names)}


_COUNT: Schema = {"minimum": 0, "maximum": limits.MAX_COUNT}
_OBJECT: Schema = {"type": "object"}
_OBJECT_OR_NONE: Schema = {"type": ["object", "null"]}
_BASE64: Schema = {"format": "byte"}
_LABEL = _text(limits.MAX_LABEL_CHARS, 1)
_NAME = _text(limits.MAX_ATTACHMENT_NAME_CHARS, 1)
_SOURCE = _text(limits.MAX_SOURCE_CHARS)
_OWNER = _text(limits.MAX_OWNER_CHARS, 1)
_CONTENT_TYPE = _text(limits.MAX_CONTENT_TYPE_CHARS)
_PLACE: Schema = {
    "oneOf": [
        {"const": "ACTIVE"},
        {"type": "string", "format": "uuid"},
        {"$ref": "#/components/schemas/LabelForm"},
    ]
}
_PLACE_OR_NONE: Schema = {"oneOf": [*_PLACE["oneOf"], {"type": "null"}]}

FIELDS: dict[str, tuple[str, Schema]] = {
    "activate": ("Whether the session resumes from the new checkpoint.", {}),
    "active": ("Only the active checkpoint of each session.", {}),
    "after": ("The number of a change; those that come later are listed.", _COUNT),
    "attachments": ("Bytes to keep beside the checkpoint, by name.", {"propertyNames": {"type": "string", **_NAME}}),
    "before_label": ("Only checkpoints whose label comes before this one.", _LABEL),
    "chain": ("The hash of the messages up to here, base64.", _BASE64),
    "checkpoint_id": ("A checkpoint.", {}),
    "checkpoint_ids": ("Checkpoints.", {}),
    "children": ("What becomes of the checkpoints below.", _choice(get_args(Children))),
    "content_type": ("What kind of bytes these are.", _CONTENT_TYPE),
    "count": ("Whether to count all that match, as `total`.", {}),
    "created_at": ("When it was created, where that was earlier.", {"format": "date-time"}),
    "cursor": ("Where to go on: `next_cursor` of the page before.", {}),
    "cwd": ("The directory that the session is about.", _text(limits.MAX_CWD_CHARS)),
    "data": ("The bytes, base64.", _BASE64),
    "digest": ("The SHA-256 of a token, base64.", {"pattern": "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"}),
    "erase": ("Whether the bytes are erased at once, and not with the next purge that does so.", {}),
    "fingerprint": ("What tells this call from another one with the same id, base64.", _BASE64),
    "forked_from": ("The checkpoint that the session began with.", {}),
    "form": ("`strict` is what the agent's reader takes, `stored` what is there, `bare` that without states.", {}),
    "heard": ("What the answer before said.", _COUNT),
    "id": ("The id to give to what is made. A call with the same id and content can be repeated.", {}),
    "ids": ("Checkpoints of the session.", {}),
    "if_active": ("Fail with 409 unless this is the active checkpoint, or the active one has this label.", {}),
    "if_revision": ("Fail with 409 unless the session has this revision.", {}),
    "items": (
        "Bytes to attach, by name.",
        {
            "propertyNames": {"type": "string", **_NAME},
            "additionalProperties": {
                "type": "object",
                "properties": {
                    "data": {"type": "string", "contentEncoding": "base64", **_BASE64},
                    "content_type": {"anyOf": [{"type": "string", **_CONTENT_TYPE}, {"type": "null"}]},
                },
                "required": ["data"],
                "additionalProperties": False,
            },
        },
    ),
    "key_id": ("An API key.", {}),
    "label": ("The label of a checkpoint, which only one of a session has.", _LABEL),
    "Last-Event-ID": ("The number of the last event that was received.", _COUNT),
    "limit": ("How many at most.", _COUNT),
    "messages": ("Messages: any JSON objects.", {"items": _OBJECT}),
    "metadata": ("Whatever belongs beside it: any JSON value.", {}),
    "move": ("Whether the label is taken from the checkpoint of the session that has it.", {}),
    "name": ("A name.", _NAME),
    "names": ("Names of attachments.", {"items": {"type": "string", **_NAME}}),
    "dry_run": ("Whether to change nothing, and tell what would be changed.", {}),
    "new": ("The directory that comes in its place.", _text(limits.MAX_CWD_CHARS, 1)),
    "old": ("A directory.", _text(limits.MAX_CWD_CHARS, 1)),
    "offset": ("How many to leave out at the beginning. Not together with `cursor`.", _COUNT),
    "on_conflict": ("What to do where other bytes have the name.", _choice(get_args(OnConflict))),
    "order": ("By creation, or by label.", _choice(get_args(Order))),
    "other_checkpoint_id": ("Another checkpoint.", {}),
    "owner": ("Whose it is.", _OWNER),
    "parent_id": ("The checkpoint to go on from: an id, `ACTIVE`, an object with a label, or null for none.", {}),
    "parent_may_be_missing": ("Whether the parent need not be in the store.", {}),
    "parent_session_id": ("The session that this one belongs to, as that of a subagent does.", {}),
    "prefix": ("How the names begin.", _text(limits.MAX_ATTACHMENT_NAME_CHARS)),
    "query": (
        "What to find: words, a phrase in quotes, pre*, OR, NOT and -. Nothing is a syntax error.",
        {"maxLength": limits.MAX_SEARCH_CHARS},
    ),
    "role": ("What the key is for.", _choice(role.value for role in Role)),
    "root_id": ("The id of the root checkpoint; null makes none.", {}),
    "search": ("A part of the title, in any case of its letters.", _text(limits.MAX_SEARCH_CHARS)),
    "seconds": ("How long to wait at most; more than 30 is 30.", {"minimum": 0}),
    "session_id": ("A session.", {}),
    "session_ids": ("Sessions.", {}),
    "source": ("The program that the session comes from.", _SOURCE),
    "source_id": ("What that program calls it.", _SOURCE),
    "since": ("Not what was written before.", {"format": "date-time"}),
    "start": ("The first to be told; negative ones count from the end.", {}),
    "state": ("Messages, and whatever the program keeps beside them.", {}),
    "status": ("Whether it is deleted.", _choice(status.value for status in SessionStatus)),
    "stop": ("The first not to be told; negative ones count from the end.", {}),
    "title": ("The title.", _text(limits.MAX_TITLE_CHARS)),
    "tool": ("The tool that is called, or that answers, in any case of its letters.", _text(limits.MAX_SEARCH_CHARS)),
    "until": ("Not what was written then or later.", {"format": "date-time"}),
    "updated_at": ("When it was changed, where that was earlier.", {"format": "date-time"}),
    "visibility": ("Who may see it.", _choice(visibility.value for visibility in Visibility)),
    "whole": ("The hash of the messages that the prefix leaves out, base64.", _BASE64),
    "with_attachments": ("Tell the attachments whose names begin so, with their bytes.", _NAME | {"minLength": 0}),
    "with_metadata": ("Whether to tell the metadata of each.", {}),
}
"""By the name of a parameter, or of a field of a request: what it is, and what it may be beyond its type."""

OF_ONE: dict[str, Schema] = {
    "Append.after": {
        "type": ["integer", "null"],
        "description": "How many of the parent's messages to go on from; negative, how many to leave out; null, all.",
    },
    "Append.parent_id": _PLACE_OR_NONE,
    "Attach.checkpoint_id": _PLACE,
    "CreateCheckpoint.parent_id": _PLACE_OR_NONE,
    "Detach.checkpoint_id": _PLACE,
    "ForkSession.checkpoint_id": _PLACE,
    "SetActive.checkpoint_id": _PLACE,
    "CreateKey.name": {"type": "string", **_OWNER},
    "EnsureSession.source": {"type": "string", **_SOURCE},
    "EnsureSession.source_id": {"type": "string", **_SOURCE},
    "KeepKey.name": {"type": "string", **_OWNER},
    "CreateSession.metadata": _OBJECT_OR_NONE,
    "EnsureSession.metadata": _OBJECT_OR_NONE,
    "FindCheckpoints.metadata": _OBJECT_OR_NONE,
    "ListCheckpoints.metadata": _OBJECT_OR_NONE,
    "ListSessions.metadata": _OBJECT_OR_NONE,
    "SearchMessages.role": {
        "type": ["string", "null"],
        "description": "The role of who says it, in any case of its letters.",
        **_text(limits.MAX_SEARCH_CHARS),
    },
    "SearchMessages.status": {
        "anyOf": [{"type": "string", **_choice(status.value for status in SessionStatus)}, {"type": "null"}],
        "description": "Whether the session is deleted; null for either.",
    },
    "UpdateSession.metadata": _OBJECT_OR_NONE,
}  # fmt: skip
"""By request and field: what the field is there, with a description where its name means something else elsewhere."""

_BOTH_OR_NEITHER: Schema = {
    "anyOf": [
        {"properties": {"source": {"type": "null"}, "source_id": {"type": "null"}}},
        {
            "properties": {"source": {"type": "string"}, "source_id": {"type": "string"}},
            "required": ["source", "source_id"],
        },
    ]
}

TOGETHER: dict[str, Schema] = {
    "CopySession": _BOTH_OR_NEITHER,
    "CreateSession": _BOTH_OR_NEITHER,
    "EnsureSession": {"required": ["source", "source_id"]},
    "ListSessions": {
        "anyOf": [
            {"properties": {"source_id": {"type": "null"}}},
            {"properties": {"source": {"type": "string"}}, "required": ["source"]},
        ]
    },
}
"""By request: what its fields are together."""

_USER = {"role": "user", "content": "The test fails one time in ten."}
_ASSISTANT = {"role": "assistant", "content": "It reads the clock."}

EXAMPLES: dict[str, list[Schema]] = {
    "Append": [{"messages": [_ASSISTANT]}],
    "Attach": [{"items": {"notes.txt": {"data": "aGVsbG8=", "content_type": "text/plain"}}}],
    "CreateCheckpoint": [{"state": {"messages": [_USER, _ASSISTANT], "metadata": {"step": 2}}}],
    "CreateSession": [{"title": "Fix the flaky test", "cwd": "/repo", "state": {"messages": [_USER]}}],
    "UpdateSession": [{"title": "Freeze the clock"}, {"visibility": "PUBLIC"}],
}
"""By request: what one may look like."""

ERRORS = {
    400: "The request makes no sense: `INVALID_REQUEST`.",
    401: "There is no key, or none that is let in: `UNAUTHORIZED`.",
    403: "The key does not allow this: `FORBIDDEN`.",
    404: "There is no such thing, or none that the caller may see: `NOT_FOUND`.",
    409: "It contradicts what is there: `CONFLICT`.",
    413: "The body is too long: `INVALID_REQUEST`.",
    429: "Too many requests: `RATE_LIMITED`. `Retry-After` says when to come back.",
    500: "Stored data is damaged, or the server has a fault: `CORRUPT_STATE`, `INTERNAL_ERROR`.",
    503: "The store cannot be reached, or is locked: `CONNECTION_ERROR`.",
}
"""By status: what an error says."""

FOR_EVERYBODY = ("healthz", "readyz")
"""Operations that need no key."""

STREAMS: dict[str, tuple[str, Schema]] = {
    "compact": ("application/x-ndjson", {"$ref": "#/components/schemas/Line"}),
    "events": ("text/event-stream", {"type": "string"}),
    "get_attachment": ("*/*", {}),
    "verify": ("application/x-ndjson", {"$ref": "#/components/schemas/Line"}),
}
"""By operation: the media type of an answer that is no document of JSON, and what it holds."""
