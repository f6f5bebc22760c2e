"""Draws docs/run.svg, the terminal at the end of `make demo`: ``python docs/generate_picture.py`` after it."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from rich.console import Console, Group
from rich.text import Text

from katib.cli.report import best_report, end_line
from katib.cli.screen import trial_table
from katib.compose import Workshop
from katib.core.history import History
from katib.core.trial import Key
from katib.options import Options

ROOT = Path(__file__).parents[1]


def draw(home: Path, name: str) -> str:
    """The picture of a finished experiment, as SVG."""
    workshop = Workshop(Options(home))
    experiment = workshop.store.get(Key("default", name))
    spec = experiment.spec
    history = History(spec.space, spec.objective, workshop.store.trials(experiment.key))
    console = Console(record=True, width=118, file=io.StringIO(), force_terminal=True)
    command = Text(f"$ katib run examples/{name}/experiment.yaml --suggestion process\n", style="bold")
    table = trial_table(experiment, history, rows=20, narrow=False)
    console.print(Group(command, table, Text(end_line(experiment)), Text(best_report(workshop, experiment))))
    workshop.close()
    svg = console.export_svg(title="katib run")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no fonts from elsewhere; the reader's own do


if __name__ == "__main__":
    os.chdir(ROOT)
    Path("docs/run.svg").write_text(draw(Path(".demo"), "digits"))
