"""The progress of ``tune`` in a notebook: one display below the cell, which is replaced as trials finish."""

from __future__ import annotations

from html import escape

from IPython.display import HTML, DisplayHandle, display

from katib.core.experiment import Experiment
from katib.sdk.progress import counts, summary


class NotebookProgress:
    """A bar of HTML."""

    def __init__(self, name: str) -> None:
        """name: of the experiment."""
        self._name = name
        self._handle: DisplayHandle = display(HTML(self._html(0, None, "")), display_id=True)

    def show(self, experiment: Experiment) -> None:
        """Replace it."""
        self._handle.update(HTML(self._html(*counts(experiment), summary(experiment))))

    def close(self) -> None:
        """The last one stays."""

    def _html(self, done: int, total: int | None, rest: str) -> str:
        of = "" if total is None else f" / {total}"
        bar = "" if total is None else f'<progress value="{done}" max="{total}"></progress> '
        return f"<div>{escape(self._name)} {bar}{done}{of} {escape(rest)}</div>"
