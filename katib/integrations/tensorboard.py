"""Experiments as TensorBoard shows them: a run of every trial, with its curves and hyperparameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from katib.core.changes import Recorded
from katib.core.errors import MissingExtraError
from katib.core.experiment import Experiment
from katib.core.objective import Measurement
from katib.core.trial import Trial, TrialState, Value
from katib.integrations.publishing import News, Source, news_of

try:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams.api_pb2 import STATUS_FAILURE, STATUS_SUCCESS
    from tensorboard.plugins.hparams.metadata import NULL_TENSOR, SESSION_END_INFO_TAG, create_summary_metadata
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
    from tensorboard.plugins.hparams.summary_v2 import HParam, Metric, hparams_config_pb, hparams_pb
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
except ModuleNotFoundError as error:
    raise MissingExtraError("tensorboard", "tensorboard") from error

SUFFIX = ".katib"  # of the files written here
_GOOD = (TrialState.SUCCEEDED, TrialState.EARLY_STOPPED)


def write_experiment(
    name: str, folder: str | Path, *, namespace: str = "default", store: str = "", follow: bool = False
) -> Path:
    """Write the experiment below ``folder``, for ``tensorboard --logdir``; returns the folder ``NAMESPACE/NAME`` in it,
    which has one folder for each trial that has begun.

    A trial has the measurements of its last attempt with their steps and times, its parameters, and, once it has ended,
    how. Once more writes it all anew: event files of earlier calls are replaced, others stay. The other arguments are
    those of ``katib.integrations.mlflow.log_experiment``. Raises NotFoundError, OSError.
    """
    place = Path(folder) / namespace / name
    board = _Board(place)
    try:
        for news in news_of(Source(name, namespace, store, follow)):
            board.take(news)
    finally:
        board.close()
    return place


class _Board:
    """The event files of one experiment; those of running trials are open."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._begun = False
        self._open: dict[str, tuple[int, EventFileWriter]] = {}  # trial -> attempt, writer

    def take(self, news: News) -> None:
        """Write what is new."""
        if not self._begun:
            self._begun = True
            writer = _new_writer(self._place)
            _write_summary(writer, _config(news.experiment), news.experiment.created)
            writer.close()
        for trial, points in news.trials:
            if trial.started is not None:
                self._write(trial, points)

    def close(self) -> None:
        """Close what is open."""
        for _, writer in self._open.values():
            writer.close()
        self._open.clear()

    def _write(self, trial: Trial, points: Sequence[Recorded]) -> None:
        writer = self._writer(trial)
        for point in points:
            if point.measurement.value is not None:
                writer.add_event(_event(point))
        if trial.state.finished:
            status = STATUS_SUCCESS if trial.state in _GOOD else STATUS_FAILURE
            ended = trial.finished or trial.created
            _write_summary(writer, _end(status, ended), ended)
            writer.close()
            del self._open[trial.name]
        else:
            writer.flush()

    def _writer(self, trial: Trial) -> EventFileWriter:
        attempt, writer = self._open.get(trial.name, (0, None))
        if attempt == trial.attempt:
            return writer
        if writer is not None:
            writer.close()
        writer = _new_writer(self._place / trial.name)
        parameters = {name: _plain(value) for name, value in trial.parameters.items()}
        began = trial.started or trial.created
        _write_summary(writer, hparams_pb(parameters, trial.name, began), began)
        self._open[trial.name] = (trial.attempt, writer)
        return writer


def _new_writer(folder: Path) -> EventFileWriter:
    """A file in ``folder`` in place of earlier ones of ours."""
    for old in folder.glob(f"events.out.tfevents.*{SUFFIX}"):
        old.unlink()
    return EventFileWriter(str(folder), filename_suffix=SUFFIX)


def _config(experiment: Experiment) -> Any:
    parameters = [HParam(parameter.name) for parameter in experiment.spec.space]
    metrics = [Metric(name) for name in experiment.spec.objective.metrics]
    return hparams_config_pb(parameters, metrics, experiment.created)


def _end(status: Any, ended: float) -> Summary:
    """How a session ended. TensorBoard's own function for it needs TensorFlow."""
    data = HParamsPluginData(session_end_info=SessionEndInfo(status=status, end_time_secs=ended))
    metadata = create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=SESSION_END_INFO_TAG, metadata=metadata, tensor=NULL_TENSOR)])


def _write_summary(writer: EventFileWriter, summary: Any, time: float) -> None:
    """Summaries of TensorBoard's plugins are its own messages."""
    writer.add_event(Event(wall_time=time, summary=summary))


def _event(point: Recorded) -> Event:
    measured: Measurement = point.measurement
    step = point.sequence if measured.step is None else measured.step
    value = Summary.Value(tag=measured.metric, simple_value=measured.value)
    return Event(wall_time=measured.time, step=step, summary=Summary(value=[value]))


def _plain(value: Value) -> bool | float | str:
    return str(value) if value is None else value
