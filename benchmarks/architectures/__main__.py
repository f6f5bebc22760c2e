"""How good the architectures are that a search finds: ``python -m benchmarks.architectures --data DIR [--seeds N]
[--algorithms A,B] [--dataset NAME|all] [--budgets N,N] [--jobs N] [--out FILE]``.

On the table of NAS-Bench-201 a trial returns the validation accuracy of one training run after 200 epochs; which of
the runs that there are is drawn from the trial's own random numbers. Judged is the incumbent by these values: the
points of mean test accuracy that it lacks to the best cell. Shown are means over the seeds, after as many trainings as
each budget says, and for comparison the choice of the best of all cells, each trained once.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.architectures.cells import DATA_SETS, table
from benchmarks.architectures.contestants import CONTESTANTS, courses
from benchmarks.architectures.figures import rows
from benchmarks.search.problems.data import OPTION, VARIABLE, MissingDataError
from benchmarks.table import Row, show, write


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(OPTION, type=Path, default=os.environ.get(VARIABLE), help=f"data folder; or ${VARIABLE}")
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--algorithms", type=_names, default=list(CONTESTANTS), help=", ".join(CONTESTANTS))
    parser.add_argument("--dataset", choices=[*DATA_SETS, "all"], default="cifar10")
    parser.add_argument("--budgets", type=_numbers, default=[50, 100, 150, 200, 300, 500], help="full trainings")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/architectures.json"))
    arguments = parser.parse_args()
    folder = arguments.data and Path(arguments.data)
    found: list[Row] = []
    try:
        for data_set in DATA_SETS if arguments.dataset == "all" else [arguments.dataset]:
            cells, cost = table(folder, data_set), max(arguments.budgets)
            found_by = {
                name: courses(folder, data_set, name, cost, arguments.seeds, arguments.jobs)
                for name in arguments.algorithms
            }
            found += rows(cells, found_by, arguments.budgets)
    except MissingDataError as error:
        parser.error(str(error))
    show(found)
    write(found, arguments.out)


def _names(text: str) -> list[str]:
    unknown = [name for name in text.split(",") if name not in CONTESTANTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"got {', '.join(unknown)}, expected some of {', '.join(CONTESTANTS)}")
    return text.split(",")


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
