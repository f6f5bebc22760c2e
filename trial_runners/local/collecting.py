"""How an attempt's metrics are collected on this machine: where the trial writes them, what its environment says of
that, and what a program beside it has to do where the kind of collector needs one (``Custom``, ``PrometheusMetric``).
"""

from __future__ import annotations

import contextlib
import ipaddress
import math
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from katib.core.trial import Attempt
from katib.resources.jobs import bare_container
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local.paths import Moved, localize, metrics_place, moves

# Seconds between two scrapes, and the variable of the engine's environment that says otherwise.
SCRAPE_SECONDS = 0.5
SCRAPE_VARIABLE = "KATIB_SCRAPE_SECONDS"

_HTTP = "spec.metricsCollectorSpec.source.httpGet"


@dataclass(frozen=True, slots=True)
class Collecting:
    """spec: as the user gave it. place: local file or folder of the metrics, None for none. moved: paths to replace.
    port: a free one that the trial may serve its metrics on, 0 without need."""

    spec: CollectorSpec
    place: Path | None
    moved: Sequence[Moved]
    port: int

    @classmethod
    def of(cls, attempt: Attempt, folder: AttemptFolder) -> Collecting:
        """How the metrics of ``attempt`` are collected."""
        port = free_port() if attempt.collector.kind == "PrometheusMetric" else 0
        return cls(attempt.collector, metrics_place(attempt, folder), moves(attempt, folder), port)

    def localize(self, text: str) -> str:
        """``text`` with the container's paths replaced by the local ones."""
        return localize(text, self.moved)

    def variables(self, folder: AttemptFolder) -> dict[str, str]:
        """What the trial and a program beside it are told. KATIB_METRICS_FORMAT is for ``katib.report_metrics``."""
        variables = {"KATIB_METRICS_DIR": str(folder.metrics)}
        if self.port:
            variables["KATIB_METRICS_PORT"] = str(self.port)
        if self.place is None:
            return variables
        if self.spec.directory:
            return {**variables, "KATIB_METRICS_DIR": str(self.place)}
        as_json = self.spec.kind == "Push" or (self.spec.kind == "File" and self.spec.format == "JSON")
        format = "JSON" if as_json else "TEXT"
        return {**variables, "KATIB_METRICS_FILE": str(self.place), "KATIB_METRICS_FORMAT": format}

    def beside(self, attempt: Attempt, cwd: str, given: Mapping[str, str]) -> Mapping[str, Any]:
        """What the program beside the trial needs; empty if there is none. cwd: the trial's. given: variables that it
        is told. Raises SpecError or RunnerError, with the path in the YAML, on what cannot be done here."""
        modules = {"modules": [entry or os.getcwd() for entry in sys.path]}
        if self.spec.kind == "Custom":
            return {**modules, **self._command(attempt.run, cwd, given)}
        return {**modules, **self._scrape(attempt.metrics)} if self.spec.kind == "PrometheusMetric" else {}

    def _command(self, job: Mapping[str, Any], cwd: str, given: Mapping[str, str]) -> Mapping[str, Any]:
        path = "spec.metricsCollectorSpec.collector.customCollector"
        container = bare_container(self.spec.options.get("customCollector", {}), path, job, given)
        directory = container.working_dir
        return {
            "program": "custom_command",
            "argv": [self.localize(word) for word in container.argv],
            "env": {name: self.localize(value) for name, value in container.env.items()},
            "cwd": directory if directory and Path(directory).is_dir() else cwd,
        }

    def _scrape(self, metrics: tuple[str, ...]) -> Mapping[str, Any]:
        action: Mapping[str, Any] = self.spec.options.get("httpGet", {})
        return {
            "program": "scraper",
            "hosts": _loopback(action.get("host") or ""),
            "ports": [self.port, int(action.get("port") or 8080)],
            "path": action.get("path") or "/metrics",
            "secure": action.get("scheme") == "HTTPS",
            "headers": [[header["name"], header["value"]] for header in action.get("httpHeaders") or ()],
            "names": sorted({metric.partition("{")[0].strip() for metric in metrics}),
            "seconds": scrape_seconds(os.environ),
        }


def scrape_seconds(environ: Mapping[str, str]) -> float:
    """Seconds between two scrapes. Raises RunnerError on a setting that is no positive number."""
    text = environ.get(SCRAPE_VARIABLE) or str(SCRAPE_SECONDS)
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.01 <= seconds <= 3600:
        raise RunnerError(f"{SCRAPE_VARIABLE}: got {text!r}, expected seconds between 0.01 and 3600")
    return seconds


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _loopback(host: str) -> list[str]:
    """Where to connect. A host other than this one is refused: in a local run the trial is here."""
    if host in ("", "localhost"):
        return ["127.0.0.1", "::1"]
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host.strip("[]")).is_loopback:
            return [host.strip("[]")]
    raise RunnerError(
        f"{_HTTP}.host: got {host!r}, expected none or a loopback address: local trials run on this machine"
    )
