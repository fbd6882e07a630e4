"""How a driver's errors become clew's: around every call of it, for as many kinds of errors as the driver has."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import ClassVar
from uuid import UUID

from clew.errors import StorageError


class Translating(ABC):
    """Used as ``with translating():``, raises the clew error for whatever the driver raises inside.

    A class, because a context manager made of a generator costs several times as much, in every call of a backend.
    """

    __slots__ = ("_checkpoint_id",)
    errors: ClassVar[tuple[type[Exception], ...]]

    def __init__(self, checkpoint_id: UUID | None = None) -> None:
        """What is damaged is said to be of the checkpoint."""
        self._checkpoint_id = checkpoint_id

    @staticmethod
    @abstractmethod
    def translated(error: Exception, checkpoint_id: UUID | None) -> StorageError:
        """The clew error for an error of the driver."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, self.errors):
            raise self.translated(error, self._checkpoint_id) from error


READING = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading a damaged row can raise: a column may come out as a value of another type than it was written with."""


def where(checkpoint_id: UUID | None) -> str:
    """The part of an error's text that says of which checkpoint the damage is."""
    return "" if checkpoint_id is None else f" at checkpoint {checkpoint_id}"
