"""Reading settings from text."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algorithms.settings import Settings, describe, parse, setting
from katib.core.errors import SpecError
from katib.core.experiment import Component


@dataclass(frozen=True, slots=True)
class Sample(Settings):
    needed: float = setting(above=0, help="a needed number")
    count: int = setting(3, low=1, help="a count")
    seed: int | None = setting(None, low=0, help="a seed")
    mode: str = setting("fast", choices=("fast", "slow"), help="a mode")


def read(**settings: str) -> Sample:
    return parse(Sample, Component("sample", {"needed": "1", **settings}))


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        pytest.param("count", "7", 7, id="integer"),
        pytest.param("count", " 7 ", 7, id="blanks"),
        pytest.param("count", "7.0", 7, id="integral float"),
        pytest.param("count", "1e3", 1000, id="exponent"),
        pytest.param("seed", str(2**64 + 1), 2**64 + 1, id="large integer is exact"),
        pytest.param("needed", "1e-5", 1e-5, id="float"),
        pytest.param("mode", "slow", "slow", id="choice"),
    ],
)
def test_values(name: str, text: str, value: object) -> None:
    assert getattr(read(**{name: text}), name) == value
    assert type(getattr(read(**{name: text}), name)) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("count", "0"), ("count", "2.5"), ("count", ""), ("count", "nan"), ("count", "inf"), ("count", "three"),
        ("needed", "0"), ("needed", "-1"), ("needed", "nan"), ("needed", "inf"), ("needed", "1e999"),
        ("seed", "-1"), ("seed", "None"), ("mode", "FAST"), ("mode", ""),
    ],
)  # fmt: skip
def test_bad_values_are_refused(name: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        read(**{name: text})
    (problem,) = caught.value.problems
    assert problem.path == f"spec.algorithm.algorithmSettings[{name}]"
    assert repr(text) in problem.message


def test_defaults() -> None:
    assert read() == Sample(needed=1.0, count=3, seed=None, mode="fast")


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        parse(Sample, Component("sample", {"count": "x", "mod": "fast"}))
    assert [p.path for p in caught.value.problems] == [
        "spec.algorithm.algorithmSettings[count]",
        "spec.algorithm.algorithmSettings[mod]",
        "spec.algorithm.algorithmSettings",
    ]
    assert "did you mean 'mode'?" in str(caught.value)


def test_descriptions() -> None:
    infos = {info.name: info for info in describe(Sample)}
    assert [info.type for info in infos.values()] == [float, int, int, str]
    assert [info.required for info in infos.values()] == [True, False, False, False]
    assert infos["needed"].expected == "a number, greater than 0"
    assert infos["count"].expected == "an integer, at least 1"
    assert infos["mode"].expected == "one of fast, slow"


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    for name in ("count", "needed", "seed", "mode"):
        try:
            settings = read(**{name: text})
        except SpecError:
            continue
        assert getattr(settings, name) is not None
