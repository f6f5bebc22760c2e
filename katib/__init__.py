"""Hyperparameter tuning and neural-architecture search that speaks Katib. The public names are loaded when first used,
so that ``import katib`` inside a trial costs next to nothing."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "AskedTrial": "katib.sdk.asked_trial",
    "KubernetesSettings": "trial_runners.settings",
    "Optimizer": "katib.sdk.optimizer",
    "RaySettings": "trial_runners.settings",
    "Result": "katib.sdk.result",
    "Trial": "katib.sdk.defined_trial",
    "report_metrics": "katib.report",
    "search": "katib.sdk",
    "tune": "katib.sdk.tune",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'katib' has no attribute {name!r}")
    if name == "search":
        return importlib.import_module("katib.sdk.search")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
