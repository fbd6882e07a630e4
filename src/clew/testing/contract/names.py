"""Lists of the sessions that another program knows by a name."""

from typing import Any
from uuid import UUID

import pytest

from clew.errors import InvalidRequestError
from clew.store import Store
from clew.testing.clock import Clock
from clew.testing.contract.base import Contract, active, ids, summary, users
from clew.testing.contract.lists import pages


class NameContract(Contract):
    """A list by source and source_id has the sessions of that name, and says of each what every list says."""

    @pytest.fixture
    def known(self, store: Store) -> dict[Any, UUID]:
        """Sessions by whose they are and their name."""
        names = [
            (None, "tool", "1"), ("Ada", "tool", "1"), ("Bob", "tool", "1"), ("Ada", "tool", "2"), ("Ada", "TOOL", "1"),
            ("Ada", "tool", "1 "), (None, "tool", ""), (None, "", "1"),
        ]  # fmt: skip
        made = {
            name: store.create_session(
                " ".join(map(str, name)), owner=name[0], source=name[1], source_id=name[2], messages=users("a")
            ).id
            for name in names
        }
        store.create_session("unnamed")
        return made

    def test_sessions_are_listed_by_their_name_those_of_every_owner(self, store: Store, known: dict[Any, UUID]) -> None:
        for _, source, source_id in known:
            page = store.list_sessions(source=source, source_id=source_id, count=True)
            same = [id for name, id in known.items() if name[1:] == (source, source_id)]
            assert (ids(page), page.total) == (same[::-1], len(same))
        page = store.list_sessions(source="tool", source_id="1")
        assert (len(page), page.total, page.next_cursor) == (3, None, None)
        assert page.items == [summary(store, item.id) for item in page]
        for nobody in ("3", "1\n", "TOOL"):
            found = store.list_sessions(source="tool", source_id=nobody, count=True)
            assert (found.items, found.total) == ([], 0)

    def test_an_owner_has_at_most_one_session_of_a_name(self, store: Store, known: dict[Any, UUID]) -> None:
        for (owner, source, source_id), id in known.items():
            if owner is not None:
                page = store.list_sessions(source=source, source_id=source_id, owner=owner, count=True)
                assert (ids(page), page.total) == ([id], 1)
                assert page.items[0].id == store.find_session(source, source_id, owner=owner).id
        assert store.list_sessions(source="tool", source_id="1", owner="Eve", count=True).total == 0

    def test_a_name_goes_with_every_other_filter(self, store: Store, known: dict[Any, UUID]) -> None:
        ada, bob = known["Ada", "tool", "1"], known["Bob", "tool", "1"]
        store.update_session(ada, visibility="PUBLIC", cwd="/repo", metadata={"k": 1, "l": None})
        child = store.create_session("child", owner="Eve", source="tool", source_id="1", parent_session_id=bob)
        store.delete_session(bob)
        nobodys = known[None, "tool", "1"]
        filters: list[tuple[dict[str, Any], list[UUID]]] = [
            ({"status": "ACTIVE"}, [child.id, ada, nobodys]), ({"status": "DELETED"}, [bob]),
            ({"visibility": "PUBLIC"}, [ada]), ({"cwd": "/repo"}, [ada]), ({"cwd": "/other"}, []),
            ({"search": "BOB"}, [bob]), ({"metadata": {"k": 1}}, [ada]), ({"metadata": {"k": True}}, []),
            ({"metadata": {}}, [bob, child.id, ada, nobodys]), ({"parent_session_id": bob}, [child.id]),
            ({"owner": "Bob", "status": "ACTIVE"}, []),
        ]  # fmt: skip
        for others, expected in filters:
            page = store.list_sessions(source="tool", source_id="1", count=True, **others)
            assert (ids(page), page.total) == (expected, len(expected)), others
            assert store.list_sessions(source="tool", source_id="1", **others).total is None

    @pytest.mark.parametrize("tick", [0, 1_000])
    def test_pages_lead_through_all_sessions_of_a_name(self, store: Store, clock: Clock, tick: int) -> None:
        clock.tick = tick
        for number in range(7):
            made = store.create_session(str(number), owner=f"owner {number}", source="tool", source_id="1")
            store.create_session("other", owner=f"owner {number}", source="tool", source_id="2")
            if number % 3 == 1:
                store.delete_session(made.id)
        name: dict[str, Any] = {"source": "tool", "source_id": "1"}
        whole = ids(store.list_sessions(**name))
        assert (len(whole), whole) == (7, [id for id in ids(store.list_sessions(source="tool")) if id in whole])
        for limit in (1, 2, 7, 2**63 - 1):
            found = list(pages(store, limit, **name))
            assert [id for page in found for id in ids(page)] == whole
            assert len(found) == max(1, -(-7 // limit))
        assert ids(store.list_sessions(limit=2, offset=3, **name)) == whole[3:5]

    def test_a_list_by_name_follows_owners_and_purges(self, store: Store, known: dict[Any, UUID]) -> None:
        ada, bob = known["Ada", "tool", "1"], known["Bob", "tool", "1"]
        store.purge_session(bob)
        store.update_session(ada, owner="Eve")
        assert ids(store.list_sessions(source="tool", source_id="1")) == [ada, known[None, "tool", "1"]]
        assert ids(store.list_sessions(source="tool", source_id="1", owner="Eve")) == [ada]
        assert ids(store.list_sessions(source="tool", source_id="1", owner="Ada")) == []

    def test_a_summary_by_name_is_that_of_what_is_active(self, store: Store, known: dict[Any, UUID]) -> None:
        id = known["Ada", "tool", "2"]
        step = store.append(id, users("bc"))
        (item,) = store.list_sessions(source="tool", source_id="2")
        assert (item.message_count, item.active_checkpoint_id, item.checkpoint_count) == (3, step.id, 2)
        store.set_active_checkpoint(id, store.ancestry(step.id)[1].id)
        (item,) = store.list_sessions(source="tool", source_id="2")
        assert (item.message_count, item.active_checkpoint_id) == (1, active(store.get_session(id)).id)

    def test_a_source_id_without_a_source_is_refused(self, store: Store, known: dict[Any, UUID]) -> None:
        with pytest.raises(InvalidRequestError, match="source_id"):
            store.list_sessions(source_id="1")
