"""Points that were not tried yet."""

from __future__ import annotations

import pytest

from algorithms.randomness import generator
from algorithms.unseen import first_unseen, unseen_points
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace

D = Distribution
SPACES = {
    "grid": (SearchSpace((Integer("a", 1, 3), Ordinal("b", (1, 2, 4, 8)), Choice("c", tuple("vwxyz")))), 60),
    "steps": (SearchSpace((Real("a", -1, 1, step=0.1), Integer("b", -7, 8, step=5))), 84),
    "log steps": (SearchSpace((Integer("a", 1, 40, D.LOG_UNIFORM), Real("b", 0.5, 9, D.LOG_NORMAL, step=0.5))), 720),
    "normal steps": (SearchSpace((Integer("a", -9, 90, D.NORMAL),)), 100),
    "single values": (SearchSpace((Integer("a", 3, 3), Real("b", 0.5, 0.5), Choice("c", ("only",)))), 1),
    "conditions": (
        SearchSpace(
            (
                Choice("kind", ("plain", "deep")),
                Integer("layers", 1, 3, condition=Condition("kind", ("deep",))),
                Choice("skip", (True, False), condition=Condition("layers", (2, 3))),
            )
        ),
        1 + 1 + 2 * 2,
    ),
    "no parameters": (SearchSpace(()), 1),
}


@pytest.mark.parametrize(("space", "count"), SPACES.values(), ids=SPACES)
def test_a_finite_space_is_walked_through_exactly_once(space: SearchSpace, count: int) -> None:
    history = History(space, Objective("loss"))
    for seed in range(3):
        found = list(unseen_points(space, generator(seed, 0), lambda _: False, tries=0))
        assert len(found) == count
        assert len({history.point(p) for p in found}) == count
        assert all(space.contains(p) for p in found)


def test_the_walk_gives_the_values_that_draws_give() -> None:
    """Equal to the last bit, or a point could be suggested twice."""
    space = SearchSpace((Real("a", 0.1, 2.3, step=0.1), Real("b", 1e-3, 7e-3, D.LOG_UNIFORM, step=1e-3)))
    walked = {tuple(p.values()) for p in unseen_points(space, generator(0, 0), lambda _: False, tries=0)}
    drawn = {tuple(space.from_unit(generator(1, i).random(2)).values()) for i in range(3000)}
    assert drawn == walked
    assert len(walked) == 23 * 7


def test_only_what_is_left_is_found() -> None:
    space, _ = SPACES["grid"]
    left = {"a": 2, "b": 4, "c": "x"}
    assert first_unseen(space, [0.0, 0.0, 0.0], lambda: generator(0, 0), lambda p: p != left) == left
    assert first_unseen(space, [0.0, 0.0, 0.0], lambda: generator(0, 0), lambda p: True) is None


def test_a_large_finite_space_is_not_listed_to_find_one_point() -> None:
    space = SearchSpace(tuple(Integer(f"p{i}", 0, 999) for i in range(20)))
    seen = 0

    def taken(_: object) -> bool:
        nonlocal seen
        seen += 1
        return seen <= 500

    assert space.contains(next(unseen_points(space, generator(0, 0), taken)))
    assert seen == 501


def test_a_branch_without_a_range_is_used_up_though_another_has_one() -> None:
    space = SearchSpace((Choice("kind", ("plain", "deep")), Real("x", 0, 1, condition=Condition("kind", ("deep",)))))
    found = first_unseen(space, [0.0, 0.5], lambda: generator(0, 0), lambda p: p == {"kind": "plain"})
    assert found is not None
    assert found["kind"] == "deep"
