"""The two files that ``katib init`` writes: an experiment, and the training that it tunes. What differs by algorithm
and by collector stands in tables, so that every combination is written by the same few lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# (name, parameterType, feasibleSpace) in the YAML's own words.
SPACE = (
    ("lr", "double", '{min: "0.001", max: "1", distribution: logUniform}'),
    ("momentum", "double", '{min: "0", max: "0.95"}'),
    ("units", "int", '{min: "2", max: "12"}'),
    ("activation", "categorical", "{list: [relu, tanh]}"),
)
_GRID = (
    ("lr", "discrete", '{list: ["0.01", "0.1", "1"]}'),
    ("momentum", "double", '{min: "0", max: "0.9", step: "0.9"}'),
    ("units", "int", '{min: "4", max: "12", step: "8"}'),
    ("activation", "categorical", "{list: [relu, tanh]}"),
)
_EPOCHS = ("epochs", "int", '{min: "3", max: "27"}')


@dataclass(frozen=True, slots=True)
class Search:
    """What an algorithm needs beside its name. space: parameters that it can work with. trials: how many there are at
    most."""

    space: tuple[tuple[str, str, str], ...] = SPACE
    settings: Mapping[str, str] | None = None
    trials: int = 12


SEARCHES: Mapping[str, Search] = {
    "random": Search(),
    "grid": Search(_GRID, trials=24),
    "sobol": Search(),
    "tpe": Search(settings={"n_startup_trials": "5"}),
    "multivariate-tpe": Search(settings={"n_startup_trials": "5"}),
    "cmaes": Search(tuple(parameter for parameter in SPACE if parameter[1] == "double")),
    "bayesianoptimization": Search(settings={"n_initial_points": "5"}),
    "hyperband": Search((*SPACE, _EPOCHS), {"r_l": "27", "resource_name": "epochs"}, trials=40),
}

_COLLECTORS: Mapping[str, str] = {
    "StdOut": "",
    "File": "\n  metricsCollectorSpec:\n    collector: {kind: File}  # the trial writes to $KATIB_METRICS_FILE",
    "Push": "\n  metricsCollectorSpec:\n    collector: {kind: Push}  # the trial calls katib.report_metrics",
}
COLLECTORS = tuple(_COLLECTORS)

_REPORTS: Mapping[str, tuple[str, str]] = {
    "StdOut": ("", 'print(f"epoch={epoch} loss={loss:.6f} accuracy={accuracy:.4f}", flush=True)'),
    "File": (
        'metrics = open(os.environ.get("KATIB_METRICS_FILE", "/var/log/katib/metrics.log"), "a", buffering=1)\n',
        'print(f"epoch={epoch} loss={loss:.6f} accuracy={accuracy:.4f}", file=metrics)',
    ),
    "Push": ("", "katib.report_metrics(loss=loss, accuracy=accuracy, step=epoch)"),
}


def experiment_yaml(name: str, algorithm: str, collector: str) -> str:
    """The experiment."""
    search = SEARCHES[algorithm]
    settings = "".join(f'\n      - {{name: {key}, value: "{value}"}}' for key, value in (search.settings or {}).items())
    parameters = "".join(
        f"\n    - name: {key}\n      parameterType: {kind}\n      feasibleSpace: {space}"
        for key, kind, space in search.space
    )
    names = [key for key, _, _ in search.space]
    return EXPERIMENT.format(
        name=name,
        algorithm=algorithm,
        settings=f"\n    algorithmSettings:{settings}" if settings else "",
        trials=search.trials,
        collector=_COLLECTORS[collector],
        parameters=parameters,
        references="".join(f"\n      - {{name: {key}, reference: {key}}}" for key in names),
        arguments="".join(f"\n                  - --{key}=${{trialParameters.{key}}}" for key in names),
    )


def train_py(collector: str) -> str:
    """The training."""
    opening, report = _REPORTS[collector]
    imports = {"StdOut": "", "File": "import os\n", "Push": ""}[collector]
    own = "\nimport katib\n" if collector == "Push" else ""
    return (
        TRAIN.replace("@imports@", imports).replace("@own@", own).replace("@open@", opening).replace("@report@", report)
    )


EXPERIMENT = """\
# What to optimise, how to search, what to vary, and which command a trial runs. Every field: katib explain experiment
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata:
  name: {name}
spec:
  objective:
    type: minimize
    objectiveMetricName: loss
    additionalMetricNames: [accuracy]
    metricStrategies: [{{name: accuracy, value: max}}]
  algorithm:
    algorithmName: {algorithm}  # katib algorithms lists them{settings}
  parallelTrialCount: 2
  maxTrialCount: {trials}
  maxFailedTrialCount: 3
  resumePolicy: LongRunning  # more trials later: katib resume {name} --max-trials N{collector}
  parameters:{parameters}
  trialTemplate:
    primaryContainerName: training
    trialParameters:{references}
    trialSpec:
      apiVersion: batch/v1
      kind: Job
      spec:
        template:
          spec:
            containers:
              - name: training
                image: docker.io/library/python:3.11  # for a cluster; a local run needs none
                command:
                  - python3
                  - train.py{arguments}
            restartPolicy: Never
"""

TRAIN = '''\
"""Trains a small neural network to tell two interlocking half moons apart. Standard library only, about a second.

Put your own training in its place: take the parameters as options, report the metrics that experiment.yaml names.
"""

import argparse
import math
@imports@import random
@own@
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--momentum", type=float, default=0.9)
parser.add_argument("--units", type=int, default=8)
parser.add_argument("--activation", choices=["relu", "tanh"], default="tanh")
parser.add_argument("--epochs", type=int, default=20)
options = parser.parse_args()

dice = random.Random(0)


def half_moons(count):
    points = []
    for i in range(count):
        angle, upper = math.pi * dice.random(), i % 2
        x, y = (math.cos(angle), math.sin(angle)) if upper else (1 - math.cos(angle), 0.5 - math.sin(angle))
        points.append((x + dice.gauss(0, 0.15), y + dice.gauss(0, 0.15), upper))
    return points


def activate(z):
    return max(z, 0.0) if options.activation == "relu" else math.tanh(z)


def slope(z, h):
    return float(z > 0) if options.activation == "relu" else 1 - h * h


def forward(x, y):
    z = [w[0] * x + w[1] * y + w[2] for w in hidden]
    h = [activate(value) for value in z]
    score = sum(v * value for v, value in zip(output, h)) + output[-1]
    return z, h, 1 / (1 + math.exp(-min(max(score, -30.0), 30.0)))


def evaluate(points):
    loss = right = 0.0
    for x, y, label in points:
        p = min(max(forward(x, y)[2], 1e-12), 1 - 1e-12)
        loss -= math.log(p if label else 1 - p)
        right += (p > 0.5) == bool(label)
    return loss / len(points), right / len(points)


training, validation = half_moons(160), half_moons(80)
hidden = [[dice.gauss(0, 1) for _ in range(3)] for _ in range(options.units)]
output = [dice.gauss(0, 1) for _ in range(options.units)] + [0.0]
hidden_speed = [[0.0] * 3 for _ in range(options.units)]
output_speed = [0.0] * (options.units + 1)
@open@
for epoch in range(1, options.epochs + 1):
    dice.shuffle(training)
    for start in range(0, len(training), 16):
        batch = training[start : start + 16]
        hidden_gradient = [[0.0] * 3 for _ in range(options.units)]
        output_gradient = [0.0] * (options.units + 1)
        for x, y, label in batch:
            z, h, p = forward(x, y)
            error = (p - label) / len(batch)
            for j in range(options.units):
                output_gradient[j] += error * h[j]
                back = error * output[j] * slope(z[j], h[j])
                for k, value in enumerate((x, y, 1.0)):
                    hidden_gradient[j][k] += back * value
            output_gradient[-1] += error
        for j in range(options.units):
            for k in range(3):
                hidden_speed[j][k] = options.momentum * hidden_speed[j][k] - options.lr * hidden_gradient[j][k]
                hidden[j][k] += hidden_speed[j][k]
        for j in range(options.units + 1):
            output_speed[j] = options.momentum * output_speed[j] - options.lr * output_gradient[j]
            output[j] += output_speed[j]
    loss, accuracy = evaluate(validation)
    @report@
'''
