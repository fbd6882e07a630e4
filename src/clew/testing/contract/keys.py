"""API keys. Others may be there already, as where the store under test is behind a server that asks for one."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from clew.errors import InvalidRequestError, NotFoundError, UnauthorizedError
from clew.model import ApiKey, Role
from clew.store import Store
from clew.testing.clock import SECOND, Clock, moment
from clew.testing.contract.base import Contract, active, missing, nothing_changes, users
from clew.testing.contract.together import together


class KeyContract(Contract):
    """A key is known by its token, which is told once, until it is revoked."""

    def test_a_new_key_is_told_with_its_token(self, store: Store, clock: Clock) -> None:
        before = clock.moment
        made = store.create_key("Ada", "write")
        assert re.fullmatch(r"clew_[A-Za-z0-9_-]{43}", made.token)
        assert (made.key.name, made.key.role) == ("Ada", Role.WRITE)
        assert (made.key.last_used_at, made.key.revoked_at, made.key.damage) == (None, None, None)
        assert made.key.created_at == before
        assert store.list_keys()[-1] == made.key

    def test_a_key_is_known_by_its_token(self, store: Store) -> None:
        for role in Role:
            made = store.create_key("Ada", role)
            key = store.authenticate(made.token)
            assert (key.id, key.name, key.role) == (made.key.id, "Ada", role)

    def test_what_is_no_token_of_a_key_is_refused_and_not_repeated(self, store: Store) -> None:
        made = store.create_key("Ada", "admin")
        token = made.token
        for wrong in (
            "", "clew_", token[:-1], f"{token}x", f" {token}", token.swapcase(), token.removeprefix("clew_"), "\ud800",
            f"{token}\0", "x" * 10_000, str(made.key.id), "Ada", store.create_key("Bob", "read").token[::-1],
        ):  # fmt: skip
            with pytest.raises(UnauthorizedError) as caught:
                store.authenticate(wrong)
            assert caught.value.code == "unauthorized"
            assert str(caught.value) == "Unauthorized: the API key is not known, or has been revoked"
        nothing: list[Any] = [None, token.encode(), 1, [token]]
        for value in nothing:
            with pytest.raises(InvalidRequestError, match="token must be text") as refused:
                store.authenticate(value)
            assert token not in str(refused.value)

    def test_a_token_is_told_once_and_shown_nowhere(self, store: Store) -> None:
        made = store.create_key("Ada", "read")
        secret = made.token.removeprefix("clew_")
        used = store.authenticate(made.token)
        shown = f"{made!r} {made} {[made]} {made.key!r} {used!r} {store.list_keys()!r} {store.revoke_key(used.id)!r}"
        assert secret not in shown
        assert secret not in repr(made.__rich_repr__())
        assert "Ada" in repr(made)

    def test_tokens_and_ids_of_keys_differ(self, store: Store) -> None:
        made = [store.create_key("Ada", "read") for _ in range(5)]
        assert len({new.token for new in made}) == len({new.key.id for new in made}) == 5
        for new in made:
            assert store.authenticate(new.token).id == new.key.id

    def test_a_revoked_key_is_refused_at_once_and_stays_listed(
        self, store: Store, reopen: Callable[[], Store], clock: Clock
    ) -> None:
        made, other = store.create_key("Ada", "admin"), store.create_key("Ada", "admin")
        store.authenticate(made.token)
        before = clock.moment
        revoked = store.revoke_key(str(made.key.id))
        assert revoked.revoked_at == before
        openers: list[Callable[[], Store]] = [lambda: store, reopen]
        for open_it in openers:
            opened = open_it()
            with pytest.raises(UnauthorizedError):
                opened.authenticate(made.token)
            assert opened.authenticate(other.token).id == other.key.id
            assert self._listed(opened, made.key.id) == revoked

    def test_a_key_that_is_revoked_again_stays_as_it_is(self, store: Store, clock: Clock) -> None:
        made = store.create_key("Ada", "read")
        revoked = store.revoke_key(made.key.id)
        clock.now += 90 * SECOND
        assert store.revoke_key(made.key.id) == revoked

    def test_a_key_that_does_not_exist_is_not_found(self, store: Store) -> None:
        id = missing()
        with pytest.raises(NotFoundError, match=f"API key {id} not found"):
            store.revoke_key(id)
        wrong: list[Any] = ["nonsense", 7, None]
        for value in wrong:
            with pytest.raises(InvalidRequestError, match="id"):
                store.revoke_key(value)

    def test_what_is_no_name_or_role_makes_no_key(self, store: Store) -> None:
        before = store.list_keys()
        roles: list[Any] = ["", "READ", "owner", None, 1, ["read"]]
        for role in roles:
            with pytest.raises(InvalidRequestError, match="role must be read or write or admin"):
                store.create_key("Ada", role)
        names: list[Any] = ["", None, 1, b"Ada", "\0", "\ud800"]
        for name in names:
            with pytest.raises(InvalidRequestError, match="name"):
                store.create_key(name, "read")
        assert store.list_keys() == before

    def test_keys_are_listed_in_the_order_in_which_they_were_made(self, store: Store) -> None:
        made = [store.create_key(name, "read").key.id for name in ("b", "a", "c", "a")]
        store.revoke_key(made[1])
        assert [key.id for key in store.list_keys()][-4:] == made

    def test_the_last_use_of_a_key_is_written_at_most_once_a_minute(self, store: Store, clock: Clock) -> None:
        clock.tick = 0
        made, begun = store.create_key("Ada", "read"), clock.now
        written = []
        for seconds in (1, 2, 60, 60.9, 61, 62, 120.5, 121, 500):
            clock.now = begun + int(seconds * SECOND)
            key = store.authenticate(made.token)
            assert key == self._listed(store, made.key.id)
            assert key.last_used_at is not None
            written.append((key.last_used_at - moment(begun)).total_seconds())
        assert written == [1, 1, 1, 1, 61, 61, 61, 121, 500]

    def test_a_clock_set_back_does_not_take_the_last_use_back(self, store: Store, clock: Clock) -> None:
        made = store.create_key("Ada", "read")
        used = store.authenticate(made.token).last_used_at
        clock.now -= 500 * SECOND
        assert store.authenticate(made.token).last_used_at == used
        assert self._listed(store, made.key.id).last_used_at == used

    def test_a_refused_token_leaves_no_trace(self, store: Store, clock: Clock) -> None:
        made = store.create_key("Ada", "read")
        store.revoke_key(made.key.id)
        before = store.list_keys()
        clock.now += 90 * SECOND
        for token in (made.token, "clew_"):
            with pytest.raises(UnauthorizedError):
                store.authenticate(token)
        assert store.list_keys() == before

    def test_keys_are_there_after_opening_again(self, store: Store, reopen: Callable[[], Store]) -> None:
        made = store.create_key("Ada", "write")
        used = store.authenticate(made.token)
        again = reopen()
        assert self._listed(again, made.key.id) == used
        assert again.authenticate(made.token) == used

    def test_keys_are_no_business_of_sessions(self, store: Store) -> None:
        session = store.create_session("", messages=users("a"), owner="Ada")
        number = store.last_change()
        with nothing_changes(store):
            made = store.create_key("Ada", "admin")
            store.authenticate(made.token)
            store.revoke_key(made.key.id)
        assert list(store.watch(after=number, idle_timeout=0)) == []
        store.purge_session(session.id)
        store.compact()
        assert self._listed(store, made.key.id).name == "Ada"

    def test_many_use_a_key_at_once_and_one_revokes_it(self, store: Store, clock: Clock) -> None:
        made = store.create_key("Ada", "read")
        store.create_session("", messages=users("a"))
        outcomes = together(
            [
                *[lambda: store.authenticate(made.token)] * 6,
                lambda: store.revoke_key(made.key.id),
                *[lambda: store.create_key("Bob", "read").key] * 3,
            ]
        )
        assert all(isinstance(outcome, (ApiKey, UnauthorizedError)) for outcome in outcomes), outcomes
        assert self._listed(store, made.key.id).revoked_at is not None
        with pytest.raises(UnauthorizedError):
            store.authenticate(made.token)
        assert active(store.get_session(store.list_sessions().items[0].id)).state.messages == users("a")

    def _listed(self, store: Store, id: UUID) -> ApiKey:
        return next(key for key in store.list_keys() if key.id == id)
