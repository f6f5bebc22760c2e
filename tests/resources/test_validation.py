"""The rules of an Experiment: each test's id begins with the number of the rule in Katib's table, or ``own``."""

from __future__ import annotations

from typing import Any

import pytest

from katib.core.errors import SpecError
from katib.resources.defaults import fill_defaults
from katib.resources.documents import Experiment
from katib.resources.reading import read
from katib.resources.validation import find_problems, find_warnings, validate, validate_update
from katib.resources.validation_space import parse_number
from tests.resources.experiment_trees import GONE, KNOWN, experiment_tree


def experiment(edits: dict[str, Any] | None = None) -> Experiment:
    model, unknown = read(Experiment, experiment_tree(edits))
    assert unknown == []
    return fill_defaults(model)


def problems(edits: dict[str, Any]) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in find_problems(experiment(edits), KNOWN)]


NAS = {
    "graphConfig": {"numLayers": 2, "inputSizes": [32, 32, 3], "outputSizes": [10]},
    "operations": [
        {
            "operationType": "convolution",
            "parameters": [
                {"name": "size", "parameterType": "categorical", "feasibleSpace": {"list": ["3"]}},
                {"name": "depth", "parameterType": "int", "feasibleSpace": {"max": "3"}},
            ],
        },
        {"operationType": "skip_connection"},
    ],
}
PARAMETERS = "spec.parameters"
SPACE = "spec.parameters[0].feasibleSpace"
COUNT = "spec.parameters[1].feasibleSpace"
TEMPLATE = "spec.trialTemplate"
REFERENCES = f"{TEMPLATE}.trialParameters"
JOB = f"{TEMPLATE}.trialSpec"
POD = f"{JOB}.spec.template.spec"
TRAINER = f"{POD}.containers[0]"
COLLECTOR = "spec.metricsCollectorSpec"
CONFIG_MAP = {"configMapName": "a", "configMapNamespace": "b", "templatePath": "c"}


def collector(kind: str, place: object = None, **more: object) -> dict[str, Any]:
    source = {**({"fileSystemPath": place} if place else {}), **more}
    return {COLLECTOR: {"collector": {"kind": kind}, **({"source": source} if source else {})}}


@pytest.mark.parametrize(
    "edits",
    [
        pytest.param({}, id="as-it-is"),
        pytest.param({"metadata.name": "a" * 40}, id="1-forty-characters"),
        pytest.param({"spec.maxFailedTrialCount": 0}, id="2-zero-failed"),
        pytest.param({"spec.maxTrialCount": GONE, "spec.maxFailedTrialCount": 99}, id="5-no-maximum"),
        pytest.param({"spec.maxTrialCount": 2}, id="6-default-parallel-above-maximum"),
        pytest.param({"spec.maxTrialCount": 2, "spec.parallelTrialCount": 2}, id="6-equal"),
        pytest.param({"spec.objective.goal": 0}, id="10-goal-zero"),
        pytest.param({"spec.earlyStopping": {"algorithmName": "medianstop"}}, id="12-known"),
        pytest.param({f"{REFERENCES}": [], f"{TRAINER}.command": ["x"]}, id="17-empty-list"),
        pytest.param({PARAMETERS: GONE, "spec.nasConfig": NAS, REFERENCES: [], f"{TRAINER}.command": []}, id="28-nas"),
        pytest.param({f"{SPACE}.min": "0.05"}, id="own-min-equals-max"),
        pytest.param({f"{SPACE}.step": "1e9"}, id="own-step-beyond-the-range"),
        pytest.param({f"{SPACE}.min": "-1e-3", f"{SPACE}.max": "+.5"}, id="own-numbers"),
        pytest.param({f"{COUNT}.min": "1.0", f"{COUNT}.max": "1e3"}, id="own-integers-with-a-point"),
        pytest.param({f"{COUNT}.max": str(2**53)}, id="own-largest-integer"),
        pytest.param(collector("File", {"path": "/a", "format": "JSON"}), id="34-json"),
        pytest.param(collector("PrometheusMetric", httpGet={"port": "9090"}), id="36-port-as-text"),
        pytest.param(collector("Push"), id="38-push"),
        pytest.param({f"{TRAINER}.resources": {"limits": {"nvidia.com/gpu": 1, "cpu": "500m"}}}, id="27-resources"),
        pytest.param({f"{JOB}.spec.parallelism": "${trialParameters.layers}"}, id="27-placeholder-as-number"),
        pytest.param(
            {f"{JOB}.kind": "Own", f"{JOB}.apiVersion": "x/v1", f"{JOB}.spec.zzz": 1}
            | {f"{TEMPLATE}.successCondition": "status.a", f"{TEMPLATE}.failureCondition": "status.b"},
            id="27-any-kind",
        ),
    ],
)
def test_valid(edits: dict[str, Any]) -> None:
    assert problems(edits) == []


@pytest.mark.parametrize(
    ("edits", "path", "message"),
    [
        pytest.param(
            {"apiVersion": "kubeflow.org/v1alpha3"}, "apiVersion", "got 'kubeflow.org/v1alpha3'", id="own-version"
        ),
        pytest.param({"kind": "Trial"}, "kind", "got 'Trial', expected Experiment", id="own-kind"),
        pytest.param({"metadata.name": "1st"}, "metadata.name", "got '1st'", id="1-digit-first"),
        pytest.param({"metadata.name": "a" * 41}, "metadata.name", "at most 40", id="1-too-long"),
        pytest.param({"metadata.name": "a_b"}, "metadata.name", "got 'a_b'", id="1-underscore"),
        pytest.param({"metadata.name": "a-"}, "metadata.name", "got 'a-'", id="1-ends-with-dash"),
        pytest.param({"metadata.name": "a\n"}, "metadata.name", "got 'a\\n'", id="1-newline"),
        pytest.param({"metadata.name": GONE}, "metadata.name", "missing", id="1-missing"),
        pytest.param({"metadata.namespace": "A"}, "metadata.namespace", "got 'A'", id="own-namespace"),
        pytest.param({"spec.maxFailedTrialCount": -1}, "spec.maxFailedTrialCount", "got -1, expected 0", id="2"),
        pytest.param({"spec.maxTrialCount": 0}, "spec.maxTrialCount", "got 0, expected 1 or more", id="3"),
        pytest.param({"spec.parallelTrialCount": 0}, "spec.parallelTrialCount", "got 0, expected 1 or more", id="4"),
        pytest.param(
            {"spec.maxFailedTrialCount": 13},
            "spec.maxFailedTrialCount",
            "got 13, expected at most maxTrialCount",
            id="5",
        ),
        pytest.param(
            {"spec.parallelTrialCount": 13}, "spec.parallelTrialCount", "got 13, expected at most maxTrialCount", id="6"
        ),
        pytest.param({"spec.objective": GONE}, "spec.objective", "missing", id="10-missing"),
        pytest.param(
            {"spec.objective.type": "minimise"}, "spec.objective.type", "did you mean 'minimize'", id="10-type"
        ),
        pytest.param(
            {"spec.objective.objectiveMetricName": ""}, "spec.objective.objectiveMetricName", "missing", id="10-metric"
        ),
        pytest.param(
            {"spec.objective.additionalMetricNames": ["a", "loss"]},
            "spec.objective.additionalMetricNames[1]",
            "got 'loss'",
            id="10-additional-is-objective",
        ),
        pytest.param(
            {"spec.objective.additionalMetricNames": ["a", "a"]},
            "spec.objective.additionalMetricNames[1]",
            "got 'a'",
            id="own-additional-twice",
        ),
        pytest.param({"spec.objective.goal": float("nan")}, "spec.objective.goal", "finite", id="own-goal-nan"),
        pytest.param({"spec.objective.goal": float("inf")}, "spec.objective.goal", "finite", id="own-goal-infinite"),
        pytest.param(
            {"spec.objective.metricStrategies": [{"name": "los", "value": "min"}]},
            "spec.objective.metricStrategies[0].name",
            "did you mean 'loss'",
            id="own-strategy-of-unknown-metric",
        ),
        pytest.param(
            {"spec.objective.metricStrategies": [{"name": "loss", "value": "mean"}]},
            "spec.objective.metricStrategies[0].value",
            "expected one of min, max, latest",
            id="own-strategy-value",
        ),
        pytest.param({"spec.algorithm": GONE}, "spec.algorithm.algorithmName", "missing", id="11-missing"),
        pytest.param(
            {"spec.algorithm.algorithmName": "randon"}, "spec.algorithm.algorithmName", "did you mean 'random'", id="11"
        ),
        pytest.param(
            {"spec.algorithm.algorithmSettings": [{"name": "a", "value": "1"}] * 2},
            "spec.algorithm.algorithmSettings[0].name",
            "more than once",
            id="own-setting-twice",
        ),
        pytest.param({"spec.earlyStopping": {}}, "spec.earlyStopping.algorithmName", "missing", id="12-missing"),
        pytest.param(
            {"spec.earlyStopping": {"algorithmName": "medianstopp"}},
            "spec.earlyStopping.algorithmName",
            "did you mean 'medianstop'",
            id="12-unknown",
        ),
        pytest.param({"spec.resumePolicy": "never"}, "spec.resumePolicy", "did you mean 'Never'", id="13"),
        pytest.param({TEMPLATE: GONE}, TEMPLATE, "missing", id="14"),
        pytest.param(
            {f"{TEMPLATE}.primaryContainerName": GONE}, f"{TEMPLATE}.primaryContainerName", "missing", id="15"
        ),
        pytest.param(
            {f"{TEMPLATE}.primaryContainerName": "trainr"},
            f"{TEMPLATE}.primaryContainerName",
            "did you mean 'trainer'",
            id="own-no-such-container",
        ),
        pytest.param({f"{JOB}.kind": "Workflow"}, f"{TEMPLATE}.successCondition", "missing", id="16-success"),
        pytest.param({f"{JOB}.kind": "Workflow"}, f"{TEMPLATE}.failureCondition", "missing", id="16-failure"),
        pytest.param(
            {f"{TEMPLATE}.successCondition": "status.#("}, f"{TEMPLATE}.successCondition", "", id="own-condition-syntax"
        ),
        pytest.param({REFERENCES: GONE}, REFERENCES, "missing", id="17"),
        pytest.param({JOB: GONE}, TEMPLATE, "got neither of trialSpec and configMap", id="18-neither"),
        pytest.param({f"{TEMPLATE}.configMap": CONFIG_MAP}, TEMPLATE, "got both", id="18-both"),
        *(
            pytest.param(
                {JOB: GONE, f"{TEMPLATE}.configMap": {**CONFIG_MAP, name: ""}},
                f"{TEMPLATE}.configMap.{name}",
                "missing",
                id=f"19-{name}",
            )
            for name in CONFIG_MAP
        ),
        pytest.param({f"{REFERENCES}[0].name": ""}, f"{REFERENCES}[0].name", "got ''", id="21-no-name"),
        pytest.param({f"{REFERENCES}[0].name": "a}"}, f"{REFERENCES}[0].name", "without braces", id="21-brace"),
        pytest.param({f"{REFERENCES}[0].reference": GONE}, f"{REFERENCES}[0].reference", "missing", id="21-reference"),
        pytest.param({f"{REFERENCES}[1].name": "rate"}, f"{REFERENCES}[1].name", "second time", id="22-name"),
        pytest.param(
            {f"{REFERENCES}[1].reference": "lr"}, f"{REFERENCES}[1].reference", "second time", id="22-reference"
        ),
        pytest.param(
            {f"{REFERENCES}[1].reference": "layer"}, f"{REFERENCES}[1].reference", "did you mean 'layers'", id="23"
        ),
        pytest.param(
            {f"{TRAINER}.command[1]": "--rate"},
            f"{REFERENCES}[0].name",
            "got 'rate', expected ${trialParameters.rate} in the template",
            id="24",
        ),
        pytest.param(
            {f"{TRAINER}.workingDir": "/${trialParameters.layer}"},
            JOB,
            "got ${trialParameters.layer}, expected a name listed in trialParameters (did you mean 'layers'?)",
            id="25",
        ),
        pytest.param(
            {f"{REFERENCES}[0].reference": "${trialSpec.Nam}"},
            f"{REFERENCES}[0].reference",
            "'Name'",
            id="own-meta-key",
        ),
        pytest.param(
            {f"{REFERENCES}[0].reference": "${trialSpec.Labels[team]}"},
            f"{REFERENCES}[0].reference",
            "Labels[team]",
            id="own-meta-label",
        ),
        pytest.param({f"{JOB}.apiVersion": GONE}, f"{JOB}.apiVersion", "expected text", id="26-version"),
        pytest.param({f"{JOB}.kind": GONE}, f"{JOB}.kind", "expected text", id="26-kind"),
        pytest.param({f"{JOB}.metadata": {"name": "x"}}, f"{JOB}.metadata.name", "expected none", id="26-name"),
        pytest.param({f"{JOB}.metadata": {"namespace": "x"}}, f"{JOB}.metadata.namespace", "none", id="26-namespace"),
        pytest.param({f"{JOB}.metadata": [1]}, f"{JOB}.metadata", "expected a mapping", id="26-metadata"),
        pytest.param({f"{JOB}.spec.backofLimit": 1}, f"{JOB}.spec.backofLimit", "'backoffLimit'", id="27-job"),
        pytest.param({f"{JOB}.spec.backoffLimit": "1"}, f"{JOB}.spec.backoffLimit", "an integer", id="27-type"),
        pytest.param({f"{POD}.restartpolicy": "Never"}, f"{POD}.restartpolicy", "'restartPolicy'", id="27-pod"),
        pytest.param({f"{TRAINER}.comand": []}, f"{TRAINER}.comand", "'command'", id="27-container"),
        pytest.param(
            {f"{TRAINER}.command": "train"}, f"{TRAINER}.command", "got 'train', expected a list", id="27-command"
        ),
        pytest.param(
            {f"{TRAINER}.args": ["--epochs", 3]}, f"{TRAINER}.args[1]", "got 3, expected text", id="27-number"
        ),
        pytest.param(
            {f"{TRAINER}.env": [{"name": "A", "val": "x"}]}, f"{TRAINER}.env[0].val", "unknown field 'val'", id="27-env"
        ),
        pytest.param({PARAMETERS: GONE}, PARAMETERS, "missing", id="28-neither"),
        pytest.param({PARAMETERS: []}, PARAMETERS, "got an empty list", id="own-no-parameters"),
        pytest.param({"spec.nasConfig": NAS}, "spec.nasConfig", "only one of the two", id="28-both"),
        pytest.param(
            {f"{PARAMETERS}[0].parameterType": "doubel"}, f"{PARAMETERS}[0].parameterType", "'double'", id="29-type"
        ),
        pytest.param(
            {f"{PARAMETERS}[0].parameterType": GONE}, f"{PARAMETERS}[0].parameterType", "got null", id="29-no-type"
        ),
        pytest.param({f"{SPACE}.distribution": "loguniform"}, f"{SPACE}.distribution", "'logUniform'", id="29"),
        pytest.param({SPACE: GONE}, f"{SPACE}.min", "missing, expected a number", id="30"),
        pytest.param({f"{SPACE}.list": ["1"]}, f"{SPACE}.list", "expected min and max", id="31-list"),
        pytest.param({f"{SPACE}.max": GONE}, f"{SPACE}.max", "missing", id="31-max"),
        *(
            pytest.param(
                {f"{PARAMETERS}[{index}].feasibleSpace.{name}": "1"},
                f"{PARAMETERS}[{index}].feasibleSpace.{name}",
                "got '1', expected a list instead",
                id=f"32-{name}-{index}",
            )
            for index in (2, 3)
            for name in ("min", "max", "step")
        ),
        pytest.param(
            {f"{PARAMETERS}[2].feasibleSpace.list": []}, f"{PARAMETERS}[2].feasibleSpace.list", "empty", id="own-empty"
        ),
        pytest.param(
            {f"{PARAMETERS}[3].feasibleSpace": {}}, f"{PARAMETERS}[3].feasibleSpace.list", "missing", id="own-no-list"
        ),
        pytest.param(
            {f"{PARAMETERS}[2].feasibleSpace.list": ["9" * 310]},
            f"{PARAMETERS}[2].feasibleSpace.list[0]",
            "expected a number",
            id="own-listed-beyond-floats",
        ),
        pytest.param({f"{SPACE}.step": "1e-320"}, f"{SPACE}.step", "too many steps", id="own-step-too-small"),
        pytest.param(
            {f"{SPACE}.min": "-1e308", f"{SPACE}.max": "1e308"}, f"{SPACE}.max", "nearer to min", id="own-too-far-apart"
        ),
        pytest.param({f"{SPACE}.max": "9" * 310}, f"{SPACE}.max", "expected a number", id="own-beyond-floats"),
        pytest.param(
            {f"{PARAMETERS}[2].feasibleSpace.list": ["1", "many"]},
            f"{PARAMETERS}[2].feasibleSpace.list[1]",
            "got 'many', expected a number",
            id="own-discrete-text",
        ),
        pytest.param(
            {f"{PARAMETERS}[2].feasibleSpace.list": ["1", "1.0"]},
            f"{PARAMETERS}[2].feasibleSpace.list[1]",
            "second time",
            id="own-discrete-twice",
        ),
        pytest.param(
            {f"{PARAMETERS}[3].feasibleSpace.list": ["a", "a"]},
            f"{PARAMETERS}[3].feasibleSpace.list[1]",
            "second time",
            id="own-categorical-twice",
        ),
        pytest.param({f"{PARAMETERS}[1].name": "lr"}, f"{PARAMETERS}[1].name", "second time", id="own-name-twice"),
        pytest.param({f"{PARAMETERS}[1].name": GONE}, f"{PARAMETERS}[1].name", "missing", id="own-no-name"),
        pytest.param(
            {f"{SPACE}.min": "1"}, f"{SPACE}.max", "got 0.05, expected at least min, which is 1", id="own-order"
        ),
        pytest.param({f"{SPACE}.min": "low"}, f"{SPACE}.min", "got 'low', expected a number", id="own-no-number"),
        pytest.param({f"{SPACE}.min": "1_0"}, f"{SPACE}.min", "expected a number", id="own-underscore"),
        pytest.param({f"{SPACE}.max": "1e999"}, f"{SPACE}.max", "expected a number", id="own-overflow"),
        pytest.param({f"{SPACE}.max": "inf"}, f"{SPACE}.max", "expected a number", id="own-infinite"),
        pytest.param({f"{SPACE}.step": "0"}, f"{SPACE}.step", "greater than 0", id="own-step-zero"),
        pytest.param({f"{SPACE}.step": "-0.1"}, f"{SPACE}.step", "greater than 0", id="own-step-negative"),
        pytest.param({f"{SPACE}.step": "x"}, f"{SPACE}.step", "expected a number", id="own-step-text"),
        pytest.param({f"{COUNT}.min": "0.5"}, f"{COUNT}.min", "parameterType is int", id="own-int-fraction"),
        pytest.param({f"{COUNT}.step": "0.5"}, f"{COUNT}.step", "parameterType is int", id="own-int-step-fraction"),
        pytest.param({f"{COUNT}.max": str(2**53 + 1)}, f"{COUNT}.max", "2^53", id="own-int-too-large"),
        pytest.param({f"{COUNT}.max": "1" + "0" * 399}, f"{COUNT}.max", "2^53", id="own-int-huge"),
        *(
            pytest.param(
                {f"{SPACE}.distribution": distribution, f"{SPACE}.min": low},
                f"{SPACE}.min",
                f"expected more than 0 for the distribution {distribution}",
                id=f"own-{distribution}-{low}",
            )
            for distribution in ("logUniform", "logNormal")
            for low in ("0", "-1")
        ),
        pytest.param(
            {PARAMETERS: GONE, "spec.nasConfig": {"operations": []}},
            "spec.nasConfig.operations",
            "empty",
            id="own-nas-0",
        ),
        pytest.param(
            {PARAMETERS: GONE, "spec.nasConfig": {}}, "spec.nasConfig.graphConfig", "missing", id="own-nas-graph"
        ),
        pytest.param(
            {PARAMETERS: GONE, "spec.nasConfig": {**NAS, "graphConfig": {"numLayers": 0, "inputSizes": [0]}}},
            "spec.nasConfig.graphConfig.inputSizes[0]",
            "got 0, expected at least 1",
            id="own-nas-sizes",
        ),
        pytest.param(
            {PARAMETERS: GONE, "spec.nasConfig": {**NAS, "operations": [{"parameters": []}]}},
            "spec.nasConfig.operations[0].operationType",
            "missing",
            id="own-nas-operation",
        ),
        pytest.param(
            {
                PARAMETERS: GONE,
                "spec.nasConfig": {
                    **NAS,
                    "operations": [{"operationType": "x", "parameters": [{"name": "p", "parameterType": "int"}]}],
                },
            },
            "spec.nasConfig.operations[0].parameters[0].feasibleSpace.min",
            "missing",
            id="own-nas-parameter",
        ),
        pytest.param(
            collector("File", {"path": "a"}), f"{COLLECTOR}.source.fileSystemPath.path", "absolute", id="34-path"
        ),
        pytest.param(
            collector("File", {"kind": "Directory"}),
            f"{COLLECTOR}.source.fileSystemPath.kind",
            "one of File",
            id="34-kind",
        ),
        pytest.param(
            collector("File", {"format": "json"}), f"{COLLECTOR}.source.fileSystemPath.format", "'JSON'", id="34-format"
        ),
        pytest.param(
            collector("File", {"format": "JSON"}, filter={"metricsFormat": ["(a)=(b)"]}),
            f"{COLLECTOR}.source.filter",
            "needs no filter",
            id="34-filter",
        ),
        pytest.param(
            collector("TensorFlowEvent", {"path": "a"}),
            f"{COLLECTOR}.source.fileSystemPath.path",
            "absolute",
            id="35-path",
        ),
        pytest.param(
            collector("TensorFlowEvent", {"kind": "File"}),
            f"{COLLECTOR}.source.fileSystemPath.kind",
            "Directory",
            id="35-kind",
        ),
        pytest.param(
            collector("TensorFlowEvent", {"format": "TEXT"}),
            f"{COLLECTOR}.source.fileSystemPath.format",
            "none",
            id="35-format",
        ),
        *(
            pytest.param(
                collector("PrometheusMetric", httpGet={"port": port}),
                f"{COLLECTOR}.source.httpGet.port",
                "port number",
                id=f"36-port-{port}",
            )
            for port in ("http", -1, 65536, True, 1.5, "9" * 30)
        ),
        pytest.param(
            collector("PrometheusMetric", httpGet={"path": "metrics"}),
            f"{COLLECTOR}.source.httpGet.path",
            "begins with /",
            id="36-path",
        ),
        *(
            pytest.param(
                collector("PrometheusMetric", httpGet=action), f"{COLLECTOR}.source.httpGet{path}", said, id=id
            )
            for id, action, path, said in (
                ("36-scheme", {"scheme": "ftp"}, ".scheme", "expected HTTP or HTTPS"),
                ("36-host", {"host": 7}, ".host", "expected a host name or none"),
                ("36-headers", {"httpHeaders": "a"}, ".httpHeaders[0]", "expected an object with name and value"),
                ("36-header", {"httpHeaders": [{"name": "a b", "value": ""}]}, ".httpHeaders[0]", "one line of text"),
                ("36-header-line", {"httpHeaders": [{"name": "a", "value": "b\n"}]}, ".httpHeaders[0]", "one line"),
                ("36-space", {"path": "/a b"}, ".path", "begins with /"),
                ("36-unknown", {"prot": 1}, ".prot", "did you mean 'port'"),
            )
        ),
        pytest.param(
            collector("Custom", {"path": "/a", "kind": "File", "format": "XML"}),
            f"{COLLECTOR}.source.fileSystemPath.format",
            "JSON",
            id="37-format",
        ),
        pytest.param(
            collector("Custom", {"format": "JSON"}, filter={"metricsFormat": ["(a)=(b)"]}),
            f"{COLLECTOR}.source.filter",
            "the format JSON needs no filter",
            id="37-filter",
        ),
        pytest.param(collector("Custom"), f"{COLLECTOR}.collector.customCollector", "missing", id="37-container"),
        pytest.param(
            collector("Custom", {"path": "a", "kind": "File"}),
            f"{COLLECTOR}.source.fileSystemPath.path",
            "absolute",
            id="37-path",
        ),
        pytest.param(collector("None"), f"{COLLECTOR}.collector.kind", "called Push now", id="38-none"),
        pytest.param(collector("stdout"), f"{COLLECTOR}.collector.kind", "did you mean 'StdOut'", id="38-case"),
        *(
            pytest.param(
                collector(kind, filter={"metricsFormat": ["(a)=(b)", text]}),
                f"{COLLECTOR}.source.filter.metricsFormat[1]",
                expected,
                id=f"39-{kind}-{name}",
            )
            for kind in ("StdOut", "File")
            for name, text, expected in (
                ("broken", "(a", "expected a regular expression"),
                ("one-group", "(a)=b", "with 1 group(s), expected two"),
                ("escaped-groups", r"\(a\)=\(b\)", "with 0 group(s)"),
                ("long", "(a)(b)" * 200, "at most 1000"),
            )
        ),
        pytest.param(
            collector("StdOut", filter={"metricsFormat": ["(a)=(b)"] * 51}),
            f"{COLLECTOR}.source.filter.metricsFormat",
            "got 51 filters, expected at most 50",
            id="own-many-filters",
        ),
    ],
)
def test_invalid(edits: dict[str, Any], path: str, message: str) -> None:
    found = dict(problems(edits))
    assert path in found, found
    assert message in found[path]


def test_all_problems_are_told_at_once_and_in_order() -> None:
    edits = {
        "metadata.name": "X",
        "spec.maxTrialCount": 0,
        "spec.objective.type": "best",
        "spec.algorithm.algorithmName": "zzz",
        f"{SPACE}.min": "low",
        f"{REFERENCES}[0].reference": "zzz",
    }
    with pytest.raises(SpecError) as caught:
        validate(experiment(edits), KNOWN)
    assert [problem.path for problem in caught.value.problems] == [
        "metadata.name",
        "spec.maxTrialCount",
        "spec.objective.type",
        "spec.algorithm.algorithmName",
        f"{REFERENCES}[0].reference",
        f"{SPACE}.min",
    ]


def test_an_empty_experiment_is_told_everything_it_lacks() -> None:
    model, _ = read(Experiment, {})
    paths = {problem.path for problem in find_problems(fill_defaults(model), KNOWN)}
    assert paths == {
        "apiVersion",
        "kind",
        "metadata.name",
        "spec.objective",
        "spec.algorithm.algorithmName",
        "spec.trialTemplate",
        "spec.parameters",
    }


def test_the_template_of_a_config_map_is_checked_under_its_own_name() -> None:
    edits = {
        JOB: GONE,
        f"{TEMPLATE}.configMap": CONFIG_MAP,
        f"{TEMPLATE}.successCondition": "status.a",
        f"{TEMPLATE}.failureCondition": "status.b",
        REFERENCES: [],
    }
    template = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"paralelism": 1}}
    (problem,) = find_problems(experiment(edits), KNOWN, template)
    assert problem.path == "a[c].spec.paralelism"
    assert find_problems(experiment(edits), KNOWN) == []


def test_warnings() -> None:
    edits = {
        REFERENCES: [{"name": "rate", "reference": "lr"}],
        f"{PARAMETERS}[3].feasibleSpace.distribution": "normal",
    }
    assert [problem.path for problem in find_warnings(experiment(edits))] == [
        f"{PARAMETERS}[1]",
        f"{PARAMETERS}[2]",
        f"{PARAMETERS}[3]",
        f"{PARAMETERS}[3].feasibleSpace.distribution",
    ]
    assert find_warnings(experiment()) == []


def ended(reason: str, **edits: object) -> dict[str, Any]:
    kind = "Failed" if reason == "ExperimentFailed" else "Succeeded"
    condition = {"type": kind, "status": "True", "reason": reason}
    return {"status": {"conditions": [condition], "trials": 12}, "spec.resumePolicy": "LongRunning", **edits}


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        pytest.param({}, {}, [], id="nothing-changed"),
        pytest.param(ended("ExperimentGoalReached"), {"spec.resumePolicy": "LongRunning"}, [], id="7-same-spec"),
        pytest.param(
            ended("ExperimentMaxTrialsReached"),
            {"spec.resumePolicy": "LongRunning", "spec.maxTrialCount": 13},
            [],
            id="7-restartable",
        ),
        pytest.param(
            ended("ExperimentMaxTrialsReached", **{"spec.resumePolicy": "Never"}),
            {"spec.resumePolicy": "Never", "spec.maxTrialCount": 13},
            ["spec"],
            id="7-never",
        ),
        pytest.param(
            ended("ExperimentGoalReached"),
            {"spec.resumePolicy": "LongRunning", "spec.maxTrialCount": 13},
            ["spec"],
            id="7-goal-reached",
        ),
        pytest.param(
            ended("ExperimentFailed"),
            {"spec.resumePolicy": "LongRunning", "spec.maxTrialCount": 13},
            ["spec"],
            id="7-failed",
        ),
        pytest.param({"status": {"trials": 5}}, {"spec.maxTrialCount": 5}, ["spec.maxTrialCount"], id="8-not-above"),
        pytest.param({"status": {"trials": 5}}, {"spec.maxTrialCount": 6}, [], id="8-above"),
        pytest.param(
            {"status": {"trials": 12}}, {"spec.parallelTrialCount": 1}, ["spec.maxTrialCount"], id="8-any-change"
        ),
        pytest.param({}, {"spec.parallelTrialCount": 1, "spec.maxFailedTrialCount": 2}, [], id="9-counts"),
        pytest.param(
            {},
            {"spec.objective.goal": 0.5, "spec.resumePolicy": "FromVolume"},
            ["spec.objective", "spec.resumePolicy"],
            id="9-others",
        ),
        pytest.param({}, {"spec.parameters[0].feasibleSpace.max": "0.9"}, [], id="wider-space"),
        pytest.param({}, {"spec.constraints": ["lr < 0.04"]}, [], id="constraint"),
        pytest.param({}, {"spec.constraints": ["loss < 0.04"]}, ["spec.constraints"], id="constraint-on-metrics"),
        pytest.param(
            {}, {"spec.parameters[0].feasibleSpace.max": "0"}, ["spec.parameters[0].feasibleSpace.max"], id="no-space"
        ),
    ],
)
def test_updates(before: dict[str, Any], after: dict[str, Any], paths: list[str]) -> None:
    if not paths:
        validate_update(experiment(before), experiment(after))
        return
    with pytest.raises(SpecError) as caught:
        validate_update(experiment(before), experiment(after))
    assert [problem.path for problem in caught.value.problems] == paths


@pytest.mark.parametrize(
    ("text", "number"),
    [("5", 5), ("-5", -5), ("+5", 5), ("5.", 5.0), (".5", 0.5), ("1e-5", 1e-5), ("9007199254740993", 9007199254740993)],
)
def test_numbers(text: str, number: float) -> None:
    assert parse_number(text) == number
    assert type(parse_number(text)) is type(number)


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "nan", "inf", "-inf", "1e999", "0x10", "1_0", "١", "1,5", "+", ".", "e5"]
)
def test_no_numbers(text: str) -> None:
    assert parse_number(text) is None
