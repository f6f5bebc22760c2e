"""Containers of jobs of every kind, their arguments as Kubernetes would pass them, and quantities."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from katib.core.errors import RunnerError, SpecError
from katib.resources.jobs import Container, deadline_seconds, pod_template, primary_container
from katib.resources.quantities import parse_quantity

TRAIN = {"name": "training", "image": "mnist:1", "command": ["python", "train.py"], "args": ["--lr=0.1"]}
SIDE = {"name": "side", "image": "side:1", "command": ["sleep"]}
ARGV = ("python", "train.py", "--lr=0.1")


def pod(*containers, **more):
    return {"spec": {"containers": list(containers), **more}}


def job(*containers, **more):
    return {
        "kind": "Job",
        "metadata": {"name": "t-1", "namespace": "ns"},
        "spec": {"template": pod(*containers, **more)},
    }


def one(**fields):
    """The container of a Job that has but one, with ``fields``."""
    return primary_container(job({**TRAIN, **fields}), "training")


def replicas(kind, field, **roles):
    return {"kind": kind, "spec": {field: {role: {"template": template} for role, template in roles.items()}}}


OTHER = pod({**TRAIN, "args": ["--other"]})
CASES = [
    pytest.param(job(SIDE, TRAIN), id="Job"),
    pytest.param({"kind": "Pod", **pod(TRAIN)}, id="Pod"),
    pytest.param({"kind": "CronJob", "spec": {"jobTemplate": job(TRAIN)}}, id="CronJob"),
    pytest.param(replicas("PyTorchJob", "pytorchReplicaSpecs", Worker=OTHER, Master=pod(TRAIN)), id="PyTorchJob"),
    pytest.param(replicas("TFJob", "tfReplicaSpecs", PS=pod(SIDE), Worker=pod(TRAIN)), id="TFJob-workers"),
    pytest.param(replicas("TFJob", "tfReplicaSpecs", Worker=OTHER, Chief=pod(TRAIN)), id="TFJob-chief"),
    pytest.param(replicas("XGBoostJob", "xgbReplicaSpecs", Worker=OTHER, Master=pod(TRAIN)), id="XGBoostJob"),
    pytest.param(replicas("MPIJob", "mpiReplicaSpecs", Worker=OTHER, Launcher=pod(TRAIN)), id="MPIJob"),
    pytest.param({"kind": "Odd", "spec": {"deep": [{"x": 1}, {"inner": pod(TRAIN)}]}}, id="unknown-kind"),
    pytest.param(
        {"kind": "TrainJob", "spec": {"trainer": {k: TRAIN[k] for k in ("image", "command", "args")}}}, id="TrainJob"
    ),
    pytest.param(
        {"kind": "Workflow", "spec": {"templates": [{"name": "main", "steps": []}, {"name": "t", "container": TRAIN}]}},
        id="Workflow",
    ),
    pytest.param(
        {
            "kind": "PipelineRun",
            "spec": {
                "pipelineSpec": {"tasks": [{"taskSpec": {"steps": [SIDE]}}, {"taskSpec": {"steps": [SIDE, TRAIN]}}]}
            },
        },
        id="PipelineRun",
    ),
]


@pytest.mark.parametrize("manifest", CASES)
def test_primary_container_of_every_kind(manifest):
    container = primary_container(manifest, "training")
    alone = manifest["kind"] == "TrainJob"
    assert container == Container(ARGV, {}, None, "mnist:1", None, None, 0.0, (), alone=alone)


def test_names_that_engines_give():
    tekton = {"kind": "PipelineRun", "spec": {"pipelineSpec": {"tasks": [{"taskSpec": {"steps": [TRAIN]}}]}}}
    assert primary_container(tekton, "step-training").argv == ARGV
    unnamed = {"command": ["a"]}
    argo = {"kind": "Workflow", "spec": {"templates": [{"container": unnamed}]}}
    assert primary_container(argo, "main").argv == ("a",)
    labelled = {"container": {"command": ["b"]}, "metadata": {"labels": {"primary": "true"}}}
    argo["spec"]["templates"].append(labelled)
    assert primary_container(argo, "main").argv == ("b",)


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        pytest.param(job(TRAIN), pod(TRAIN), id="Job"),
        pytest.param(
            replicas("PyTorchJob", "pytorchReplicaSpecs", Worker=OTHER, Master=pod(TRAIN)), pod(TRAIN), id="PyTorchJob"
        ),
        pytest.param({"kind": "TFJob", "spec": {"a": pod(SIDE), "b": pod(TRAIN)}}, pod(TRAIN), id="named"),
        pytest.param(job(SIDE), pod(SIDE), id="no-such-name"),
        pytest.param({"kind": "TrainJob", "spec": {"trainer": TRAIN}}, None, id="TrainJob"),
        pytest.param({}, None, id="empty"),
        pytest.param({"kind": "Job", "spec": {"template": {"spec": {"containers": "none"}}}}, None, id="no-list"),
    ],
)
def test_pod_template(manifest, expected):
    assert pod_template(manifest, "training") == expected


@pytest.mark.parametrize(
    ("env", "args", "argv"),
    [
        pytest.param([("A", "x y")], ["$(A)"], ["x y"], id="one-argument-stays-one"),
        pytest.param([("A", "x")], ["<$(A)$(A)>"], ["<xx>"], id="inside"),
        pytest.param([("A", "x")], ["$$(A)", "$$$(A)", "$$"], ["$(A)", "$x", "$"], id="escaped"),
        pytest.param(
            [("A", "x")], ["$(B)", "$A", "$(A", "$()", "a$"], ["$(B)", "$A", "$(A", "$()", "a$"], id="left-alone"
        ),
        pytest.param([("A", "$(B)"), ("B", "$(A)")], ["$(A)", "$(B)"], ["$(B)", "$(B)"], id="only-earlier-ones"),
        pytest.param([("A", "x"), ("B", "$(A)y")], ["$(B)"], ["xy"], id="chained"),
        pytest.param([], ["`id`", "$(id)", "; ls", "*", '"'], ["`id`", "$(id)", "; ls", "*", '"'], id="no-shell"),
    ],
)
def test_variables_are_put_in_as_kubernetes_does(env, args, argv):
    container = one(command=["run"], args=args, env=[{"name": n, "value": v} for n, v in env])
    assert container.argv == ("run", *argv)


def test_environment():
    manifest = job(
        {
            **TRAIN,
            "env": [
                {"name": "PLAIN", "value": "1"},
                {"name": "EMPTY"},
                {"name": "TRIAL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "SPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
                {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['a/b']"}}},
                {"name": "NOTE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['none']"}}},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
                {"name": "MAYBE", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k", "optional": True}}},
                {"name": "ALL", "value": "$(TRIAL)/$(LABEL)/$(SECRET)"},
            ],
            "envFrom": [{"configMapRef": {"name": "c"}}],
        }
    )
    manifest["spec"]["template"]["metadata"] = {"labels": {"a/b": "label"}}
    container = primary_container(manifest, "training")
    assert container.env == {
        "PLAIN": "1",
        "EMPTY": "",
        "TRIAL": "t-1",
        "SPACE": "ns",
        "LABEL": "label",
        "ALL": "t-1/label/$(SECRET)",
    }
    assert container.unsupported_env == ("envFrom[0]", "NOTE", "NODE", "SECRET")


def test_resources_and_folder():
    limits = {"cpu": "500m", "memory": "1.5Gi", "nvidia.com/gpu": "2", "amd.com/gpu": 0.5}
    container = one(resources={"limits": limits, "requests": {"cpu": 4, "memory": "1k"}}, workingDir="/opt")
    assert (container.cpu, container.memory, container.gpus) == (0.5, 1610612736, 2.5)
    assert container.working_dir == "/opt"
    requested = one(resources={"requests": {"cpu": 4, "memory": "100m"}})
    assert (requested.cpu, requested.memory, requested.gpus) == (4.0, 1, 0.0)


def test_train_job():
    trainer = {"command": ["$(A)"], "env": [{"name": "A", "value": "x"}], "resourcesPerNode": {"limits": {"cpu": "2"}}}
    container = primary_container({"kind": "TrainJob", "spec": {"trainer": trainer}}, "node")
    assert (container.argv, container.cpu) == (("x",), 2.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"args": ["a", 1]}, r"^spec.template.spec.containers\[0\].args\[1\]: got 1", id="number"),
        pytest.param({"args": "a b"}, r"args: got 'a b', expected a list", id="no-list"),
        pytest.param({"command": [["a"]]}, r"command\[0\]: got", id="nested"),
        pytest.param({"env": [{"name": "A", "value": 1}]}, r"env\[0\].value: got 1", id="env-number"),
        pytest.param({"env": [{"value": "x"}]}, r"env\[0\].name: got None", id="env-without-name"),
        pytest.param({"env": ["x"]}, r"env\[0\].name", id="env-is-text"),
        pytest.param({"resources": {"limits": {"cpu": "lots"}}}, r"resources.limits.cpu: got 'lots'", id="quantity"),
    ],
)
def test_wrong_manifests(fields, message):
    with pytest.raises(SpecError, match=message):
        one(**fields)


@pytest.mark.parametrize("kind", ["Job", "Workflow", "PipelineRun", "Odd"])
def test_no_such_container(kind):
    with pytest.raises(SpecError, match=f"no container 'training' in a manifest of kind '{kind}'; it has: "):
        primary_container({**job(SIDE), "kind": kind}, "training")


EXPRESSION = {**TRAIN, "args": ["--n={{inputs.parameters.n}}"]}


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        pytest.param(job({"name": "training", "image": "i:1"}), "no 'command'.*image 'i:1'", id="no-command"),
        pytest.param({"kind": "TrainJob", "spec": {}}, "spec.trainer: .*no 'command'", id="no-trainer"),
        pytest.param(
            {"kind": "Workflow", "spec": {"templates": [{"container": EXPRESSION}]}}, "inputs.parameters.n", id="argo"
        ),
        pytest.param(
            {"kind": "Workflow", "spec": {"templates": [{"container": TRAIN}] * 2}}, "2 templates", id="two-templates"
        ),
        pytest.param(
            {
                "kind": "PipelineRun",
                "spec": {"pipelineSpec": {"tasks": [{"taskSpec": {"steps": [{**TRAIN, "args": ["$(params.lr)"]}]}}]}},
            },
            r"steps\[0\].args\[0\].*\$\(params.lr\)",
            id="tekton",
        ),
    ],
)
def test_what_only_a_cluster_can_run(manifest, message):
    with pytest.raises(RunnerError, match=message):
        primary_container(manifest, "training")


@pytest.mark.parametrize(
    ("manifest", "seconds"),
    [
        pytest.param(job(TRAIN), None, id="none"),
        pytest.param({"kind": "Job", "spec": {"activeDeadlineSeconds": 60}}, 60, id="job"),
        pytest.param(job(TRAIN, activeDeadlineSeconds=30), 30, id="pod"),
        pytest.param({"kind": "Pod", **pod(TRAIN, activeDeadlineSeconds=20)}, 20, id="bare-pod"),
        pytest.param({"kind": "PyTorchJob", "spec": {"runPolicy": {"activeDeadlineSeconds": 9}}}, 9, id="run-policy"),
        pytest.param(
            {"spec": {"activeDeadlineSeconds": 60, "template": pod(activeDeadlineSeconds=50)}}, 50, id="smaller-one"
        ),
        pytest.param({}, None, id="empty"),
    ],
)
def test_deadline(manifest, seconds):
    assert deadline_seconds(manifest) == seconds


@pytest.mark.parametrize("value", ["60", -1, 1.5, True, []])
def test_bad_deadline(value):
    with pytest.raises(SpecError, match=r"^spec.activeDeadlineSeconds: got"):
        deadline_seconds({"spec": {"activeDeadlineSeconds": value}})


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"), ("1Gi", 2**30), ("2", 2), ("1e3", 1000), ("1E3", 1000), ("1E", 10**18), ("1.5Ki", 1536),
        (".5", "0.5"), ("5.", 5), ("+1", 1), ("0", 0), ("12e-1", "1.2"), ("3k", 3000), ("2n", "2e-9"), ("7u", "7e-6"),
        ("1M", 10**6), ("1Mi", 2**20), ("1Ti", 2**40), ("1Pi", 2**50), ("1Ei", 2**60), ("1T", 10**12), ("1P", 10**15),
        (3, 3), (0.5, "0.5"), (1e-7, "1e-7"), ("9223372036854775807", 2**63 - 1),
    ],
)  # fmt: skip
def test_quantities(text, number):
    assert parse_quantity(text) == Decimal(number)


@pytest.mark.parametrize(
    "value",
    ["", "1 Gi", "1gi", "Gi", "-1", "1e", "1e999", "nan", "inf", "1_0", "１", "1.2.3", "0x1", "1KiB", "9Ei", True, None,
     [1], float("nan"), float("inf"), -1, 10**30, "9" * 100],
)  # fmt: skip
def test_bad_quantities(value):
    with pytest.raises(SpecError, match="expected a quantity"):
        parse_quantity(value)


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[0-9.]{1,5}[a-zA-Z]{0,2}[0-9]{0,3}", fullmatch=True) | st.floats() | st.integers())
def test_quantities_are_numbers_or_spec_errors(value):
    try:
        number = parse_quantity(value)
    except SpecError:
        return
    assert 0 <= number < 2**63


FIELDS = """kind spec containers template templates container name command args env value resources limits trainer
pipelineSpec tasks taskSpec steps Master metadata"""
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["training", "Workflow", "$(A)"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=4),
    max_leaves=25,
)


@settings(deadline=None)
@given(TREES, st.sampled_from(["Job", "Workflow", "PipelineRun", "TrainJob", None]))
def test_any_tree_gives_a_container_or_a_typed_error(tree, kind):
    try:
        container = primary_container({"kind": kind, "spec": tree}, "training")
    except (SpecError, RunnerError):
        return
    assert container.argv
    assert all(isinstance(word, str) for word in container.argv)
