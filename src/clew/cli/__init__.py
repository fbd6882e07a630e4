"""The command `clew`: one module a group of commands, the rest what they share."""


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    from clew.cli.app import cli

    cli()
