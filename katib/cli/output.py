"""How answers are printed: kubectl's tables, JSON, YAML and names; ages and durations for people."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click
import yaml

from katib.core.objective import Objective
from katib.core.trial import Trial


def print_object(value: Any, output: str) -> None:
    """Print a resource or a List as ``json`` or ``yaml``."""
    if output == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, show_header: bool = True) -> None:
    """Columns as wide as their widest cell, three spaces apart, as kubectl prints them."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines if show_header else lines[1:]:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def age(since: float | None, now: float | None = None) -> str:
    """Time since ``since`` in kubectl's short form: 5s, 12m, 3h20m, 4d."""
    return duration((now or time.time()) - since) if since is not None else "<none>"


def duration(seconds: float) -> str:
    """Seconds in kubectl's short form; two units at most."""
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole}s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 10:
        return f"{minutes}m{whole % 60}s"
    if hours < 3:
        return f"{minutes}m"
    if hours < 48:
        return f"{hours}h{minutes % 60}m" if hours < 8 else f"{hours}h"
    return f"{days}d"


def number(value: float | None) -> str:
    """A metric for people: six significant digits, empty for none."""
    return "" if value is None else f"{value:.6g}"


def parameters(trial: Trial) -> str:
    """``lr=0.01 units=64``: floats shortened to four digits."""
    texts = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in trial.parameters.values())
    return " ".join(f"{name}={text}" for name, text in zip(trial.parameters, texts, strict=True))


def latest(objective: Objective, trial: Trial) -> float | None:
    """The newest value of the objective metric."""
    summary = trial.observation.get(objective.metric)
    return summary.latest if summary else None
