"""Write the table of ``docs/adapters/README.md`` from what pyproject.toml says of them. ``--check`` only compares."""

import argparse
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "adapters" / "README.md"
BEGIN = "<!-- what follows is written by tools/generate_adapter_docs.py -->\n"
END = "<!-- what is written by tools/generate_adapter_docs.py ends here -->"
GROUP = "adapter-"


def generate(project: dict[str, Any]) -> str:
    """The table: a row an adapter, in the order of their names."""
    extras, groups = project["project"]["optional-dependencies"], project["dependency-groups"]
    names = sorted(group.removeprefix(GROUP) for group in groups if group.startswith(GROUP))
    rows = [_row(name, extras[name], groups[GROUP + name]) for name in names]
    return "\n".join(["| adapter | extra | needs | tried with |", "|---|---|---|---|", *rows, ""])


def _row(name: str, needs: list[str], tried: list[str]) -> str:
    module = name.replace("-", "_")
    return f"| [`clew.adapters.{module}`]({name}.md) | `{name}` | {_listed(needs)} | {_listed(tried)} |"


def _listed(requirements: list[str]) -> str:
    return ", ".join(requirement.replace("==", " ").replace(">=", " ≥ ") for requirement in requirements)


def page(text: str, table: str) -> str:
    """The page with its table written again."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + table + "\n" + END + after


def main() -> int:
    """Write or compare; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is up to date")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    written = PAGE.read_text(encoding="utf-8")
    text = page(written, generate(project))
    if not parser.parse_args().check:
        PAGE.write_text(text, encoding="utf-8")
    elif text != written:
        print(f"{PAGE.relative_to(ROOT)} is out of date: make generate")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
