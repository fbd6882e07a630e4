"""The promises of ids on the command line: whole ones are looked up directly, beginnings where they fit one thing."""

from typing import cast
from uuid import UUID

import pytest
from tests.cli.support import minute, texts

import clew
from clew.cli import lookup
from clew.cli.errors import InvalidArgumentError
from clew.errors import NotFoundError

ONE = UUID("abcd1234-0000-4000-8000-000000000001")
TWO = UUID("abcd1235-0000-4000-8000-000000000002")


@pytest.fixture
def two(command):
    command.create("one", id=ONE)
    command.create("two", id=TWO)
    return command


@pytest.mark.parametrize(
    "text",
    [
        str(ONE), str(ONE).upper(), ONE.hex, f"{{{ONE}}}", ONE.urn, "abcd1234", "ABCD1234", "abcd-1234", "abcd1234-",
        "abcd1234-0000-4000-8000-00000000000", " abcd1234 ",
    ],
)  # fmt: skip
def test_an_id_is_a_uuid_in_any_spelling_or_its_beginning(two, text):
    assert two.json("show", text)["title"] == "one"


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "abc", "a-b-c", "abcg", "not-a-uuid", f"{ONE}0", f"{ONE.hex}00", "abcd 1234", "ａｂｃｄ", "abcd_1234",
        "\x1b",
    ],
)  # fmt: skip
def test_anything_else_is_refused_before_the_store_is_opened(command, text):
    exit_code, code, told = command.json_error("show", text)
    assert (exit_code, code) == (2, "invalid_argument")
    assert told.startswith(f"invalid session id '{text}': expected a full UUID")
    assert not command.path.exists()


def test_a_beginning_of_two_ids_names_both(two):
    exit_code, code, text = two.json_error("show", "abcd123")
    assert (exit_code, code) == (2, "invalid_argument")
    assert text == f"ambiguous session id 'abcd123': it is the beginning of {TWO}, {ONE}"


def test_a_beginning_of_many_ids_names_three(command):
    for number in range(5):
        command.create(id=UUID(int=ONE.int + number))
    text = command.json_error("show", "abcd")[2]
    assert text.count("abcd1234-") == 3
    assert text.endswith(" and more")


def test_a_beginning_of_no_id_is_not_found(two):
    assert two.json_error("show", "0000") == (1, "not_found", "Not found: no session id begins with '0000'")


def test_a_session_on_a_later_page_is_found_by_its_beginning(two, monkeypatch):
    monkeypatch.setattr(lookup, "_PAGE", 1)
    assert two.json("show", "abcd1234")["title"] == "one"
    assert two.json("show", "abcd1235")["title"] == "two"


def test_a_whole_id_needs_no_list(two, monkeypatch):
    monkeypatch.setattr(clew.Store, "list_sessions", lambda *_, **__: pytest.fail("the sessions were listed"))
    assert two.json("show", ONE)["title"] == "one"
    assert two.json("rename", ONE, "other")["title"] == "other"


@pytest.mark.parametrize("changed", [ONE, TWO])
def test_a_session_that_changes_while_the_pages_are_read_is_found(command, monkeypatch, changed):
    for number, id in enumerate((ONE, UUID(int=5), UUID(int=6), TWO)):
        command.create(id=id, created_at=minute(number))
    monkeypatch.setattr(lookup, "_PAGE", 1)
    with command.open() as store:

        class Changing:
            """A store in which another program changes a session after the first page."""

            pages = 0

            def list_sessions(self, **arguments):
                page = store.list_sessions(**arguments)
                self.pages += 1
                if self.pages == 1:
                    store.update_session(changed, title="changed")
                return page

        changing = Changing()
        assert lookup.session_id(cast(clew.Store, changing), lookup.parse_id("abcd1234", "session")) == ONE
        assert lookup.session_id(cast(clew.Store, changing), lookup.parse_id("abcd1235", "session")) == TWO


def test_sessions_that_never_stop_changing_are_an_error_not_a_guess(command):
    command.create(id=ONE)
    with command.open() as store:

        class Restless:
            """A store whose front changes after each page."""

            def list_sessions(self, **arguments):
                page = store.list_sessions(**arguments)
                store.append(ONE, texts(1))
                return page

        with pytest.raises(InvalidArgumentError, match="full UUID"):
            lookup.session_id(cast(clew.Store, Restless()), lookup.parse_id("abcd1234", "session"))


class TestCheckpoints:
    def test_a_checkpoint_is_found_by_its_beginning_in_its_session_alone(self, command, monkeypatch):
        monkeypatch.setattr(lookup, "_PAGE", 1)
        session = command.create(messages=texts(1), checkpoint_id=ONE)
        other = command.create(checkpoint_id=TWO)
        with command.open() as store:
            store.append(session.id, texts(1))
        assert command.json("show", session.id, "--checkpoint", "abcd123")["checkpoint_id"] == str(ONE)
        assert command.json("show", other.id, "--checkpoint", "abcd123")["checkpoint_id"] == str(TWO)
        assert command.json_error("show", other.id, "--checkpoint", "abcd1234")[1:] == (
            "not_found",
            "Not found: no checkpoint id begins with 'abcd1234'",
        )

    def test_what_is_no_id_is_refused_by_its_own_name(self, command):
        text = command.json_error("show", ONE, "--checkpoint", "zzz")[2]
        assert text.startswith("invalid checkpoint id 'zzz'")

    def test_a_missing_checkpoint_of_a_session_is_not_found(self, command):
        session = command.create()
        with command.open() as store, pytest.raises(NotFoundError, match=str(ONE)):
            lookup.checkpoint_by_id(store, session.id, ONE)
