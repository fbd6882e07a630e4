"""What the commands share: the state of one run, options that several have, and the types of their arguments."""

import os
import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, TypeVar, overload

import click

import clew
from clew.cli import places
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Place, Wanted, parse_id
from clew.model import Label
from clew.opening import served_endpoint

Command = TypeVar("Command", bound=Callable[..., Any])

ROLES = ("user", "assistant", "tool", "system")

_MAY_HOLD_SECRETS = re.compile(r"[@?#=]")
_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")


class App:
    """One run of the command."""

    def __init__(self) -> None:
        self.store_url: str | None = None
        self.json = False

    @contextmanager
    def open(self, *, read_only: bool = False) -> Iterator[clew.Store]:
        """The store that was chosen, made where there is none yet."""
        with clew.open(self.store_url, read_only=read_only) as store:
            yield store

    @contextmanager
    def open_existing(self, *, read_only: bool = False) -> Iterator[clew.Store]:
        """The same for what makes no sense on a new store: UnavailableError where there is none."""
        places.require_store(self.store_url)
        # One in memory is new each time: nothing is to be protected.
        with self.open(read_only=read_only and not places.is_in_memory(self.store_url)) as store:
            yield store

    def command(self, *words: str) -> str:
        """A command to type next, for the same store. A URL stays out that may hold a password."""
        chosen = self.store_url
        is_secret = chosen is not None and served_endpoint(chosen) is not None and _MAY_HOLD_SECRETS.search(chosen)
        store = [] if chosen is None or is_secret else ["--store", chosen]
        return shlex.join(["clew", *store, *words])


pass_app = click.make_pass_decorator(App)


def _note_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    app = context.find_object(App)
    if app is not None:
        app.json = app.json or value


# Eager: it is known before the other arguments are read, whose errors are told in its form.
json_option = click.option(
    "--json", is_flag=True, is_eager=True, expose_value=False, callback=_note_json, help="Print JSON."
)


class IdType(click.ParamType[Wanted]):
    """A whole UUID, or its beginning."""

    name = "id"

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Wanted:
        return value if isinstance(value, Wanted) else parse_id(str(value), self._kind)


class RoleType(click.ParamType[str]):
    """A role of a message, in any case."""

    name = "role"

    def __init__(self, *roles: str) -> None:
        self._roles = roles

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        role = str(value).lower()
        if role not in self._roles:
            raise InvalidArgumentError(f"invalid role '{value}' (expected one of: {', '.join(self._roles)})")
        return role


class AgeType(click.ParamType[timedelta]):
    """A length of time, in hours, days or weeks."""

    name = "age"

    _FORM = re.compile(r"([0-9]+)([hdw])", re.ASCII)
    _UNITS: ClassVar = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        match = self._FORM.fullmatch(str(value).strip().lower())
        if match is None:
            raise InvalidArgumentError(
                f"invalid age '{value}': expected a number of hours, days or weeks: 12h, 90d, 2w"
            )
        try:
            return self._UNITS[match[2]] * int(match[1])
        except (OverflowError, ValueError):  # ValueError: more digits than Python reads
            raise InvalidArgumentError(f"invalid age '{value}': that is longer than time has been counted") from None


SESSION_ID = IdType("session")
CHECKPOINT_ID = IdType("checkpoint")
AGE = AgeType()

session_argument = click.argument("session", metavar="ID", type=SESSION_ID)


def visibility_option(help: str) -> Callable[[Command], Command]:
    return click.option("--visibility", type=click.Choice(list(clew.Visibility), case_sensitive=False), help=help)


def limit_option(default: int, help: str) -> Callable[[Command], Command]:
    return click.option(
        "--limit", metavar="N", type=click.IntRange(min=0), default=default, show_default=True, help=help
    )


def offset_option(help: str) -> Callable[[Command], Command]:
    return click.option("--offset", metavar="N", type=click.IntRange(min=0), default=0, help=help)


def place_options(checkpoint: str, label: str) -> Callable[[Command], Command]:
    """`--checkpoint` and `--label`, with what they say of themselves; see `chosen_place`."""

    def add(command: Command) -> Command:
        command = click.option("--label", metavar="NAME", help=label)(command)
        return click.option("--checkpoint", metavar="ID", type=CHECKPOINT_ID, help=checkpoint)(command)

    return add


def chosen_place(checkpoint: Wanted | None, label: str | None) -> Place | None:
    """The checkpoint that the two options ask for, None where neither was given."""
    if checkpoint is not None and label is not None:
        raise InvalidArgumentError("give --checkpoint or --label, not both")
    return checkpoint if label is None else Label(label)


@overload
def absolute(path: str) -> str: ...


@overload
def absolute(path: None) -> None: ...


def absolute(path: str | None) -> str | None:
    """A directory as it is stored: made whole where it is given from here on, and without the end that shells complete.

    One of Windows is whole wherever it is named, and left as it is.
    """
    if not path or _WINDOWS.match(path):
        return path
    return (path.rstrip("/") or "/") if Path(path).is_absolute() else os.path.normpath(Path(path).absolute())
