"""A retrained network in the forms that others use it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from algorithms.networks.files import written_aside
from algorithms.networks.onnx_export import write_onnx
from algorithms.networks.retraining import Retrained
from algorithms.networks.source import plain_source
from algorithms.networks.training import save_tensors

ENDINGS = {"state-dict": ".pt", "onnx": ".onnx", "source": ".py"}


def export_network(found: Retrained, form: str, file: Path) -> None:
    """Write the network of the best seed. form: a key of ``ENDINGS``. Raises PermanentError, MissingExtraError."""
    _WRITERS[form](found, file)


def _state_dict(found: Retrained, file: Path) -> None:
    save_tensors(file, found.network().state_dict())


def _onnx(found: Retrained, file: Path) -> None:
    write_onnx(found.network(), found.shape, file)


def _source(found: Retrained, file: Path) -> None:
    mean, deviation = (_numbers(each) for each in (found.mean, found.deviation))
    about = [
        f"The network of {found.name}, trained on {found.setup['data']}, with {found.parameters} parameters.",
        "",
        str(found.architecture),
        "",
        f"{found.test} of the test images are classified right, as the mean over {len(found.test.values)} seeds.",
        "Read the weights that katib nas export --format state-dict writes with load().",
        "",
    ]
    inputs = [
        f"Images (batch, {', '.join(map(str, found.shape))}) to a number for each of {found.classes} classes.",
        "",
        "    Pixels are normalised: (pixel - mean) / deviation, for each channel with",
        f"    the mean {mean} and the deviation {deviation}.",
        "    ",
    ]
    text = plain_source(found.network(), "\n".join(about), "\n".join(inputs))
    with written_aside(file) as aside:
        aside.write_text(text, encoding="utf-8")


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.6g}" for value in values)


_WRITERS: Mapping[str, Callable[[Retrained, Path], None]] = {
    "state-dict": _state_dict,
    "onnx": _onnx,
    "source": _source,
}
