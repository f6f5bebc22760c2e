"""Templates that name a Python function: what they may leave out, and what they may not."""

from __future__ import annotations

import pytest

from katib.core.errors import SpecError
from katib.resources.load import Known, load_experiment
from katib.resources.python_function import entry_point

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
    trialSpec: {{apiVersion: {version}, kind: PythonFunction, spec: {{entryPoint: "{entry}"}}}}
"""
KNOWN = Known(frozenset({"random"}), frozenset())


def load(entry="package.module:function", version="katib.dev/v1", extra="retain: false"):
    return load_experiment(YAML.format(entry=entry, version=version, extra=extra), known=KNOWN)


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
    ],
)
def test_what_is_wrong_is_named(change, path):
    with pytest.raises(SpecError, match=path.replace(".", r"\.")):
        load(**change)
