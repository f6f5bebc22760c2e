"""Trial templates that name a Python function instead of a job: for the runners ``process`` and ``inline``.

    trialSpec:
      apiVersion: katib.dev/v1
      kind: PythonFunction
      spec:
        entryPoint: package.module:function

The function gets one dict: a value for each parameter of the search space, with its type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

API_VERSION = "katib.dev/v1"
KIND = "PythonFunction"
ENTRY_POINT = re.compile(r"\w+(\.\w+)*:\w+")


def is_python_function(document: Mapping[str, Any]) -> bool:
    """Whether a template names a Python function."""
    return document.get("kind") == KIND


def entry_point(document: Mapping[str, Any]) -> str:
    """``package.module:function`` of such a template, empty for any other."""
    spec = document.get("spec")
    if not is_python_function(document) or not isinstance(spec, Mapping):
        return ""
    return str(spec.get("entryPoint", ""))
