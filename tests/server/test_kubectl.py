"""Unmodified kubectl against ``katib serve``: every command that users of Katib know."""

from __future__ import annotations

import copy
import json

import pytest
import yaml

from tests.server.documents import experiment
from tests.server.kubectl import Kubectl

pytestmark = pytest.mark.requires("kubectl")


@pytest.fixture(scope="module")
def kubectl(served, tmp_path_factory):
    return Kubectl(served.url, tmp_path_factory.mktemp("kubectl"))


@pytest.fixture(scope="module")
def done(kubectl):
    """An experiment that has succeeded."""
    assert kubectl("apply -f -", experiment("done", labels={"team": "a"})) == "experiment.kubeflow.org/done created\n"
    assert "condition met" in kubectl("wait --for=condition=Succeeded experiment/done --timeout=40s")


def changed(name, **spec):
    tree = experiment(name, trials=5, seconds=60)
    tree["spec"] |= spec
    return tree


@pytest.fixture
def running(kubectl, request):
    """The name of an experiment that is running, made by client-side apply."""
    name = f"run-{abs(hash(request.node.name)) % 10**6}"
    kubectl("apply -f -", changed(name))
    yield name
    kubectl(f"delete experiment {name}")


@pytest.mark.parametrize(
    ("command", "fragments"),
    [
        ("get experiments", ["NAME   TYPE        STATUS   AGE", "done   Succeeded   True"]),
        ("get experiments -o wide", ["ALGORITHM", "BEST TRIAL", "random", "done-"]),
        ("get trials -o wide", ["VALUE", "PARAMETERS", "x=0."]),
        ("get suggestions", ["REQUESTED   ASSIGNED", "2           2"]),
        ("get experiment done -o yaml", ["kind: Experiment\n", "trialsSucceeded: 2\n"]),
        ("get experiment done -o json", ['"trialsSucceeded": 2']),
        ("get experiment done -o name", ["experiment.kubeflow.org/done\n"]),
        ("get experiment done -o jsonpath={.status.conditions[-1].type}", ["Succeeded"]),
        ("get experiments -A", ["NAMESPACE", "default"]),
        ("get experiments -l team=a,!other -o name", ["experiment.kubeflow.org/done\n"]),
        ("get experiments --field-selector metadata.name=done -o name", ["experiment.kubeflow.org/done\n"]),
        ("get trials --sort-by=.metadata.creationTimestamp -o name", ["trial.kubeflow.org/done-"]),
        ("get experiments --sort-by=.metadata.name", ["done   Succeeded"]),
        ("get all", ["experiment.kubeflow.org/done", "suggestion.kubeflow.org/done", "trial.kubeflow.org/done-"]),
        ("get experiment/done suggestion/done", ["experiment.kubeflow.org/done", "suggestion.kubeflow.org/done"]),
        ("get --raw /apis/kubeflow.org/v1beta1/namespaces/default/experiments/done/status", ['"trialsSucceeded":2']),
        ("get namespaces,configmaps", ["namespace/default   Active"]),
        ("describe experiment done", ["Name:         done", "Best Trial Name:", "Algorithm Name:  random"]),
        ("logs -l katib.kubeflow.org/experiment=done -c main", ["loss=0."]),
        ("explain experiment.spec.algorithm --recursive", ["algorithmSettings\t<[]NamedValue>", "    value\t<string>"]),
        ("explain trial.spec", ["parameterAssignments\t<[]NamedValue>", "The parameters that are tried"]),
        ("api-resources --api-group=kubeflow.org", ["experiments", "suggestions", "trials"]),
        ("api-versions", ["kubeflow.org/v1beta1\n"]),
        ("version", ["Server Version: v1."]),
        ("wait --for=condition=Succeeded experiment/done --timeout=1s", ["experiment.kubeflow.org/done condition met"]),
        ("wait --for=jsonpath={.status.trialsSucceeded}=2 experiment/done --timeout=1s", ["condition met"]),
        ("get experiments -l team=b --ignore-not-found", []),
    ],
)  # fmt: skip
def test_what_is_read(kubectl, done, command, fragments):
    out = kubectl(command)
    assert [fragment for fragment in fragments if fragment not in out] == [], out
    assert out if fragments else out == ""


@pytest.mark.parametrize(
    ("question", "answer"),
    [("create experiments", "yes"), ("delete trials", "no"), ("get pods", "yes"), ("get /version", "yes")],
)
def test_what_one_may_do(kubectl, question, answer):
    assert kubectl.try_to(f"auth can-i {question}").out.strip().startswith(answer)


def test_what_kubectl_sends_in_protocol_buffers(kubectl):
    assert "created" in kubectl("create namespace lab")
    kubectl("create configmap made -n lab --from-literal=a=é --from-literal=b=2")
    assert json.loads(kubectl("get configmap made -n lab -o json"))["data"] == {"a": "é", "b": "2"}
    assert "not found" in kubectl.try_to("delete namespace nobody").err
    assert "deleted" in kubectl("delete namespace lab")
    assert "not supported" in kubectl.try_to("run pod --image=busybox").err


def test_items_of_a_list_are_checked(kubectl):
    broken = experiment("listed")
    broken["spec"]["maxTrialCont"] = 3
    refused = kubectl.try_to("create -f -", {"apiVersion": "v1", "kind": "List", "items": [broken]})
    assert 'unknown field "maxTrialCont" in org.kubeflow.v1beta1.ExperimentSpec' in refused.err


def bad(**spec):
    return changed("bad", **spec)


@pytest.mark.parametrize(
    ("command", "tree", "fragments"),
    [
        ("get experiment nobody", None, ['experiments.kubeflow.org "nobody" not found']),
        ("apply -f -", bad(maxTrialCont=3), ["spec.maxTrialCont: unknown field", "maxTrialCount"]),
        ("create -f -", bad(algorithm={"algorithmName": "rndom"}), ["spec.algorithm.algorithmName", "random"]),
        ("create -f -", experiment("done"), ['experiments.kubeflow.org "done" already exists']),
        ("apply -f -", experiment("done", trials=9), ["spec", "resumePolicy Never"]),
        ("patch experiment done -p '{}'", None, ["application/strategic-merge-patch+json is not supported"]),
        ("patch experiment done --type=merge -p '{\"spec\":{\"algorithm\":{\"algorithmName\":\"tpe\"}}}'", None,
         ["spec.algorithm.algorithmName", "cannot be changed"]),
        ("patch experiment done --subresource=status --type=merge -p '{\"status\":{}}'", None, ["engine"]),
        ("delete experiment nobody", None, ["not found"]),
        ("explain experiment.spec.nothing", None, ["nothing"]),
    ],
)  # fmt: skip
def test_what_is_refused_says_why(kubectl, done, command, tree, fragments):
    said = kubectl.try_to(command, tree)
    assert said.status != 0
    assert [fragment for fragment in fragments if fragment not in said.err] == [], said.err


def test_client_side_apply_changes_and_says_so(kubectl, running):
    assert "configured (server dry run)" in kubectl("apply --dry-run=server -f -", changed(running, maxTrialCount=7))
    assert kubectl(f"get experiment {running} -o jsonpath={{.spec.maxTrialCount}}") == "5"
    difference = kubectl.try_to("diff -f -", changed(running, maxTrialCount=7))
    assert difference.status == 1
    assert "-  maxTrialCount: 5\n+  maxTrialCount: 7\n" in difference.out
    assert "configured" in kubectl("apply -f -", changed(running, maxTrialCount=7))
    assert kubectl(f"get experiment {running} -o jsonpath={{.spec.maxTrialCount}}") == "7"


def test_server_side_apply_and_its_conflicts(kubectl):
    tree = changed("applied")
    assert "serverside-applied" in kubectl("apply --server-side -f -", tree)
    kubectl('patch experiment applied --type=merge -p \'{"spec":{"maxTrialCount":8}}\'')
    refused = kubectl.try_to("apply --server-side -f -", tree)
    assert 'conflict with "kubectl-patch" using kubeflow.org/v1beta1: .spec.maxTrialCount' in refused.err
    assert "+  maxTrialCount: 5" in kubectl.try_to("diff --server-side --force-conflicts -f -", tree).out
    kubectl("apply --server-side --force-conflicts -f -", tree)
    shown = yaml.safe_load(kubectl("get experiment applied -o yaml --show-managed-fields"))
    assert [entry["manager"] for entry in shown["metadata"]["managedFields"]] == ["kubectl"]
    assert shown["spec"]["maxTrialCount"] == 5
    assert "managedFields" not in kubectl("get experiment applied -o yaml")
    kubectl("delete experiment applied")


def test_from_client_side_to_server_side(kubectl, running):
    """kubectl itself hands its fields over, and is in its own way no more."""
    kubectl("apply --server-side -f -", changed(running, maxTrialCount=9))
    assert kubectl(f"get experiment {running} -o jsonpath={{.spec.maxTrialCount}}") == "9"


@pytest.mark.parametrize(
    ("command", "said", "field", "value"),
    [
        ("label {} team=vision", "labeled", "{.metadata.labels.team}", "vision"),
        ("annotate {} note=hello", "annotated", "{.metadata.annotations.note}", "hello"),
        ("patch {} --type=merge -p '{{\"spec\":{{\"maxTrialCount\":6}}}}'", "patched", "{.spec.maxTrialCount}", "6"),
        ("patch {} --type=json -p '[{{\"op\":\"replace\",\"path\":\"/spec/parallelTrialCount\",\"value\":1}}]'",
         "patched", "{.spec.parallelTrialCount}", "1"),
    ],
    ids=["label", "annotate", "merge-patch", "json-patch"],
)  # fmt: skip
def test_what_is_changed(kubectl, running, command, said, field, value):
    assert said in kubectl(command.format(f"experiment {running}"))
    assert kubectl(f"get experiment {running} -o jsonpath={field}") == value


def test_edit(kubectl, running, tmp_path):
    edited = kubectl(f"edit experiment {running}", KUBE_EDITOR="sed -i s/maxTrialCount:.*/maxTrialCount:\\ 6/")
    assert "edited" in edited
    assert kubectl(f"get experiment {running} -o jsonpath={{.spec.maxTrialCount}}") == "6"
    seen = tmp_path / "seen"
    editor = f'sh -c \'cp "$0" {seen}; sed -i s/algorithmName:.*/algorithmName:\\ tpe/ "$0"\''
    assert kubectl.try_to(f"edit experiment {running}", KUBE_EDITOR=editor).status != 0
    assert "# * spec.algorithm.algorithmName: cannot be changed" in seen.read_text()


def test_replace(kubectl, running):
    seen = json.loads(kubectl(f"get experiment {running} -o json"))
    kubectl(f"label experiment {running} a=b")
    seen["spec"]["maxTrialCount"] = 6
    assert "the object has been modified" in kubectl.try_to("replace -f -", seen).err
    del seen["metadata"]["resourceVersion"]
    assert "replaced" in kubectl("replace -f -", seen)


def test_a_generated_name_and_deletion_by_selector(kubectl):
    tree = changed("any")
    tree["metadata"] = {"generateName": "made-", "labels": {"batch": "1"}}
    names = {kubectl("create -f - -o name", tree).strip() for _ in range(2)}
    assert len(names) == 2
    deleted = kubectl("delete experiments -l batch=1")
    assert deleted.count("deleted") == 2
    assert kubectl("get experiments,trials -l batch=1") == ""


def test_deletion_of_all_in_a_namespace_waits_until_they_are_gone(kubectl):
    trees = [copy.deepcopy(changed(name)) for name in ("one", "two")]
    kubectl("create -n other -f -", {"apiVersion": "v1", "kind": "List", "items": trees})
    assert kubectl("delete experiments --all -n other").count("deleted") == 2
    assert kubectl("get experiments,trials -n other") == ""


def test_a_watch_tells_the_end(kubectl):
    with kubectl.start("get experiments -w --field-selector metadata.name=watched") as watch:
        try:
            kubectl("create -f -", experiment("watched"))
            lines = []
            while not any("Succeeded" in line for line in lines):
                lines.append(watch.stdout.readline())
        finally:
            watch.kill()
    assert lines[0].split() == ["NAME", "TYPE", "STATUS", "AGE"]


ENDS = {"success": "Complete", "failure": "Failed"}


def test_a_template_in_a_config_map(kubectl):
    tree = experiment("mapped")
    template = tree["spec"]["trialTemplate"].pop("trialSpec")
    source = {"configMapName": "templates", "configMapNamespace": "default", "templatePath": "job.yaml"}
    conditions = {f"{end}Condition": f'status.conditions.#(type=="{kind}")#' for end, kind in ENDS.items()}
    tree["spec"]["trialTemplate"] |= {"configMap": source, **conditions}
    maps = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "templates"}}
    kubectl("apply -f -", {**maps, "data": {"job.yaml": "{}"}})
    assert "configured" in kubectl("apply -f -", {**maps, "data": {"job.yaml": yaml.safe_dump(template)}})
    kubectl("apply -f -", tree)
    kubectl("wait --for=condition=Succeeded experiment/mapped --timeout=40s")
