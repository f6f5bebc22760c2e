"""Records read back as they were written, in value and in type."""

from __future__ import annotations

import math
from dataclasses import fields
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings

from katib.core.changes import Event
from katib.core.errors import PermanentError
from katib.core.experiment import Experiment, ExperimentStatus
from katib.core.objective import Measurement, MetricSummary
from katib.core.trial import Trial
from katib.storage.codec import DEFINITION, EVENT, MEASUREMENT, STATUS, TRIAL, Record, UnknownFieldsError
from katib.storage.records import load_record
from tests.storage import core_strategies as some


def assert_survives(codec: Record, value: object) -> None:
    text = codec.dumps(value)
    back = codec.loads(text)
    assert back == value
    assert repr(back) == repr(value)  # == takes 1, 1.0 and True, or a tuple of an enum's texts, for the same
    assert text.isascii()
    assert codec.dumps(back) == text


@given(some.trials)
def test_trials_survive(trial: Trial) -> None:
    assert_survives(TRIAL, trial)


@given(some.measurements)
def test_measurements_survive(measurement: Measurement) -> None:
    assert_survives(MEASUREMENT, measurement)


@given(some.events)
def test_events_survive(event: Event) -> None:
    assert_survives(EVENT, event)


@given(some.statuses)
def test_statuses_survive(status: ExperimentStatus) -> None:
    assert_survives(STATUS, status)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.definitions)
def test_definitions_survive(experiment: Experiment) -> None:
    assert_survives(DEFINITION, experiment)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(1, id="int"),
        pytest.param(1.0, id="float"),
        pytest.param(True, id="bool"),
        pytest.param("1", id="text"),
        pytest.param(None, id="none"),
        pytest.param(-0.0, id="negative-zero"),
        pytest.param(5e-324, id="subnormal"),
        pytest.param(0.1 + 0.2, id="17-digits"),
        pytest.param(math.inf, id="infinity"),
        pytest.param(math.nan, id="nan"),
        pytest.param(10**30, id="big-int"),
        pytest.param("nan", id="nan-text"),
        pytest.param("\udcff\x00é\u2028", id="odd-characters"),
    ],
)
def test_the_type_of_a_parameter_survives(value: object) -> None:
    trial = Trial(0, "t", {"p": value})
    assert repr(TRIAL.loads(TRIAL.dumps(trial))) == repr(trial)


def test_what_a_definition_leaves_out_is_kept_elsewhere() -> None:
    left_out = {field.name for field in fields(Experiment)} - set(DEFINITION.names)
    assert left_out == {"status", "generation", "revision", "seq"}


def test_an_empty_summary_survives() -> None:
    trial = Trial(0, "t", {}, observation={"loss": MetricSummary()})
    assert TRIAL.loads(TRIAL.dumps(trial)) == trial


def test_a_mapping_that_is_no_dict_is_written_as_one() -> None:
    trial = Trial(0, "t", MappingProxyType({"lr": 0.1}))
    assert TRIAL.loads(TRIAL.dumps(trial)).parameters == {"lr": 0.1}


def test_a_field_that_an_older_record_lacks_takes_its_default() -> None:
    assert TRIAL.loads('{"number":3,"name":"t","parameters":{}}') == Trial(3, "t", {})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="cut"),
        pytest.param("[]", id="no-object"),
        pytest.param('{"number":1,"name":"t","parameters":{},"observation":[]}', id="no-mapping"),
        pytest.param('{"number":1,"name":"t","parameters":{},"state":"Sleeping"}', id="unknown-state"),
    ],
)
def test_what_is_no_record_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a record|Expecting"):
        TRIAL.loads(text)


def test_a_record_of_a_newer_version_is_told_from_a_damaged_one() -> None:
    text = '{"number":1,"name":"t","parameters":{},"mood":"good","aim":1}'
    with pytest.raises(UnknownFieldsError, match="aim, mood"):
        TRIAL.loads(text)
    with pytest.raises(PermanentError, match=r"trial a/t: a newer version.*aim, mood") as caught:
        load_record("trial a/t", TRIAL, text)
    assert type(caught.value) is PermanentError


def test_every_field_of_a_trial_has_a_place_and_defaults_are_left_out() -> None:
    assert set(TRIAL.names) == {field.name for field in fields(Trial)}
    assert set(TRIAL.encode(Trial(0, "t", {}, attempt=2))) == {"number", "name", "parameters", "attempt"}
