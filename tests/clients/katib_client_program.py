"""``KatibClient`` of the package ``kubeflow-katib``, called as its users call it. Runs in its own environment."""

from __future__ import annotations

import sys
import time

from answering import answer, raised
from kubeflow import katib
from kubeflow.katib import KatibClient
from kubernetes import client as kubernetes

KUBECONFIG, URL, GRPC = sys.argv[1:]
FAST = {"timeout": 60, "polling_interval": 0.2}


def objective(parameters):
    import time

    print("begins", flush=True)
    for step in range(3):
        time.sleep(0.2)
        print(f"loss={(float(parameters['x']) - 1) ** 2 + 1 / (step + 1)}", flush=True)


def pushing(parameters):
    import os

    from kubeflow.katib import report_metrics
    from kubeflow.katib.utils import utils

    if not os.path.exists("/var/run/secrets/kubernetes.io/serviceaccount/namespace"):  # which it reads without need
        utils.get_current_k8s_namespace = lambda: "default"
    report_metrics({"loss": float(parameters["x"])}, db_manager_address=os.environ["DB_MANAGER"])


def experiment(name, command="echo loss=${trialParameters.x}", **spec):
    container = {"name": "main", "image": "busybox", "command": ["sh", "-c", command]}
    pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    template = katib.V1beta1TrialTemplate(
        primary_container_name="main",
        trial_parameters=[katib.V1beta1TrialParameterSpec(name="x", reference="x")],
        trial_spec={"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": pod}},
    )
    return katib.V1beta1Experiment(
        api_version="kubeflow.org/v1beta1",
        kind="Experiment",
        metadata=kubernetes.V1ObjectMeta(name=name),
        spec=katib.V1beta1ExperimentSpec(
            objective=katib.V1beta1ObjectiveSpec(type="minimize", objective_metric_name="loss"),
            algorithm=katib.V1beta1AlgorithmSpec(algorithm_name="random"),
            parameters=[parameter("x")],
            trial_template=template,
            **{"max_trial_count": 2, "parallel_trial_count": 2, **spec},
        ),
    )


def parameter(name):
    space = katib.V1beta1FeasibleSpace(min="0", max="1")
    return katib.V1beta1ParameterSpec(name=name, parameter_type="double", feasible_space=space)


def tune(client, name, function, **rest):
    client.tune(
        name=name,
        objective=function,
        parameters={"x": katib.search.double(min=0, max=2)},
        objective_metric_name="loss",
        objective_type="minimize",
        max_trial_count=2,
        parallel_trial_count=2,
        **rest,
    )


def client():
    return KatibClient(config_file=KUBECONFIG)


def create_and_read():
    katib_client = client()
    katib_client.create_experiment(experiment("created"))
    done = katib_client.wait_for_experiment_condition("created", **FAST)
    assert done.status.trials_succeeded == 2
    trials = katib_client.list_trials("created")
    values = {each.metadata.name: float(each.status.observation.metrics[0].latest) for each in trials}
    best = katib_client.get_optimal_hyperparameters("created")
    assert values[best.best_trial_name] == min(values.values())
    details = katib_client.get_success_trial_details("created")
    assert {each["name"]: float(each["metrics"][0].latest) for each in details} == values
    assert "created" in [each.metadata.name for each in katib_client.list_experiments()]
    assert katib_client.get_suggestion("created").status.suggestion_count == 2
    assert "created" in [each.metadata.name for each in katib_client.list_suggestions()]
    name = trials[0].metadata.name
    assert katib_client.get_trial(name).spec.parameter_assignments[0].name == "x"
    assert katib_client.is_experiment_succeeded("created")
    assert katib_client.is_experiment_created("created")
    assert not katib_client.is_experiment_running("created")
    assert not katib_client.is_experiment_failed("created")
    assert not katib_client.is_experiment_restarting("created")
    assert list(katib_client.get_job_logs("created", name)) == [f"loss={trials[0].spec.parameter_assignments[0].value}"]


def tune_a_function():
    katib_client = client()
    tune(katib_client, "tuned", objective)
    katib_client.wait_for_experiment_condition("tuned", expected_condition="Running", **FAST)
    while not (trials := katib_client.list_trials("tuned")) or not trials[0].status.start_time:
        time.sleep(0.1)
    followed = list(katib_client.get_job_logs("tuned", trials[0].metadata.name, follow=True))
    assert (followed[0], len(followed)) == ("begins", 4), followed
    katib_client.wait_for_experiment_condition("tuned", **FAST)
    assert list(katib_client.get_job_logs("tuned", trials[0].metadata.name)) == followed
    logged = katib_client.get_trial_metrics(trials[0].metadata.name, db_manager_address=GRPC)
    assert [f"loss={each.metric.value}" for each in logged] == followed[1:]


def tune_with_pushed_metrics():
    katib_client = client()
    env = {"DB_MANAGER": GRPC, "PYTHONPATH": ":".join(path for path in sys.path if "site-packages" in path)}
    tune(katib_client, "pushed", pushing, env_per_trial=env, metrics_collector_config={"kind": "Push"})
    katib_client.wait_for_experiment_condition("pushed", **FAST)
    for each in katib_client.list_trials("pushed"):
        (logged,) = katib_client.get_trial_metrics(each.metadata.name, db_manager_address=GRPC)
        assert float(logged.metric.value) == float(each.spec.parameter_assignments[0].value)


def edit_the_budget():
    katib_client = client()
    katib_client.create_experiment(experiment("longer", resume_policy="LongRunning"))
    katib_client.wait_for_experiment_condition("longer", **FAST)
    katib_client.edit_experiment_budget("longer", max_trial_count=4)
    katib_client.wait_for_experiment_condition("longer", expected_condition="Restarting", **FAST)
    while len(katib_client.get_success_trial_details("longer")) < 4:
        time.sleep(0.2)


def errors():
    katib_client = client()
    katib_client.create_experiment(experiment("twice"))
    raised(Exception, "already exists", lambda: katib_client.create_experiment(experiment("twice")))
    raised(RuntimeError, "Failed to create", lambda: katib_client.create_experiment(experiment("Not_A_Name")))
    raised(RuntimeError, "nobody", lambda: katib_client.get_experiment("nobody"))
    raised(RuntimeError, "nobody", lambda: katib_client.get_trial("nobody"))
    raised(RuntimeError, "nobody", lambda: katib_client.delete_experiment("nobody"))
    raised(RuntimeError, "nobody", lambda: list(katib_client.get_job_logs("twice", "nobody")))
    raised(ValueError, "max_trial_count", lambda: katib_client.edit_experiment_budget("twice"))
    soon = {"expected_condition": "Restarting", "timeout": 0.4, "polling_interval": 0.2}
    raised(TimeoutError, "twice", lambda: katib_client.wait_for_experiment_condition("twice", **soon))
    katib_client.create_experiment(experiment("failing", "exit 3 # ${trialParameters.x}", max_failed_trial_count=1))
    raised(RuntimeError, "is Failed", lambda: katib_client.wait_for_experiment_condition("failing", **FAST))


def delete():
    katib_client = client()
    katib_client.create_experiment(experiment("deleted", "sleep 60 # ${trialParameters.x}"))
    katib_client.wait_for_experiment_condition("deleted", expected_condition="Running", **FAST)
    katib_client.delete_experiment("deleted")
    while "deleted" in [each.metadata.name for each in katib_client.list_experiments()]:
        time.sleep(0.2)
    assert not katib_client.list_trials("deleted")


def by_configuration_in_another_namespace():
    configuration = kubernetes.Configuration(host=URL)
    kubernetes.CoreV1Api(kubernetes.ApiClient(configuration)).create_namespace({"metadata": {"name": "elsewhere"}})
    katib_client = KatibClient(client_configuration=configuration, namespace="elsewhere")
    katib_client.create_experiment(experiment("created"))
    katib_client.wait_for_experiment_condition("created", **FAST)
    for each in katib_client.list_trials("created"):
        assert each.metadata.namespace == "elsewhere"
        assert katib_client.get_trial_metrics(each.metadata.name, db_manager_address=GRPC)


CASES = {
    each.__name__: each
    for each in (
        create_and_read,
        tune_a_function,
        tune_with_pushed_metrics,
        edit_the_budget,
        errors,
        delete,
        by_configuration_in_another_namespace,
    )
}

if __name__ == "__main__":
    answer(CASES)
