"""What compose joins: parts by the options, and what must work without an algorithm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from katib.compose import Workshop, suggestion_process
from katib.core.errors import MissingExtraError, NotFoundError, PermanentError, UnknownNameError
from katib.core.experiment import Budget, Component, Desired, ExperimentSpec, TrialTemplate
from katib.core.naming import load
from katib.core.objective import Objective
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.options import Options
from katib.storage.home import default_home

SPEC = ExperimentSpec(
    key=Key("default", "exp"),
    space=SearchSpace((Real("x", 0, 1),)),
    objective=Objective("objective"),
    algorithm=Component("random"),
    budget=Budget(2, 4),
)


@pytest.fixture
def workshop(tmp_path):
    made = Workshop(Options(tmp_path, "memory://", runner="inline", objective=lambda p: p["x"]))
    yield made
    made.close()


def without_algorithm(monkeypatch):
    def gone(spec):
        raise MissingExtraError("skopt", "skopt")

    monkeypatch.setattr("katib.compose.algorithms.create_algorithm", gone)


def test_an_experiment_can_be_stopped_and_deleted_without_its_algorithm(workshop, monkeypatch):
    lifecycle.create(workshop.store, SPEC, {})
    without_algorithm(monkeypatch)
    lifecycle.want(workshop.store, SPEC.key, Desired.STOP)
    assert workshop.controller().run(SPEC.key).status.stopped
    lifecycle.want(workshop.store, SPEC.key, Desired.DELETE)
    with pytest.raises(NotFoundError):
        workshop.controller().run(SPEC.key)


def test_an_experiment_that_cannot_search_is_left_as_it_is(workshop, monkeypatch):
    lifecycle.create(workshop.store, SPEC, {})
    without_algorithm(monkeypatch)
    with pytest.raises(MissingExtraError, match=r"pip install 'katib-engine\[skopt\]'"):
        workshop.controller().run(SPEC.key)
    assert workshop.store.get(SPEC.key).status.verdict is None


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        pytest.param({"algorithm": Component("randon")}, UnknownNameError, "did you mean 'random'", id="algorithm"),
        pytest.param({"stopper": Component("mediumstop")}, UnknownNameError, "did you mean 'medianstop'", id="stopper"),
    ],
)
def test_check_refuses_what_could_not_run(workshop, change, error, message):
    with pytest.raises(error, match=message):
        workshop.check(replace(SPEC, **change))


def test_a_job_cannot_run_as_a_function(tmp_path):
    workshop = Workshop(Options(tmp_path, "memory://", runner="process"))
    spec = replace(SPEC, template=TrialTemplate({"kind": "Job"}))
    lifecycle.create(workshop.store, spec, {})
    with pytest.raises(PermanentError, match="kind is 'Job'; use kind PythonFunction, or --runner local"):
        workshop.controller().run(spec.key)
    workshop.close()


def test_home_is_katib_home_or_the_users_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("KATIB_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("KATIB_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("sys.platform", "linux")
    assert default_home() == tmp_path / "data" / "katib"
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_home() == Path.home() / ".local" / "share" / "katib"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        pytest.param("locale", UnknownNameError, "did you mean 'local'", id="misspelt"),
        pytest.param("no_such_module:Runner", PermanentError, "no module 'no_such_module'", id="no-module"),
        pytest.param("json:Runner", PermanentError, "module 'json' has no 'Runner'", id="no-name"),
    ],
)
def test_late_names_fail_kindly(name, error, message):
    with pytest.raises(error, match=message):
        load("runner", name, {"local": "trial_runners.local:LocalRunner"})


def test_a_suggestion_service_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr("katib.compose._SERVICE_GRACE", 0.2)
    before = {child.pid for child in psutil.Process().children()}
    with suggestion_process():
        (service,) = (child for child in psutil.Process().children() if child.pid not in before)
        service.suspend()  # as deaf as one in the middle of a long fit
    assert not service.is_running()
