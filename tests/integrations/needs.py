"""Packages that the tests of an adapter need."""

from __future__ import annotations

import importlib
import os

import pytest


def needs(*packages: str) -> None:
    """Skip the module that calls this where a package is missing; where ``KATIB_TEST_REQUIRE`` names it, that fails."""
    required = os.environ.get("KATIB_TEST_REQUIRE", "").split(",")
    for package in packages:
        if package in required:
            importlib.import_module(package)
        else:
            pytest.importorskip(package)
