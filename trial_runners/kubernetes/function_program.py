"""Calls a Python function in a pod: the program of the container that trains, where a trial is a function.

Arguments: the Python version that pickled the function; the metric that a returned number measures; the parameters,
JSON; the source of ``katib.report``, for images without the project; then the function, pickled by cloudpickle and in
base64, in as many pieces as the length of an argument needs.

What the function returns is reported like what it reports itself. Any error is printed, and the exit status is 1.
This file is all that is passed to ``python3 -u -c``; the image must have the same Python and cloudpickle.
"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
import sys
import types
from typing import Any


def main(arguments: list[str]) -> None:
    """Raises SystemExit with what is to be said."""
    (version, metric, parameters, source), pieces = arguments[:4], arguments[4:]
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if own != version:
        raise SystemExit(f"katib: the function was pickled by Python {version}, but this image has Python {own}")
    report = report_module(source)
    returned = load(pieces)(json.loads(parameters))
    named = returned if isinstance(returned, dict) else {} if returned is None else {metric: returned}
    if isinstance(returned, str):
        raise SystemExit(f"katib: the function returned {returned[:100]!r}, expected a number or a dict of numbers")
    if named:
        try:
            report.report_metrics(named)
        except ValueError as error:
            raise SystemExit(f"katib: the function returned a value that cannot be used: {error}") from error


def report_module(source: str) -> Any:
    """The image's own ``katib.report``, or one made of ``source``."""
    if importlib.util.find_spec("katib") is None:
        package, module = types.ModuleType("katib"), types.ModuleType("katib.report")
        package.__path__ = []
        sys.modules.update({"katib": package, "katib.report": module})
        exec(compile(source, "katib/report.py", "exec"), module.__dict__)  # noqa: S102
        for name in ("report_metrics", "TrialStopped"):
            setattr(package, name, getattr(module, name))
        package.report = module  # type: ignore[attr-defined]
    return importlib.import_module("katib.report")


def load(pieces: list[str]) -> Any:
    """The function. Raises SystemExit with the reason if it cannot be loaded here."""
    try:
        cloudpickle = importlib.import_module("cloudpickle")
    except ImportError:
        raise SystemExit("katib: this image has no package cloudpickle, which a function needs") from None
    try:
        return cloudpickle.loads(base64.b64decode("".join(pieces)))
    except Exception as error:
        raise SystemExit(
            f"katib: the function cannot be loaded in this image ({type(error).__name__}: {error}); "
            "what it uses of other modules must be installed here, or stand in its own module"
        ) from error


if __name__ == "__main__":
    main(sys.argv[1:])
