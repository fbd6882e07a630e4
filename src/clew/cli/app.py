"""The command itself: its commands, its global options, and how a run ends.

Whatever happens, a run ends with an exit code, and with a line on standard error where that is not 0: never with a
traceback.
"""

import io
import sys
from collections.abc import Sequence
from typing import Any

import click

import clew
from clew.cli import errors, output
from clew.cli.attaching import attach_command, attachments_command
from clew.cli.branching import fork_command, rewind_command
from clew.cli.changing import delete_command, purge_command, rename_command, restore_command
from clew.cli.comparing import diff_command
from clew.cli.copying import copy_command
from clew.cli.counting import stats_command
from clew.cli.drawing import tree_command
from clew.cli.giving import give_command
from clew.cli.info import info_command
from clew.cli.keys import key_group
from clew.cli.labelling import label_command
from clew.cli.listing import list_command
from clew.cli.maintaining import backup_command, compact_command, verify_command
from clew.cli.mcp import mcp_command
from clew.cli.mending import repair_command, validate_command
from clew.cli.migrating import migrate_group
from clew.cli.moving import mv_command
from clew.cli.options import App, pass_app
from clew.cli.pruning import prune_command
from clew.cli.searching import search_command
from clew.cli.serving import serve_command
from clew.cli.showing import show_command
from clew.cli.writing import append_command, new_command

_IMPORTING = ("export", "import", "reimport", "watch")


class Root(click.Group):
    """The outermost group, in which every run ends. It loads importers and exporters when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_IMPORTING])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _IMPORTING:
            return super().get_command(ctx, cmd_name)
        from clew.cli.exporting import export_command
        from clew.cli.importing import import_group, reimport_command
        from clew.cli.watching import watch_command

        late = {
            "export": export_command,
            "import": import_group,
            "reimport": reimport_command,
            "watch": watch_command,
        }
        return late[cmd_name]

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        app = extra.setdefault("obj", App())
        try:
            code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra) or 0
            output.finish()
        except (Exception, KeyboardInterrupt) as error:
            code = _ended(error, app)
            if isinstance(error, (OSError, errors.OutputClosedError)):
                output.abandon()
        if standalone_mode:
            sys.exit(code)
        return code


def _ended(error: Exception | KeyboardInterrupt, app: App) -> int:
    """Tell what ended the run, and return its exit code."""
    if isinstance(error, errors.OutputClosedError):
        return errors.EXIT_OUTPUT_CLOSED
    if isinstance(error, KeyboardInterrupt):
        return errors.EXIT_INTERRUPTED
    if isinstance(error, click.Abort):
        return _aborted(error)
    if isinstance(error, click.ClickException):
        return _misused(error)
    return errors.report(error, json=app.json)


def _aborted(abort: click.Abort) -> int:
    # At a prompt click raises it from nothing, but Python keeps what was being handled.
    if isinstance(abort.__cause__ or abort.__context__, KeyboardInterrupt):
        return errors.EXIT_INTERRUPTED
    errors.write_error("Aborted!")
    return errors.EXIT_FAILURE


def _misused(error: click.ClickException) -> int:
    if isinstance(error, click.NoSuchOption) and error.option_name == "--store":
        error = click.UsageError("--store comes before the command: clew --store URL COMMAND", error.ctx)
    told = io.StringIO()
    error.show(told)
    errors.write_error(told.getvalue().rstrip("\n"))
    return error.exit_code


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--store",
    metavar="URL",
    help="The store: a path, sqlite:///path, postgresql://host/name or https://host (a clew server; the key is in "
    "$CLEW_API_KEY). By default $CLEW_URL, else a file in your data directory.",
)
@click.version_option(clew.__version__, prog_name="clew")
@pass_app
def cli(app: App, store: str | None) -> None:
    """Sessions and checkpoints of AI agents."""
    app.store_url = store


for command in (
    append_command,
    attach_command,
    attachments_command,
    backup_command,
    compact_command,
    copy_command,
    delete_command,
    diff_command,
    fork_command,
    give_command,
    info_command,
    key_group,
    label_command,
    list_command,
    mcp_command,
    migrate_group,
    mv_command,
    new_command,
    prune_command,
    purge_command,
    rename_command,
    repair_command,
    restore_command,
    rewind_command,
    search_command,
    serve_command,
    show_command,
    stats_command,
    tree_command,
    validate_command,
    verify_command,
):
    cli.add_command(command)
