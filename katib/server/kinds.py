"""The kinds of objects that the API has, as clients see them in discovery and in paths."""

from __future__ import annotations

from dataclasses import dataclass

from katib.resources.documents import Experiment
from katib.resources.shared_types import Model
from katib.resources.trial_documents import ConfigMap, Suggestion, Trial
from katib.server.columns import (
    CONFIG_MAP_COLUMNS,
    EXPERIMENT_COLUMNS,
    NAMESPACE_COLUMNS,
    SUGGESTION_COLUMNS,
    TRIAL_COLUMNS,
    Column,
)
from katib.server.pod_columns import EVENT_COLUMNS, JOB_COLUMNS, POD_COLUMNS

READING = ("get", "list", "watch")
WRITING = ("create", "update", "patch", "delete", "deletecollection")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. name: as in ``kind: Experiment``. plural, singular, short_names: what kubectl takes for it.
    categories: what else it is listed under (``kubectl get all``). verbs: what may be asked of it. subresources: their
    names; each is read with get. columns: of tables, after the name; the age alone for none. model: of its objects,
    for those who ask what fields they have. stored: reading one asks the store, which may take its time, and not the
    mirror."""

    group: str
    version: str
    name: str
    plural: str
    singular: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = READING
    subresources: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    model: type[Model] | None = None
    stored: bool = False

    @property
    def api_version(self) -> str:
        """As objects have it: ``kubeflow.org/v1beta1``, or ``v1`` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_name(self) -> str:
        """The kind of a list of them."""
        return f"{self.name}List"

    @property
    def full_name(self) -> str:
        """As messages name it: ``experiments.kubeflow.org``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


_KATIB = ("kubeflow.org", "v1beta1")

EXPERIMENT = Kind(
    *_KATIB, "Experiment", "experiments", "experiment", categories=("all", "kubeflow", "katib"),
    verbs=(*READING, *WRITING), subresources=("status",), columns=EXPERIMENT_COLUMNS, model=Experiment,
)  # fmt: skip
CONFIG_MAP = Kind(
    "", "v1", "ConfigMap", "configmaps", "configmap", ("cm",), verbs=(*READING, *WRITING),
    columns=CONFIG_MAP_COLUMNS, model=ConfigMap,
)  # fmt: skip
NAMESPACE = Kind(
    "", "v1", "Namespace", "namespaces", "namespace", ("ns",), namespaced=False,
    verbs=(*READING, "create", "update", "patch", "delete"), columns=NAMESPACE_COLUMNS,
)  # fmt: skip
TRIAL = Kind(
    *_KATIB, "Trial", "trials", "trial", categories=("all", "kubeflow", "katib"), subresources=("status",),
    columns=TRIAL_COLUMNS, model=Trial,
)  # fmt: skip
SUGGESTION = Kind(
    *_KATIB, "Suggestion", "suggestions", "suggestion", categories=("all", "kubeflow", "katib"),
    subresources=("status",), columns=SUGGESTION_COLUMNS, model=Suggestion,
)  # fmt: skip

POD = Kind(
    "", "v1", "Pod", "pods", "pod", ("po",), categories=("all",), subresources=("status", "log"), columns=POD_COLUMNS
)
EVENT = Kind("", "v1", "Event", "events", "event", ("ev",), columns=EVENT_COLUMNS, stored=True)
JOB = Kind("batch", "v1", "Job", "jobs", "job", categories=("all",), subresources=("status",), columns=JOB_COLUMNS)

_TRAINER = ("trainer.kubeflow.org", "v1alpha1")

TRAIN_JOB = Kind(*_TRAINER, "TrainJob", "trainjobs", "trainjob", subresources=("status",), columns=JOB_COLUMNS)
TRAINING_RUNTIME = Kind(*_TRAINER, "TrainingRuntime", "trainingruntimes", "trainingruntime")
CLUSTER_TRAINING_RUNTIME = Kind(
    *_TRAINER, "ClusterTrainingRuntime", "clustertrainingruntimes", "clustertrainingruntime", namespaced=False
)
