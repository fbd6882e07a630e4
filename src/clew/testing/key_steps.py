"""Steps of a walk that are about API keys."""

from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from clew.model import ApiKey
from clew.testing.beside import Dice, SideBySide, optional_moment
from clew.testing.model import Row

ROLES = ["read", "write", "admin"]
MAX_KEYS = 4


class KeySteps(SideBySide):
    """The rules about API keys, which `StoreMachine` has too. Keys that were there before are no business of theirs."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: dict[UUID, str] = {}

    @rule(seed=st.integers(0, 2**32 - 1))
    def api_keys(self, seed: int) -> None:
        """Make one, use it and revoke it, in any order."""
        dice = Dice(seed)
        for _ in range(3):
            dice.one(self.create_key, self.authenticate, self.authenticate, self.revoke_key)(dice)

    def create_key(self, dice: Dice) -> None:
        """With one of few names."""
        name, role = dice.one("Ada", "bob"), dice.choice(ROLES)
        if len(self.tokens) < MAX_KEYS:
            made = self.store.create_key(name, role)
            self.model.create_key(made.key.id, name, role, self.clock.now)
            self.tokens[made.key.id] = made.token

    def authenticate(self, dice: Dice) -> None:
        """With a token that the store has given out."""
        if not self.tokens:
            return
        id = dice.choice(list(self.tokens))

        def reflect(key: ApiKey | None) -> None:
            self.model.authenticate(id, self.clock.now)
            assert key is None or _is(key, self.model.keys[id])

        self.both(f"authenticate {id}", lambda store: store.authenticate(self.tokens[id]), reflect)

    def revoke_key(self, dice: Dice) -> None:
        """One that there is, or now and then none."""
        id = dice.one(UUID(int=0), *self.tokens, *self.tokens)
        self.both(
            f"revoke {id}",
            lambda store: store.revoke_key(id),
            lambda _: self.model.revoke_key(id, self.clock.now),
        )

    @invariant()
    def keys_are_listed_as_they_are(self) -> None:
        """Whatever else happens."""
        if self.tokens:
            listed = [key for key in self.store.list_keys() if key.id in self.tokens]
            assert {key.id for key in listed} == set(self.model.keys)
            assert all(_is(key, self.model.keys[key.id]) for key in listed)
            assert [key.created_at for key in listed] == sorted(key.created_at for key in listed)


def _is(key: ApiKey, row: Row) -> bool:
    """Whether a key is what the model has."""
    times = ("created_at", "last_used_at", "revoked_at")
    return (key.name, key.role, key.damage) == (row["name"], row["role"], None) and all(
        getattr(key, name) == optional_moment(row[name]) for name in times
    )
