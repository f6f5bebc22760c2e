"""Floor 5: joins the ports. The only place that knows which store, runner, collector, stopper and algorithm an
experiment gets; everything above asks here, everything below is handed its neighbours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import algorithms
from katib import metrics
from katib.compose_runners import Place, build_runner, check_collector
from katib.core.errors import NotFoundError, UnavailableError
from katib.core.experiment import Desired, Experiment, ExperimentSpec
from katib.core.history import History
from katib.core.ports import Algorithm, Leases, LogReader, Runner
from katib.core.store_ports import LoggedStore
from katib.core.trial import AttemptId, Proposal, Trial
from katib.engine.controller import Controller
from katib.engine.session import Parts
from katib.engine.supervisor import Worker
from katib.options import Options
from katib.resources import template
from katib.storage import open_store
from katib.storage.home import default_url
from katib.storage.leases import this_holder
from suggestion_service.client import RemoteAlgorithm
from suggestion_service.observations import PUSH
from trial_runners.output import FolderLogReader
from trial_runners.pushed import PushedMetrics

_SERVICE_GRACE = 10.0  # seconds between SIGTERM and SIGKILL


def store_url(options: Options) -> str:
    """Where experiments are kept."""
    return options.store or default_url(options.home)


@runtime_checkable
class Resizable(Protocol):
    """A runner that keeps means ready for so many trials at a time."""

    def resize(self, workers: int) -> None:
        """Have so many from now on; what runs goes on."""


class Workshop:
    """An open store with its leases, and the means to run experiments of it."""

    def __init__(self, options: Options) -> None:
        """Open the store. Raises SpecError on a bad URL, UnavailableError if it does not answer."""
        self.options = options
        opened = open_store(store_url(options), durable=options.durable)
        self.store: LoggedStore = opened.store
        self.leases: Leases = opened.leases
        self._open: list[Runner | RemoteAlgorithm] = []

    def controller(self) -> Controller:
        """A controller over this store that makes each experiment's parts by the options."""
        return Controller(self.store, self.leases, self._assemble, this_holder())

    def employ(self) -> Worker:
        """A controller for one of many experiments, whose parts are given back when it is let go."""
        parts = copy(self)
        parts._open = []
        return Worker(parts.controller(), parts._close_parts)

    def check(self, spec: ExperimentSpec) -> None:
        """Build what an experiment would run with, and drop it: construction is validation. Raises SpecError."""
        self._algorithm(spec)
        algorithms.create_stopper(spec)
        metrics.create_collector(spec.collector, spec.objective)
        check_collector(self.options, spec)

    def log_reader(self) -> LogReader:
        """What trials printed."""
        return FolderLogReader(self.trials_folder)

    @property
    def trials_folder(self) -> Path:
        """The folder of the local trials' own folders."""
        return self.options.home / "trials"

    def close(self) -> None:
        """Close runners, connections and store. Local trials that still run go on."""
        self._close_parts()
        self.store.close()

    def _close_parts(self) -> None:
        for part in self._open:
            part.close()
        self._open.clear()

    def _assemble(self, experiment: Experiment) -> Parts:
        spec = replace(experiment.spec, budget=experiment.budget)
        runner = build_runner(self.options, spec, Place(self.trials_folder, self._settled))
        self._open.append(runner)
        return self._parts(runner, experiment)

    def _parts(self, runner: Runner, experiment: Experiment, *, running: bool = False) -> Parts:
        """What goes with a runner; asked again when the budget or the search space was edited. running: trials may be
        running, which a service that does not answer now must not hold up."""
        spec = replace(experiment.spec, budget=experiment.budget)
        if isinstance(runner, Resizable):
            runner.resize(spec.budget.parallel)
        resting = experiment.desired is not Desired.RUN
        return Parts(
            algorithm=Deferred(partial(self._algorithm, spec)) if resting or running else self._algorithm(spec),
            runner=PushedMetrics(runner, self.store.log) if spec.collector.kind == PUSH else runner,
            collector=metrics.create_collector(spec.collector, spec.objective),
            render=partial(_render, spec),
            explain=partial(metrics.unavailable_reason, collector=spec.collector),
            stopper=algorithms.create_stopper(spec),
            adapt=partial(self._parts, runner, running=True),
        )

    def _algorithm(self, spec: ExperimentSpec) -> Algorithm:
        if self.options.suggestion:
            remote = RemoteAlgorithm(spec, self.options.suggestion, security=self.options.suggestion_security)
            self._open.append(remote)
            return remote
        return algorithms.create_algorithm(spec)

    def _settled(self, id: AttemptId) -> bool:
        """Whether the end of an attempt is on record: its trial is over, has a later attempt, or is gone."""
        try:
            trial = self.store.trial(id.key, id.trial)
        except NotFoundError:
            return True
        return trial.state.finished or trial.attempt > id.attempt


class Deferred:
    """An algorithm that is built when it is first asked. To stop or delete an experiment none is needed, and its
    package or service may be gone."""

    def __init__(self, build: Callable[[], Algorithm]) -> None:
        """build: makes the algorithm."""
        self._build = cache(build)

    def suggest(self, history: History, count: int) -> Proposal:
        """What the algorithm itself suggests."""
        return self._build().suggest(history, count)


def _render(spec: ExperimentSpec, trial: Trial) -> dict[str, Any]:
    return template.render(spec, trial) if spec.template.document else {}


@contextmanager
def suggestion_process() -> Iterator[str]:
    """Start a suggestion service as a process of its own on a free port of this machine; yields ``HOST:PORT``.

    It ends with this process, however that ends: its standard input is a pipe that closes then.
    """
    command = [sys.executable, "-m", "suggestion_service", "--port", "0", "--until-eof"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if " on " not in line:
            raise UnavailableError(f"the suggestion service did not start (exit status {process.poll()})")
        yield line.rsplit(" ", 1)[-1].strip()
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Let it end; one that does not, because an algorithm computes for long, is killed: it holds nothing."""
    process.terminate()
    try:
        process.wait(_SERVICE_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in filter(None, (process.stdin, process.stdout)):
        pipe.close()
