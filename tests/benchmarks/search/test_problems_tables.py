"""Tables and surrogates: small ones made here, and the real ones where the data folder has them."""

from __future__ import annotations

import csv
import json
import os
import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from benchmarks.search.problems import ALL, LCBENCH, TABLES, problem, tables
from benchmarks.search.problems.data import MissingDataError
from benchmarks.search.problems.parts import random_points
from katib.core.errors import PermanentError

DATA = Path(os.environ.get("KATIB_BENCH_DATA", "."))
NAMES = [name for name, entry in ALL.items() if entry.needs_data]
real = pytest.mark.requires("bench-data")


@pytest.fixture
def folder(tmp_path):
    """A data folder with a table of 2 x 3 points and two seeds, and NAS-Bench-201 in small."""
    (tmp_path / "fcnet").mkdir()
    (tmp_path / "fcnet/space.json").write_text(json.dumps({"activation": ["relu", "tanh"], "units": [16, 32, 64]}))
    np.savez(tmp_path / "fcnet/toy.npz", values=np.arange(12, dtype=np.float32).reshape(2, 3, 2) ** 2)
    (tmp_path / "nasbench201").mkdir()
    ops = np.array(np.meshgrid(*[range(2)] * 6, indexing="ij")).reshape(6, -1).T[::-1]
    runs = np.column_stack((ops.sum(axis=1), ops.sum(axis=1) + 1, np.full(len(ops), np.nan)))
    np.savez(
        tmp_path / "nasbench201/nb201.npz",
        ops=ops.astype(np.int8),
        op_names=np.array(["none", "skip"]),
        cifar10_val_ep200_runs=runs.astype(np.float32),
    )
    return tmp_path


def test_a_trial_sees_one_seed_and_is_judged_by_the_mean(folder):
    loaded = tables.problem(folder, "fcnet", "toy")
    point = {"activation": "tanh", "units": 32}
    found = [loaded.function(point, np.random.default_rng(seed)) for seed in range(40)]
    assert {e.observed["mse"] for e in found} == {64.0, 81.0}
    assert {e.true["mse"] for e in found} == {72.5}
    assert len({e.seconds for e in found}) == 40
    assert (loaded.name, loaded.best) == ("fcnet-toy", 0.5)
    assert loaded.typical == np.median([0.5, 6.5, 20.5, 42.5, 72.5, 110.5])


def test_accuracy_is_maximised_and_missing_seeds_are_never_seen(folder):
    loaded = tables.problem(folder, "nasbench201", "cifar10")
    assert loaded.best == -6.5  # all six edges are skips: 6 and 7
    assert loaded.typical == -3.5
    point = dict.fromkeys(tables.EDGES, "skip") | {"edge-0-3": "none"}
    found = [loaded.function(point, np.random.default_rng(seed)) for seed in range(40)]
    assert {e.observed["accuracy"] for e in found} == {5.0, 6.0}
    assert {e.true["accuracy"] for e in found} == {5.5}


def test_a_table_that_does_not_fit_its_space(folder):
    (folder / "fcnet/space.json").write_text(json.dumps({"activation": ["relu", "tanh"], "units": [16, 32]}))
    with pytest.raises(PermanentError, match="does not have an axis for each key"):
        tables.problem(folder, "fcnet", "toy")


@pytest.mark.parametrize("name", ["fcnet-naval-propulsion", "mlp-car", "nasbench201-cifar10", "lcbench-3945"])
def test_missing_data(name, tmp_path):
    if name.startswith("lcbench"):
        pytest.importorskip("onnxruntime")
    with pytest.raises(
        MissingDataError, match=rf"problem '{name}' needs '\S+' of a data folder: .*--data DIR or \$KATIB_BENCH_DATA"
    ):
        problem(name)
    with pytest.raises(
        MissingDataError, match=rf"needs '\S+' which is not in the data folder '{tmp_path}'.*github.com"
    ):
        problem(name, tmp_path)


def test_names():
    assert {name.split("-")[0] for name in NAMES} == {"fcnet", "mlp", "nasbench201", "lcbench"}
    assert len(NAMES) == len(TABLES) + len(LCBENCH)


@real
@pytest.mark.parametrize("name", NAMES)
def test_real_data(name):
    loaded = problem(name, DATA)
    assert loaded.name == name
    for place, point in enumerate(random_points(loaded.space, 20)):
        first, again = (loaded.function(point, np.random.default_rng(place)) for _ in range(2))
        assert first == again
        assert set(first.observed) == set(first.true) == {loaded.objective.metric}
        loss = loaded.objective.loss(first.true[loaded.objective.metric])
        assert loaded.best is None or loss >= loaded.best


@real
def test_published_figures():
    """Sizes, and the best validation accuracy of a cell on CIFAR-10 and CIFAR-100 (91.61 and 73.49 in table 5)."""
    assert problem("fcnet-protein-structure", DATA).space.cardinality == 62_208
    assert problem("mlp-car", DATA).space.cardinality == 30_000
    cells = problem("nasbench201-cifar10", DATA)
    assert cells.space.cardinality == 15_625
    assert cells.best == pytest.approx(-91.61, abs=0.01)
    assert problem("nasbench201-cifar100", DATA).best == pytest.approx(-73.49, abs=0.01)
    assert np.isfinite(cells.function.losses()).all()


@real
@pytest.mark.requires("bench")
@pytest.mark.parametrize("task", LCBENCH)
def test_surrogate_is_within_what_was_measured(task):
    """Its inputs are in the right order and unit: outputs lie in the range of the trainings, more costs more."""
    from benchmarks.search.problems import lcbench

    ranges = defaultdict(dict)
    with (DATA / "lcbench/target_statistics.csv").open() as file:
        for row in csv.DictReader(file):
            if row["instance"] == task:
                ranges[row["metric"]][row["statistic"]] = float(row["value"])
    loaded = problem(f"lcbench-{task}", DATA)
    points = random_points(loaded.space, 300)
    late, early = loaded.function.outputs(points), loaded.function.outputs(points, epoch=5)
    accuracy, seconds = (lcbench.OUTPUTS.index(name) for name in ("val_accuracy", "time"))
    span = ranges["val_accuracy"]["max"] - ranges["val_accuracy"]["min"]
    assert np.all(late[:, accuracy] > ranges["val_accuracy"]["min"] - 0.02 * span)
    assert np.all(late[:, accuracy] < ranges["val_accuracy"]["max"] + 0.02 * span)
    assert np.ptp(late[:, accuracy]) > 0.3 * span
    assert np.median(late[:, seconds] / early[:, seconds]) > 3
    for name, few, many in (("num_layers", 1, 4), ("max_units", 64, 1024)):
        small, large = (
            loaded.function.outputs([{**p, name: value} for p in points])[:, seconds] for value in (few, many)
        )
        assert np.median(large) > 1.2 * np.median(small), name


@real
@pytest.mark.requires("bench")
def test_order_of_parameters_does_not_matter():
    loaded = problem(f"lcbench-{LCBENCH[0]}", DATA)
    (point,) = random_points(loaded.space, 1)
    turned = dict(reversed(point.items()))
    assert loaded.function(point, np.random.default_rng(0)) == loaded.function(turned, np.random.default_rng(0))


@real
@pytest.mark.requires("bench")
def test_functions_travel_to_other_processes():
    for name in (f"lcbench-{LCBENCH[0]}", "mlp-car"):
        loaded = problem(name, DATA)
        (point,) = random_points(loaded.space, 1)
        copy = pickle.loads(pickle.dumps(loaded.function))
        assert copy(point, np.random.default_rng(0)) == loaded.function(point, np.random.default_rng(0))
