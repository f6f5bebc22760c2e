"""Three searches over pods, to their best trials: ``python -m benchmarks.kubernetes_searches``.

The experiments of examples/kubernetes run as a user would run them, each in a namespace of its own: random search,
Bayesian optimisation with median stopping, and Hyperband, whose trials continue each other's checkpoints on a claim.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import kubernetes_place
from benchmarks.examples import FOLDER, KATIB, Ran, read_experiment, run_command
from benchmarks.kubernetes_place import Namespace
from benchmarks.table import Row, show, write

CLAIM = "katib-checkpoints"
OPTIONS = {
    "random-pods": (),
    "bayesian-pods": (),
    "hyperband-pods": ("--checkpoints", f"claim:{CLAIM}"),
}


def run_search(name: str, place: Namespace, home: Path, timeout: float = 280.0) -> Ran:
    """``katib run`` of an example in a namespace. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
    text = (FOLDER / "kubernetes" / f"{name}.yaml").read_text()
    file = home / f"{name}.yaml"
    file.write_text(text.replace("metadata:\n", f"metadata:\n  namespace: {place.name}\n", 1))
    if OPTIONS[name]:
        make_claim(place, home / "claim")
    ran = run_command([*KATIB, str(file), "--runner", "kubernetes", *OPTIONS[name]], home, timeout)
    return read_experiment(ran, home) if ran.status == 0 else ran


def make_claim(place: Namespace, folder: Path) -> None:
    """A claim on a folder of this machine: the test bed has no storage classes."""
    folder.mkdir()
    spec: dict[str, Any] = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    volume = {
        **spec,
        "capacity": {"storage": "1Gi"},
        "hostPath": {"path": str(folder)},
        "claimRef": {"namespace": place.name, "name": CLAIM},
    }
    place.core.create_persistent_volume({"metadata": {"name": place.name}, "spec": volume})
    claim = {**spec, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": place.name}
    place.core.create_namespaced_persistent_volume_claim(place.name, {"metadata": {"name": CLAIM}, "spec": claim})


def _row(name: str, ran: Ran, left: int) -> Row:
    if ran.experiment is None:
        print(ran.output)
        return Row(name, ran.seconds, "s", f"exit status {ran.status}", False)
    states = Counter(str(trial.state) for trial in ran.trials)
    status, metric = ran.experiment.status, ran.experiment.spec.objective.metric
    said = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    met = bool(status.verdict and status.verdict.succeeded) and left == 0
    return Row(name, ran.seconds, "s", f"{said}; best {metric} {status.best_value:.4g}; {left} objects left", met)


def main() -> None:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/kubernetes_searches.json"))
    options = parser.parse_args()
    rows = []
    with kubernetes_place.cluster():
        for name in OPTIONS:
            with kubernetes_place.namespace() as place, tempfile.TemporaryDirectory() as home:
                ran = run_search(name, place, Path(home), timeout=600.0)
                rows.append(_row(name, ran, place.await_gone()))
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
