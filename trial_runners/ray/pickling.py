"""A function made ready to be sent to the nodes."""

from __future__ import annotations

import cloudpickle

from katib.core.errors import SpecError
from trial_runners.objective_call import Objective


def pickled(objective: Objective) -> bytes:
    """By cloudpickle. Raises SpecError."""
    if not callable(objective):
        raise SpecError(f"objective: got {objective!r}, expected a function of the parameters")
    try:
        return bytes(cloudpickle.dumps(objective))
    except Exception as error:  # whatever a foreign __reduce__ raises
        raise SpecError(
            f"objective {getattr(objective, '__qualname__', objective)!r} cannot be sent to the nodes "
            f"({type(error).__name__}: {error}); create what it holds inside the function"
        ) from error
