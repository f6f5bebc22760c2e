"""The documents that belong to an Experiment: Katib's Suggestion and Trial; and Kubernetes' ConfigMap, which may hold
trial templates."""

from __future__ import annotations

from pydantic import Field

from katib.core.experiment import ResumePolicy
from katib.resources.documents import Resource, Status
from katib.resources.shared_types import (
    AlgorithmSpec,
    EarlyStoppingRule,
    Int32,
    MetricsCollectorSpec,
    Model,
    NamedValue,
    ObjectiveSpec,
    Observation,
    Text,
    Tree,
    about,
)


class SuggestionSpec(Model):
    """What is asked of an algorithm. requests: total number of points asked for so far."""

    algorithm: AlgorithmSpec | None = about("The algorithm that is asked")
    early_stopping: AlgorithmSpec | None = about("The early-stopping rule that is asked")
    requests: Int32 | None = about("How many points were asked for so far")
    resume_policy: Text | None = about("The experiment's resumePolicy", allowed=tuple(ResumePolicy))


class TrialAssignment(Model):
    """One point that an algorithm suggested. name: of the trial that it becomes."""

    name: Text | None = about("Name of the trial that the point becomes")
    parameter_assignments: list[NamedValue] | None = about("The point: a value for each parameter")
    early_stopping_rules: list[EarlyStoppingRule] | None = about("Rules that the trial is stopped by")
    labels: dict[str, Text] | None = about("What the algorithm notes on the trial: bracket, rung, generation")


class SuggestionStatus(Status):
    """What an algorithm answered."""

    algorithm_settings: list[NamedValue] | None = about(
        "Settings as the algorithm changed them; an algorithm keeps its state here in Katib"
    )
    suggestion_count: Int32 | None = about("How many points it gave")
    suggestions: list[TrialAssignment] | None = about("The points")


class Suggestion(Resource):
    """The dialogue with an experiment's algorithm."""

    spec: SuggestionSpec = Field(default_factory=SuggestionSpec, description="What is asked")
    status: SuggestionStatus | None = about("What was answered")


class TrialSpec(Model):
    """One evaluation. runSpec: the job with all placeholders replaced."""

    objective: ObjectiveSpec | None = about("What is optimised")
    parameter_assignments: list[NamedValue] | None = about("The parameters that are tried")
    early_stopping_rules: list[EarlyStoppingRule] | None = about("Rules that the trial is stopped by")
    run_spec: Tree | None = about("The job with all placeholders replaced")
    retain_run: bool | None = about("Whether the job (on a cluster) or its files are kept when the trial is over")
    metrics_collector: MetricsCollectorSpec | None = about("How metrics are collected")
    primary_pod_labels: dict[str, Text] | None = about(
        "Labels of the pods whose metrics count, where a job has several kinds of pods"
    )
    primary_container_name: Text | None = about(
        "The container that trains: its command is what runs, its metrics are read"
    )
    success_condition: Text | None = about(
        "GJSON path into the live job; a match says that it succeeded. Known for usual kinds of jobs"
    )
    failure_condition: Text | None = about(
        "GJSON path into the live job; a match says that it failed. Tried before successCondition"
    )
    labels: dict[str, Text] | None = about("Labels of the trial")


class TrialStatus(Status):
    """How the evaluation went."""

    observation: Observation | None = about("What was measured")


class Trial(Resource):
    """One evaluation of one point of the search space."""

    spec: TrialSpec = Field(default_factory=TrialSpec, description="What is tried, and how")
    status: TrialStatus | None = about("How it went")


class ConfigMap(Resource):
    """Kubernetes' ConfigMap, as far as trial templates need it."""

    data: dict[str, Text] | None = about("Templates by key")
    binary_data: dict[str, Text] | None = about("Templates by key, in base64")
    immutable: bool | None = about("Whether it can never change")
