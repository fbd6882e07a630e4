"""The SDK's own contracts of a session store."""

import pytest
from claude_agent_sdk.testing import run_session_store_conformance
from tests.adapters.claude_agent_sdk.support import run

import clew
from clew.adapters.claude_agent_sdk import ClewSessionStore


def test_all_fourteen_contracts_hold(store: clew.Store) -> None:
    made = []

    def empty() -> ClewSessionStore:
        for session in store.list_sessions(limit=1000):
            store.purge_session(session.id)
        made.append(ClewSessionStore(store))
        return made[-1]

    run(run_session_store_conformance(empty))
    assert len(made) == 15  # one to look at, and one for each contract: none was left out


@pytest.mark.parametrize("form", ["awaited", "path"])
def test_it_takes_an_awaited_store_and_a_path_too(tmp_path, form) -> None:
    path = tmp_path / "clew.db"
    with clew.open(path) as store:
        sessions = ClewSessionStore(store.aio if form == "awaited" else path)
        key = {"project_key": "p", "session_id": "s"}
        run(sessions.append(key, [{"type": "x"}]))
        assert run(ClewSessionStore(store).load(key)) == [{"type": "x"}]
        sessions.close()
        assert store.list_sessions().total == 1
