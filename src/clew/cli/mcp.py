"""`clew mcp`."""

import signal

import click

from clew.cli.options import App, pass_app
from clew.errors import missing_extra


@click.command("mcp")
@click.option("--read-only", is_flag=True, help="Offer no tool that writes.")
@pass_app
def mcp_command(app: App, read_only: bool) -> None:
    """Serve the store to an agent, over the Model Context Protocol on standard input and output.

    The agent gets tools to search, list and show what was done before, and to append. It starts this command itself:
    name it in the agent's configuration. Needs the extra mcp.
    """
    try:
        from clew.mcp import create_server
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("mcp", "mcp_types", "pydantic"):
            raise
        raise missing_extra(error, "clew mcp needs", "mcp") from error
    # An interrupt ends the process at once: the SDK reads its input in a thread that nothing wakes, and asyncio would
    # wait for that. What was acknowledged is stored; an agent ends the command by closing its input.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Opened once for all calls; read only where the store allows it, which one that is not there yet does not.
    with app.open_existing(read_only=True) if read_only else app.open() as store:
        create_server(store, read_only=read_only).run("stdio")
