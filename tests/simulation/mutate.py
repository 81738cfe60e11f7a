"""Small changes to a module's source, one at a time; a good set of tests notices every one."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


@dataclass(frozen=True)
class Change:
    """One change: where, what, and the whole source with it."""

    line: int
    what: str
    source: str


def changes(source: str) -> Iterator[Change]:
    """Yield every change of a module, in the order of its lines."""
    tree = ast.parse(source)
    spots = [node for node in ast.walk(tree) if hasattr(node, "lineno")]
    for index, node in enumerate(spots):
        for kind in range(_kinds(node)):
            twin = copy.deepcopy(tree)
            spot = [one for one in ast.walk(twin) if hasattr(one, "lineno")][index]
            what = _change(spot, kind)
            if what:
                yield Change(node.lineno, what, ast.unparse(ast.fix_missing_locations(twin)))


def _kinds(node: ast.AST) -> int:
    if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp | ast.If | ast.Expr):
        return 1
    return int(isinstance(node, ast.Constant | ast.UnaryOp))


def _change(node: ast.AST, _kind: int) -> str:
    match node:
        case ast.Compare(ops=[op]):
            node.ops = [COMPARE[type(op)]()]
            return f"{type(op).__name__} -> {type(node.ops[0]).__name__}"
        case ast.BoolOp(op=op):
            node.op = ast.Or() if isinstance(op, ast.And) else ast.And()
            return f"{type(op).__name__} -> {type(node.op).__name__}"
        case ast.BinOp(op=ast.Add()):
            node.op = ast.Sub()
            return "+ -> -"
        case ast.If():
            node.test = ast.UnaryOp(op=ast.Not(), operand=node.test)
            return "if -> if not"
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(
                func=ast.Name(id="bool", ctx=ast.Load()), args=[node.operand], keywords=[]
            )
            return "not dropped"
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            node.value = value + 1
            return f"{value} -> {value + 1}"
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner))) if not _observes(owner):
            node.value = ast.Constant(value=None)
            return "call dropped"
    return ""


def _observes(owner: ast.expr) -> bool:
    """Log lines decide nothing."""
    return isinstance(owner, ast.Name) and owner.id == "observe"
