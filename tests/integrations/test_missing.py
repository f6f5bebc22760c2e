"""An adapter whose library is missing says what to install."""

from __future__ import annotations

import importlib
import sys

import pytest

from katib.core.errors import MissingExtraError


@pytest.mark.parametrize(("module", "library", "extra"), [("sklearn", "sklearn", "sklearn")])
def test_a_missing_library_is_named_with_its_extra(monkeypatch, module, library, extra):
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.delitem(sys.modules, f"katib.integrations.{module}", raising=False)
    with pytest.raises(MissingExtraError, match=rf"pip install 'katib-engine\[{extra}\]'"):
        importlib.import_module(f"katib.integrations.{module}")
