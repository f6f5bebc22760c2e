"""The table of faults of other systems: numbered in order, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
LINK = re.compile(r"\[`(test_\w+)`\]\(([\w./]+\.py)\)")
ROWS = {
    int(cells[1]): LINK.findall(cells[3])
    for line in (DOCS / "pitfalls.md").read_text().splitlines()
    if len(cells := [cell.strip() for cell in re.split(r"(?<!\\)\|", line)]) == 5 and cells[1].isdigit()
}


@cache
def names_in(path: Path) -> frozenset[str]:
    """Names of all tests of a file, and of the suites of contracts that it inherits from."""
    tree = ast.parse(path.read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.contracts."):
            found |= names_in(DOCS.parent / (str(node.module).replace(".", "/") + ".py"))
    return frozenset(found)


def test_faults_are_numbered_in_order() -> None:
    assert list(ROWS) == sorted(ROWS)
    assert len(ROWS) >= 24
    assert all(ROWS.values())


@pytest.mark.parametrize("number", ROWS)
def test_every_test_exists(number: int) -> None:
    missing = [name for name, path in ROWS[number] if name not in names_in((DOCS / path).resolve())]
    assert missing == []


def test_tests_that_bear_the_number_are_in_its_row() -> None:
    for path in sorted((DOCS.parent / "tests").rglob("*.py")):
        for name in re.findall(r"^def (test_(?:\d+_)+\w+)\(", path.read_text(), re.MULTILINE):
            for number in map(int, re.findall(r"(?<=_)(\d+)(?=_)", re.match(r"test_(?:\d+_)+", name)[0])):
                assert name in [named for named, _ in ROWS[number]], f"{path.name}::{name} is not in row {number}"
