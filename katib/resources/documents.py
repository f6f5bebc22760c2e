"""Katib's documents, group kubeflow.org, version v1beta1: Experiment, Suggestion and Trial; and Kubernetes' ConfigMap,
which may hold trial templates. Field names are Katib's, in lowerCamelCase on the outside."""

from __future__ import annotations

from pydantic import Field

from katib.resources.shared_types import (
    AlgorithmSpec,
    EarlyStoppingRule,
    Int32,
    MetricsCollectorSpec,
    Model,
    NamedValue,
    ObjectiveSpec,
    ObjectMeta,
    Observation,
    StatusCondition,
    Text,
    Tree,
)

API_VERSION = "kubeflow.org/v1beta1"


class FeasibleSpace(Model):
    """The values of a parameter: min, max and step, or a list. distribution: uniform, logUniform, normal, logNormal."""

    min: Text | None = None
    max: Text | None = None
    step: Text | None = None
    values: list[Text] | None = Field(default=None, alias="list")
    distribution: Text | None = None


class ParameterSpec(Model):
    """One dimension of the search space. parameterType: double, int, discrete or categorical."""

    name: Text | None = None
    parameter_type: Text | None = None
    feasible_space: FeasibleSpace | None = None


class GraphConfig(Model):
    """The outline of a network that is searched."""

    num_layers: Int32 | None = None
    input_sizes: list[Int32] | None = None
    output_sizes: list[Int32] | None = None


class Operation(Model):
    """A kind of layer, and the search space of its own parameters."""

    operation_type: Text | None = None
    parameters: list[ParameterSpec] | None = None


class NasConfig(Model):
    """The search space of a neural architecture search."""

    graph_config: GraphConfig | None = None
    operations: list[Operation] | None = None


class ConfigMapSource(Model):
    """A template in a ConfigMap. templatePath: the key in its data."""

    config_map_name: Text | None = None
    config_map_namespace: Text | None = None
    template_path: Text | None = None


class TrialParameterSpec(Model):
    """``${trialParameters.<name>}`` in the template stands for ``reference``."""

    name: Text | None = None
    description: Text | None = None
    reference: Text | None = None


class TrialTemplateSpec(Model):
    """The job of a trial, with placeholders. Either trialSpec or configMap is given."""

    trial_spec: Tree | None = None
    config_map: ConfigMapSource | None = None
    trial_parameters: list[TrialParameterSpec] | None = None
    primary_pod_labels: dict[str, Text] | None = None
    primary_container_name: Text | None = None
    success_condition: Text | None = None
    failure_condition: Text | None = None
    retain: bool | None = None


class ExperimentSpec(Model):
    """What the user asks for."""

    parameters: list[ParameterSpec] | None = None
    objective: ObjectiveSpec | None = None
    algorithm: AlgorithmSpec | None = None
    early_stopping: AlgorithmSpec | None = None
    trial_template: TrialTemplateSpec | None = None
    parallel_trial_count: Int32 | None = None
    max_trial_count: Int32 | None = None
    max_failed_trial_count: Int32 | None = None
    metrics_collector_spec: MetricsCollectorSpec | None = None
    nas_config: NasConfig | None = None
    resume_policy: Text | None = None


class Status(Model):
    """What the status of every kind has."""

    start_time: Text | None = None
    completion_time: Text | None = None
    last_reconcile_time: Text | None = None
    conditions: list[StatusCondition] | None = None

    def holds(self, condition: str) -> StatusCondition | None:
        """The condition of that type if it is True."""
        found = (c for c in self.conditions or () if c.type == condition and c.status == "True")
        return next(found, None)


class OptimalTrial(Model):
    """The best trial so far."""

    best_trial_name: Text | None = None
    parameter_assignments: list[NamedValue] | None = None
    observation: Observation | None = None


class ExperimentStatus(Status):
    """Counts and names of trials, and the best one."""

    current_optimal_trial: OptimalTrial | None = None
    running_trial_list: list[Text] | None = None
    pending_trial_list: list[Text] | None = None
    failed_trial_list: list[Text] | None = None
    succeeded_trial_list: list[Text] | None = None
    killed_trial_list: list[Text] | None = None
    early_stopped_trial_list: list[Text] | None = None
    metrics_unavailable_trial_list: list[Text] | None = None
    trials: Int32 | None = None
    trials_succeeded: Int32 | None = None
    trials_failed: Int32 | None = None
    trials_killed: Int32 | None = None
    trials_pending: Int32 | None = None
    trials_running: Int32 | None = None
    trials_early_stopped: Int32 | None = None
    trial_metrics_unavailable: Int32 | None = None


class Resource(Model):
    """What every kind has. The status of a document that a user applies is ignored."""

    api_version: Text | None = None
    kind: Text | None = None
    metadata: ObjectMeta = Field(default_factory=ObjectMeta)


class Experiment(Resource):
    """A search: space, objective, algorithm, budget and the job that evaluates one point."""

    spec: ExperimentSpec = Field(default_factory=ExperimentSpec)
    status: ExperimentStatus | None = None


class SuggestionSpec(Model):
    """What is asked of an algorithm. requests: total number of points asked for so far."""

    algorithm: AlgorithmSpec | None = None
    early_stopping: AlgorithmSpec | None = None
    requests: Int32 | None = None
    resume_policy: Text | None = None


class TrialAssignment(Model):
    """One point that an algorithm suggested. name: of the trial that it becomes."""

    name: Text | None = None
    parameter_assignments: list[NamedValue] | None = None
    early_stopping_rules: list[EarlyStoppingRule] | None = None
    labels: dict[str, Text] | None = None


class SuggestionStatus(Status):
    """What an algorithm answered."""

    algorithm_settings: list[NamedValue] | None = None
    suggestion_count: Int32 | None = None
    suggestions: list[TrialAssignment] | None = None


class Suggestion(Resource):
    """The dialogue with an experiment's algorithm."""

    spec: SuggestionSpec = Field(default_factory=SuggestionSpec)
    status: SuggestionStatus | None = None


class TrialSpec(Model):
    """One evaluation. runSpec: the job with all placeholders replaced."""

    objective: ObjectiveSpec | None = None
    parameter_assignments: list[NamedValue] | None = None
    early_stopping_rules: list[EarlyStoppingRule] | None = None
    run_spec: Tree | None = None
    retain_run: bool | None = None
    metrics_collector: MetricsCollectorSpec | None = None
    primary_pod_labels: dict[str, Text] | None = None
    primary_container_name: Text | None = None
    success_condition: Text | None = None
    failure_condition: Text | None = None
    labels: dict[str, Text] | None = None


class TrialStatus(Status):
    """How the evaluation went."""

    observation: Observation | None = None


class Trial(Resource):
    """One evaluation of one point of the search space."""

    spec: TrialSpec = Field(default_factory=TrialSpec)
    status: TrialStatus | None = None


class ConfigMap(Resource):
    """Kubernetes' ConfigMap, as far as trial templates need it."""

    data: dict[str, Text] | None = None
    binary_data: dict[str, Text] | None = None
    immutable: bool | None = None
