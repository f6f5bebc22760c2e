"""One trial for each kind of collector: it reports three values, waits for a gate, and reports three more."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

WAIT = """
import os, sys, time
def gate():
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.02)
"""

PRINT = """
for i in range(6):
    if i == 3: gate()
    print(f"loss={(6 - i) / 8}", flush=True)
"""

WRITE = """
with open("/var/log/katib/metrics.log", "a", buffering=1) as file:
    for i in range(6):
        if i == 3: gate()
        file.write(LINE.format((6 - i) / 8) + "\\n")
"""

EVENTS = """
from tensorboardX import SummaryWriter
with SummaryWriter("/logs/tf/train", flush_secs=0) as writer, SummaryWriter("/logs/tf/test") as other:
    for i in range(6):
        if i == 3: gate()
        writer.add_scalar("loss", (6 - i) / 8, i)
        other.add_scalar("loss", 99, i)
"""

SERVE = """
from prometheus_client import Gauge, start_http_server
loss, other = Gauge("loss", "of the trial", ["split"]), Gauge("accuracy", "of the trial")
start_http_server(int(os.environ["KATIB_METRICS_PORT"]), addr="127.0.0.1")
for i in range(6):
    if i == 3: gate()
    loss.labels("val").set((6 - i) / 8)
    loss.labels("train").set(99)
    time.sleep(0.8)
"""

PUSH = """
from katib import report_metrics
for i in range(6):
    if i == 3: gate()
    report_metrics({"val loss": (6 - i) / 8}, step=i)
"""

FOLLOW = 'touch "$KATIB_METRICS_FILE"; tail -n +1 -f "$KATIB_METRICS_FILE" | sed -u "s/^value /loss=/"'


@dataclass(frozen=True)
class Case:
    """script: what the trial runs; its first argument is the gate. collector: metricsCollectorSpec."""

    script: str
    collector: Mapping[str, Any] = field(default_factory=dict)
    metric: str = "loss"
    texts: tuple[str, ...] = ("0.75", "0.625", "0.5", "0.375", "0.25", "0.125")

    @property
    def argv(self) -> list[str]:
        return [sys.executable, "-c", WAIT + self.script]


def _line(text: str) -> str:
    return f"LINE = {text!r}\n{WRITE}"


CASES = {
    "StdOut": Case(PRINT),
    "File-TEXT": Case(_line("loss={}"), {"collector": {"kind": "File"}}),
    "File-JSON": Case(
        _line('{{"loss": "{}"}}'),
        {"collector": {"kind": "File"}, "source": {"fileSystemPath": {"format": "JSON"}}},
    ),
    "File-filter": Case(
        _line("the loss is {}"),
        {"collector": {"kind": "File"}, "source": {"filter": {"metricsFormat": [r"(\w+) is ([\d.]+)"]}}},
    ),
    "TensorFlowEvent": Case(
        EVENTS,
        {"collector": {"kind": "TensorFlowEvent"}, "source": {"fileSystemPath": {"path": "/logs/tf"}}},
        metric="train/loss",
    ),
    "PrometheusMetric": Case(SERVE, {"collector": {"kind": "PrometheusMetric"}}, metric='loss{split="val"}'),
    "Custom": Case(
        _line("value {}"),
        {
            "collector": {
                "kind": "Custom",
                "customCollector": {"name": "follow", "command": ["/bin/sh", "-c", FOLLOW]},
            },
            "source": {"fileSystemPath": {"path": "/var/log/katib/metrics.log", "kind": "File"}},
        },
    ),
    "Push": Case(PUSH, {"collector": {"kind": "Push"}}, metric="val loss"),
}


def document(case: Case, gate: str) -> dict[str, Any]:
    """The Experiment: one trial."""
    command = [word.replace("$", "$$") for word in [*case.argv, gate]]
    spec: dict[str, Any] = {
        "objective": {"type": "minimize", "objectiveMetricName": case.metric},
        "algorithm": {"algorithmName": "random"},
        "maxTrialCount": 1,
        "parallelTrialCount": 1,
        "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
        "trialTemplate": {
            "primaryContainerName": "main",
            "trialParameters": [],
            "trialSpec": {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "x", "command": command}]}}},
            },
        },
    }
    if case.collector:
        spec["metricsCollectorSpec"] = dict(case.collector)
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Experiment",
        "metadata": {"name": "e2e"},
        "spec": spec,
    }
