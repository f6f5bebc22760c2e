"""An adapter whose library is missing says what to install."""

from __future__ import annotations

import importlib
import sys

import pytest

from katib.core.errors import MissingExtraError


@pytest.mark.parametrize(
    "name", ["sklearn", "lightning", "transformers", "xgboost", "lightgbm", "mlflow", "tensorboard"]
)
def test_a_missing_library_is_named_with_its_extra(monkeypatch, name):
    for loaded in [each for each in sys.modules if each.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"katib.integrations.{name}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install 'katib-engine\[{name}\]'"):
        importlib.import_module(f"katib.integrations.{name}")
