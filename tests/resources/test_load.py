"""From a file to a spec: examples, templates outside of the experiment, messages with lines, rubbish of all kinds."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.errors import SpecError
from katib.resources.load import load_experiment
from katib.resources.template import placeholders
from tests.resources.experiment_trees import EXAMPLES, GONE, KNOWN, experiment_tree

NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))


@pytest.mark.parametrize("name", NAMES)
def test_examples_of_every_kind_load(name: str) -> None:
    loaded = load_experiment(EXAMPLES / name, known=KNOWN)
    spec = loaded.spec
    assert loaded.warnings == ()
    assert spec.key.namespace == "team-a"
    assert placeholders(spec.template.document) == {parameter.name for parameter in spec.template.parameters}
    assert bool(len(spec.space)) != bool(spec.nas)
    maps = [each for each in yaml.safe_load_all((EXAMPLES / name).read_text()) if each["kind"] == "ConfigMap"]
    again = load_experiment(json.dumps(loaded.document), known=KNOWN, config_maps=maps)
    assert again.spec == spec
    assert again.document == loaded.document


def test_there_is_an_example_of_every_kind_of_job_and_algorithm() -> None:
    specs = [load_experiment(EXAMPLES / name, known=KNOWN).spec for name in NAMES]
    assert {spec.algorithm.name for spec in specs} == set(KNOWN.algorithms)
    assert {spec.template.document["kind"] for spec in specs} == {
        *("Job", "TrainJob", "PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "Workflow", "PipelineRun")
    }
    assert {spec.collector.kind for spec in specs} == {
        *("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push")
    }


def refusal(source: str | Path, **more: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_experiment(source, known=KNOWN, **more)
    return caught.value


def test_problems_name_file_line_path_value_and_nearest_name(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    text = (EXAMPLES / "random.yaml").read_text()
    text = text.replace("algorithmName: random", "algorithmName: randon").replace("parallelTrialCount: 3", "paralel: 3")
    file.write_text(text.replace('max: "0.05"', 'max: "0.001"').replace("reference: momentum", "reference: momentun"))
    lines = str(refusal(file)).splitlines()
    assert lines == [
        f"{file}: line 13: spec.paralel: unknown field 'paralel'",
        f"{file}: line 12: spec.algorithm.algorithmName: got 'randon', expected one of "
        f"{', '.join(sorted(KNOWN.algorithms))} (did you mean 'random'?)",
        f"{file}: line 27: spec.trialTemplate.trialParameters[1].reference: got 'momentun', "
        "expected a parameter of spec.parameters (did you mean 'momentum'?)",
        f"{file}: line 19: spec.parameters[0].feasibleSpace.max: got 0.001, expected at least min, which is 0.01",
    ]


def test_a_missing_field_has_the_line_of_what_should_hold_it() -> None:
    (problem,) = refusal((EXAMPLES / "random.yaml").read_text().replace("    type: minimize\n", "")).problems
    assert (problem.path, problem.line) == ("spec.objective.type", 7)


@pytest.mark.parametrize(
    ("text", "path", "expected"),
    [
        pytest.param("kind: Service", "kind", "got 'Service', expected Experiment", id="another-kind"),
        pytest.param("a: 1", "kind", "missing, expected Experiment", id="no-kind"),
        pytest.param("kind: [1]", "kind", "got [1], expected Experiment", id="kind-of-another-type"),
        pytest.param("kind: Experiment\n---\nkind: Experiment", "", "2 of the kind Experiment (lines 1, 3)", id="two"),
        pytest.param("kind: ConfigMap\n---\nkind: ConfigMap", "", "none of them", id="none"),
        pytest.param("kind: Experiment\nspec: [1]", "spec", "got [1], expected a mapping", id="spec-is-a-list"),
        pytest.param("kind: Experiment\nmetadata: x", "metadata", "got 'x', expected a mapping", id="metadata-is-text"),
        pytest.param("", "", "the file is empty", id="empty"),
    ],
)
def test_files_that_hold_no_experiment(text: str, path: str, expected: str) -> None:
    first = refusal(text).problems[0]
    assert first.path == path
    assert expected in first.message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "No such file" in str(refusal(tmp_path / "none.yaml"))
    assert "cannot be read" in str(refusal(tmp_path))


def test_other_documents_are_ignored_with_a_warning() -> None:
    text = (EXAMPLES / "random.yaml").read_text() + "---\napiVersion: v1\nkind: Namespace\n"
    (warning,) = load_experiment(text, known=KNOWN).warnings
    assert warning.message == "ignored: 'Namespace'"
    assert warning.line == text.count("\n")


def test_the_status_of_an_applied_document_is_ignored() -> None:
    tree = experiment_tree({"status": {"trials": "many"}})
    assert "status" not in load_experiment(json.dumps(tree), known=KNOWN).document


JOB = """apiVersion: batch/v1
kind: Job
spec:
  parallelism: ${trialParameters.layers}
  template:
    spec:
      containers:
        - {name: trainer, command: [train, ${trialParameters.rate}, "${trialParameters.batch}"]}
        - name: ${trialParameters.optimizer}
"""


def with_config_map(**source: str) -> str:
    named = {"configMapName": "jobs", "configMapNamespace": "team-a", "templatePath": "job.yaml", **source}
    edits = {
        "spec.trialTemplate.trialSpec": GONE,
        "spec.trialTemplate.configMap": named,
        "spec.trialTemplate.successCondition": "status.a",
        "spec.trialTemplate.failureCondition": "status.b",
    }
    return yaml.safe_dump(experiment_tree(edits))


def config_map(text: str = JOB, **metadata: str) -> dict[str, Any]:
    metadata = {"name": "jobs", "namespace": "team-a", **metadata}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"job.yaml": text}}


def test_a_template_in_the_same_file_beside_it_or_in_a_folder(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    expected = load_experiment(with_config_map(), known=KNOWN, config_maps=[config_map()]).spec
    containers = expected.template.document["spec"]["template"]["spec"]["containers"]
    assert containers[0]["command"] == ["train", "${trialParameters.rate}", "${trialParameters.batch}"]
    assert containers[1]["name"] == "${trialParameters.optimizer}"
    assert expected.template.document["spec"]["parallelism"] == "${trialParameters.layers}"

    file.write_text(
        yaml.safe_dump(config_map(name="other", text="x"))
        + "---\n"
        + yaml.safe_dump(config_map())
        + "---\n"
        + with_config_map()
    )
    assert load_experiment(file, known=KNOWN).spec == expected

    file.write_text(with_config_map())
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "job.yaml").write_text(JOB)
    assert load_experiment(file, known=KNOWN).spec == expected
    assert load_experiment(file.read_text(), known=KNOWN, folder=tmp_path).spec == expected

    (tmp_path / "jobs" / "job.yaml").write_text("not this one")
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(config_map(namespace="")))
    assert load_experiment(file, known=KNOWN).spec == expected


def test_a_folder_behind_a_link_and_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real" / "jobs").mkdir(parents=True)
    (tmp_path / "real" / "jobs" / "job.yaml").write_text(JOB)
    (tmp_path / "real" / "experiment.yaml").write_text(with_config_map())
    (tmp_path / "link").symlink_to("real")
    assert load_experiment(tmp_path / "link" / "experiment.yaml", known=KNOWN).spec.template.document
    monkeypatch.chdir(tmp_path / "link")
    assert load_experiment(Path("experiment.yaml"), known=KNOWN).spec.template.document


@pytest.mark.parametrize(
    ("source", "field", "expected"),
    [
        pytest.param({"templatePath": "../secret"}, ".templatePath", "expected a key", id="up"),
        pytest.param({"templatePath": ".."}, ".templatePath", "expected a key", id="dots"),
        pytest.param({"templatePath": "/etc/passwd"}, ".templatePath", "expected a key", id="absolute"),
        pytest.param({"templatePath": "a/b"}, ".templatePath", "expected a key", id="below"),
        pytest.param({"templatePath": "x" * 254}, ".templatePath", "expected a key", id="long-key"),
        pytest.param({"configMapName": "../jobs"}, ".configMapName", "expected the name", id="name-up"),
        pytest.param({"configMapName": "/jobs"}, ".configMapName", "expected the name", id="name-absolute"),
        pytest.param({"configMapName": "a" * 253}, "", "cannot read", id="name-too-long-for-a-file"),
        pytest.param({"templatePath": "link.yaml"}, "", "leads out of its folder", id="link"),
        pytest.param({"configMapName": "linked"}, "", "leads out of its folder", id="linked-folder"),
        pytest.param({"configMapName": "linked-map"}, "", "leads out of its folder", id="linked-config-map"),
        pytest.param({"templatePath": "pipe"}, "", "found no ConfigMap jobs", id="named-pipe"),
        pytest.param({"templatePath": "none.yaml"}, "", "nor jobs/none.yaml beside it", id="no-such-file"),
    ],
)
def test_a_template_never_climbs_out_of_its_folder(
    tmp_path: Path, source: dict[str, str], field: str, expected: str
) -> None:
    folder = tmp_path / "inside"
    (folder / "jobs").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    for outside in (tmp_path / "secret", tmp_path / "outside" / "job.yaml"):
        outside.write_text(JOB)
    (folder / "jobs" / "link.yaml").symlink_to(tmp_path / "secret")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "linked-map.yaml").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "jobs" / "pipe")
    file = folder / "experiment.yaml"
    file.write_text(with_config_map(**source))
    (problem,) = refusal(file).problems
    assert problem.path == f"spec.trialTemplate.configMap{field}"
    assert expected in problem.message
    assert problem.line is not None


@pytest.mark.parametrize(
    ("tree", "path", "expected"),
    [
        pytest.param(config_map(name="other"), "spec.trialTemplate.configMap", "found no ConfigMap jobs", id="name"),
        pytest.param(config_map(namespace="b"), "spec.trialTemplate.configMap", "namespace team-a", id="namespace"),
        pytest.param({"kind": "ConfigMap"}, "spec.trialTemplate.configMap", "found no ConfigMap", id="no-metadata"),
        pytest.param(
            {**config_map(), "data": {"b": ""}},
            "spec.trialTemplate.configMap.templatePath",
            "got 'job.yaml', expected a key of jobs: b",
            id="key",
        ),
        pytest.param({**config_map(), "data": {"job.yaml": []}}, "ConfigMap jobs.data.job.yaml", "text", id="type"),
        pytest.param({**config_map(), "dat": {}}, "ConfigMap jobs.dat", "did you mean 'data'", id="unknown-field"),
        pytest.param(config_map(text=""), "jobs[job.yaml]", "empty", id="empty"),
        pytest.param(config_map(text="- a"), "jobs[job.yaml]", "line 1: got", id="no-mapping"),
        pytest.param(config_map(text="a: 1\nb: c: d"), "jobs[job.yaml]", "line 2: b: not valid YAML", id="syntax"),
        pytest.param(config_map(text=JOB + "---\n" + JOB), "jobs[job.yaml]", "2 documents", id="two-documents"),
        pytest.param(
            config_map(text=JOB.replace("parallelism", "paralelism")),
            "jobs[job.yaml].spec.paralelism",
            "did you mean 'parallelism'",
            id="misspelt",
        ),
        pytest.param(config_map(text="a: {" * 60), "jobs[job.yaml]", "nested more than 50 levels", id="deep"),
    ],
)
def test_config_maps_that_are_wrong(tree: dict[str, Any], path: str, expected: str) -> None:
    first = refusal(with_config_map(), config_maps=[tree]).problems[0]
    assert first.path == path
    assert expected in first.message


def test_a_broken_config_map_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "jobs.yaml").write_text("a: 1\nb: [")
    (problem,) = refusal(with_config_map(), folder=tmp_path).problems
    assert problem.message.startswith("in jobs.yaml: line ")
    (tmp_path / "jobs.yaml").write_bytes(b"x" * 2_000_000)
    assert "1 MiB" in str(refusal(with_config_map(), folder=tmp_path))


TEXTS = [(EXAMPLES / name).read_text() for name in NAMES]
INSERTS = st.one_of(
    st.sampled_from(
        ["\n", "  ", "- ", ": ", "{", "}", "[", "]", "'", '"', "&a ", "*a", "<<: *a", "null", "!!int ", "\t"]
    ),
    st.sampled_from(["${trialParameters.lr}", "${trialSpec.Name}", "99999999999999999999", "-1", ".inf", "true"]),
    st.text(max_size=5),
)


@settings(max_examples=150, deadline=5000)
@given(st.data())
def test_mutated_examples_load_or_are_refused(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(INSERTS) + text[at + data.draw(st.integers(0, 12)) :]
    with contextlib.suppress(SpecError):
        load_experiment(text, known=KNOWN)


VALUES = st.recursive(
    st.sampled_from(
        [None, True, False, 0, -1, 2**70, 1.5, float("nan"), float("inf"), "", "x", "1e999", "${a}", "\ud800"]
    )
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def paths_of(node: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(inner for key, item in items for inner in paths_of(item, (*path, key)))]


BASES = [next(d for d in yaml.safe_load_all(text) if d["kind"] == "Experiment") for text in TEXTS]


@settings(max_examples=150, deadline=5000)
@given(st.sampled_from(range(len(BASES))), st.data())
def test_any_value_in_any_place_loads_or_is_refused(index: int, data: st.DataObject) -> None:
    tree = json.loads(json.dumps(BASES[index]))
    *above, last = data.draw(st.sampled_from(paths_of(tree)[1:]))
    node = tree
    for step in above:
        node = node[step]
    node[last] = data.draw(VALUES)
    with contextlib.suppress(SpecError):
        load_experiment(json.dumps(tree), known=KNOWN)


def test_a_large_experiment_is_quick() -> None:
    edits = {"spec.parameters[3].feasibleSpace.list": [f"choice-{i}" for i in range(9_000)]}
    started = time.monotonic()
    loaded = load_experiment(json.dumps(experiment_tree(edits)), known=KNOWN)
    assert loaded.spec.space["optimizer"].count == 9_000
    assert time.monotonic() - started < 5
