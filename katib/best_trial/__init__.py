"""The best trial of an experiment as one report, for every door: a value, and text, JSON and Markdown of it."""

from katib.best_trial.reading import read_best_trial
from katib.best_trial.rendering import as_document, as_markdown, as_text
from katib.best_trial.report import BestTrialReport, MetricReport, Repeats, Solution, report_trial, why_none
from katib.best_trial.rerun import rerun_command

__all__ = [
    "BestTrialReport",
    "MetricReport",
    "Repeats",
    "Solution",
    "as_document",
    "as_markdown",
    "as_text",
    "read_best_trial",
    "report_trial",
    "rerun_command",
    "why_none",
]
