"""A program for Katib's SDK, with another import. Run it with: python examples/katib_client.py

It runs the experiment itself, in a store on this machine; docs/katib-client.md says how other places are named.
"""

from __future__ import annotations

import katib


def objective(parameters):
    x, y = float(parameters["x"]), float(parameters["y"])
    for epoch in range(1, 4):
        print(f"epoch={epoch} loss={(x - 1) ** 2 + (y + 2) ** 2 + 1 / epoch:.4f}")


def main() -> None:
    with katib.KatibClient(store="") as client:
        client.tune(
            name="bowl",
            objective=objective,
            parameters={"x": katib.search.double(min=-5, max=5), "y": katib.search.double(min=-5, max=5)},
            algorithm_name="tpe",
            objective_metric_name="loss",
            objective_type="minimize",
            max_trial_count=8,
            parallel_trial_count=2,
        )
        client.wait_for_experiment_condition("bowl", timeout=300)
        best = client.get_optimal_hyperparameters("bowl")
        curve = [log.metric.value for log in client.get_trial_metrics(best.best_trial_name)]
        print(f"best trial {best.best_trial_name}: {best.parameter_assignments}, loss {' -> '.join(curve)}")
        client.delete_experiment("bowl")


if __name__ == "__main__":
    main()
