"""`clew key`, and whose sessions `clew list` and `clew show` show."""

import json
import re

import pytest
from tests.cli.support import Command

import clew

KEYS = ["id", "name", "role", "created_at", "last_used_at", "revoked_at", "damage"]


def made(command: Command, name: str = "Ada", role: str = "write") -> clew.NewKey:
    with command.open() as store:
        return store.create_key(name, role)


def test_a_key_is_made_and_its_token_shown_once(command):
    backend, created, token, advice = command.lines("key", "create", "Ada", "--role", "WRITE")
    assert backend.startswith("Backend: local")
    secret = token.removeprefix("Token: ")
    assert re.fullmatch(r"clew_[\w-]{43}", secret)
    with command.open() as store:
        (key,) = store.list_keys()
        assert store.authenticate(secret).id == key.id
    assert (key.name, key.role) == ("Ada", "write")
    assert created == f"Created key {key.id} for Ada (write)"
    assert "nothing shows it again" in advice
    for shown in (command.output("key", "list"), command.output("key", "list", "--json"), command.output("info")):
        assert secret not in shown


def test_a_key_is_made_with_json(command):
    told = command.json("key", "create", "Ada", "--role", "admin")
    assert list(told) == [*KEYS, "token", "backend"]
    assert (told["name"], told["role"], told["last_used_at"], told["damage"]) == ("Ada", "admin", None, None)
    with command.open() as store:
        assert str(store.authenticate(told["token"]).id) == told["id"]


@pytest.mark.parametrize("arguments", [["Ada"], ["Ada", "--role", "owner"], ["--role", "read"], ["", "--role", "read"]])
def test_a_key_without_a_name_or_role_is_refused(command, arguments):
    exit_code, error = command.error("key", "create", *arguments)
    assert exit_code == 2
    assert error
    command.create()
    assert command.json("key", "list")["keys"] == []


def test_keys_are_listed_with_their_last_use(command):
    command.create()
    assert command.lines("key", "list")[1:] == ["No keys found."]
    first, second = made(command), made(command, "a name\nof two lines", "read")
    with command.open() as store:
        used = store.authenticate(first.token)
        store.revoke_key(second.key.id)
    _, heading, *rows = command.lines("key", "list")
    assert heading.split() == ["ID", "NAME", "ROLE", "CREATED", "LAST", "USED", "REVOKED"]
    assert [row.split()[0] for row in rows] == [str(first.key.id), str(second.key.id)]
    assert rows[0].endswith(f"{used.last_used_at:%Y-%m-%d %H:%M:%S}  -")
    assert "a name of two lines" in rows[1]
    assert not rows[1].endswith("-")
    listed = command.json("key", "list")
    assert list(listed) == ["backend", "keys"]
    assert [list(key) for key in listed["keys"]] == [KEYS, KEYS]
    assert listed["keys"][0]["last_used_at"] == f"{used.last_used_at:%Y-%m-%dT%H:%M:%S.%fZ}"


@pytest.mark.parametrize("spelled", [str, lambda id: id.hex[:-1]])
def test_a_key_is_revoked_by_its_id_or_the_beginning_of_one(command, spelled):
    key = made(command)
    assert command.lines("key", "revoke", spelled(key.key.id)) == [f"Revoked {key.key.id}"]
    with command.open() as store, pytest.raises(clew.UnauthorizedError):
        store.authenticate(key.token)
    told = command.json("key", "revoke", key.key.id)
    assert list(told) == [*KEYS, "backend"]
    assert told["revoked_at"] is not None


def test_a_key_that_is_not_there_cannot_be_revoked(command):
    key = made(command)
    missing = "00000000-0000-4000-8000-000000000000"
    assert command.json_error("key", "revoke", missing) == (1, "not_found", f"Not found: API key {missing} not found")
    assert command.json_error("key", "revoke", "ffff")[:2] == (1, "not_found")
    assert command.json_error("key", "revoke", "nonsense")[:2] == (2, "invalid_argument")
    with command.open() as store:
        assert store.authenticate(key.token).id == key.key.id


@pytest.mark.parametrize("arguments", [["list"], ["revoke", "0000"]])
def test_neither_listing_nor_revoking_makes_a_store(command, arguments):
    assert command.error("key", *arguments)[0] == 1
    assert not command.path.exists()


def test_a_list_can_be_of_one_owner(command):
    theirs = command.create("theirs", owner="Ada")
    command.create("nobody's")
    command.create("another's", owner="Bob")
    listed = command.json("list", "--owner", "Ada")
    assert [(item["id"], item["owner"]) for item in listed["sessions"]] == [(str(theirs.id), "Ada")]
    assert listed["total"] is None
    assert {item["owner"] for item in command.json("list")["sessions"]} == {"Ada", "Bob", None}


def test_showing_a_session_says_whose_it_is(command):
    theirs, nobodys = command.create(owner="Ada\nof two lines"), command.create()
    assert "Owner:       Ada of two lines" in command.lines("show", theirs.id)
    assert not [line for line in command.lines("show", nobodys.id) if line.startswith("Owner")]
    assert command.json("show", theirs.id)["owner"] == "Ada\nof two lines"
    assert list(json.loads(command.output("show", nobodys.id, "--json")))[-1] == "owner"
