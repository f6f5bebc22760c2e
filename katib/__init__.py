"""Hyperparameter tuning and neural-architecture search that speaks Katib. The public names are loaded when first used,
so that ``import katib`` inside a trial costs next to nothing."""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "AskedTrial": "katib.sdk.asked_trial",
    "BASE_IMAGE_PYTORCH": "katib.client.function_job",
    "BASE_IMAGE_TENSORFLOW": "katib.client.function_job",
    "BASE_IMAGE_TENSORFLOW_GPU": "katib.client.function_job",
    "KatibClient": "katib.client.katib_client",
    "KubernetesSettings": "trial_runners.settings",
    "Optimizer": "katib.sdk.optimizer",
    "RaySettings": "trial_runners.settings",
    "Result": "katib.sdk.result",
    "Trial": "katib.sdk.defined_trial",
    "TrainerResources": "katib.client.function_job",
    "report_metrics": "katib.report",
    "tune": "katib.sdk.tune",
}
_MODULES = {"models": "katib.client.models", "search": "katib.sdk.search"}
_MODEL = "V1beta1"  # what the names of Katib's models begin with; each is public here as well

__all__ = ["__version__", *_MODULES, *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    module = _MODULES["models"] if name.startswith(_MODEL) else _PUBLIC.get(name)
    if module is None:
        raise AttributeError(f"module 'katib' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
