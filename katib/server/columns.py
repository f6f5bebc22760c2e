"""What ``kubectl get`` shows of a kind: columns, each made from an object's tree. Katib's are those of its CRDs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from katib.core.objective import Strategy
from katib.core.texts import duration

Tree = dict[str, Any]

NONE = "<none>"
WIDE = 1  # priority of columns that only ``-o wide`` shows


@dataclass(frozen=True, slots=True)
class Column:
    """One column. value: the cell of an object. type, format: as OpenAPI has them. priority: 0 is always shown.
    about: what it means, for people."""

    name: str
    value: Callable[[Tree], Any]
    type: str = "string"
    priority: int = 0
    format: str = ""
    about: str = ""


def at(path: str, default: Any = NONE) -> Callable[[Tree], Any]:
    """What an object has at a path of names with dots between them."""
    steps = path.split(".")

    def value(tree: Tree) -> Any:
        node: Any = tree
        for step in steps:
            node = node.get(step) if isinstance(node, Mapping) else None
        return default if node is None else node

    return value


def _age(tree: Tree) -> str:
    created = tree["metadata"].get("creationTimestamp")
    return duration(time.time() - datetime.fromisoformat(created).timestamp()) if created else "<unknown>"


def _number_of_keys(tree: Tree) -> int:
    return len(tree.get("data") or {}) + len(tree.get("binaryData") or {})


def _last_condition(field: str) -> Callable[[Tree], str]:
    def value(tree: Tree) -> str:
        conditions = (tree.get("status") or {}).get("conditions") or [{}]
        return str(conditions[-1].get(field, ""))

    return value


def _named_texts(path: str) -> Callable[[Tree], str]:
    """``x=0.5 y=2`` of a list of names and values."""
    find = at(path, ())
    return lambda tree: " ".join(f"{each.get('name')}={each.get('value')}" for each in find(tree))


def _objective_value(observation_path: str) -> Callable[[Tree], str]:
    """The objective's value in an observation, by the strategy of its metric."""
    metrics = at(f"{observation_path}.metrics", ())

    def value(tree: Tree) -> str:
        objective = at("spec.objective", {})(tree)
        name = objective.get("objectiveMetricName")
        strategies = {each.get("name"): each.get("value") for each in objective.get("metricStrategies") or ()}
        found: Mapping[str, Any] = next((each for each in metrics(tree) if each.get("name") == name), {})
        return str(found.get(strategies.get(name) or Strategy.LATEST.value, NONE))

    return value


NAME = Column("Name", at("metadata.name"), format="name", about="Name within the namespace")
AGE = Column("Age", _age, about="Time since it was created")
_TYPE = Column("Type", _last_condition("type"), about="Type of its last condition")
_STATUS = Column("Status", _last_condition("status"), about="Status of its last condition")
_ALGORITHM = Column("Algorithm", at("spec.algorithm.algorithmName"), priority=WIDE, about="How the space is searched")

EXPERIMENT_COLUMNS = (
    _TYPE, _STATUS, AGE, _ALGORITHM,
    Column("Trials", at("status.trials", 0), "integer", WIDE, about="Number of trials"),
    Column("Succeeded", at("status.trialsSucceeded", 0), "integer", WIDE, about="Number of trials that succeeded"),
    Column("Best Trial", at("status.currentOptimalTrial.bestTrialName"), priority=WIDE, about="The best trial so far"),
    Column("Best Value", _objective_value("status.currentOptimalTrial.observation"), priority=WIDE,
           about="Its value of the objective"),
)  # fmt: skip
TRIAL_COLUMNS = (
    _TYPE, _STATUS, AGE,
    Column("Value", _objective_value("status.observation"), priority=WIDE, about="Value of the objective"),
    Column("Parameters", _named_texts("spec.parameterAssignments"), priority=WIDE, about="The parameters tried"),
)  # fmt: skip
SUGGESTION_COLUMNS = (
    _TYPE, _STATUS,
    Column("Requested", at("spec.requests", 0), "integer", about="How many points were asked for"),
    Column("Assigned", at("status.suggestionCount", 0), "integer", about="How many points it gave"),
    AGE, _ALGORITHM,
)  # fmt: skip
CONFIG_MAP_COLUMNS = (Column("Data", _number_of_keys, "integer", about="Number of its keys"), AGE)
NAMESPACE_COLUMNS = (Column("Status", at("status.phase"), about="Active as long as it is there"), AGE)
