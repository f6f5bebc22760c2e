"""The client's ``tune``: an experiment made of a Python function and a search space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from katib.client.experiment_methods import ExperimentMethods
from katib.client.function_job import BASE_IMAGE_PYTORCH, PYPI, FunctionJob
from katib.client.trees import Tree, as_tree
from katib.core.errors import KatibError
from katib.resources.spec_projection import named_values, space_parameters
from katib.sdk.search import Domain, space_of

STORAGE: Mapping[str, Any] = {
    "size": "10Gi",
    "storage_class": None,
    "access_modes": ["ReadWriteOnce", "ReadOnlyMany"],
}
STDOUT: Mapping[str, Any] = {"kind": "StdOut"}

_NO_MODELS = (
    "tune with model_provider_parameters, dataset_provider_parameters and trainer_parameters is not supported: give "
    "objective and parameters, a function that loads the model and the data itself, or use create_experiment with a "
    "template that runs your trainer"
)


class TuneMethod(ExperimentMethods):
    """``tune``."""

    def tune(  # noqa: PLR0913 - the arguments of Katib's SDK
        self,
        name: str,
        model_provider_parameters: Any = None,
        dataset_provider_parameters: Any = None,
        trainer_parameters: Any = None,
        storage_config: Mapping[str, Any] | None = STORAGE,
        objective: Callable[[dict[str, Any]], Any] | None = None,
        base_image: str = BASE_IMAGE_PYTORCH,
        parameters: Mapping[str, Any] | None = None,
        namespace: str | None = None,
        env_per_trial: Any = None,
        algorithm_name: str = "random",
        algorithm_settings: Any = None,
        objective_metric_name: str | None = None,
        additional_metric_names: Sequence[str] = (),
        objective_type: str = "maximize",
        objective_goal: float | None = None,
        max_trial_count: int | None = None,
        parallel_trial_count: int | None = None,
        max_failed_trial_count: int | None = None,
        resources_per_trial: Any = None,
        retain_trials: bool = False,
        packages_to_install: Sequence[str] | None = None,
        pip_index_urls: Sequence[str] | None = PYPI,
        metrics_collector_config: Mapping[str, Any] = STDOUT,
        trial_active_deadline_seconds: int | None = None,
    ) -> None:
        """Create an experiment whose trials call ``objective``, a function that takes one dict, and tells its metrics
        by printing ``name=value`` or by ``katib.report_metrics`` (with ``metrics_collector_config={"kind": "Push"}``).

        Only the function's source travels: what it needs it imports itself. Its dict has a text for each parameter that
        is searched, and the constants as they are.

        parameters: by name, a helper of ``katib.search``, a ``V1beta1ParameterSpec``, or a constant. env_per_trial: a
        mapping, or a list of EnvVar and EnvFromSource. algorithm_settings: a mapping, or a list of settings.
        resources_per_trial: a mapping (cpu, memory, gpu), ResourceRequirements, or a ``TrainerResources``, which makes
        each trial a PyTorchJob. packages_to_install: requirements for pip, installed before the function runs; outside
        of a pod into the trial's own folder, and only those that are not there. base_image: has no meaning where trials
        run as commands of this machine. trial_active_deadline_seconds: of one trial.

        Raises ValueError on arguments that cannot be used, NotImplementedError if models and datasets of providers are
        asked for, and what ``create_experiment`` raises.
        """
        providers = (model_provider_parameters, dataset_provider_parameters, trainer_parameters)
        if any(each is not None for each in providers):
            raise NotImplementedError(_NO_MODELS)
        if not name or objective is None or not parameters:
            raise ValueError("tune needs a name, an objective and parameters")
        searched, constants = _split(parameters)
        job = FunctionJob(
            objective,
            [tree["name"] for tree in searched],
            constants,
            base_image,
            packages_to_install or (),
            pip_index_urls or (),
            env_per_trial,
            resources_per_trial,
            trial_active_deadline_seconds,
        )
        counts = {
            "maxTrialCount": max_trial_count,
            "parallelTrialCount": parallel_trial_count,
            "maxFailedTrialCount": max_failed_trial_count,
        }
        goal = {
            "type": objective_type,
            "goal": objective_goal,
            "objectiveMetricName": objective_metric_name,
            "additionalMetricNames": list(additional_metric_names) or None,
        }
        spec: Tree = {
            **_present(counts),
            "objective": _present(goal),
            "algorithm": _present(
                {"algorithmName": algorithm_name, "algorithmSettings": _settings(algorithm_settings)}
            ),
            "parameters": searched,
            "metricsCollectorSpec": {"collector": dict(metrics_collector_config)},
            "trialTemplate": _template(job, retain_trials),
        }
        self.create_experiment({"metadata": {"name": name}, "spec": spec}, namespace)


def _split(parameters: Mapping[str, Any]) -> tuple[list[Tree], dict[str, Any]]:
    """The parameters that are searched, as documents, and the constants. Raises ValueError."""
    domains = {name: value for name, value in parameters.items() if isinstance(value, Domain)}
    try:
        searched = space_parameters(space_of(domains))
    except KatibError as error:
        raise ValueError(f"parameters: {error}") from error
    models = {name: value for name, value in parameters.items() if hasattr(value, "parameter_type")}
    searched += [{**as_tree(value), "name": name} for name, value in models.items()]
    if not searched:
        raise ValueError("parameters: got constants only, expected a helper of katib.search among them")
    return searched, {name: value for name, value in parameters.items() if name not in {**domains, **models}}


def _template(job: FunctionJob, retain: bool) -> Tree:
    return {
        "primaryContainerName": job.container_name,
        "retain": retain,
        "trialParameters": [{"name": name, "reference": name} for name in job.searched],
        "trialSpec": job.manifest(),
    }


def _settings(given: Any) -> list[Tree] | None:
    if isinstance(given, Mapping):
        return named_values({str(name): str(value) for name, value in given.items()})
    settings: list[Tree] | None = as_tree(given)
    return settings


def _present(tree: Mapping[str, Any]) -> Tree:
    return {name: value for name, value in tree.items() if value is not None}
