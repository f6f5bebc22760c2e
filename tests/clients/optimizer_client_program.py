"""``OptimizerClient`` of the package ``kubeflow``, called as its users call it. Runs in its own environment."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from answering import answer, raised
from kubeflow.optimizer import (
    GridSearch,
    KubernetesBackendConfig,
    Objective,
    OptimizerClient,
    Search,
    TrainJobTemplate,
    TrialConfig,
)
from kubeflow.trainer import CustomTrainer
from kubernetes import client as kubernetes

_, URL, _ = sys.argv[1:]
FAST = {"timeout": 60, "polling_interval": 0.2}


def train(lr, width):
    import time

    print("begins", flush=True)
    for step in range(3):
        time.sleep(0.5)
        print(f"loss={float(lr) / int(width) + 1 / (step + 1)}", flush=True)


def break_down(lr):
    raise SystemExit(f"cannot learn at {lr}")


def client():
    return OptimizerClient()  # by $KUBECONFIG, whose namespace it takes


def optimize(optimizer, function=train, **rest):
    space = {"lr": Search.loguniform(0.001, 1)} | ({"width": Search.choice([8, 16])} if function is train else {})
    resources = {"cpu": 1, "memory": "2Gi"}
    return optimizer.optimize(
        TrainJobTemplate(trainer=CustomTrainer(func=function, num_nodes=1, resources_per_node=resources)),
        **{"search_space": space, "trial_config": TrialConfig(num_trials=3, parallel_trials=3), **rest},
    )


def optimize_a_function():
    optimizer = client()
    seen = []
    name = optimize(optimizer, objectives=[Objective(metric="loss")])
    optimizer.wait_for_job_status(name, {"Running"}, callbacks=[lambda job: seen.append(job.status)], **FAST)
    assert seen[-1] == "Running"
    trial = optimizer.get_job(name).trials[0]
    assert [step.name for step in trial.trainjob.steps] == ["node-0"]
    followed = list(optimizer.get_job_logs(name, trial.name, follow=True))
    assert (followed[0], len(followed)) == ("begins", 4), followed
    job = optimizer.wait_for_job_status(name, **FAST)
    losses = {}
    for each in job.trials:  # each ran its own program, though all are of one name
        (metric,) = each.metrics
        losses[each.name] = float(each.parameters["lr"]) / int(each.parameters["width"]) + 1 / 3
        assert abs(float(metric.latest) - losses[each.name]) < 1e-9
        assert each.trainjob.status == "Complete"
    best = optimizer.get_best_results(name)
    assert float(best.metrics[0].latest) == min(losses.values())
    (best_name,) = (name for name, loss in losses.items() if loss == min(losses.values()))
    assert list(optimizer.get_job_logs(name)) == list(optimizer.get_job_logs(name, best_name))
    assert name in [each.name for each in optimizer.list_jobs()]
    assert "ExperimentCreated" in [each.reason for each in optimizer.get_job_events(name)]


def search_a_grid():
    optimizer = client()
    space = {"lr": Search.choice([0.1, 0.2]), "width": Search.choice([8])}
    name = optimize(optimizer, search_space=space, algorithm=GridSearch(), trial_config=TrialConfig(num_trials=2))
    job = optimizer.wait_for_job_status(name, **FAST)
    assert sorted(each.parameters["lr"] for each in job.trials) == ["0.1", "0.2"]


def failures():
    optimizer = client()
    raised(RuntimeError, "nobody", lambda: optimizer.get_job("nobody"))
    raised(RuntimeError, "nobody", lambda: optimizer.delete_job("nobody"))
    name = optimize(optimizer, break_down, trial_config=TrialConfig(num_trials=2, max_failed_trials=1))
    raised(RuntimeError, "is Failed", lambda: optimizer.wait_for_job_status(name, **FAST))
    job = optimizer.get_job(name)
    assert (job.status, job.trials[0].trainjob.status) == ("Failed", "Failed")
    assert "cannot learn at" in "".join(optimizer.get_job_logs(name))


def delete():
    optimizer = client()
    name = optimize(optimizer)
    optimizer.wait_for_job_status(name, {"Running"}, **FAST)
    optimizer.delete_job(name)
    while True:
        with suppress(RuntimeError):  # what is being deleted may go between two requests of one call
            if name not in [each.name for each in optimizer.list_jobs()]:
                break
        time.sleep(0.2)
    raised(RuntimeError, name, lambda: optimizer.get_job(name))


def by_configuration_in_a_namespace():
    configuration = kubernetes.Configuration(host=URL)
    kubernetes.CoreV1Api(kubernetes.ApiClient(configuration)).create_namespace({"metadata": {"name": "optimized"}})
    config = KubernetesBackendConfig(client_configuration=configuration, namespace="optimized")
    optimizer = OptimizerClient(config)
    name = optimize(optimizer, trial_config=TrialConfig(num_trials=1))
    optimizer.wait_for_job_status(name, **FAST)
    assert [each.name for each in optimizer.list_jobs()] == [name]


CASES = {
    each.__name__: each
    for each in (optimize_a_function, search_a_grid, failures, delete, by_configuration_in_a_namespace)
}

if __name__ == "__main__":
    answer(CASES)
