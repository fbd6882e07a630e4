"""API keys, inside a transaction that the caller holds.

Each row has a seal, as those of sessions have (see rows.py): a role that a flipped bit has raised lets nobody in.
"""

from typing import NamedTuple
from uuid import UUID

from clew.backend import NewApiKey, key_not_found
from clew.errors import CorruptStateError
from clew.hashing import row_seal
from clew.model import ApiKey, Role
from clew.relational import rows
from clew.relational.transaction import Transaction
from clew.reports import Finding
from clew.times import from_micros


class KeyRow(NamedTuple):
    """The columns of an API key as the queries list them; text is UTF-8."""

    id: bytes
    digest: bytes
    name: bytes
    role: bytes
    created_at: int
    last_used_at: int | None
    revoked_at: int | None
    seal: int

    def sealed(self) -> "KeyRow":
        """The row with the seal that its values have."""
        return self._replace(seal=row_seal(self[:7]))

    def is_sealed(self) -> bool:
        """Whether the row is as it was written."""
        return self == self.sealed()


def create_key(db: Transaction, new: NewApiKey) -> ApiKey:
    """See `Backend.create_key`."""
    row = KeyRow(new.id.bytes, new.digest, new.name.encode(), new.role.encode(), new.now, None, None, 0).sealed()
    db.execute("insert_key", {**row._asdict(), "name": new.name, "role": new.role})
    return _checked(row)


def load_if_there(db: Transaction, key_id: UUID) -> ApiKey | None:
    """An API key by its id, None where there is none."""
    row = _find(db, key_id)
    return None if row is None else _checked(row)


def list_keys(db: Transaction) -> list[ApiKey]:
    """See `Backend.list_keys`."""
    return [_shown(KeyRow(*columns)) for columns in db.fetch_all("list_keys", {})]


def find_key(db: Transaction, digest: bytes) -> ApiKey | None:
    """See `Backend.find_key`."""
    columns = db.fetch_one("key_by_digest", {"digest": digest})
    return None if columns is None else _checked(KeyRow(*columns))


def use_key(db: Transaction, key_id: UUID, now: int) -> ApiKey:
    """See `Backend.use_key`."""
    row = _read_to_change(db, key_id)
    key = _checked(row)
    if row.revoked_at is not None or (row.last_used_at is not None and row.last_used_at >= now):
        return key
    return _write(db, row._replace(last_used_at=now))


def revoke_key(db: Transaction, key_id: UUID, now: int) -> ApiKey:
    """See `Backend.revoke_key`."""
    row = _read_to_change(db, key_id)
    if row.revoked_at is not None and row.is_sealed():
        return _checked(row)
    return _write(db, row._replace(revoked_at=now))


def findings(db: Transaction) -> list[Finding]:
    """The API keys that are not as they were written."""
    damaged = [key for key in list_keys(db) if key.damage is not None]
    return [Finding(kind="key", message=f"{key.damage} (API key {key.id})") for key in damaged]


def _read_to_change(db: Transaction, key_id: UUID) -> KeyRow:
    db.lock_id(key_id)
    row = _find(db, key_id)
    if row is None:
        raise key_not_found(key_id)
    return row


def _find(db: Transaction, key_id: UUID) -> KeyRow | None:
    columns = db.fetch_one("key_by_id", {"id": key_id.bytes})
    return None if columns is None else KeyRow(*columns)


def _write(db: Transaction, row: KeyRow) -> ApiKey:
    sealed = row.sealed()
    changed = {"id": row.id, "last_used_at": row.last_used_at, "revoked_at": row.revoked_at, "seal": sealed.seal}
    db.execute("update_key", changed)
    return _shown(sealed)


def _checked(row: KeyRow) -> ApiKey:
    """A key as it was written; CorruptStateError for any other."""
    key = _shown(row)
    if key.damage is not None:
        raise CorruptStateError(f"{key.damage} (API key {key.id})")
    return key


def _shown(row: KeyRow) -> ApiKey:
    """A key with what can be read of it."""
    damage = None if row.is_sealed() else "the row of an API key does not match its seal"
    role = rows.member(row.role, Role, b"read").decode()
    return ApiKey(
        id=rows.shown_id(row.id),
        name=row.name.decode(errors="replace"),
        role=Role(role),
        created_at=from_micros(rows.in_range(row.created_at)),
        last_used_at=None if row.last_used_at is None else from_micros(rows.in_range(row.last_used_at)),
        revoked_at=None if row.revoked_at is None else from_micros(rows.in_range(row.revoked_at)),
        damage=damage,
    )
