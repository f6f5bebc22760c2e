"""What Katib makes of an Experiment, in plain trees: its defaults and the job of a trial.

Written a second time, from Katib's rules and by other means than ``katib.resources`` (Katib replaces placeholders in
the text of a template, before it is parsed), so that the two can be compared.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

_TRAINING = ("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob")
_LABELS = {
    "TrainJob": {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"},
    **{kind: {"training.kubeflow.org/job-role": "master"} for kind in _TRAINING},
}
_ASSIGNMENTS = {"enas": ("architecture", "nn_config"), "darts": ("algorithm-settings", "search-space", "num-layers")}
_META = re.compile(r"\$\{trialSpec\.(.+)\}")


def experiments_of(path: Path) -> list[dict[str, Any]]:
    """The Katib Experiments of a YAML file; none if it is another kind of file."""
    try:
        trees = list(yaml.safe_load_all(path.read_text()))
    except (yaml.YAMLError, UnicodeDecodeError):
        return []
    return [
        tree
        for tree in trees
        if isinstance(tree, dict)
        and (tree.get("apiVersion"), tree.get("kind")) == ("kubeflow.org/v1beta1", "Experiment")
    ]


def config_maps_of(path: Path) -> list[dict[str, Any]]:
    return [tree for tree in yaml.safe_load_all(path.read_text()) if tree.get("kind") == "ConfigMap"]


def defaulted(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """The experiment as Katib's webhook would store it in the namespace ``default`` if it names none."""
    tree = copy.deepcopy(dict(experiment))
    tree.pop("status", None)
    tree["metadata"].setdefault("namespace", "default")
    spec = tree["spec"]
    spec.setdefault("parallelTrialCount", 3)
    spec.setdefault("resumePolicy", "Never")
    objective = spec["objective"]
    strategies = objective.setdefault("metricStrategies", [])
    for metric in [objective["objectiveMetricName"], *objective.get("additionalMetricNames", [])]:
        if metric not in [strategy["name"] for strategy in strategies]:
            strategies.append({"name": metric, "value": "min" if objective["type"] == "minimize" else "max"})
    _default_template(spec["trialTemplate"])
    _default_collector(spec.setdefault("metricsCollectorSpec", {}))
    for parameter in spec.get("parameters", []):
        parameter["feasibleSpace"].setdefault("distribution", "uniform")
    return tree


def _default_template(template: dict[str, Any]) -> None:
    kind = template.get("trialSpec", {}).get("kind")
    if kind in ("Job", "TrainJob", *_TRAINING):
        success = "Succeeded" if kind in _TRAINING else "Complete"
        for field, condition in (("successCondition", success), ("failureCondition", "Failed")):
            template.setdefault(field, f'status.conditions.#(type=="{condition}")#|#(status=="True")#')
        if kind in _LABELS:
            template.setdefault("primaryPodLabels", _LABELS[kind])


def _default_collector(collector: dict[str, Any]) -> None:
    kind = collector.setdefault("collector", {"kind": "StdOut"})["kind"]
    if kind == "PrometheusMetric":
        place = collector.setdefault("source", {}).setdefault("httpGet", {})
        place.setdefault("path", "/metrics")
        place.setdefault("port", 8080)
    elif kind in ("File", "TensorFlowEvent"):
        place = collector.setdefault("source", {}).setdefault("fileSystemPath", {})
        place.setdefault("kind", "File" if kind == "File" else "Directory")
        place.setdefault("path", "/var/log/katib/metrics.log" if kind == "File" else "/var/log/katib/tfevent/")
        if kind == "File":
            place.setdefault("format", "TEXT")


def assignments_of(experiment: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, str]:
    """The texts that Katib's services answer for a trial with these typed ``values``: Python's str() of a number, the
    user's own text of a list. For a neural search each assignment is an example of its kind."""
    spec = experiment["spec"]
    if "nasConfig" in spec:
        return {name: f"[['{name}', 1], {{'a': 0.5}}]" for name in _ASSIGNMENTS[spec["algorithm"]["algorithmName"]]}
    texts = {}
    for parameter in spec["parameters"]:
        value, listed = values[parameter["name"]], map(str, parameter["feasibleSpace"].get("list", []))
        same = [text for text in listed if text == str(value) or _number(text) == value]
        texts[parameter["name"]] = same[0] if same else str(value)
    return texts


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def trial_job(
    experiment: Mapping[str, Any], template: str, assignments: Mapping[str, str], name: str, namespace: str
) -> dict[str, Any]:
    """The job of one trial. template: the text that Katib replaces in: inline as JSON, of a ConfigMap as YAML."""
    before = experiment["spec"]["trialTemplate"].get("trialSpec", {})
    metadata = before.get("metadata", {})
    for parameter in experiment["spec"]["trialTemplate"]["trialParameters"]:
        meta = _META.fullmatch(parameter["reference"])
        if meta is None:
            text = assignments[parameter["reference"]]
        elif item := re.fullmatch(r"(Labels|Annotations)\[(.+)\]", meta[1]):
            text = metadata[item[1].lower()][item[2]]
        else:
            known = {"Name": name, "Namespace": namespace}
            text = {**known, "Kind": before.get("kind"), "APIVersion": before.get("apiVersion")}[meta[1]]
        template = template.replace(f"${{trialParameters.{parameter['name']}}}", text)
    job: dict[str, Any] = yaml.safe_load(template) if not before else json.loads(template)
    job["metadata"] = {**job.get("metadata", {}), "name": name, "namespace": namespace}
    return job


def as_texts(node: Any) -> Any:
    """A tree whose leaves are texts: Katib's resources write ``"0.01"`` where YAML may have a number."""
    return _leaves(node, lambda leaf: str(int(leaf)) if isinstance(leaf, float) and leaf.is_integer() else str(leaf))


def as_numbers(node: Any) -> Any:
    """The same, and texts that write the same number are one (``"1e-4"`` and ``"0.0001"``)."""
    return _leaves(as_texts(node), lambda text: text if (number := _number(text)) is None else repr(number))


def _leaves(node: Any, convert: Callable[[Any], str]) -> Any:
    if isinstance(node, Mapping):
        return {key: _leaves(value, convert) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_leaves(item, convert) for item in node]
    return convert(node)
