"""``KatibClient.tune``: functions as experiments, what becomes of their arguments, and what is refused."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest

import katib
from katib.client import launcher
from katib.client.function_job import PARAMETER, FunctionJob
from katib.client.tune_method import STORAGE
from tests.client.test_signatures import arguments_of


def valley(parameters: dict[str, Any]) -> None:
    """Prints what it was given, and what a shell would change: $HOME `date` \\ "quotes" $(date) 'x'"""
    text = f"$HOME `date` $(date) \"quotes\" '{parameters['scale']}' ${{HOME}} \\"
    print(f"given={sorted(parameters.items())!r}")
    print(text)
    print(f"loss={float(parameters['x']) ** 2 + int(parameters['n'])}")


def pushed(parameters):
    import katib

    katib.report_metrics({"score": float(parameters["x"])})


def space() -> dict[str, Any]:
    names = katib.V1beta1ParameterSpec(parameter_type="categorical", feasible_space={"list": ["a b", "c'\"$HOME"]})
    return {
        "x": katib.search.double(min=-1, max=1),
        "n": katib.search.int(min=1, max=3, step=2),
        "kind": names,
        "opt": katib.search.categorical(["sgd", "adam"]),
        "scale": [1, "two", None],
    }


def test_a_function_is_tuned(client):
    parameters = space()
    client.tune(
        "tuned",
        objective=valley,
        parameters=parameters,
        objective_metric_name="loss",
        objective_type="minimize",
        max_trial_count=3,
        parallel_trial_count=1,
        max_failed_trial_count=1,
        algorithm_settings={"random_state": 5},
        env_per_trial={"A": 1},
        resources_per_trial={"cpu": "1", "memory": "1Gi"},
        packages_to_install=["numpy>=1"],
        trial_active_deadline_seconds=60,
    )
    done = client.wait_for_experiment_condition("tuned", timeout=60)
    assert parameters.keys() == space().keys()
    assert not any(isinstance(value, str) for value in parameters.values())
    trial = client.get_trial(done.status.current_optimal_trial.best_trial_name)
    given = {each.name: each.value for each in trial.spec.parameter_assignments}
    printed = list(client.get_job_logs("tuned", trial.metadata.name))
    assert printed[0] == f"given={sorted({**given, 'scale': [1, 'two', None]}.items())!r}"
    assert printed[1] == "$HOME `date` $(date) \"quotes\" '[1, 'two', None]' ${HOME} \\"
    assert printed[2] == f"loss={float(given['x']) ** 2 + int(given['n'])}"
    container = trial.spec.run_spec["spec"]["template"]["spec"]["containers"][0]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    assert trial.spec.run_spec["spec"]["activeDeadlineSeconds"] == 60
    client.delete_experiment("tuned")


def test_metrics_are_pushed(client):
    client.tune(
        "pushing",
        objective=pushed,
        parameters={"x": katib.search.double(0, 1)},
        objective_metric_name="score",
        max_trial_count=1,
        parallel_trial_count=1,
        metrics_collector_config={"kind": "Push"},
    )
    best = client.wait_for_experiment_condition("pushing", timeout=60).status.current_optimal_trial
    assert best.observation.metrics[0].latest == best.parameter_assignments[0].value
    client.delete_experiment("pushing")


def test_workers_are_a_pytorchjob():
    resources = katib.TrainerResources(3, 2, {"gpu": 1, "cpu": 2})
    job = FunctionJob(pushed, ["x"], {}, resources=resources, deadline=9)
    manifest = job.manifest()
    assert (manifest["kind"], job.container_name) == ("PyTorchJob", "pytorch")
    spec = manifest["spec"]
    assert (spec["nprocPerNode"], spec["runPolicy"]) == ("2", {"activeDeadlineSeconds": 9})
    replicas = spec["pytorchReplicaSpecs"]
    assert {role: each["replicas"] for role, each in replicas.items()} == {"Master": 1, "Worker": 2}
    (container,) = replicas["Worker"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"] == {"nvidia.com/gpu": "1", "cpu": "2"}
    assert b"torchrun" in base64.b64decode(container["env"][0]["value"])
    assert container["env"][1]["value"] == "${trialParameters.x}"


def test_katibs_controller_may_wrap_the_command():
    """It joins the words after ``sh -c`` by spaces, and adds what it wants to know of the end."""
    (container,) = FunctionJob(pushed, ["x"], {}).manifest()["spec"]["template"]["spec"]["containers"]
    variables = {each["name"]: each["value"] for each in container["env"]} | {f"{PARAMETER}0": "0.5"}
    command = [*container["command"], f"{' '.join(container['args'])} 2>&1 && echo completed"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}
    path = os.pathsep.join([os.path.dirname(sys.executable), kept["PATH"]])
    done = subprocess.run(command, env={**kept, **variables, "PATH": path}, capture_output=True, text=True, check=True)
    assert done.stdout == "score=0.5\ncompleted\n"


def test_variables_of_a_trial():
    sources = [{"name": "A", "value": "1"}, {"configMapRef": {"name": "settings"}}]
    (container,) = FunctionJob(pushed, ["x"], {}, env=sources).manifest()["spec"]["template"]["spec"]["containers"]
    assert container["env"][0] == sources[0]
    assert container["envFrom"] == sources[1:]


def test_an_installed_package_is_not_installed_again(tmp_path):
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom katib.client.launcher import is_installed as i\n"
    names = ["numpy", "numpy>=1", "katib_engine[ray]==0", "no-such-package", "git+https://example.org/x"]
    code += f"print(json.dumps([i(name) for name in {names!r}]))"
    done = subprocess.run([sys.executable, "-c", "import json\n" + code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [True, True, True, False, False]
    words = launcher.pip_words(["a>=1", "b"], ["https://one", "https://two"])
    assert words[-6:] == ["--index-url", "https://one", "--extra-index-url", "https://two", "a>=1", "b"]


VALID = {"name": "n", "objective": valley, "parameters": {"x": katib.search.double(0, 1)}}


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"objective": None}, ValueError, "objective"),
        ({"parameters": {}}, ValueError, "parameters"),
        ({"parameters": {"x": 1}}, ValueError, "katib.search"),
        ({"parameters": {**VALID["parameters"], "y": object()}}, ValueError, "plain Python value"),
        ({"objective": lambda p: p}, ValueError, "def"),
        ({"objective": print}, ValueError, "def"),
        ({"objective": test_variables_of_a_trial}, ValueError, "one dict"),
        ({"env_per_trial": [5]}, ValueError, "EnvVar"),
        ({"resources_per_trial": 5}, ValueError, "mapping"),
        ({"trainer_parameters": object()}, NotImplementedError, "create_experiment"),
        ({"objective_metric_name": None}, RuntimeError, "objectiveMetricName"),
        ({"algorithm_name": "rndom"}, RuntimeError, "random"),
    ],
)
def test_what_is_refused(tmp_path, change, error, word):
    with (
        katib.KatibClient(store=f"sqlite:///{tmp_path}/katib.db") as client,
        pytest.raises(error, match=word),
    ):
        client.tune(**{**VALID, "objective_metric_name": "loss", **change})


def test_the_arguments_are_those_of_katibs_sdk():
    expected = {
        "name": ...,
        "model_provider_parameters": None,
        "dataset_provider_parameters": None,
        "trainer_parameters": None,
        "storage_config": STORAGE,
        "objective": None,
        "base_image": "docker.io/pytorch/pytorch:2.2.1-cuda12.1-cudnn8-runtime",
        "parameters": None,
        "namespace": None,
        "env_per_trial": None,
        "algorithm_name": "random",
        "algorithm_settings": None,
        "objective_metric_name": None,
        "additional_metric_names": (),
        "objective_type": "maximize",
        "objective_goal": None,
        "max_trial_count": None,
        "parallel_trial_count": None,
        "max_failed_trial_count": None,
        "resources_per_trial": None,
        "retain_trials": False,
        "packages_to_install": None,
        "pip_index_urls": ("https://pypi.org/simple",),
        "metrics_collector_config": {"kind": "StdOut"},
        "trial_active_deadline_seconds": None,
    }
    assert [*arguments_of(katib.KatibClient.tune).items()] == [*expected.items()]
    assert STORAGE == {"size": "10Gi", "storage_class": None, "access_modes": ["ReadWriteOnce", "ReadOnlyMany"]}
