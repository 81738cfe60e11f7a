"""House rules no linter states: units in names, no fractions where money moves.

Each rule returns plain strings `path:line: what` so that a failure reads like a compiler error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MONEY = ("ledger", "settlement", "treasury", "vaults")
SOURCES = sorted([*(ROOT / "src/dmm").rglob("*.py"), *(ROOT / "flows").glob("*.py")])

BARE_QUANTITY = re.compile(
    r"(^|_)(timeout|delay|ttl|interval|latency|age|horizon|cadence|deadline)$"
)


def in_money(path: Path) -> bool:
    return any(part in MONEY for part in path.relative_to(ROOT).parts)


def rule_units(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        names: list[tuple[int, str]] = []
        if isinstance(node, ast.arg):
            names = [(node.lineno, node.arg)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [(node.lineno, node.target.id)]
        for line, name in names:
            if BARE_QUANTITY.search(name):
                yield line, f"`{name}` has no unit: end it with _ns, _ms, _s or _blocks"


def rule_money(path: Path, text: str, tree: ast.Module) -> Iterator[tuple[int, str]]:
    if not in_money(path):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield (
                node.lineno,
                "true division where money moves: use // and say who gets the remainder",
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield node.lineno, f"float {node.value} where money moves"
        elif isinstance(node, ast.Name) and node.id == "float":
            yield node.lineno, "float where money moves"


RULES = (rule_units, rule_money)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__.removeprefix("rule_"))
def test_tidy(rule: object) -> None:
    findings = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        for line, what in rule(path, text, ast.parse(text)):  # type: ignore[operator]
            findings.append(f"{path.relative_to(ROOT)}:{line}: {what}")
    assert not findings, "\n" + "\n".join(findings)
