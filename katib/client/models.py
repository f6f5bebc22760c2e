"""The documents of Katib's API under the names and attributes of Katib's own SDK: ``V1beta1Experiment`` and its parts.

Each is one of our documents (``katib.resources``) that is made by keywords in snake_case and has times as ``datetime``.
Fields beyond Katib's are here too, under the names that ``katib explain`` has, in snake_case.
"""

# mypy: disable-error-code="assignment"
# A part is narrowed to the client's own class of it, in lists as well, and texts of times to times.

from __future__ import annotations

from typing import Any

from katib.client.model_base import ClientModel, ListOf, Time
from katib.client.model_base import V1ListMeta as V1ListMeta
from katib.resources import documents, shared_types, trial_documents


class V1ObjectMeta(ClientModel, shared_types.ObjectMeta):
    """Name, namespace and labels of an object; what ``kubernetes.client`` has under this name is taken as well."""

    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None


class V1beta1AlgorithmSetting(ClientModel, shared_types.NamedValue):
    """A setting of an algorithm."""


class V1beta1AlgorithmSpec(ClientModel, shared_types.AlgorithmSpec):
    """An algorithm and its settings."""

    algorithm_settings: list[V1beta1AlgorithmSetting] | None = None


class V1beta1EarlyStoppingSetting(ClientModel, shared_types.NamedValue):
    """A setting of an early-stopping rule."""


class V1beta1EarlyStoppingSpec(ClientModel, shared_types.AlgorithmSpec):
    """An early-stopping rule and its settings."""

    algorithm_settings: list[V1beta1EarlyStoppingSetting] | None = None


class V1beta1EarlyStoppingRule(ClientModel, shared_types.EarlyStoppingRule):
    """What a trial is stopped by."""


class V1beta1CollectorSpec(ClientModel, shared_types.CollectorKind):
    """The kind of collector."""


class V1beta1FileSystemPath(ClientModel, shared_types.FileSystemPath):
    """Where a trial writes metrics."""


class V1beta1FilterSpec(ClientModel, shared_types.FilterSpec):
    """What a line with metrics looks like."""


class V1beta1SourceSpec(ClientModel, shared_types.SourceSpec):
    """Where a collector reads."""

    file_system_path: V1beta1FileSystemPath | None = None
    filter: V1beta1FilterSpec | None = None


class V1beta1MetricsCollectorSpec(ClientModel, shared_types.MetricsCollectorSpec):
    """How metrics are collected."""

    source: V1beta1SourceSpec | None = None
    collector: V1beta1CollectorSpec | None = None


class V1beta1ConfigMapSource(ClientModel, documents.ConfigMapSource):
    """A template in a ConfigMap."""


class V1beta1FeasibleSpace(ClientModel, documents.FeasibleSpace):
    """The values of a parameter. ``list`` is the field ``values`` under Katib's name."""

    @property
    def list(self) -> Any:
        """The values to choose from."""
        return self.values

    @list.setter
    def list(self, values: Any) -> None:
        self.values = values

    def to_dict(self) -> dict[str, Any]:
        """All attributes by their names in Katib's SDK."""
        return {"list" if name == "values" else name: value for name, value in super().to_dict().items()}


class V1beta1ParameterSpec(ClientModel, documents.ParameterSpec):
    """One dimension of the search space."""

    feasible_space: V1beta1FeasibleSpace | None = None


class V1beta1GraphConfig(ClientModel, documents.GraphConfig):
    """The outline of a network."""


class V1beta1Operation(ClientModel, documents.Operation):
    """A kind of layer."""

    parameters: list[V1beta1ParameterSpec] | None = None


class V1beta1NasConfig(ClientModel, documents.NasConfig):
    """The search space of an architecture search."""

    graph_config: V1beta1GraphConfig | None = None
    operations: list[V1beta1Operation] | None = None


class V1beta1MetricStrategy(ClientModel, shared_types.NamedValue):
    """Which value of a metric's curve counts."""


class V1beta1ObjectiveSpec(ClientModel, shared_types.ObjectiveSpec):
    """The metric to optimise."""

    metric_strategies: list[V1beta1MetricStrategy] | None = None


class V1beta1TrialParameterSpec(ClientModel, documents.TrialParameterSpec):
    """What stands for a parameter in the template."""


class V1beta1TrialSource(ClientModel):
    """Where a trial's job comes from."""

    config_map: V1beta1ConfigMapSource | None = None
    trial_spec: dict[str, Any] | None = None


class V1beta1TrialTemplate(ClientModel, documents.TrialTemplateSpec):
    """The job of a trial, with placeholders."""

    config_map: V1beta1ConfigMapSource | None = None
    trial_parameters: list[V1beta1TrialParameterSpec] | None = None


class V1beta1Metric(ClientModel, shared_types.Metric):
    """A metric of an observation."""


class V1beta1Observation(ClientModel, shared_types.Observation):
    """What was observed of a trial."""

    metrics: list[V1beta1Metric] | None = None


class V1beta1ParameterAssignment(ClientModel, shared_types.NamedValue):
    """A value of a parameter."""


class V1beta1OptimalTrial(ClientModel, documents.OptimalTrial):
    """The best trial so far."""

    parameter_assignments: list[V1beta1ParameterAssignment] | None = None
    observation: V1beta1Observation | None = None


class V1beta1ExperimentCondition(ClientModel, shared_types.StatusCondition):
    """What is true of an experiment."""

    last_update_time: Time | None = None
    last_transition_time: Time | None = None


class V1beta1TrialCondition(V1beta1ExperimentCondition):
    """What is true of a trial."""


class V1beta1SuggestionCondition(V1beta1ExperimentCondition):
    """What is true of a suggestion."""


class V1beta1ExperimentSpec(ClientModel, documents.ExperimentSpec):
    """What the user asks for."""

    parameters: list[V1beta1ParameterSpec] | None = None
    objective: V1beta1ObjectiveSpec | None = None
    algorithm: V1beta1AlgorithmSpec | None = None
    early_stopping: V1beta1EarlyStoppingSpec | None = None
    trial_template: V1beta1TrialTemplate | None = None
    metrics_collector_spec: V1beta1MetricsCollectorSpec | None = None
    nas_config: V1beta1NasConfig | None = None


class V1beta1ExperimentStatus(ClientModel, documents.ExperimentStatus):
    """How an experiment stands."""

    start_time: Time | None = None
    completion_time: Time | None = None
    last_reconcile_time: Time | None = None
    conditions: list[V1beta1ExperimentCondition] | None = None
    current_optimal_trial: V1beta1OptimalTrial | None = None


class V1beta1Experiment(ClientModel, documents.Experiment):
    """A search. ``metadata`` may also be a ``kubernetes.client.V1ObjectMeta``, and the job in it one of that package's
    objects."""

    metadata: V1ObjectMeta | None = None
    spec: V1beta1ExperimentSpec | None = None
    status: V1beta1ExperimentStatus | None = None


class V1beta1TrialAssignment(ClientModel, trial_documents.TrialAssignment):
    """A point that an algorithm suggested."""

    parameter_assignments: list[V1beta1ParameterAssignment] | None = None
    early_stopping_rules: list[V1beta1EarlyStoppingRule] | None = None


class V1beta1SuggestionSpec(ClientModel, trial_documents.SuggestionSpec):
    """What is asked of an algorithm."""

    algorithm: V1beta1AlgorithmSpec | None = None
    early_stopping: V1beta1EarlyStoppingSpec | None = None


class V1beta1SuggestionStatus(ClientModel, trial_documents.SuggestionStatus):
    """What an algorithm answered."""

    start_time: Time | None = None
    completion_time: Time | None = None
    last_reconcile_time: Time | None = None
    conditions: list[V1beta1SuggestionCondition] | None = None
    algorithm_settings: list[V1beta1AlgorithmSetting] | None = None
    suggestions: list[V1beta1TrialAssignment] | None = None


class V1beta1Suggestion(ClientModel, trial_documents.Suggestion):
    """The dialogue with an experiment's algorithm."""

    metadata: V1ObjectMeta | None = None
    spec: V1beta1SuggestionSpec | None = None
    status: V1beta1SuggestionStatus | None = None


class V1beta1TrialSpec(ClientModel, trial_documents.TrialSpec):
    """What a trial tries, and how."""

    objective: V1beta1ObjectiveSpec | None = None
    parameter_assignments: list[V1beta1ParameterAssignment] | None = None
    early_stopping_rules: list[V1beta1EarlyStoppingRule] | None = None
    metrics_collector: V1beta1MetricsCollectorSpec | None = None


class V1beta1TrialStatus(ClientModel, trial_documents.TrialStatus):
    """How a trial went."""

    start_time: Time | None = None
    completion_time: Time | None = None
    last_reconcile_time: Time | None = None
    conditions: list[V1beta1TrialCondition] | None = None
    observation: V1beta1Observation | None = None


class V1beta1Trial(ClientModel, trial_documents.Trial):
    """One evaluation of one point."""

    metadata: V1ObjectMeta | None = None
    spec: V1beta1TrialSpec | None = None
    status: V1beta1TrialStatus | None = None


class V1beta1ExperimentList(ListOf):
    """Experiments."""

    items: list[V1beta1Experiment] | None = None


class V1beta1SuggestionList(ListOf):
    """Suggestions."""

    items: list[V1beta1Suggestion] | None = None


class V1beta1TrialList(ListOf):
    """Trials."""

    items: list[V1beta1Trial] | None = None
