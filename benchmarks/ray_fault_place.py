"""Where the controller is killed on Ray: the place of ``benchmarks.kill``, its trials commands or functions."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import katib
from benchmarks.kill_place import Place


class CommandPlace(Place):
    """Trials are the commands of the local benchmark."""


class FunctionPlace(Place):
    """Trials are calls of ``ledgered``."""

    def document(self) -> dict[str, Any]:
        """The experiment. What the function must know beside its parameters is one more, with a single value."""
        document, scenario = super().document(), self.scenario
        task = json.dumps([scenario.lines, scenario.pause, scenario.trials - scenario.parallel])
        parameter = {"name": "task", "parameterType": "categorical", "feasibleSpace": {"list": [task]}}
        document["spec"]["parameters"].append(parameter)
        spec = {"entryPoint": f"{__name__}:{ledgered.__name__}"}
        job = {"apiVersion": "katib.dev/v1", "kind": "PythonFunction", "spec": spec}
        document["spec"]["trialTemplate"] = {"trialSpec": job}
        return document


def ledgered(parameters: Mapping[str, Any]) -> None:
    """What the commands do, as a function."""
    lines, pause, waits_after = json.loads(parameters["task"])
    home = Path(os.environ["KATIB_CHECKPOINT_DIR"]).parents[5]  # above trials/NAMESPACE/EXPERIMENT/TRIAL/ATTEMPT
    ledger, gate = home / "ledger", home / "gate"
    with open(ledger, "a", encoding="utf-8") as file:
        file.write(f"{os.environ['KATIB_TRIAL_NAME']} {os.environ['KATIB_ATTEMPT']} {os.getpid()}\n")
    if len(ledger.read_text().splitlines()) > waits_after:
        while not gate.exists():
            time.sleep(0.1)
    for line in range(1, lines + 1):
        loss = float(f"{parameters['n']}.{line}")
        print(f"loss={loss}", flush=True)
        katib.report_metrics(loss=loss)
        time.sleep(pause)
