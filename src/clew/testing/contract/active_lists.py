"""Lists of the active checkpoints of sessions alone."""

from typing import Any
from uuid import UUID

import pytest

from clew.errors import InvalidRequestError, NotFoundError
from clew.model import CheckpointSummary
from clew.store import Store
from clew.testing.clock import SECOND, Clock
from clew.testing.contract.base import (
    Contract,
    active,
    attached,
    checkpoint_pages,
    emptied,
    ids,
    missing,
    users,
)
from clew.testing.contract.trees import ORDERS, same
from clew.testing.values import EDGES


class ActiveListContract(Contract):
    """A list of what is active is the list of everything without what is not, in every order and with every filter."""

    @pytest.fixture
    def switched(self, store: Store, clock: Clock) -> list[UUID]:
        """Sessions whose active checkpoint is their last one, their first one, one in between, and none."""
        made = []
        for number, label in enumerate(["b", None, "a", "é", "\U0001f9f6", "\uffff", None]):
            clock.tick = 0 if number % 3 else SECOND
            session = store.create_session(str(number), metadata={"n": 0})
            step = store.append(session.id, users("a"), label=label, metadata={"n": number % 2})
            store.append(session.id, users("b"), label="zz", metadata={"n": 1}, attachments={"f": b"1"})
            if number % 3 == 1:
                store.set_active_checkpoint(session.id, active(session).id)
            elif number != 6:
                store.set_active_checkpoint(session.id, step.id)
            made.append(session.id)
        return [*made[:4], emptied(store).id, *made[4:]]

    @pytest.fixture
    def current(self, store: Store, switched: list[UUID]) -> set[UUID]:
        """What is active in them."""
        found = [store.get_session(id).active_checkpoint for id in switched]
        return {step.id for step in found if step is not None}

    def test_the_active_checkpoint_of_one_session_is_listed_alone(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"), metadata={"n": 0})
        step = store.append(session.id, users("b"), metadata={"n": 1})
        store.append(session.id, users("c"), metadata={"n": 2})
        assert len(store.list_checkpoints(session.id)) == len(store.list_checkpoints(session.id, active=False)) == 3
        for chosen in (step, active(session)):
            store.set_active_checkpoint(session.id, chosen.id)
            (item,) = store.list_checkpoints(session.id, active=True, with_metadata=True)
            assert item == next(
                other for other in store.list_checkpoints(session.id, with_metadata=True) if other.id == chosen.id
            )
            assert item.metadata == chosen.state.metadata

    @pytest.mark.parametrize("order", ORDERS)
    def test_a_list_of_what_is_active_is_the_whole_list_without_the_rest(
        self, store: Store, switched: list[UUID], current: set[UUID], order: Any
    ) -> None:
        filters: list[dict[str, Any]] = [
            {}, {"metadata": {"n": 1}}, {"before_label": "é"}, {"metadata": {"n": 0}, "before_label": "\U0001f9f6"},
            {"metadata": {}}, {"metadata": {"missing": None}},
        ]  # fmt: skip
        seen = 0
        for sessions in (switched, switched[:1], switched[1:2], switched[4:5], [*switched, switched[0]]):
            for arguments in filters:
                shown: dict[str, Any] = {"order": order, "with_metadata": True, "with_attachments": "", **arguments}
                whole = store.list_checkpoints(sessions, **shown)
                found = store.list_checkpoints(sessions, active=True, **shown)
                assert found.items == [item for item in whole if item.id in current], (sessions, arguments)
                assert (found.total, found.next_cursor) == (None, None)
                seen += len(found)
        assert seen > 15

    @pytest.mark.parametrize("order", ORDERS)
    def test_pages_lead_through_all_that_is_active(self, store: Store, switched: list[UUID], order: Any) -> None:
        for arguments in ({}, {"metadata": {"n": 1}}, {"before_label": "\uffff"}):
            shown: dict[str, Any] = {"order": order, "active": True, **arguments}
            whole = store.list_checkpoints(switched, **shown).items
            for limit in (1, 2, len(whole), 2**63 - 1):
                pages = list(checkpoint_pages(store, switched, limit, **shown))
                assert [item for page in pages for item in page] == whole
                assert len(pages) == max(1, -(-len(whole) // limit))
                assert {page.total for page in pages} == {None}
            for offset in (0, 1, len(whole), 2**63 - 1):
                found = store.list_checkpoints(switched, offset=offset, limit=2, **shown)
                assert found.items == whole[offset : offset + 2]
            assert store.list_checkpoints(switched, limit=0, **shown).next_cursor is None

    def test_metadata_and_attachments_are_there_where_they_are_asked_for(
        self, store: Store, switched: list[UUID], current: set[UUID]
    ) -> None:
        assert _told(store.list_checkpoints(switched, active=True).items) == {(None, None)}
        listed = store.list_checkpoints(switched, active=True, with_metadata=True, with_attachments="").items
        assert {item.id for item in listed} == current
        for item in listed:
            assert item.metadata == store.get_checkpoint(item.id).state.metadata is not None
            assert item.attachments == attached(store, item.id)

    def test_any_value_of_metadata_is_found_among_what_is_active(self, store: Store) -> None:
        made = [(value, store.create_session("", metadata={"k": value}).id) for value in EDGES]
        sessions = [id for _, id in made]
        for wanted in EDGES:
            found = store.list_checkpoints(sessions, active=True, metadata={"k": wanted}, limit=1_000)
            assert [item.session_id for item in found] == [id for value, id in made if same(value, wanted)], wanted

    def test_a_session_without_checkpoints_has_none_that_is_active(self, store: Store) -> None:
        for order in ORDERS:
            page = store.list_checkpoints(emptied(store).id, active=True, order=order)
            assert (page.items, page.total, page.next_cursor) == ([], None, None)
            assert store.list_checkpoints([], active=True, order=order).items == []

    def test_a_missing_session_is_not_found_among_what_is_active(self, store: Store, switched: list[UUID]) -> None:
        id = missing()
        with pytest.raises(NotFoundError, match=str(id)):
            store.list_checkpoints([*switched, id], active=True)

    def test_a_cursor_of_what_is_active_leads_on_there_only(self, store: Store, switched: list[UUID]) -> None:
        for order in ORDERS:
            cursor = store.list_checkpoints(switched, order=order, limit=1).next_cursor
            of_active = store.list_checkpoints(switched, order=order, limit=1, active=True).next_cursor
            assert None not in (cursor, of_active)
            with pytest.raises(InvalidRequestError, match="cursor"):
                store.list_checkpoints(switched, order=order, active=True, cursor=cursor)
            for wrong in ({"order": order}, {"order": ORDERS[ORDERS.index(order) - 1], "active": True}):
                with pytest.raises(InvalidRequestError, match="cursor"):
                    store.list_checkpoints(switched, cursor=of_active, **wrong)

    def test_what_is_active_follows_every_write(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"))

        def shown() -> list[UUID]:
            return ids(store.list_checkpoints(session.id, active=True))

        assert shown() == [active(session).id]
        step = store.append(session.id, users("b"))
        assert shown() == [step.id]
        store.delete_checkpoints(session.id, step.id)
        assert shown() == [active(session).id]
        store.delete_session(session.id)
        assert shown() == [active(session).id]


def _told(items: list[CheckpointSummary]) -> set[Any]:
    return {(item.metadata, item.attachments) for item in items}
