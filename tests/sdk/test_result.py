"""What a result shows: a short text, a page for notebooks, a data frame and pictures."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import katib
from katib import search
from katib.core.trial import TrialState

ROOT = Path(__file__).parents[2]
SPACE = {
    "rate": search.double(1e-4, 1, log=True),
    "kind": search.categorical(["<a>", "b"]),
    "momentum": search.double(0, 1, when={"kind": "b"}),
    "layers": search.int(1, 4),
    "name": search.ordinal([16, 32]),  # as a column of every frame is called
}


def objective(p):
    if p["layers"] == 4:
        raise ValueError("<too> deep")
    return {
        "loss": (math.log10(p["rate"]) + 2) ** 2 + p["layers"] + p.get("momentum", 0.5),
        "size": p["name"] * p["layers"],
    }


@pytest.fixture(scope="module")
def result():
    return katib.tune(objective, SPACE, max_trials=20, metric="loss", algorithm="random", runner="inline", seed=2)


@pytest.fixture(scope="module")
def front():
    both = {"loss": "minimize", "size": "maximize"}
    return katib.tune(objective, SPACE, max_trials=20, objectives=both, algorithm="random", runner="inline", seed=2)


@pytest.fixture(scope="module")
def empty():
    return katib.tune(lambda p: 1 / 0, SPACE, max_trials=2, algorithm="random", runner="inline", seed=2)


class Cells(HTMLParser):
    """The rows of a table, and every tag."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.tags, self._inside = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "tr":
            self.rows.append([])
        self._inside = tag in ("td", "th")
        if self._inside:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        self._inside = False

    def handle_data(self, data):
        if self._inside:
            self.rows[-1][-1] += data


def test_a_page_shows_the_best_trials(result):
    page = Cells(result._repr_html_())
    head, *rows = page.rows
    assert {*head} == {"trial", "loss", *SPACE, "seconds"}
    assert len(rows) == 10
    losses = [float(row[1]) for row in rows]
    assert losses == sorted(losses)
    assert losses[0] == pytest.approx(result.best_value, rel=1e-5)
    assert int(rows[0][0]) == result.best_trial.number
    assert {row[head.index("kind")] for row in rows} == {"<a>", "b"}  # escaped, so no tag
    assert set(page.tags) <= {
        "div",
        "p",
        "strong",
        "br",
        "svg",
        "path",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
    }
    assert "http" not in result._repr_html_()


def test_a_page_of_several_objectives_shows_the_front(front):
    head, *rows = Cells(front._repr_html_()).rows
    assert head[:3] == ["trial", "loss", "size"]
    assert [int(row[0]) for row in rows] == [trial.number for trial in front.pareto_front][:10]


def test_a_page_without_a_value(empty):
    page = Cells(empty._repr_html_())
    assert page.rows == []
    assert "no trial has a value" in empty._repr_html_()


@pytest.mark.requires("pandas")
def test_a_frame_has_a_row_a_trial(result):
    frame = result.to_frame()
    assert list(frame.columns) == [
        "name", "state", "loss", "size", "rate", "kind", "momentum", "layers", "parameter.name", "started", "seconds",
        "reason",
    ]  # fmt: skip
    assert list(frame.index) == list(range(20))
    assert frame["loss"].min() == result.best_value
    assert frame["layers"].dtype == int
    assert str(frame["started"].dtype).endswith("UTC]")
    for trial in result.trials:
        row = frame.loc[trial.number]
        assert (row["name"], row["state"], row["parameter.name"]) == (trial.name, trial.state, trial.parameters["name"])
        assert math.isnan(row["momentum"]) == ("momentum" not in trial.parameters)
        assert math.isnan(row["loss"]) == (row["reason"] == "ValueError: <too> deep") == (row["layers"] == 4)


@pytest.mark.requires("matplotlib")
def test_pictures_show_what_the_trials_were(result, front, empty, monkeypatch, tmp_path):
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot as plt

    good = [trial for trial in result.trials if trial.state == "Succeeded"]
    history = result.plot_history()
    points = history.collections[0].get_offsets()
    assert [tuple(point) for point in points] == [(t.number, objective(t.parameters)["loss"]) for t in good]
    (steps,) = history.lines
    assert list(steps.get_ydata())[-1] == result.best_value
    assert [n for n, _ in history.collections[1].get_offsets()] == [t.number for t in result.trials if t not in good]

    slices = {axes.get_xlabel(): axes for axes in result.plot_slice()}
    assert list(slices) == list(SPACE)
    assert slices["rate"].get_xscale() == "log"
    assert [x for x, _ in slices["layers"].collections[0].get_offsets()] == [t.parameters["layers"] for t in good]
    assert [text.get_text() for text in slices["kind"].get_xticklabels()] == ["<a>", "b"]
    assert len(slices["momentum"].collections[0].get_offsets()) == sum("momentum" in t.parameters for t in good)

    parallel = result.plot_parallel()
    assert len(parallel.lines) == len(good) + len(SPACE)
    best = parallel.lines[len(good) - 1].get_ydata()  # drawn last, on top of the others
    space = result.experiment.spec.space
    assert list(best) == pytest.approx(list(space.to_unit(result.best_parameters)), nan_ok=True)

    chosen = [tuple(point) for point in front.plot_front().collections[1].get_offsets()]
    measured = [(t.observation["loss"].minimum, t.observation["size"].maximum) for t in front.pareto_front]
    assert chosen == measured
    with pytest.raises(ValueError, match="plot_history"):
        result.plot_front()
    for axes in (empty.plot_history(), empty.plot_slice()[0], empty.plot_parallel()):
        axes.figure.savefig(tmp_path / "empty.png")
    plt.close("all")


IMPORTANT = {
    "rate": search.double(1e-4, 1, log=True),
    "layers": search.int(1, 4),
    "kind": search.categorical(["a", "b", "c"]),
    "momentum": search.double(0, 1, when={"kind": "b"}),
    "noise": search.double(0, 1),
    "fixed": search.categorical(["x"]),
}


def mattering(p):
    if p["noise"] > 0.9:
        raise ValueError("no value")
    return {"loss": (math.log10(p["rate"]) + 2) ** 2 + 0.3 * p["layers"], "flat": 1.0, "size": p["noise"]}


@pytest.fixture(scope="module")
def searched():
    def run(trials=150, **options):
        found = {"max_trials": trials, "algorithm": "random", "runner": "inline", "seed": 1, **options}
        return katib.tune(mattering, IMPORTANT, **found)

    return run


def test_importance_is_a_share_of_each_parameter(searched):
    shares = searched(metric="loss").importance()
    assert list(shares)[:2] == ["rate", "layers"]
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    assert math.fsum(shares.values()) == pytest.approx(1)
    assert set(shares) == set(IMPORTANT)
    assert shares["rate"] + shares["layers"] > 0.7
    assert (shares["fixed"], min(shares.values())) == (0, 0)


@pytest.mark.parametrize(
    ("options", "first"),
    [
        pytest.param({"objectives": {"size": "maximize", "flat": "minimize"}}, "noise", id="front"),
        pytest.param({"metric": "loss", "constraints": ["layers >= 4"]}, "rate", id="constraint"),
    ],
)
def test_importance_of(searched, options, first):
    assert next(iter(searched(**options).importance())) == first


def test_importance_where_nothing_matters(searched):
    assert set(searched(trials=30, metric="flat").importance().values()) == {0.0}


def test_importance_needs_ten_trials_with_a_value(searched, empty):
    with pytest.raises(ValueError, match="got 0 trials with a value, expected 10 or more"):
        empty.importance()
    few = katib.tune(lambda p: p["rate"], IMPORTANT, max_trials=10, algorithm="random", runner="inline", seed=1)
    assert math.fsum(few.importance().values()) == pytest.approx(1)


@pytest.mark.requires("matplotlib")
def test_a_picture_of_the_importance(searched, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    from matplotlib import pyplot as plt

    result = searched(metric="loss")
    axes = result.plot_importance()
    assert [bar.get_width() for bar in axes.patches] == list(result.importance().values())
    assert [text.get_text() for text in axes.get_yticklabels()] == list(result.importance())
    plt.close("all")


WITHOUT = """
import sys
sys.modules["PACKAGE"] = None
import katib
result = katib.tune(lambda p: p["n"], {"n": katib.search.int(1, 2)}, max_trials=2, runner="inline")
assert "<table>" in result._repr_html_()
try:
    result.METHOD()
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(
    ("package", "method", "wanted"),
    [("pandas", "to_frame", "pandas"), ("matplotlib", "plot_history", "'katib-engine[plots]'")],
)
def test_a_missing_package_is_named(package, method, wanted):
    program = WITHOUT.replace("PACKAGE", package).replace("METHOD", method)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    said = f"MissingExtraError package {package!r} is not installed; install it with: pip install {wanted}\n"
    assert done.stdout == said


def test_architectures_are_drawn_beside_each_other(result):
    cells = [
        f"|{name}~0|+|none~0|{name}~1|+|skip_connect~0|none~1|none~2|" for name in ("nor_conv_3x3", "nor_conv_1x1")
    ]
    good = [trial for trial in result.trials if trial.state is TrialState.SUCCEEDED]
    trials = tuple(replace(trial, parameters={"architecture": cell}) for trial, cell in zip(good, cells, strict=False))
    shown = replace(result, trials=trials)._repr_html_()
    assert all(trial.name in shown for trial in trials)
    assert ">conv 3×3<" in shown
    assert ">conv 3×3<" not in result._repr_html_()
