"""What the commands share: the state of one run, `--json`, and the types of their arguments."""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

import clew
from clew.cli.errors import InvalidArgumentError
from clew.cli.lookup import Wanted, parse_id

Command = TypeVar("Command", bound=Callable[..., Any])

ROLES = ("user", "assistant", "tool", "system")


class App:
    """One run of the command."""

    def __init__(self) -> None:
        self.store_url: str | None = None
        self.json = False

    @contextmanager
    def open(self) -> Iterator[clew.Store]:
        """The store that was chosen, made where there is none yet."""
        with clew.open(self.store_url) as store:
            yield store

    def command(self, *words: str) -> str:
        """A command to type next, for the same store. A URL stays out of it: it may hold a password."""
        chosen = self.store_url
        store = [] if chosen is None or ("://" in chosen and not chosen.startswith("sqlite:")) else ["--store", chosen]
        return shlex.join(["clew", *store, *words])


pass_app = click.make_pass_decorator(App)


def _note_json(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    app = context.find_object(App)
    if app is not None:
        app.json = value


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


SESSION_ID = IdType("session")
CHECKPOINT_ID = IdType("checkpoint")

session_argument = click.argument("session", metavar="ID", type=SESSION_ID)


def visibility_option(help: str) -> Callable[[Command], Command]:
    return click.option("--visibility", type=click.Choice(list(clew.Visibility), case_sensitive=False), help=help)


def absolute(path: str | None) -> str | None:
    """A directory as it is stored: one that is given from here on is made whole, any other is left as it is."""
    return path if path is None or Path(path).is_absolute() else os.path.normpath(Path(path).absolute())
