"""What an Experiment can say beyond Katib's fields. Every Katib document stays valid and keeps its meaning."""

from __future__ import annotations

from katib.resources.shared_types import Int32, Model, Text, about


class ParameterCondition(Model):
    """When a parameter takes part: while its parent does and has one of ``values``."""

    parent: Text | None = about("Name of a parameter listed before, whose values are listed or whole numbers")
    values: list[Text] | None = about("Values of the parent under which this parameter takes part")


class RetryPolicySpec(Model):
    """How often attempts of a trial that failed run again, by what went wrong. Such attempts are no further trials."""

    user_error: Int32 | None = about("Times that an attempt runs again whose command failed", default=0)
    out_of_memory: Int32 | None = about("Times that one runs again that was killed for lack of memory", default=0)
    lost: Int32 | None = about("Times that one runs again that vanished without an exit status", default=3)
    time_out: Int32 | None = about(
        "Times that one runs again that took longer than maxTrialDuration or noMetricTimeout allow", default=0
    )
    infrastructure: Int32 | None = about("Times that one runs again that could not be run as it should", default=3)
    backoff: Text | None = about("Time before the first retry of a trial, doubled for each further one", default="0s")
    max_backoff: Text | None = about("Longest time before a retry", default="5m")
