"""Experiments as clients send them."""

from __future__ import annotations

import time
from typing import Any

import httpx

from benchmarks.serve_place import BASE, document


def experiment(name: str = "small", *, trials: int = 2, seconds: float = 0.0, **metadata: Any) -> dict[str, Any]:
    """Trials that take ``seconds`` and print one loss."""
    tree = document(name, trials, f"sleep {seconds}; echo loss=${{trialParameters.x}}")
    tree["metadata"] |= metadata
    return tree


def path(name: str = "", namespace: str = "default", plural: str = "experiments") -> str:
    """Of an object, or of the list."""
    return f"{BASE}/namespaces/{namespace}/{plural}" + (f"/{name}" if name else "")


def condition(tree: dict[str, Any]) -> str:
    """The newest condition that is true."""
    held = [each["type"] for each in tree["status"].get("conditions", []) if each["status"] == "True"]
    return held[-1] if held else ""


def wait_for(
    client: httpx.Client, name: str, wanted: str = "Succeeded", seconds: float = 30.0, namespace: str = "default"
) -> dict[str, Any]:
    """The experiment once it is in the condition."""
    deadline = time.monotonic() + seconds
    while True:
        tree: dict[str, Any] = client.get(path(name, namespace)).json()
        if condition(tree) == wanted:
            return tree
        assert time.monotonic() < deadline, tree["status"]
        time.sleep(0.1)


def gone(client: httpx.Client, name: str, seconds: float = 30.0, namespace: str = "default") -> None:
    """Wait until the experiment is there no more."""
    deadline = time.monotonic() + seconds
    while client.get(path(name, namespace)).status_code != 404:
        assert time.monotonic() < deadline
        time.sleep(0.1)
