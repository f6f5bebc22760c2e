"""Templates that name a Python function: what they may leave out, and what they may not."""

from __future__ import annotations

import re

import pytest

from katib.core.errors import SpecError
from katib.resources.load import Known, load_experiment
from katib.resources.python_function import Needs, entry_point, needs

YAML = """
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {{name: function}}
spec:
  objective: {{type: minimize, objectiveMetricName: loss}}
  algorithm: {{algorithmName: random}}
  parameters: [{{name: x, parameterType: double, feasibleSpace: {{min: "0", max: "1"}}}}]
  trialTemplate:
    {extra}
    trialSpec: {{apiVersion: {version}, kind: PythonFunction, spec: {{entryPoint: "{entry}"{more}}}}}
"""
KNOWN = Known(frozenset({"random"}), frozenset())


def load(entry="package.module:function", version="katib.dev/v1", extra="retain: false", more=""):
    return load_experiment(YAML.format(entry=entry, version=version, extra=extra, more=more), known=KNOWN)


def test_needs_neither_container_nor_conditions_nor_placeholders():
    loaded = load()
    assert entry_point(loaded.spec.template.document) == "package.module:function"
    assert loaded.warnings == ()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        pytest.param({"entry": "module.function"}, "trialSpec.spec.entryPoint", id="no-colon"),
        pytest.param({"entry": ""}, "trialSpec.spec.entryPoint", id="empty"),
        pytest.param({"entry": "a b:c"}, "trialSpec.spec.entryPoint", id="space"),
        pytest.param({"entry": "os:system('x')"}, "trialSpec.spec.entryPoint", id="code"),
        pytest.param({"version": "batch/v1"}, "trialSpec.apiVersion", id="other-version"),
        pytest.param({"extra": "trialParameters: [{name: x, reference: x}]"}, "trialParameters", id="placeholders"),
        pytest.param({"more": ", worker: 2"}, "spec.worker: unknown field (did you mean 'workers'?)", id="unknown"),
        pytest.param({"more": ", resources: 2"}, "trialSpec.spec.resources: got 2, expected an object", id="resources"),
        pytest.param({"more": ", resources: {cpu: many}"}, "spec.resources.cpu: got 'many', expected a qu", id="cpu"),
        pytest.param({"more": ", workers: 0"}, "spec.workers: got 0, expected an integer >= 1", id="workers"),
        pytest.param({"more": ", isolate: maybe"}, "spec.isolate: got 'maybe', expected true or false", id="isolate"),
    ],
)
def test_what_is_wrong_is_named(change, path):
    with pytest.raises(SpecError, match=re.escape(path)):
        load(**change)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param("", Needs(), id="defaults"),
        pytest.param(
            ", resources: {cpu: 500m, memory: 1Gi, nvidia.com/gpu: 0.5}, workers: 4, isolate: true",
            Needs({"cpu": 0.5, "memory": 2**30, "nvidia.com/gpu": 0.5}, 4, True),
            id="all",
        ),
    ],
)
def test_needs(more, expected):
    assert needs(load(more=more).spec.template.document) == expected
