"""Constraints: expressions over parameters and metrics that must hold, in a small part of Python's syntax.

``lr * batch <= 1``, ``optimizer != 'sgd' or momentum > 0``, `` `hidden-units` in (32, 64)``, ``latency < 50``. Names
that are no Python identifiers stand between backticks. Allowed are numbers, texts, True and False, arithmetic,
comparisons (chains and ``in`` too), ``and``, ``or``, ``not`` and the functions of ``FUNCTIONS``. The text is parsed,
never executed: each node of the tree is one of those below, or the constraint is refused.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from katib.core.errors import Problem, SpecError
from katib.core.values import Value

MAX_LENGTH = 1000  # characters
MAX_NODES = 200

FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": abs, "ceil": math.ceil, "exp": math.exp, "floor": math.floor, "log": math.log, "log10": math.log10,
    "log2": math.log2, "max": max, "min": min, "round": round, "sqrt": math.sqrt,
}  # fmt: skip
_ARITHMETIC: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_COMPARISONS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_QUOTED = re.compile(r"`([^`]*)`")


class _Unknown(Exception):
    """A name has no value: a parameter is inactive, or a metric was not measured."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """One expression that must hold. names: the parameters and metrics it speaks of.

    Raises SpecError if ``text`` is outside the allowed syntax or says nothing true or false.
    """

    text: str
    names: frozenset[str] = field(init=False, compare=False)
    _tree: ast.expr = field(init=False, repr=False, compare=False)
    _name_of: Mapping[str, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        tree, name_of = _parse(self.text)
        object.__setattr__(self, "_tree", tree)
        object.__setattr__(self, "_name_of", name_of)
        names = {node.id for node in _operands(tree) if isinstance(node, ast.Name)}
        object.__setattr__(self, "names", frozenset(name_of.get(name, name) for name in names))

    def violation(self, values: Mapping[str, Value]) -> float | None:
        """By how much the constraint is violated: positive if it is, 0 or less if it holds.

        For ``a <= b`` that is a - b, likewise for the other orders; ``and`` takes the largest part, ``or`` the
        smallest. What is only true or false counts 1 or 0. Where the expression has no number (a division by zero,
        texts compared with numbers) it is infinite. None: a name in it has no value, so nothing can be said.
        """
        try:
            amount = self._amount(self._tree, values)
        except _Unknown:
            return None
        except (ArithmeticError, ValueError, TypeError):
            return math.inf
        return math.inf if math.isnan(amount) else amount

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether ``values`` satisfy it. A constraint on something inactive holds."""
        violation = self.violation(values)
        return violation is None or violation <= 0

    def misfit(self, values: Mapping[str, Value]) -> str:
        """What about the expression can never work with values like these (a text where a number must be), or ''."""
        try:
            self._amount(self._tree, values)
        except TypeError as error:
            return str(error)
        except (_Unknown, ArithmeticError, ValueError):
            pass
        return ""

    def _amount(self, node: ast.expr, values: Mapping[str, Value]) -> float:
        if isinstance(node, ast.BoolOp):
            conjunction = isinstance(node.op, ast.And)
            worst, done = -math.inf if conjunction else math.inf, False
            for part in node.values:  # in order: what decides the outcome spares the rest, as in Python
                amount = self._amount(part, values)
                worst, done = (max(worst, amount), amount > 0) if conjunction else (min(worst, amount), amount <= 0)
                if done:
                    break
            return worst
        if isinstance(node, ast.Compare):
            return self._comparison(node, values)
        return 0.0 if self._value(node, values) else 1.0

    def _comparison(self, node: ast.Compare, values: Mapping[str, Value]) -> float:
        sides = [self._value(side, values) for side in (node.left, *node.comparators)]
        return max(_gap(type(op), left, right) for op, left, right in zip(node.ops, sides[:-1], sides[1:], strict=True))

    def _value(self, node: ast.expr, values: Mapping[str, Value]) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                found = values.get(self._name_of.get(node.id, node.id))
                if found is None:
                    raise _Unknown
                return found
            case ast.BinOp():
                left, right = (_number(self._value(side, values)) for side in (node.left, node.right))
                result = _ARITHMETIC[type(node.op)](left, right)
                return _number(result)  # a negative number to a fractional power is complex
            case ast.UnaryOp(op=ast.Not()):
                return self._amount(node.operand, values) > 0
            case ast.UnaryOp():
                number = _number(self._value(node.operand, values))
                return -number if isinstance(node.op, ast.USub) else number
            case ast.Call(func=ast.Name() as function):
                return FUNCTIONS[function.id](*(_number(self._value(argument, values)) for argument in node.args))
            case ast.Tuple() | ast.List():
                return [self._value(element, values) for element in node.elts]
        return self._amount(node, values) <= 0


def _gap(op: type[ast.AST], left: Any, right: Any) -> float:
    """The violation of one comparison: how far apart its sides are, negative if it holds; 1 or 0 for texts."""
    if op in (ast.In, ast.NotIn):
        return 0.0 if (left in right) is (op is ast.In) else 1.0
    holds = _COMPARISONS[op](left, right)
    if isinstance(left, str) or isinstance(right, str):
        return 0.0 if holds else 1.0
    distance = abs(float(left) - float(right))
    if holds:
        return 0.0 if op in (ast.Eq, ast.NotEq) else -distance
    return distance or math.ulp(0.0)  # a strict order is violated at equality too


def _number(value: Any) -> float:
    """``value`` as a float: a text is no number, and a whole number of any size must not fill the memory."""
    if not isinstance(value, int | float):
        raise TypeError(f"got {value!r} where a number is expected")
    return float(value)


def _parse(text: str) -> tuple[ast.expr, dict[str, str]]:
    """The checked tree of an expression, and what its placeholder names stand for. Raises SpecError."""
    name_of: dict[str, str] = {}

    def placeholder(match: re.Match[str]) -> str:
        name_of[f"_quoted_{len(name_of)}"] = match[1]
        return f" _quoted_{len(name_of) - 1} "

    if len(text) > MAX_LENGTH:
        raise _bad(text[:80] + "...", f"is longer than {MAX_LENGTH} characters")
    try:
        tree = ast.parse(_QUOTED.sub(placeholder, text).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else str(error)
        raise _bad(text, f"is no expression: {reason}") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise _bad(text, f"has more than {MAX_NODES} parts")
    for node in _operands(tree):
        if problem := _refusal(node):
            raise _bad(text, problem)
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    ):
        raise _bad(text, "is neither true nor false; expected a comparison, for example 'a + b <= 1'")
    return tree, name_of


def _operands(tree: ast.expr) -> Iterator[ast.expr]:
    """Every expression in the tree; not the names of functions that are called."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    return (node for node in ast.walk(tree) if isinstance(node, ast.expr) and id(node) not in called)


def _refusal(node: ast.expr) -> str:
    """What is wrong with a node, empty if nothing is."""
    match node:
        case ast.Constant(value=value) if isinstance(value, bool | int | float | str):
            return ""
        case ast.Call(func=ast.Name(id=name), keywords=[]) if name in FUNCTIONS:
            starred = any(isinstance(argument, ast.Starred) for argument in node.args)
            return "uses *" if starred else ""
        case ast.Call():
            called = ast.unparse(node.func)
            return f"calls {called!r}; expected one of {', '.join(sorted(FUNCTIONS))}"
        case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
            return ""
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd()) | ast.BoolOp() | ast.Name():
            return ""
        case ast.Compare(ops=ops):
            bad = next((op for op in ops if type(op) not in (*_COMPARISONS, ast.In, ast.NotIn)), None)
            return "compares with 'is'" if bad else ""
        case ast.Tuple() | ast.List():
            return ""
    return f"uses {ast.unparse(node)[:40]!r}, which is not allowed here"


def _bad(text: str, problem: str) -> SpecError:
    return SpecError([Problem("", f"constraint {text!r} {problem}")])
