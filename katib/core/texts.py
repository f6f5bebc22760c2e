"""Numbers, times and parameters as texts for people."""

from __future__ import annotations

from katib.core.values import Parameters


def duration(seconds: float) -> str:
    """Seconds in kubectl's short form, two units at most: 119s, 2m5s, 59m, 3h20m, 30h, 4d."""
    whole = max(0, round(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if whole < 120:
        return f"{whole}s"
    if minutes < 10:
        return f"{minutes}m{whole % 60}s" if whole % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def number(value: float | None) -> str:
    """A metric for people: six significant digits, empty for none."""
    return "" if value is None else f"{value:.6g}"


def count(number: int, noun: str) -> str:
    """``1 trial``, ``2 trials``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def parameters_text(parameters: Parameters) -> str:
    """``lr=0.01 units=64``: floats shortened to four digits."""
    texts = (f"{value:.4g}" if isinstance(value, float) else str(value) for value in parameters.values())
    return " ".join(f"{name}={text}" for name, text in zip(parameters, texts, strict=True))


def in_namespace(namespace: str) -> str:
    """What a command line needs to find an object there: `` -n NAMESPACE``, nothing for the default one."""
    return "" if namespace == "default" else f" -n {namespace}"
