"""What documents say of their fields: every one has a text; the schema agrees with what ``katib validate`` takes."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

from katib.core.errors import UnknownNameError
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment
from katib.resources.fields import KINDS, Field, fields_of, find_field, json_schema
from katib.resources.shared_types import Model
from katib.resources.trial_documents import ConfigMap
from tests.resources.experiment_trees import EXAMPLES as FOLDER
from tests.resources.experiment_trees import experiment_tree

ROOT = Path(__file__).parents[2]
EXAMPLES = [
    document
    for path in sorted([*ROOT.glob("examples/**/*.yaml"), *FOLDER.glob("*.yaml")])
    for document in yaml.safe_load_all(path.read_text())
    if isinstance(document, dict) and document.get("kind") == "Experiment"
]


def models(*start: type[Model]) -> list[type[Model]]:
    found, queue = {}, list(start)
    while queue:
        model = queue.pop()
        if model not in found:
            found[model] = None
            queue += [field.model for field in fields_of(model) if field.model]
    return list(found)


@pytest.mark.parametrize("model", models(*KINDS.values(), ConfigMap), ids=lambda model: model.__name__)
def test_every_field_has_a_text(model):
    for field in fields_of(model):
        assert len(field.text.split()) >= 2, f"{model.__name__}.{field.name}: describe it with about(...)"
        assert not re.search(r"[^.]\.$", field.text)


@pytest.mark.parametrize(
    ("path", "kind", "allowed", "default"),
    [
        ("spec.parameters", "[]ParameterSpec", (), None),
        ("spec.parameters.parameterType", "string", ("double", "int", "discrete", "categorical"), None),
        ("spec.parameters.feasibleSpace.list", "[]string", (), None),
        ("spec.parallelTrialCount", "integer", (), 3),
        ("spec.objective.goal", "number", (), None),
        ("spec.trialTemplate.retain", "boolean", (), None),
        ("spec.trialTemplate.trialSpec", "Object", (), None),
        ("spec.trialTemplate.primaryPodLabels", "map[string]string", (), None),
        ("spec.resumePolicy", "string", ("Never", "LongRunning", "FromVolume"), "Never"),
        ("", "Experiment", (), None),
    ],
)
def test_field(path, kind, allowed, default):
    found = find_field("experiment", path.split(".") if path else [])
    assert isinstance(found, Field)
    assert (found.kind, found.allowed, found.default) == (kind, allowed, default)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("spec.objectiv", "unknown field of experiment.spec 'objectiv' (did you mean 'objective'?)"),
        ("spec.objective.goal.x", "unknown field of experiment.spec.objective.goal 'x'; known: none"),
    ],
)
def test_unknown_field(path, message):
    with pytest.raises(UnknownNameError) as caught:
        find_field("experiment", path.split("."))
    assert str(caught.value).startswith(message)


def test_defaults_are_those_that_are_filled_in():
    spec = fill_defaults(Experiment.model_validate(experiment_tree())).spec
    assert find_field("experiment", ["spec", "resumePolicy"]).default == spec.resume_policy
    kind = find_field("experiment", ["spec", "metricsCollectorSpec", "collector", "kind"])
    assert kind.default == spec.metrics_collector_spec.collector.kind
    distribution = find_field("experiment", ["spec", "parameters", "feasibleSpace", "distribution"])
    assert distribution.default == spec.parameters[0].feasible_space.distribution


@pytest.fixture(scope="module")
def validator():
    kind = importlib.import_module("jsonschema").Draft202012Validator
    schema = json_schema("experiment", ["random", "grid"], ["medianstop"])
    kind.check_schema(schema)
    return kind(schema)


@pytest.mark.requires("jsonschema")
def test_schema_takes_every_example(validator):
    assert len(EXAMPLES) > 5
    for document in EXAMPLES:
        found = [e for e in validator.iter_errors(document) if list(e.absolute_path)[-1:] != ["algorithmName"]]
        assert not found, (document["metadata"]["name"], found[0].message)


@pytest.mark.requires("jsonschema")
@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"maxTrials": 3}, ["spec"], id="unknown field"),
        pytest.param({"maxTrialCount": "3"}, ["spec", "maxTrialCount"], id="type"),
        pytest.param({"resumePolicy": "Sometimes"}, ["spec", "resumePolicy"], id="not allowed"),
        pytest.param({"algorithm": {"algorithmName": "gird"}}, ["spec", "algorithm", "algorithmName"], id="algorithm"),
        pytest.param({"parameters": [{"nam": "x"}]}, ["spec", "parameters", 0], id="in a list"),
    ],
)
def test_schema_refuses(validator, change, path):
    tree = experiment_tree()
    tree["spec"] |= change
    assert [list(error.absolute_path) for error in validator.iter_errors(tree)] == [path]


@pytest.mark.requires("jsonschema")
@pytest.mark.parametrize("kind", ["trial", "suggestion"])
def test_schema_of_other_kinds(kind):
    importlib.import_module("jsonschema").Draft202012Validator.check_schema(json_schema(kind))
