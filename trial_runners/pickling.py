"""A function made ready to be sent to other processes."""

from __future__ import annotations

import cloudpickle

from katib.core.errors import SpecError
from trial_runners.objective_call import Objective


def pickled(objective: Objective, to: str) -> bytes:
    """By cloudpickle. to: where it goes, for people. Raises SpecError."""
    if not callable(objective):
        raise SpecError(f"objective: got {objective!r}, expected a function of the parameters")
    try:
        return bytes(cloudpickle.dumps(objective))
    except Exception as error:  # whatever a foreign __reduce__ raises
        raise SpecError(
            f"objective {getattr(objective, '__qualname__', objective)!r} cannot be sent to {to} "
            f"({type(error).__name__}: {error}); create what it holds inside the function, or run it inline"
        ) from error
