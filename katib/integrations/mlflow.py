"""Experiments on an MLflow tracking server, or in a database that its pages show: every trial is a run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from katib.best_trial import BestTrialReport, as_markdown
from katib.core.changes import Recorded
from katib.core.errors import MissingExtraError
from katib.core.experiment import Experiment
from katib.core.trial import Trial, TrialState
from katib.engine.names import trial_seed
from katib.integrations.publishing import News, Source, news_of
from katib.resources.template import value_text

try:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag
except ModuleNotFoundError as error:
    raise MissingExtraError("mlflow", "mlflow") from error

VALUE = "katib.value"  # the metric that says what a trial came to
TRIAL, BEST, POINT = "katib.trial", "katib.best", "katib.point"
_AT_ONCE = 1000  # metrics in a call, MLflow's limit
_TEXT = 5000  # characters of a tag or a parameter
_STATUS: Mapping[TrialState, str] = {
    TrialState.PENDING: "SCHEDULED",
    TrialState.RUNNING: "RUNNING",
    TrialState.SUCCEEDED: "FINISHED",
    TrialState.EARLY_STOPPED: "FINISHED",
    TrialState.KILLED: "KILLED",
}
_NO_NAME = re.compile(r"[^\w\-. /]")  # characters that no name in MLflow may have


def log_experiment(
    name: str, tracking_uri: str, *, namespace: str = "default", store: str = "", follow: bool = False
) -> str:
    """Write the experiment and all its trials to MLflow; returns the id of MLflow's experiment, which is called
    ``NAMESPACE/NAME``.

    A trial is a run: its parameters, every measurement of its last attempt with its step and time, ``katib.value`` once
    it has ended, and tags: state, number, attempt, seed, parent, reason, and ``katib.best`` on the best one. The
    best-trial report is the experiment's note. Once more adds what is new and repeats nothing.

    tracking_uri: ``http://HOST:5000``, ``sqlite:///mlflow.db``. store: URL of Katib's store, empty for this user's own.
    follow: go on until the experiment is over or stopped, whoever runs it. Raises NotFoundError; MLflow's errors pass.
    """
    runs: _Runs | None = None
    for news in news_of(Source(name, namespace, store, follow)):
        runs = runs or _Runs(MlflowClient(tracking_uri), news.experiment)
        runs.take(news)
    return runs.id if runs else ""


class _Runs:
    """The runs of one experiment. id: of MLflow's experiment."""

    def __init__(self, client: MlflowClient, experiment: Experiment) -> None:
        self._client = client
        self.id = _experiment_id(client, experiment)
        self._run_of: dict[str, str] = {}
        self._point_of: dict[str, int] = {}
        self._best = ""
        token: str | None = ""
        while token is not None:
            page = client.search_runs([self.id], page_token=token or None)
            for run in page:
                self._known(run.info.run_id, run.data.tags)
            token = page.token or None

    def take(self, news: News) -> None:
        """Write what is new."""
        for trial, points in news.trials:
            self._write(news.experiment, trial, points)
        if news.best is not None:
            self._mark_best(news.best)

    def _known(self, run: str, tags: Mapping[str, str]) -> None:
        if trial := tags.get(TRIAL):
            self._run_of[trial], self._point_of[trial] = run, int(tags.get(POINT, "0"))
            if tags.get(BEST) == "true":
                self._best = trial

    def _write(self, experiment: Experiment, trial: Trial, points: Sequence[Recorded]) -> None:
        run = self._run_of.get(trial.name) or self._create(experiment, trial)
        news = [point for point in points if point.seq > self._point_of[trial.name]]
        metrics = [_metric(point) for point in news if point.measurement.value is not None]
        for start in range(0, len(metrics), _AT_ONCE):
            self._client.log_batch(run, metrics=metrics[start : start + _AT_ONCE])
        if news:
            self._point_of[trial.name] = news[-1].seq
        self._client.log_batch(run, tags=[*_tags(experiment, trial), RunTag(POINT, str(self._point_of[trial.name]))])
        self._end(experiment, trial, run)

    def _create(self, experiment: Experiment, trial: Trial) -> str:
        created = int(1000 * (trial.started or trial.created))
        run = self._client.create_run(self.id, created, {TRIAL: trial.name}, run_name=trial.name).info.run_id
        self._run_of[trial.name], self._point_of[trial.name] = run, 0
        space = experiment.spec.space
        texts = {name: value_text(space, name, value) for name, value in trial.parameters.items()}
        self._client.log_batch(run, params=[Param(_named(name), text[:_TEXT]) for name, text in texts.items()])
        return str(run)

    def _end(self, experiment: Experiment, trial: Trial, run: str) -> None:
        status = _STATUS.get(trial.state, "FAILED")
        if not trial.state.finished:
            self._client.update_run(run, status)
            return
        ended = int(1000 * (trial.finished or trial.created))
        value = experiment.spec.objective.value(trial.observation)
        if value is not None:
            self._client.log_batch(run, metrics=[Metric(VALUE, value, ended, 0)])
        self._client.set_terminated(run, status, ended)

    def _mark_best(self, best: BestTrialReport) -> None:
        if self._best != best.trial:
            if self._best:
                self._client.set_tag(self._run_of[self._best], BEST, "false")
            if best.trial not in self._run_of:
                return  # it is of this very moment, and comes with the next news
            self._client.set_tag(self._run_of[best.trial], BEST, "true")
            self._best = best.trial
        self._client.set_experiment_tag(self.id, "mlflow.note.content", as_markdown(best)[:_TEXT])


def _experiment_id(client: MlflowClient, experiment: Experiment) -> str:
    name = str(experiment.key)
    if (known := client.get_experiment_by_name(name)) is not None:
        return str(known.experiment_id)
    tags = {"katib.uid": experiment.uid, "katib.algorithm": experiment.spec.algorithm.name}
    return str(client.create_experiment(name, tags=tags))


def _tags(experiment: Experiment, trial: Trial) -> list[RunTag]:
    facts = {
        "state": trial.state.value,
        "number": trial.number,
        "attempt": trial.attempt,
        "seed": trial_seed(experiment.spec.seed, trial.number),
        "parent": trial.parent,
        "reason": trial.reason,
    }
    return [RunTag(f"katib.{name}", str(fact)[:_TEXT]) for name, fact in facts.items() if fact not in (None, "")]


def _metric(point: Recorded) -> Metric:
    measured = point.measurement
    step = point.sequence if measured.step is None else measured.step
    return Metric(_named(measured.metric), measured.value, int(1000 * measured.time), step)


def _named(name: str) -> str:
    return _NO_NAME.sub("_", name)
