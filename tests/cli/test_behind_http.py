"""The command over a store behind a server, with the key of somebody who is no admin."""

import pytest
from tests.cli.support import Command, texts

import clew
from clew.sqlite import open_backend


@pytest.fixture
def behind(http_server):
    """The store that the server stands before."""
    with clew.Store(open_backend(None, busy_timeout=30)) as store:
        http_server.switch.put(store._backend, store._clock)
        yield store


@pytest.fixture
def far(http_server, behind, monkeypatch):
    """The command, with a key of Ada's."""
    monkeypatch.setenv("CLEW_API_KEY", behind.create_key("Ada", "write").token)
    return Command(http_server.url)


def test_a_conversation_is_kept_there(far, behind):
    session = far.json("new", "talk")["id"]
    far.output("append", session, input="hello")
    assert far.json("show", session)["messages"] == behind.get_active_checkpoint(session).state.messages
    assert far.json("list")["sessions"][0]["owner"] == "Ada"


def test_info_tells_of_the_sessions_that_the_key_may_see(far, behind):
    far.json("new", "talk")
    behind.create_session("of Bob", owner="Bob")
    told = far.json("info")
    assert told["backend"] == {"kind": "http", "endpoint": str(far.path)}
    assert (told["schema"], told["sessions"]) == (None, {"total": 1, "active": 1, "deleted": 0})
    assert any(line.startswith("Sessions: 1 ") for line in far.lines("info"))


def test_what_needs_an_admin_says_so(far):
    result = far.run("verify")
    assert result.exit_code == 1
    assert "needs an API key with the role admin" in result.stderr


def test_a_migration_is_made_where_the_server_runs(far):
    assert "migrate it where the server runs" in far.error("migrate", "status")[1]


class TestCopy:
    """From a laptop to a server and back."""

    @pytest.fixture
    def laptop(self, command):
        with command.open() as store:
            store.create_session("talk", messages=texts(1), source="tool", source_id="1")
            fork = store.fork_session(store.list_sessions().items[0].id)
            store.append(fork.id, texts(2), attachments={"file": b"x"})
        return command

    def test_what_is_nobodys_becomes_theirs_who_bring_it_and_is_brought_once(self, far, behind, laptop):
        laptop.output("copy", laptop.path, far.path)
        assert [item.owner for item in behind.list_sessions()] == ["Ada", "Ada"]
        assert [item.updated_at for item in behind.list_sessions()] == [item.updated_at for item in laptop.sessions()]
        before = behind.last_change()
        laptop.output("copy", laptop.path, far.path)
        assert behind.last_change() == before

    def test_it_can_be_fetched_and_brought_again(self, far, behind, laptop, tmp_path):
        laptop.output("copy", laptop.path, far.path)
        laptop.output("copy", far.path, tmp_path / "other.db")
        other = Command(tmp_path / "other.db")
        assert [item.id for item in other.sessions()] == [item.id for item in laptop.sessions()]
        before = behind.last_change()
        laptop.output("copy", other.path, far.path)
        assert behind.last_change() == before

    def test_a_session_that_was_given_away_there_stays_given_away(self, far, behind, laptop, monkeypatch):
        laptop.output("copy", laptop.path, far.path)
        session = laptop.sessions()[0].id
        behind.update_session(session, owner="Bob")
        monkeypatch.setenv("CLEW_API_KEY", behind.create_key("root", "admin").token)
        laptop.output("rename", session, "renamed later")
        laptop.output("copy", laptop.path, far.path)
        found = behind.get_session(session)
        assert (found.title, found.owner) == ("renamed later", "Bob")
