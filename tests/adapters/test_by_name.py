"""Sessions by the names that frameworks have for them."""

from uuid import UUID

import pytest

import clew
from clew import SessionSummary
from clew.adapters.by_name import ByName


def test_a_session_is_found_without_its_state_and_by_its_id_from_then_on(
    file_store: clew.Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = file_store.create_session("", source="tool", source_id="1").id
    file_store.create_session("", source="tool", source_id="1", owner="Ada")
    found: list[str] = []

    def noted(source: str, source_id: str, *, owner: str | None) -> SessionSummary:
        found.append(source_id)
        return clew.Store.find_session_summary(file_store, source, source_id, owner=owner)

    monkeypatch.setattr(file_store, "find_session_summary", noted)
    monkeypatch.setattr(file_store, "find_session", None)
    names = ByName("tool")
    for _ in range(2):
        assert names.look(file_store, "1", lambda session: session, UUID(int=0)) == id
    assert names.look(file_store, "2", lambda session: session, UUID(int=0)) == UUID(int=0)
    assert found == ["1", "2"]


def test_a_session_that_was_purged_and_made_anew_is_found_again(file_store: clew.Store) -> None:
    names = ByName("tool")
    for _ in range(2):
        made = file_store.create_session("", source="tool", source_id="1").id
        assert names.look(file_store, "1", lambda id: file_store.get_session_summary(id).id, None) == made
        file_store.purge_session(made)
    assert names.look(file_store, "1", lambda id: file_store.get_session_summary(id).id, None) is None
