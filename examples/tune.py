"""The Python door: tune a function on this machine. Run it with: python examples/tune.py"""

from __future__ import annotations

import math
from typing import Any

import katib


def descend(parameters: dict[str, Any]) -> float:
    """Gradient descent on a narrow valley; the answer is how far from its lowest point 50 steps end."""
    x, y = -3.0, 2.0
    speed_x = speed_y = 0.0
    for step in range(50):
        slope_x, slope_y = 2 * x, 40 * y
        if parameters["method"] == "sign":
            slope_x, slope_y = math.copysign(1, x), math.copysign(1, y)
        speed_x = parameters["momentum"] * speed_x - parameters["rate"] * slope_x
        speed_y = parameters["momentum"] * speed_y - parameters["rate"] * slope_y
        x, y = x + speed_x, y + speed_y
        distance = math.hypot(x, y)
        if step % 10 == 9:
            katib.report_metrics({"distance": distance}, step=step + 1)
    return distance


def main() -> None:
    result = katib.tune(
        descend,
        {
            "rate": katib.search.double(1e-4, 1, log=True),
            "momentum": katib.search.double(0, 0.95),
            "method": katib.search.categorical(["gradient", "sign"]),
        },
        max_trials=40,
        parallel=2,
        metric="distance",
        seed=7,
    )
    print(f"best distance {result.best_value:.3g} at {result.best_parameters}")


if __name__ == "__main__":
    main()
