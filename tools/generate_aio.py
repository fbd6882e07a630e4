"""Write ``src/clew/aio.py`` from the signatures and docstrings of the methods of `clew.Store`.

The awaited store has the same methods as the plain one; a twin kept by hand would drift. ``--check`` only compares.
"""

import argparse
import ast
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard

ROOT = Path(__file__).resolve().parent.parent
STORE = ROOT / "src" / "clew" / "store"
PARTS = (
    "sessions",
    "checkpoints",
    "trees",
    "attachments",
    "maintenance",
    "watching",
    "searching",
    "keys",
    "repairing",
    "statistics",
    "base",
)
ENDLESS = ("watch",)
"""Methods whose iterators wait for what happens, each in a thread of its own."""

TARGET = ROOT / "src" / "clew" / "aio.py"
TEMPLATE = Path(__file__).with_name("aio_template.py.txt")


def generate() -> str:
    """The text of ``aio.py``."""
    methods = [awaited(node) for part in PARTS for node in methods_of(part)]
    template = TEMPLATE.read_text(encoding="utf-8")
    return formatted(template.replace("    # methods\n", "\n".join(methods)))


def methods_of(part: str) -> list[ast.FunctionDef]:
    """The public methods of the class in one module of the store."""
    tree = ast.parse((STORE / f"{part}.py").read_text(encoding="utf-8"))
    (store,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    return [node for node in store.body if is_public_method(node)]


def is_public_method(node: ast.stmt) -> TypeGuard[ast.FunctionDef]:
    """Whether a statement of the class is a method that the awaited store has too."""
    return (
        isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not node.decorator_list
        and node.name != "close"
    )


def awaited(method: ast.FunctionDef) -> str:
    """The source of the awaited method: the same signature and docstring, and one call in a thread.

    A method that returns an iterator becomes one to go through with ``async for``.
    """
    positional = [argument.arg for argument in method.args.args[1:]]
    named = [f"{argument.arg}={argument.arg}" for argument in method.args.kwonlyargs]
    call = ", ".join([f"store.{method.name}", *positional, *named])
    returned = ast.unparse(method.returns) if method.returns else "None"
    docstring = ast.get_docstring(method, clean=False)
    if returned.startswith("Iterator["):
        run = "_follow" if method.name in ENDLESS else "_iterate"
        return (
            f"    async def {method.name}({ast.unparse(method.args)}) -> Async{returned}:\n"
            f'        """{docstring}"""\n'
            f"        store = await self._opened()\n"
            f"        async for item in self.{run}({call}):\n"
            f"            yield item\n"
        )
    return (
        f"    async def {method.name}({ast.unparse(method.args)}) -> {returned}:\n"
        f'        """{docstring}"""\n'
        f"        store = await self._opened()\n"
        f"        return await self._run({call})\n"
    )


def formatted(source: str) -> str:
    """`source` as ruff formats it, with imports that nothing uses left out."""
    for arguments in (["check", "--fix-only", "--select", "F401,I", "--quiet"], ["format", "--quiet"]):
        command = [sys.executable, "-m", "ruff", *arguments, "--stdin-filename", str(TARGET), "-"]
        source = subprocess.run(command, input=source, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    return source


def main() -> int:
    """Write the file, or with ``--check`` say whether it is up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail where the file is not what would be written")
    source = generate()
    if not parser.parse_args().check:
        TARGET.write_text(source, encoding="utf-8")
        return 0
    if TARGET.exists() and TARGET.read_text(encoding="utf-8") == source:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is not what tools/generate_aio.py writes; run `make generate`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
