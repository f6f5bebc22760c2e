"""Constraints: what they allow, by how much they are violated, and that nothing but an expression gets through."""

from __future__ import annotations

import ast
import contextlib
import math
import operator
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from katib.core.constraints import MAX_LENGTH, MAX_NODES, Constraint
from katib.core.errors import SpecError
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace

COMPARISONS = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
VALUES = {"a": 2, "b": 0.5, "hidden-units": 64, "optimizer": "sgd", "zero": 0, "flag": True}


@pytest.mark.parametrize(
    ("text", "violation"),
    [
        pytest.param("a <= 3", -1.0, id="order-holds"),
        pytest.param("a <= 1.5", 0.5, id="order-violated-by-the-distance"),
        pytest.param("a < 2", math.ulp(0.0), id="strict-order-at-equality"),
        pytest.param("a <= 2", 0.0, id="order-at-equality"),
        pytest.param("1 < a < 5 < 4", 1.0, id="chain-takes-the-worst"),
        pytest.param("a == 2", 0.0, id="equal"),
        pytest.param("a == 5", 3.0, id="equal-violated"),
        pytest.param("a != 2", math.ulp(0.0), id="unequal-violated"),
        pytest.param("optimizer == 'sgd'", 0.0, id="text"),
        pytest.param("optimizer == 'adam'", 1.0, id="text-violated"),
        pytest.param("`hidden-units` in (32, 64)", 0.0, id="in"),
        pytest.param("`hidden-units` not in [32, 64]", 1.0, id="not-in"),
        pytest.param("a <= 1 and b <= 0", 1.0, id="and-takes-the-first-violated"),
        pytest.param("a <= 1 or b <= 0", 0.5, id="or-takes-the-smallest"),
        pytest.param("optimizer != 'sgd' or missing < 1", None, id="name-without-a-value"),
        pytest.param("optimizer == 'sgd' or missing < 1", 0.0, id="or-stops-at-what-holds"),
        pytest.param("optimizer == 'adam' and missing < 1", 1.0, id="and-stops-at-what-does-not"),
        pytest.param("not a > 3", 0.0, id="not"),
        pytest.param("not (a > 1 or flag)", 1.0, id="not-violated"),
        pytest.param("flag and a > 1", -0.0, id="truth-value"),
        pytest.param("max(a, 7) - 2 ** 3 * b >= sqrt(9)", -0.0, id="arithmetic"),
        pytest.param("-a + 5 // 2 % 2 < 1", -1.0 - 2.0, id="signs-and-remainders"),
        pytest.param("round(b) + ceil(b) + floor(b) + abs(-1) <= 2", 0.0, id="functions"),
        pytest.param("1 / zero < 1", math.inf, id="division-by-zero"),
        pytest.param("log(zero) < 1", math.inf, id="outside-the-domain"),
        pytest.param("(0 - a) ** b < 1", math.inf, id="complex"),
        pytest.param("a ** 9999 < 1", math.inf, id="overflow"),
        pytest.param("optimizer < 1", math.inf, id="text-for-a-number"),
        pytest.param("optimizer * 3 == 'x'", math.inf, id="arithmetic-of-text"),
    ],
)  # fmt: skip
def test_violation(text, violation):
    constraint = Constraint(text)
    found = constraint.violation(VALUES)
    assert found == (violation if violation is None else pytest.approx(violation))
    assert constraint.holds(VALUES) is (violation is None or violation <= 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("a + 1", "neither true nor false", id="number"),
        pytest.param("", "no expression", id="empty"),
        pytest.param("a <", "no expression", id="half"),
        pytest.param("a < 1; b < 1", "no expression", id="statements"),
        pytest.param("a = 1", "no expression", id="assignment"),
        pytest.param("(a := 1) < 2", "uses", id="walrus"),
        pytest.param("__import__('os').system('x') < 1", "calls", id="import"),
        pytest.param("a.__class__ == 1", "uses 'a.__class__'", id="attribute"),
        pytest.param("a[0] < 1", "uses 'a[0]'", id="index"),
        pytest.param("(lambda: 1)() < 2", "calls", id="lambda-call"),
        pytest.param("[x for x in a] == 1", "uses", id="comprehension"),
        pytest.param("{1: a} == 1", "uses", id="mapping"),
        pytest.param("max(*a) < 1", "uses *", id="starred"),
        pytest.param("max(a, key=b) < 1", "calls", id="keyword"),
        pytest.param("eval('1') < 2", "expected one of abs", id="unknown-function"),
        pytest.param("a is b", "'is'", id="identity"),
        pytest.param("f'{a}' == 'x'", "uses", id="formatted-text"),
        pytest.param("a < b if b else a", "uses", id="conditional"),
        pytest.param("a @ b < 1", "uses", id="matrix-product"),
        pytest.param("a << 99 < 1", "uses", id="shift"),
        pytest.param("~a < 1", "uses", id="inversion"),
        pytest.param("a == b'x'", "uses", id="bytes"),
        pytest.param("a == 1j", "uses", id="complex-constant"),
        pytest.param("a < " + "1" * MAX_LENGTH, "longer than", id="long"),
        pytest.param("a < " + "+".join(["1"] * MAX_NODES), "parts", id="many-parts"),
    ],
)  # fmt: skip
def test_refused(text, said):
    with pytest.raises(SpecError) as caught:
        Constraint(text)
    assert said in str(caught.value)


def test_huge_powers_take_no_memory():
    assert Constraint("9 ** 9 ** 9 ** 9 > a").violation(VALUES) == math.inf


def test_names_are_those_of_values_not_of_functions():
    assert Constraint("max(a, `x y`) < min(b, 1) and 'c' == c").names == {"a", "x y", "b", "c"}


@given(st.text(max_size=30))
def test_any_text_is_a_constraint_or_a_spec_error(text):
    with contextlib.suppress(SpecError):
        Constraint(text).violation(VALUES)


@given(st.recursive(
    st.sampled_from(["a", "b", "2", "0.5"]),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=8,
), st.sampled_from(sorted(COMPARISONS)), st.floats(-5, 5))  # fmt: skip
def test_it_says_what_python_would(left, op, right):
    python = COMPARISONS[op](_calculate(ast.parse(left, mode="eval").body), right)
    assert Constraint(f"{left} {op} {right!r}").holds(VALUES) is python


def _calculate(node: ast.expr) -> float:
    if isinstance(node, ast.BinOp):
        kinds = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul}
        return kinds[type(node.op)](_calculate(node.left), _calculate(node.right))
    return float(node.value) if isinstance(node, ast.Constant) else float(VALUES[node.id])


# ------------------------------------------------------------------------------------------------------- spaces

SPACE = SearchSpace(
    (
        Real("lr", 0.0, 1.0),
        Choice("optimizer", ("sgd", "adam")),
        Real("momentum", 0.0, 1.0, condition=Condition("optimizer", ("sgd",)), default=0.9),
        Integer("layers", 1, 9, step=2, default=5),
        Ordinal("batch", (16, 32, 64)),
    ),
    constraints=(Constraint("lr * batch <= 20"), Constraint("momentum > 0.2")),
)


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        pytest.param({"lr": 0.1, "optimizer": "sgd", "momentum": 0.5, "batch": 64}, None, id="holds"),
        pytest.param({"lr": 0.5, "optimizer": "sgd", "momentum": 0.5, "batch": 64}, "lr * batch <= 20", id="broken"),
        pytest.param({"lr": 0.1, "optimizer": "sgd", "momentum": 0.1, "batch": 64}, "momentum > 0.2", id="second"),
        pytest.param({"lr": 0.1, "optimizer": "adam", "batch": 64}, None, id="of-an-inactive-parameter"),
    ],
)
def test_a_space_allows(values, broken):
    whole = {**values, "layers": 1}
    found = SPACE.violated(whole)
    assert (found and found.text) == broken
    assert SPACE.allows(whole) is (broken is None)
    assert SPACE.contains(whole) is (broken is None)


def test_the_default_point_has_the_defaults_and_the_middle_of_the_rest():
    open_space = SearchSpace(SPACE.parameters)
    assert open_space.complete({}) == {"lr": 0.5, "optimizer": "adam", "layers": 5, "batch": 32}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"lr": 0.1}, {"lr": 0.1, "optimizer": "adam", "layers": 5, "batch": 32}, id="rest-filled"),
        pytest.param({"lr": 0.1, "optimizer": "sgd"},
                     {"lr": 0.1, "optimizer": "sgd", "momentum": 0.9, "layers": 5, "batch": 32}, id="became-active"),
        pytest.param({"lr": 0.1, "momentum": 0.5}, "momentum: has a value but", id="inactive"),
        pytest.param({"lr": 0.1, "speed": 1}, "speed: no such parameter", id="unknown"),
        pytest.param({"lr": 3}, "from 0 to 1", id="out-of-range"),
        pytest.param({"lr": 1.0, "batch": 64}, "'lr * batch <= 20' does not hold", id="forbidden"),
    ],
)  # fmt: skip
def test_complete(given, expected):
    if isinstance(expected, dict):
        assert SPACE.complete(given) == expected
        return
    with pytest.raises(SpecError, match=re.escape(expected)):
        SPACE.complete(given)


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param(lambda: Real("x", 0, 1, default=2), id="out-of-range"),
        pytest.param(lambda: Choice("x", ("a", "b"), default="c"), id="not-in-the-list"),
        pytest.param(lambda: Integer("x", 0, 9, default=1.5), id="no-integer"),
        pytest.param(lambda: SearchSpace((Real("x", 0, 1),), constraints=(Constraint("y < 1"),)), id="no-parameter"),
    ],
)
def test_what_cannot_be(parameter):
    with pytest.raises(SpecError):
        parameter()
