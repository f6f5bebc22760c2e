"""An objective that an Experiment YAML names (examples/function.yaml): typed parameters in, a number out."""

import time

import katib


def rosenbrock(parameters):
    """Rosenbrock's valley: its smallest value is 0, at x = y = 1."""
    x, y = parameters["x"], parameters["y"]
    value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    for step in range(3):
        katib.report_metrics(loss=value + 2 - step, step=step)
        time.sleep(0.01)
    return value
