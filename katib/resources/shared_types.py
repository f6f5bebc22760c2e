"""What the three Katib kinds have in common: the base of all models, and the types of katib.v1beta1 used by several.

Models know the shape only. Every field may be absent, enumerations are text and nothing is checked beyond the types,
because a document that is already stored must stay readable; ``validation`` holds the rules. Unknown fields are kept
(pydantic's extra fields) and reported by ``reading``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel


def number_text(value: Any) -> Any:
    """Numbers where Katib has text (``min: 0.01``) become their shortest text; the rest is left for the type check."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(number_text)]
Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Tree = dict[str, Any]  # Kubernetes-shaped parts that stay as they are


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

    api_version: Text | None = None
    kind: Text | None = None
    name: Text | None = None
    uid: Text | None = None
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Model):
    """Kubernetes' metadata of an object. Times are RFC 3339 texts."""

    name: Text | None = None
    generate_name: Text | None = None
    namespace: Text | None = None
    labels: dict[str, Text] | None = None
    annotations: dict[str, Text] | None = None
    uid: Text | None = None
    resource_version: Text | None = None
    generation: int | None = None
    creation_timestamp: Text | None = None
    deletion_timestamp: Text | None = None
    deletion_grace_period_seconds: int | None = None
    finalizers: list[Text] | None = None
    owner_references: list[OwnerReference] | None = None
    managed_fields: list[Tree] | None = None
    self_link: Text | None = None


class NamedValue(Model):
    """A setting of an algorithm, an assignment of a parameter, or a metric's strategy."""

    name: Text | None = None
    value: Text | None = None


class AlgorithmSpec(Model):
    """An algorithm, or an early stopping rule, and its settings."""

    algorithm_name: Text | None = None
    algorithm_settings: list[NamedValue] | None = None


class EarlyStoppingRule(Model):
    """``comparison`` (equal, less, greater) of metric ``name`` with ``value``, tested from report ``startStep`` on."""

    name: Text | None = None
    value: Text | None = None
    comparison: Text | None = None
    start_step: Int32 | None = None


class ObjectiveSpec(Model):
    """The metric to optimise. type: minimize or maximize."""

    type: Text | None = None
    goal: float | None = None
    objective_metric_name: Text | None = None
    additional_metric_names: list[Text] | None = None
    metric_strategies: list[NamedValue] | None = None


class FileSystemPath(Model):
    """Where a trial writes metrics. kind: File or Directory. format: TEXT or JSON."""

    path: Text | None = None
    kind: Text | None = None
    format: Text | None = None


class FilterSpec(Model):
    """Regular expressions with two groups, a metric's name and its value."""

    metrics_format: list[Text] | None = None


class SourceSpec(Model):
    """Where a collector reads. httpGet is Kubernetes' HTTPGetAction."""

    http_get: Tree | None = None
    file_system_path: FileSystemPath | None = None
    filter: FilterSpec | None = None


class CollectorKind(Model):
    """kind: StdOut, File, TensorFlowEvent, PrometheusMetric, Custom or Push. customCollector: a container."""

    kind: Text | None = None
    custom_collector: Tree | None = None


class MetricsCollectorSpec(Model):
    """How metrics are collected."""

    source: SourceSpec | None = None
    collector: CollectorKind | None = None


class Metric(Model):
    """A metric of an observation. All values are text."""

    name: Text | None = None
    min: Text | None = None
    max: Text | None = None
    latest: Text | None = None


class Observation(Model):
    """What was observed of a trial."""

    metrics: list[Metric] | None = None


class StatusCondition(Model):
    """One entry of ``status.conditions``. status: True, False or Unknown."""

    type: Text | None = None
    status: Text | None = None
    reason: Text | None = None
    message: Text | None = None
    last_update_time: Text | None = None
    last_transition_time: Text | None = None
