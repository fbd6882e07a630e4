"""The promises of `clew search`."""

import pytest
from tests.cli.support import minute


@pytest.fixture
def session(command):
    said = [{"role": "user", "content": "the red fox"}, {"role": "assistant", "content": "a red hen --no-verify"}]
    return command.create("Animals", messages=said, created_at=minute(0))


def snippets(command, *arguments):
    return {hit["snippet"] for hit in command.json("search", *arguments)["hits"]}


def test_what_is_found_is_shown_with_where_it_stands_and_how_to_open_it(command, session):
    lines = command.lines("search", "fox")
    assert "Animals" in lines
    assert "    the red fox" in lines
    assert any("message 1  user" in line and str(session.id)[:13] in line for line in lines)
    assert lines[-1].endswith(f"show {session.id} --checkpoint {session.active_checkpoint.id}")


def test_nothing_found_is_said(command, session):
    assert "Nothing found." in command.lines("search", "wolf")


def test_a_word_with_one_dash_must_not_be_there(command, session):
    assert snippets(command, "red", "-fox") == {"a red hen --no-verify"}


def test_several_words_in_an_argument_are_a_phrase_beside_others(command, session):
    assert snippets(command, "red fox", "the") == {"the red fox"}
    assert snippets(command, "fox red", "the") == set()
    assert snippets(command, "fox red") == {"the red fox"}


@pytest.mark.parametrize(
    "arguments", [["--rolle", "user", "red"], ["red", "--rolle=user"], ["--limit", "3", "--no-verify"]]
)
def test_an_option_that_is_mistyped_is_an_error(command, session, arguments):
    code, text = command.error("search", *arguments)
    assert code == 2
    assert "No such option" in text


def test_behind_two_dashes_nothing_is_an_option(command, session):
    assert "    a red hen --no-verify" in command.lines("search", "--", "--no-verify")
    assert "Nothing found." in command.lines("search", "red", "--", "--role")


def test_filters_let_through_what_they_say(command, session):
    assert snippets(command, "red", "--role", "user") == {"the red fox"}
    assert snippets(command, "--role=user", "red") == {"the red fox"}
    assert snippets(command, "red", "--since", "2026-01-03") == set()
    assert snippets(command, "red", "--until", "2026-01-03") == {"the red fox", "a red hen --no-verify"}
