"""Late lookup of ``"package.module:Name"``. The one place (beside the lazy public names) that imports while running,
so that torch, skopt or ray are loaded only when something asks for them by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from katib.core.errors import MissingExtraError, PermanentError, UnknownNameError

# Package that fails to import -> the extra that brings it; empty if it is to be installed by itself.
EXTRA_OF_PACKAGE = {
    "skopt": "skopt",
    "sklearn": "skopt",
    "torch": "nas",
    "onnx": "nas",
    "onnxscript": "nas",
    "ray": "ray",
    "fsspec": "ray",
    "kubernetes": "kubernetes",
    "psycopg": "postgres",
    "pymysql": "mysql",
    "onnxruntime": "bench",
    "matplotlib": "bench",
    "jinja2": "bench",
    "pandas": "",
    "starlette": "server",
    "uvicorn": "server",
    "jsonpatch": "server",
    "mcp": "mcp",
}


def load(what: str, name: str, table: Mapping[str, str]) -> Any:
    """The object behind ``name``: an entry of ``table``, or itself of the form ``package.module:Name``.

    Raises UnknownNameError (with the nearest known name), MissingExtraError if a package behind it is not installed,
    or PermanentError if the module exists but the name in it does not.
    """
    target = name if ":" in name else table.get(name)
    if target is None:
        raise UnknownNameError(what, name, table)
    module_name, _, attribute = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in EXTRA_OF_PACKAGE:
            raise MissingExtraError(missing, EXTRA_OF_PACKAGE[missing]) from error
        if name == target and module_name.startswith(error.name or "?"):
            raise PermanentError(f"{what} {name!r}: there is no module {module_name!r}") from error
        raise
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        raise PermanentError(f"{what} {name!r}: module {module_name!r} has no {attribute!r}") from error
