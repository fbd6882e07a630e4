"""What the README shows is what runs."""

import re
import runpy
from pathlib import Path

import pytest
from bench import sizing

import clew

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_is_the_quickstart() -> None:
    (shown,) = re.findall(r"<!-- examples/quickstart\.py -->\n```python\n(.*?)```", README, re.DOTALL)
    source = (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    assert source.split('"""\n', 2)[-1].strip() == shown.strip()


def test_the_quickstart_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / "quickstart.py"))
    assert capsys.readouterr().out == "Freeze the clock: 3 messages\nFix the flaky test: 2 messages\n"
    with clew.open(tmp_path / "agent.db", read_only=True) as store:
        assert store.list_sessions().total == 2


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    assert len(README.splitlines()) < 150
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_the_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"\bmake (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_guarantee_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
    folders = (ROOT / "tests", ROOT / "src" / "clew" / "testing")
    code = "".join(file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py"))
    promises = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(promises) > 30
    for promise in promises:
        named = re.findall(r"`(test_\w+)`", promise)
        assert named or "`make bench`" in promise, promise
        assert [name for name in named if f"def {name}(" not in code] == [], promise


def test_the_tables_of_scaling_are_what_the_script_computes() -> None:
    assert sizing.written() == sizing.tables(sizing.read()), "python bench/sizing.py --write"
