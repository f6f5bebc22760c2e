"""A network as an ONNX file, for any number of images at once."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from pathlib import Path

import torch
from torch import nn

from algorithms.networks.files import written_aside
from katib.core.errors import MissingExtraError

_NEEDED = ("onnx", "onnxscript")  # by PyTorch's exporter
_TALKATIVE = "torch.onnx._internal.exporter"  # about packages that nothing here needs


def write_onnx(network: nn.Module, shape: tuple[int, int, int], file: Path) -> None:
    """Write the network as it classifies: ``images`` (batch, channels, height, width) in, ``scores`` (batch, classes)
    out. shape: channels, height, width. Raises MissingExtraError."""
    for package in _NEEDED:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "nas")
    training = network.training
    try:
        with written_aside(file) as aside, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of PyTorch about itself
            logging.getLogger(_TALKATIVE).setLevel(logging.ERROR)
            torch.onnx.export(
                network.eval(),
                (torch.zeros(2, *shape),),
                str(aside),
                input_names=["images"],
                output_names=["scores"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    finally:
        network.train(training)
