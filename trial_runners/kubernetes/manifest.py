"""The job of an attempt, as it is created in the cluster: what the user wrote, and what we add to it.

Added are the name, Katib's labels (on the job and on all of its pods) and, to the container that trains, variables and
mounts; containers beside it only where a file has to be read or a checkpoint copied. The command is never touched: no
shell is put around it, so its quoting stays, and its output stays where ``kubectl logs`` looks for it.

A TrainJob's pods come from a runtime in the cluster: it gets labels for what is derived from it, and variables. (How a
TrainJob changes its pods has had three forms in three releases, each dropped without a word by the others, so none is
used.) Argo Workflows and Tekton PipelineRuns get labels and variables too. What needs a container or volume of its own
is refused for these kinds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from katib.core.errors import RunnerError
from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt
from trial_runners.kubernetes.checkpoints import NO_PAST, Past, checkpoints, storage_of, url_variables
from trial_runners.kubernetes.collecting import collecting, collector_container, plain_variables
from trial_runners.kubernetes.names import job_name, labels_of
from trial_runners.kubernetes.pods import (
    Additions,
    Tree,
    change_templates,
    extended,
    labelled,
    primary_path,
    restarts,
    sequence,
    tree,
    with_env,
)
from trial_runners.kubernetes.variables import trial_variables
from trial_runners.settings import KubernetesSettings

Variables = tuple[Tree, ...]
Labels = Mapping[str, str]

# Seconds after its end that a Job, whose controller never came back to it, is removed by the cluster.
FORGOTTEN_SECONDS = 7 * 24 * 3600


def manifest_for(
    attempt: Attempt, template: TrialTemplate, settings: KubernetesSettings, past: Past = NO_PAST
) -> dict[str, Any]:
    """The job of ``attempt`` to create, of whatever kind. Raises RunnerError, with the path in the manifest or the
    setting, on what cannot be done."""
    labels = labels_of(attempt)
    metadata = {
        **tree(attempt.run.get("metadata")),
        "name": job_name(attempt.id),
        "namespace": attempt.id.key.namespace,
    }
    job = labelled({**attempt.run, "metadata": metadata}, labels)
    kind = str(job.get("kind"))
    if kind in _FORMS:
        return _FORMS[kind](job, _variables(kind, attempt, settings, past), labels, attempt.primary_container)
    primary = primary_path(job, attempt.primary_container, template.primary_pod_labels)
    if primary is None:
        raise RunnerError(f"no pod template in the {kind} has a container {attempt.primary_container!r}")

    def prepared(path: str, pod: Tree) -> Tree:
        additions = Additions(env=trial_variables(attempt)) + checkpoints(attempt, pod, settings, past)
        if path == primary:
            additions += collecting(attempt, pod, settings, restarts(job, path, pod))
        return extended(labelled(pod, labels), attempt.primary_container, additions)

    prepared_job: dict[str, Any] = change_templates(job, prepared)
    return prepared_job if attempt.retain else _forgettable(prepared_job)


def _variables(kind: str, attempt: Attempt, settings: KubernetesSettings, past: Past) -> Variables:
    """For kinds whose pods cannot be given more. Raises RunnerError where more is needed."""
    if collector_container(attempt, settings):
        raise RunnerError(
            f"{kind}: the metrics collector {attempt.collector.kind} needs a container beside the training, which "
            f"cannot be put into jobs of this kind; expected StdOut or PrometheusMetric"
        )
    if storage_of(settings).claim:
        raise RunnerError(f"{kind}: a claim for checkpoints cannot be put into jobs of this kind; expected a URL")
    return (
        *trial_variables(attempt, labelled=False),
        *plain_variables(attempt, settings),
        *url_variables(attempt, settings, past),
    )


def _forgettable(job: dict[str, Any]) -> dict[str, Any]:
    """A batch Job that the cluster removes some days after its end, unless its user says when."""
    spec = tree(job.get("spec"))
    if job.get("kind") != "Job" or not str(job.get("apiVersion")).startswith("batch/"):
        return job
    return {**job, "spec": {"ttlSecondsAfterFinished": FORGOTTEN_SECONDS, **spec}}


def _train_job(job: Tree, env: Variables, labels: Labels, container: str) -> Tree:
    """A TrainJob has one training container, whatever its runtime calls it."""
    spec = tree(job.get("spec"))
    trainer = with_env(tree(spec.get("trainer")), env)
    return {**job, "spec": {**spec, "labels": {**tree(spec.get("labels")), **labels}, "trainer": trainer}}


def _workflow(job: Tree, env: Variables, labels: Labels, container: str) -> Tree:
    """Argo: all templates with a container of that name; it is ``main`` where none is given."""
    spec = tree(job.get("spec"))
    templates = [
        {**item, "container": with_env(tree(item["container"]), env)}
        if "container" in item and tree(item["container"]).get("name", "main") == container
        else item
        for item in map(tree, sequence(spec.get("templates")))
    ]
    metadata = tree(spec.get("podMetadata"))
    pods = {"podMetadata": {**metadata, "labels": {**tree(metadata.get("labels")), **labels}}}
    return {**job, "spec": {**spec, **pods, "templates": templates}}


def _pipeline_run(job: Tree, env: Variables, labels: Labels, container: str) -> Tree:
    """Tekton: all steps of that name, with or without ``step-``. A run passes its labels on to its pods."""
    spec = tree(job.get("spec"))
    pipeline = tree(spec.get("pipelineSpec"))
    tasks = [_task(tree(task), env, container) for task in sequence(pipeline.get("tasks"))]
    return {**job, "spec": {**spec, "pipelineSpec": {**pipeline, "tasks": tasks}}} if tasks else job


def _task(task: Tree, env: Variables, container: str) -> Tree:
    spec = tree(task.get("taskSpec"))
    steps = [
        with_env(step, env) if container in (step.get("name"), f"step-{step.get('name')}") else step
        for step in map(tree, sequence(spec.get("steps")))
    ]
    return {**task, "taskSpec": {**spec, "steps": steps}} if steps else task


_FORMS: Mapping[str, Callable[[Tree, Variables, Labels, str], Tree]] = {
    "TrainJob": _train_job,
    "Workflow": _workflow,
    "PipelineRun": _pipeline_run,
}
