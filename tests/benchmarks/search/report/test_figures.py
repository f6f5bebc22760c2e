"""Pictures hold what they show."""

from __future__ import annotations

import io

import numpy as np
import pytest

from benchmarks.search.report.separability import Friedman
from benchmarks.search.report.styles import Style

pytestmark = pytest.mark.requires("bench")


@pytest.mark.parametrize(
    "algorithms",
    [
        pytest.param(["random", "tpe"], id="short"),
        pytest.param(["random", "tpe", "W" * 30], id="wide"),
        pytest.param(["population-based-training@0.11.2-with-many-words", "hebo", "tpe", "a" * 60], id="long"),
    ],
)
def test_no_label_is_cut(algorithms):
    from matplotlib.image import imread

    from benchmarks.search.report.figures import critical_differences

    mean = np.arange(1.0, len(algorithms) + 1)
    styles = dict.fromkeys(algorithms, Style("#3b6fb6", "solid", 2.0, ours=True))
    figure = critical_differences("cd", "ranks", Friedman(mean, 1.0, 0.01, 0.5, 30), algorithms, styles)
    picture = imread(io.BytesIO(figure.png))[..., :3]
    assert picture.min() < 0.5
    for edge in (picture[:4], picture[-4:], picture[:, :4], picture[:, -4:]):
        assert edge.min() == 1.0
