"""What the three Katib kinds have in common: the base of all models, and the types of katib.v1beta1 used by several.

Models know the shape only. Every field may be absent, enumerations are text and nothing is checked beyond the types,
because a document that is already stored must stay readable; ``validation`` holds the rules. Unknown fields are kept
(pydantic's extra fields) and reported by ``reading``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from katib.core.objective import Direction


def number_text(value: Any) -> Any:
    """Numbers where Katib has text (``min: 0.01``) become their shortest text; the rest is left for the type check."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(number_text), WithJsonSchema({"type": ["string", "number"]})]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
COLLECTORS = ("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push")
Tree = dict[str, Any]  # Kubernetes-shaped parts that stay as they are


def about(text: str, *, allowed: Sequence[str] = (), default: Any = None, alias: str | None = None) -> Any:
    """A field that may be absent, and what is said of it to people (``katib explain``) and editors (JSON Schema).

    allowed: all values that it may have; default: what it means if left out.
    """
    facts: dict[str, Any] = {"enum": list(allowed)} if allowed else {}
    facts |= {"default": default} if default is not None else {}
    return Field(default=None, description=text, json_schema_extra=facts or None, alias=alias)


class Model(BaseModel):
    """Base of all models: lowerCamelCase on the outside, strict types, null means absent."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", strict=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: Any) -> Any:
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value

    def tree(self) -> Tree:
        """The document that this model stands for, without absent fields."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class OwnerReference(Model):
    """An object that this one belongs to."""

    api_version: Text | None = about("Group and version of the owner's kind")
    kind: Text | None = about("Kind of the owner")
    name: Text | None = about("Name of the owner")
    uid: Text | None = about("Unique id of the owner")
    controller: bool | None = about("Whether the owner is the one that manages the object")
    block_owner_deletion: bool | None = about("Whether the owner cannot be deleted before the object is")


class ObjectMeta(Model):
    """Kubernetes' metadata of an object. Times are RFC 3339 texts."""

    name: Text | None = about("Name within the namespace: at most 40 of a-z, 0-9 and '-', beginning with a letter")
    generate_name: Text | None = about("Prefix of a name that is generated on a cluster")
    namespace: Text | None = about("Space in which the name is unique", default="default")
    labels: dict[str, Text] | None = about(
        "Names and values to select by; those of an Experiment are passed on to its trials"
    )
    annotations: dict[str, Text] | None = about("Names and values that tools keep here; nothing is selected by them")
    uid: Text | None = about("Unique id, never used twice; given at creation")
    resource_version: Text | None = about("Changes with every change of the object or of its trials")
    generation: int | None = about("Changes with every change of the spec")
    creation_timestamp: Text | None = about("When it was created")
    deletion_timestamp: Text | None = about("When its deletion was asked for")
    deletion_grace_period_seconds: int | None = about("Seconds that it may still take to end")
    finalizers: list[Text] | None = about("What must be done before it is removed")
    owner_references: list[OwnerReference] | None = about("Objects that it belongs to and is deleted with")
    managed_fields: list[Tree] | None = about("Who set which field, as a cluster records it")
    self_link: Text | None = about("Address of the object; no longer used by Kubernetes")


class NamedValue(Model):
    """A setting of an algorithm, an assignment of a parameter, or a metric's strategy."""

    name: Text | None = about("What it is the value of")
    value: Text | None = about("The value, as text")


class AlgorithmSpec(Model):
    """An algorithm, or an early stopping rule, and its settings."""

    algorithm_name: Text | None = about("Name of the algorithm or early-stopping rule; `katib algorithms` lists them")
    algorithm_settings: list[NamedValue] | None = about(
        "Its settings; `katib algorithms NAME` shows names, types, defaults and ranges"
    )


class EarlyStoppingRule(Model):
    """``comparison`` (equal, less, greater) of metric ``name`` with ``value``, tested from report ``startStep`` on."""

    name: Text | None = about("The metric that is compared")
    value: Text | None = about("What it is compared with")
    comparison: Text | None = about(
        "How: the trial is stopped where the comparison holds", allowed=("equal", "less", "greater")
    )
    start_step: Int32 | None = about("Number of reports before the first comparison")


class TargetSpec(Model):
    """One of several metrics to optimise."""

    type: Text | None = about("Whether small or large values of the metric are good", allowed=tuple(Direction))
    goal: float | None = about("Value that is good enough; the experiment ends when one trial reaches every goal given")
    objective_metric_name: Text | None = about("The metric, as trials report it")


class ObjectiveSpec(Model):
    """The metric to optimise, or several. type: minimize or maximize."""

    type: Text | None = about("Whether small or large values of the metric are good", allowed=tuple(Direction))
    goal: float | None = about(
        "The experiment ends with success as soon as a finished trial's value is at least as good"
    )
    objective_metric_name: Text | None = about("The metric that is optimised, as trials report it")
    additional_metric_names: list[Text] | None = about("Further metrics that are recorded and shown, but not optimised")
    metric_strategies: list[NamedValue] | None = about(
        "Which value of a metric's curve stands for the trial, by name of the metric: min, max or latest; "
        "where not given, min to minimize and max to maximize"
    )
    objectives: list[TargetSpec] | None = about(
        "Several metrics to optimise together, the first of them also named by type, goal and objectiveMetricName. "
        "Beyond Katib"
    )


class FileSystemPath(Model):
    """Where a trial writes metrics. kind: File or Directory. format: TEXT or JSON."""

    path: Text | None = about("Absolute path of the file (File) or folder (TensorFlowEvent)")
    kind: Text | None = about(
        "Whether path is a file or a folder; follows from the collector", allowed=("File", "Directory")
    )
    format: Text | None = about(
        "Lines of name=value pairs, or one JSON object a line; for the collector File",
        allowed=("TEXT", "JSON"),
        default="TEXT",
    )


class FilterSpec(Model):
    """Regular expressions with two groups, a metric's name and its value."""

    metrics_format: list[Text] | None = about(
        "Regular expressions with two groups: a metric's name, and its value. They replace the usual name=value"
    )


class SourceSpec(Model):
    """Where a collector reads. httpGet is Kubernetes' HTTPGetAction."""

    http_get: Tree | None = about(
        "Where PrometheusMetric asks, as in Kubernetes' HTTPGetAction: port (8080), path (/metrics), scheme, headers"
    )
    file_system_path: FileSystemPath | None = about(
        "The file or folder that a trial writes metrics to; for File, TensorFlowEvent and Custom"
    )
    filter: FilterSpec | None = about("What a line of text must look like to hold metrics")


class CollectorKind(Model):
    """kind: StdOut, File, TensorFlowEvent, PrometheusMetric, Custom or Push. customCollector: a container."""

    kind: Text | None = about("Where metrics come from", allowed=COLLECTORS, default="StdOut")
    custom_collector: Tree | None = about("A Kubernetes container that collects; for the kind Custom")


class MetricsCollectorSpec(Model):
    """How metrics are collected."""

    source: SourceSpec | None = about("Where the collector reads; not needed for StdOut and Push")
    collector: CollectorKind | None = about("The kind of collector; what trials print is read unless another is given")


class Metric(Model):
    """A metric of an observation. All values are text."""

    name: Text | None = about("Name of the metric")
    min: Text | None = about('Smallest value reported; "unavailable" without a number')
    max: Text | None = about('Largest value reported; "unavailable" without a number')
    latest: Text | None = about("Value reported last, as it was written")


class Observation(Model):
    """What was observed of a trial."""

    metrics: list[Metric] | None = about("The metrics: the objective first")


class StatusCondition(Model):
    """One entry of ``status.conditions``. status: True, False or Unknown."""

    type: Text | None = about("What is said to hold: Created, Running, Succeeded, Failed, ...")
    status: Text | None = about("Whether it holds", allowed=("True", "False", "Unknown"))
    reason: Text | None = about("Why, in one word")
    message: Text | None = about("Why, for people")
    last_update_time: Text | None = about("When the condition was looked at last")
    last_transition_time: Text | None = about("When its status changed last")
