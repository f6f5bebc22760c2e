"""Whether scores of untrained networks tell good architectures from bad ones: ``python -m
benchmarks.architectures.scores --data DIR [--dataset NAME|all] [--cells N] [--seed N] [--out FILE]``.

Of some random cells of NAS-Bench-201, the same for the same seed: the rank correlation of each score, and of the size
that ``prior: size`` of gp-nas goes by, with the mean test accuracy; the milliseconds of processor time of one score;
and what such a prior makes of first trials: the points of test accuracy that the one of largest score of five lacks to
the best of all cells. Needs the extra ``nas``.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from algorithms.networks.zero_cost import SCORES, score
from benchmarks.architectures.cells import DATA_SETS, CellTable, Floats, sizes, table
from benchmarks.search.problems.data import OPTION, VARIABLE, MissingDataError
from benchmarks.table import Row, show, write

SIZE = "size"
_DRAWN, _TIMES = 5, 20_000  # cells of which the one of largest score is taken, and how often


class Scored(NamedTuple):
    """values: (cells,) of a score. milliseconds: of processor time, a score; None where it is next to nothing."""

    values: Floats
    milliseconds: float | None = None


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(OPTION, type=Path, default=os.environ.get(VARIABLE), help=f"data folder; or ${VARIABLE}")
    parser.add_argument("--dataset", choices=[*DATA_SETS, "all"], default="all")
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0, help="of the choice of cells")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/architecture-scores.json"))
    arguments = parser.parse_args()
    folder = arguments.data and Path(arguments.data)
    try:
        tables = [table(folder, name) for name in (DATA_SETS if arguments.dataset == "all" else [arguments.dataset])]
    except MissingDataError as error:
        parser.error(str(error))
    chosen = sample(tables[0], arguments.cells, arguments.seed)
    scored = scores(tables[0], chosen)
    found = [Row(f"{name}, a score", each.milliseconds, "ms") for name, each in scored.items() if each.milliseconds]
    for each in tables:
        found += rows(each, chosen, scored)
    show(found)
    write(found, arguments.out)


def sample(cells: CellTable, count: int, seed: int) -> NDArray[np.intp]:
    """Places (count,) of random cells, each once; all in a drawn order where there are no more."""
    return np.random.default_rng(seed).permutation(len(cells.rows))[:count]


def scores(cells: CellTable, chosen: NDArray[np.intp]) -> dict[str, Scored]:
    """The size of the chosen cells, and all scores that there are."""
    texts = sorted(cells.rows, key=cells.rows.__getitem__)
    found = {SIZE: Scored(sizes(cells)[1][chosen])}
    for name in SCORES:
        score(name, texts[0])  # what PyTorch sets up at the first one is no part of the time
        begin = time.process_time()
        values = np.array([score(name, texts[row]) for row in chosen])
        found[name] = Scored(values, 1000 * (time.process_time() - begin) / len(chosen))
    return found


def rows(cells: CellTable, chosen: NDArray[np.intp], scored: Mapping[str, Scored]) -> Iterator[Row]:
    """What the scores are worth on one data set."""
    test, count = cells.test[chosen], len(chosen)
    draws = np.random.default_rng(0).integers(count, size=(_TIMES, _DRAWN))
    for name, (values, _) in scored.items():
        yield Row(f"{cells.name}, {name} and test accuracy", float(spearmanr(values, test)[0]), "Spearman")
    yield Row(f"{cells.name}, a random one", float(cells.test.max() - test.mean()), "points")
    for name, (values, _) in scored.items():
        best = np.take_along_axis(draws, values[draws].argmax(axis=1)[:, None], axis=1)[:, 0]
        regret = float(cells.test.max() - test[best].mean())
        yield Row(f"{cells.name}, largest {name} of {_DRAWN}", regret, "points")


if __name__ == "__main__":
    main()
