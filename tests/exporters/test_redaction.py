"""The promises of `--redact`: secrets go, everything else stays, and the report tells of them and not what they are.

The keys here are made anew for each run: nothing that looks like one stands in the repository.
"""

import base64
import hashlib
import io
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from tests.exporters.support import PNG, written

import clew
from clew import Attachment, Store
from clew.exporters import EXPORTERS, export
from clew.exporters.redaction import Redaction
from clew.importers import import_path, raw
from clew.importers.records import Record

_random = random.Random(7)
_LETTERS = string.ascii_letters + string.digits


def made(length: int, letters: str = _LETTERS) -> str:
    return "".join(_random.choice(letters) for _ in range(length))


GITHUB = "ghp_" + made(36)
AWS = "AKIA" + made(16, string.ascii_uppercase + "234567")
PASSWORD = "Tr0ub" + made(9)
SECRETS = {
    "github": GITHUB,
    "aws": AWS,
    "aws secret": "aws_secret_access_key = " + (AWS_SECRET := made(40)),
    "anthropic": "sk-ant-api03-" + made(93) + "AA",
    "openai": "sk-" + made(20) + "T3Blbk" + "FJ" + made(20),
    "slack": f"xoxb-{made(12, string.digits)}-{made(12, string.digits)}-{made(24)}",
    "google": "AIza" + made(35),
    "pem": "\n".join(["-----BEGIN PRIVATE KEY-----", *(made(64) for _ in range(9)), "-----END PRIVATE KEY-----"]),
    "url": f"postgres://ann:{PASSWORD}@db.internal/app",
    "assignment": f"export DB_PASSWORD={PASSWORD}",
    "header": f"Authorization: Bearer {made(40)}",
    "clew": "clew_" + made(43),
    "token": "export GITHUB_TOKEN=" + made(30),
    "long token": '{"token": "' + made(30) + '"}',
    "cloud token": "aws_session_token=" + made(200),
    "url of a repository": f"https://ann:{made(16)}@git.example.org/x.git",
    "option": "tool --password " + made(16),
    "option for a token": "tool --api-token=" + made(30),
    "json in json in json": json.dumps(json.dumps(json.dumps({"password": made(16)}))),
    "netrc": "machine example.org login ann password " + made(16),
    "cookie": "-H 'Cookie: session=" + made(40) + "'",
    "docker": '{"auths": {"https://x": {"auth": "' + made(40) + '"}}}',
    "pem that is cut off": "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *(made(64) for _ in range(9))]) + "\n",
    "pem in lines with numbers": "\n".join(
        ["1\t-----BEGIN RSA PRIVATE KEY-----", *(f"{n}\t{made(64)}" for n in range(2, 9))]
    )
    + "\n",
}  # fmt: skip
TOKENS = [part for secret in SECRETS.values() for part in secret.replace("=", " ").split() if len(part) > 13]

HARMLESS = [
    str(UUID(int=_random.getrandbits(128), version=4)),
    hashlib.sha1(b"a").hexdigest(),
    f"commit {hashlib.sha1(b'b').hexdigest()}",
    f"sha256:{hashlib.sha256(b'c').hexdigest()}",
    f"data:image/png;base64,{PNG}",
    base64.b64encode(bytes(range(256)) * 3).decode(),
    f'"integrity": "sha512-{base64.b64encode(hashlib.sha512(b"d").digest()).decode()}"',
    "call_" + made(24),
    "toolu_01" + made(22),
    "the password is stored in the vault",
    "password = os.environ['DB_PASSWORD1']",
    "api_key: ${API_KEY_2}",
    "def reset_password(user1, token: str | None = None):",
    "secret = get_secret2(name)",
    "max_tokens=4096, token_count: 123456789",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "https://user@example.com/x?page=2",
    "password: <redacted>",
    "next_token = parser.take2(1)",
    "https://user:${PASSWORD_1}@example.com/x",
    "cookie: one that holds 3 eggs and more",
    "tool --token $TOKEN_NUMBER_2 --password prompt",
    "api_key = settings.API_KEY_2",
    "/home/ann/work/src/importers/claude_code/secret_key.py:123",
]


@pytest.fixture
def redaction() -> Redaction:
    return Redaction()


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_of_every_kind_are_masked(redaction: Redaction, name: str) -> None:
    masked = redaction.text(f"before {SECRETS[name]} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "[redacted " in masked
    assert not [token for token in TOKENS if token in masked and token.isalnum() and any(map(str.isdigit, token))]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(redaction: Redaction, text: str) -> None:
    assert redaction.text(f"x {text}\ny") == f"x {text}\ny"
    assert redaction.json(json.dumps({"content": text}).encode()) == json.dumps({"content": text}).encode()


def test_json_stays_json_and_only_texts_in_it_change(redaction: Redaction) -> None:
    arguments = json.dumps({"cmd": f"a\n{AWS}\t{GITHUB}", "n": [1.0, 1e22]})
    text = '{ "n":1.00, "half":"\\ud800", "password":"' + PASSWORD + '", "tool":{"arguments":' + json.dumps(arguments)
    text += "}}"
    masked = redaction.json(text.encode()).decode()
    assert masked.startswith('{ "n":1.00, "half":"\\ud800", "password":"[redacted secret 1]"')
    inner = json.loads(json.loads(masked)["tool"]["arguments"])
    assert inner == {"cmd": "a\n[redacted aws access key 1]\t[redacted github pat 1]", "n": [1.0, 1e22]}


def test_the_same_secret_has_the_same_mask_everywhere(redaction: Redaction) -> None:
    other = "ghp_" + made(36)
    assert redaction.text(f"{GITHUB} {other} {GITHUB}") == (
        "[redacted github pat 1] [redacted github pat 2] [redacted github pat 1]"
    )
    assert redaction.json(json.dumps([other]).encode()) == b'["[redacted github pat 2]"]'


@pytest.fixture
def secretive() -> Iterator[Store]:
    """A store with a secret in every place where one can be."""
    with clew.open(":memory:") as store:
        session = store.create_session(
            f"title {GITHUB}",
            cwd=f"/r/{GITHUB}",
            source="tool",
            source_id=f"thread {GITHUB}",
            session_metadata={"token": f"x {GITHUB}"},
            metadata={"k": [GITHUB]},
            messages=[
                {"role": "user", "content": f"use {GITHUB}"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "c", "type": "function", "function": {"name": "sh", "arguments": f'{{"k":"{GITHUB}"}}'}}
                    ],
                },
                {"role": "tool", "tool_call_id": "c", "content": f"printed {GITHUB}\nand {AWS}"},
            ],
        )
        record = Record(0, json.dumps({"raw": GITHUB}).encode())
        files = {
            f"{GITHUB}.env": Attachment(f"X={GITHUB}".encode(), "text/plain"),
            raw.RECORDS: raw.pack("/f", [record]),
            "picture": Attachment(b"\x89PNG\xff\x00" + bytes(20), "image/png"),
        }
        store.append(session.id, [{"role": "user", "content": "more"}], label=f"l {GITHUB}", attachments=files)
        yield store


@pytest.mark.parametrize("format", EXPORTERS)
def test_no_export_holds_a_secret_and_the_report_neither(secretive: Store, format: str) -> None:
    session = secretive.list_sessions().items[0]
    redaction, out = Redaction(), io.BytesIO()
    export(secretive, format, out, sessions=session.id, masking=redaction)
    data = out.getvalue()
    assert b"redacted" in data
    assert GITHUB.encode() not in data
    assert AWS.encode() not in data
    report = redaction.report()
    assert {item.kind for item in report} == {"github pat", "aws access key"}
    assert all(item.session_id == session.id for item in report)
    assert {"the session", "message 1", "message 3"} <= {item.position for item in report}
    assert sum(item.count for item in report if item.position == "message 3") == 2
    assert GITHUB not in repr(report)


def test_the_archive_has_records_and_texts_masked_and_the_store_stays_as_it_is(
    secretive: Store, tmp_path: Path
) -> None:
    before = written(secretive, "jsonl")
    redaction = Redaction()
    path = tmp_path / "a.jsonl"
    path.write_bytes(written(secretive, "jsonl", masking=redaction))
    assert written(secretive, "jsonl") == before
    assert redaction.unchecked == [f"attachment picture of session {secretive.list_sessions().items[0].id}"]
    with clew.open(":memory:") as again:
        assert not import_path(again, path).broken
        step = again.list_checkpoints(again.list_sessions().items[0].id).items[1].id
        files: dict[str, Any] = again.get_attachments(step)[step]
        assert set(files) == {"[redacted github pat 1].env", raw.RECORDS, "picture"}
        assert raw.unpack(bytes(files[raw.RECORDS]))[1][0].text == b'{"raw": "[redacted github pat 1]"}'
        assert bytes(files["[redacted github pat 1].env"]) == b"X=[redacted github pat 1]"
        assert again.get_checkpoint(step).label == "l [redacted github pat 1]"


def test_pictures_and_files_within_messages_are_told_of_as_not_looked_into() -> None:
    url = f"data:image/png;base64,{PNG}"
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": url}}]
    blocks = [{"type": "image", "source": {"type": "base64", "data": base64.b64encode(bytes(range(256)) * 3).decode()}}]
    with clew.open(":memory:") as store:
        session = store.create_session("t", messages=[{"role": "user", "content": parts}])
        store.append(session.id, [{"role": "user", "content": blocks}, {"role": "user", "content": f"so {url}"}])
        redaction = Redaction()
        assert written(store, "jsonl", masking=redaction) == written(store, "jsonl")
        assert redaction.report() == []
        assert redaction.unchecked == [
            f"a picture or file in message {number} of session {session.id}" for number in (1, 2, 3)
        ]
