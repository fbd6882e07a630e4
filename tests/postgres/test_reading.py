"""How the messages of a session come from the server."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.support.postgres_stores import open_postgres

import clew
from clew.postgres import transaction

_FEW = 40


@pytest.fixture
def store(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[clew.Store]:
    """Forty messages are few here."""
    monkeypatch.setattr(transaction, "_FETCHED_ROWS", _FEW)
    with clew.Store(open_postgres(postgres_url)) as store:
        yield store


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements whose rows came one after the other."""
    seen: list[str] = []
    stream = psycopg.Cursor.stream

    def spy(cursor: psycopg.Cursor[Any], query: Any, *arguments: Any, **more: Any) -> Iterator[Any]:
        seen.append(query)
        return stream(cursor, query, *arguments, **more)

    monkeypatch.setattr(psycopg.Cursor, "stream", spy)
    return seen


def test_a_long_conversation_is_streamed(store: clew.Store, streamed: list[str]) -> None:
    messages = [{"number": number} for number in range(_FEW + 1)]
    session = store.create_session("Long", messages=messages)
    assert store.get_active_checkpoint(session.id).state.messages == messages
    assert len(streamed) == 1


def test_a_short_conversation_is_read_by_a_statement_that_is_planned_already(
    store: clew.Store, streamed: list[str]
) -> None:
    messages = [{"number": number} for number in range(_FEW)]
    session = store.create_session("Short", messages=messages)
    assert store.get_active_checkpoint(session.id).state.messages == messages
    assert streamed == []
