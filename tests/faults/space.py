"""A disk that is full, and then is not any more."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
from tests.faults.actors import Actor, perform
from tests.faults.expected import Made
from tests.faults.histories import Told, check
from tests.faults.layers import Layer
from tests.faults.wholeness import Whole

import clew

NO_SPACE, UNUSABLE = "no space left", "cannot be used"
_PURGED = "is purged"
_DONE = "but its bytes could not be removed from the write-ahead log"  # a purge or a compaction that is committed
"""What the one error says after which something has changed: what was purged is gone, and its bytes go later."""


class Refusing(Layer):
    """A disk that carries out some more changes of one kind, `left` (None is all), and refuses the rest.

    Only those of logs: an error while SQLite moves a log into the file after a commit is nobody's, and it goes on; but
    APSW would raise one that comes from Python all the same. What happens then is seen where the kernel refuses.
    """

    words = ""
    """What an error of clew's then says."""

    def __init__(self) -> None:
        self.left: int | None = None
        self.refused = 0

    def ask(self, file: str, refusal: apsw.Error) -> None:
        """Count a change, or refuse it."""
        if not file.endswith(("-wal", "-journal")) or self.left is None:
            return
        if self.left == 0:
            self.refused += 1
            raise refusal
        self.left -= 1


class Filling(Refusing):
    """A disk with room for some more writes."""

    words = NO_SPACE

    def write(self, file: str, offset: int, data: bytes, carry_out: Callable[[], None]) -> None:
        self.ask(file, apsw.FullError("no room in this test"))
        carry_out()


class Failing(Refusing):
    """A disk on which some more syncs succeed."""

    words = UNUSABLE

    def sync(self, file: str, carry_out: Callable[[], None]) -> None:
        self.ask(file, apsw.IOError("no sync in this test"))
        carry_out()


class Writing:
    """An actor over an open store, whose steps may be refused."""

    def __init__(self, store: clew.Store, seed: int) -> None:
        self.store = store
        self.history = Told(f"writing-{seed}", seed)
        self._actor: Actor = self.history.actor()
        self._step = self._actor.next()

    def step(self) -> clew.StorageError | None:
        """Take the next step, or the one that was refused before again; the error where it is refused."""
        try:
            self._done(perform(self.store, self._step))
        except clew.StorageError as error:
            if _PURGED in error.message:
                self._done([])
            return error
        return None

    def _done(self, made: Made) -> None:
        self._actor.done(self._step, made)
        self._step = self._actor.next()
        self.history.made.append(made)
        self.history.begun += 1

    def until_refused(self, most: int = 100_000) -> clew.StorageError:
        """Take steps until one is refused; that error."""
        for _ in range(most):
            error = self.step()
            if error is not None:
                return error
        raise AssertionError(f"nothing was refused in {most} steps")

    def check(self) -> None:
        """The store is whole, and holds every step that was done and no other."""
        check(Whole(self.store), [self.history])


def check_refusal(error: clew.StorageError, words: str) -> None:
    """The error says what the matter is, in these words."""
    assert isinstance(error, clew.UnavailableError), repr(error)
    assert error.code == "connection_error"
    assert words in error.message or _DONE in error.message, error.message


@contextmanager
def filled(folder: Path, room: int = 0) -> Iterator[None]:
    """A file system with about so many bytes of room, until this ends."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            _fill(file.write, bytes(size))
        file.truncate(max(0, file.tell() - room))
    try:
        yield
    finally:
        filler.unlink()


def _fill(write: Callable[[bytes], int | None], block: bytes) -> None:
    try:
        while write(block) == len(block):
            pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
