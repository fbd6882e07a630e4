"""Write the list of endpoints in ``docs/http.md`` from what the server says of itself. ``--check`` only compares."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any

import httpx2

import clew
from clew.server import create_app

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "http.md"
BEGIN = "<!-- what follows is written by tools/generate_http_docs.py -->\n"
END = "<!-- what is written by tools/generate_http_docs.py ends here -->"

Described = dict[str, Any]


def described() -> Described:
    """The description of the API, as a server answers it."""

    async def ask(store: clew.Store) -> Described:
        through = httpx2.ASGITransport(app=create_app(store))
        async with httpx2.AsyncClient(transport=through, base_url="http://localhost", verify=False) as client:
            found: Described = (await client.get("/openapi.json")).json()
            return found

    with clew.open(":memory:") as store:
        return asyncio.run(ask(store))


def generate(told: Described) -> str:
    """The list, a table for each thing that endpoints are about."""
    tables: dict[str, list[str]] = {}
    for path, item in told["paths"].items():
        for method, operation in item.items():
            (tag,) = operation["tags"]
            tables.setdefault(tag, []).append(_row(method, path, operation, told))
    return "\n".join(
        f"### {tag}\n\n| endpoint | what it does | asks | takes |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
        for tag, rows in sorted(tables.items())
    )


def _row(method: str, path: str, operation: Described, told: Described) -> str:
    asked = [item["name"] for item in operation["parameters"] if item.get("in") in ("query", "header")]
    cells = [f"`{method.upper()} {path}`", operation["summary"], _names(asked), _names(_fields(operation, told))]
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def _fields(operation: Described, told: Described) -> list[str]:
    """The fields of the body, those first that must be there."""
    body = operation.get("requestBody")
    if body is None:
        return []
    (content,) = body["content"].values()
    schema = told["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    return [f"{name}*" for name in required] + [name for name in schema["properties"] if name not in required]


def _names(names: list[str]) -> str:
    return ", ".join(f"`{name.removesuffix('*')}`{'*' * name.endswith('*')}" for name in names)


def page(text: str, told: Described) -> str:
    """The page with the list as it is now."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{generate(told)}\n{END}{after}"


def main() -> int:
    """Write the page, or with ``--check`` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where the page is not what would be written")
    check = parser.parse_args().check
    text = PAGE.read_text(encoding="utf-8")
    written = page(text, described())
    if not check:
        PAGE.write_text(written, encoding="utf-8")
        return 0
    if written == text:
        return 0
    told = f"{PAGE.relative_to(ROOT)} is not what tools/generate_http_docs.py writes; run `make generate`"
    print(told, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
