"""Experiments on a real cluster, and trainings that report in every way there is."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from katib import report
from katib.compose import Workshop
from katib.core.experiment import Budget, Component, ExperimentSpec, TemplateParameter
from katib.core.objective import Objective
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key, Trial
from katib.engine import lifecycle
from katib.metrics.generated.event_pb2 import Event
from katib.options import Options
from tests.metrics.test_records import record
from tests.trial_runners.kubernetes_attempts import JOBS, job, template
from trial_runners.kubernetes.api import Api, Request, Resource
from trial_runners.settings import KubernetesSettings

PYTHON = ["python3", "-c"]
FILE = "/var/log/katib/metrics.log"
VALUES = ["0.75", "0.625", "0.5", "0.375", "0.25", "0.125"]


class Bench:
    """Runs experiments in a namespace of its own."""

    def __init__(self, namespace: str, home: Path) -> None:
        self.key, self.home = Key(namespace, "pods"), home
        self.api = Api()

    def run(self, spec: ExperimentSpec, **settings: Any) -> list[Trial]:
        """To its end; no job is left then."""
        objective = settings.pop("objective", None)
        folder = {"function_folder": self.home / "functions"} if objective is not None else {}
        options = Options(
            self.home,
            runner="kubernetes",
            objective=objective,
            kubernetes=KubernetesSettings(**{"db_manager": "", **settings}),
            **folder,
        )
        self.workshop = Workshop(options)
        try:
            lifecycle.create(self.workshop.store, spec, {})
            controller = self.workshop.controller()
            controller.run(self.key)
            controller.close()
            found = sorted(self.workshop.store.trials(self.key), key=lambda trial: trial.number)
            self.curve = [(n, recorded.measurement) for n, recorded in self.workshop.store.curve(self.key)]
            self.events = [event.message for event in self.workshop.store.events(self.key, 1000)]
        finally:
            self.workshop.close()
        deadline = time.monotonic() + 30
        while self._list(JOBS):
            assert time.monotonic() < deadline, "a job was left"
            time.sleep(0.1)
        return found

    def spec(self, argv: Sequence[str], **fields: Any) -> ExperimentSpec:
        """An experiment of one trial that runs ``argv``."""
        words = [re.sub(r"\$(?!\{trialParameters)", "$$", word) for word in argv]
        space = fields.setdefault("space", SearchSpace((Real("x", 0.0, 1.0),)))
        document = job(words, **fields.pop("changes", {}))
        document["spec"]["template"]["spec"]["containers"][0]["command"] = words
        given: dict[str, Any] = {
            "objective": Objective("loss"),
            "algorithm": Component("random"),
            "budget": Budget(1, 1),
            "template": template(document, parameters=tuple(TemplateParameter(p.name, p.name) for p in space)),
            "seed": 1,
            **fields,
        }
        return ExperimentSpec(self.key, **given)

    def texts(self, number: int = 0) -> list[str]:
        """The metric values of a trial."""
        return [measurement.text for trial, measurement in self.curve if trial == number]

    def _list(self, resource: Resource) -> list[Any]:
        return list(self.api.call(Request("list", resource, self.key.namespace))["items"])


def event(index: int) -> bytes:
    """A record with the scalar of one step."""
    message = Event(wall_time=100.0 + index, step=index)
    message.summary.value.add(tag=b"loss", simple_value=float(VALUES[index]))
    return record(message.SerializeToString())


WRITE = f"""
import os, time
with open({FILE!r}, "a", buffering=1) as file:
    for value in {VALUES!r}:
        file.write(LINE.format(value) + "\\n")
        time.sleep(0.3)
"""

EVENTS = f"""
import base64, os, time
os.makedirs("/logs/tf/train", exist_ok=True)
for index, data in enumerate({[base64.b64encode(event(i)).decode() for i in range(6)]!r}):
    data = base64.b64decode(data)
    for half in (data[:20], data[20:]):
        with open("/logs/tf/train/events.out.tfevents.1", "ab") as file:
            file.write(half)
        time.sleep(0.15)
"""

PUSH = f"""
import os
namespace = {{"__name__": "report"}}
exec({Path(report.__file__).read_text()!r}, namespace)
for step, value in enumerate({VALUES!r}):
    namespace["report_metrics"]({{"loss": float(value)}}, step=step)
"""

SERVE = f"""
import http.server, os, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *rest): pass
body = b"loss " + {VALUES[0]!r}.encode() + b"\\n"
server = http.server.ThreadingHTTPServer(("", int(os.environ["KATIB_METRICS_PORT"])), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
for value in {VALUES!r}:
    body = b"# HELP loss of it\\nloss{{split=\\"val\\"}} " + value.encode() + b"\\nother 1\\n"
    time.sleep(1.5)
"""
