"""Networks in other forms: plain source in a process of its own, weights, ONNX; the same outputs each time."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from algorithms.architecture.operations import Operation  # noqa: E402
from algorithms.architecture.reading import Chain, ChainLayer  # noqa: E402
from algorithms.networks.building import Width, network  # noqa: E402
from algorithms.networks.layers import register_layer  # noqa: E402
from algorithms.networks.onnx_export import write_onnx  # noqa: E402
from algorithms.networks.source import plain_source  # noqa: E402
from katib.core.errors import MissingExtraError, PermanentError  # noqa: E402

pytestmark = pytest.mark.requires("torch")

CELLS = "Genotype(normal=[[('separable_convolution_3x3', 0), ('skip_connection', 1)], " \
        "[('dilated_convolution_5x5', 0), ('max_pooling_3x3', 2)]], reduce=[[('avg_pooling_3x3', 0), " \
        "('skip_connection', 1)], [('none', 0), ('convolution_3x3', 2)]])"  # fmt: skip
BENCHMARK = "|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|avg_pool_3x3~0|none~1|skip_connect~2|"
CHAIN = Chain((
    ChainLayer(Operation("convolution", (("filter_size", 5), ("num_filter", 6), ("stride", 2)))),
    ChainLayer(Operation("separable_convolution", (("filter_size", 3), ("depth_multiplier", 2))), (0,)),
    ChainLayer(Operation("reduction", (("reduction_type", "avg_pooling"), ("pool_size", 2)))),
    ChainLayer(Operation("depthwise_convolution", (("filter_size", 3),)), (0, 1)),
))  # fmt: skip
FAMILIES = pytest.mark.parametrize("architecture", [CELLS, BENCHMARK, CHAIN], ids=["cells", "benchmark", "chain"])
SHAPE = (2, 8, 7)
ALONE = """
import sys, torch
sys.path.insert(0, ".")
import written
images, scores = torch.load("pair.pt", weights_only=True)
network = written.load("network.pt")
assert not any(name.split(".")[0] in ("katib", "algorithms") for name in sys.modules)
print(float((network(images) - scores).abs().max()))
"""


def _trained(architecture):
    """With statistics of batch normalisation that are not the first ones."""
    module = network(architecture, 4, SHAPE, Width(channels=4))
    module(torch.randn(8, *SHAPE))
    return module.eval()


@FAMILIES
def test_source_alone(tmp_path, architecture):
    module, images = _trained(architecture), torch.randn(3, *SHAPE)
    (tmp_path / "written.py").write_text(plain_source(module, 'about """it"""', "in and out"))
    torch.save(module.state_dict(), tmp_path / "network.pt")
    torch.save((images, module(images).detach()), tmp_path / "pair.pt")
    alone = {name: text for name, text in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", ALONE]
    answer = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert float(answer.stdout) < 1e-6


@FAMILIES
@pytest.mark.requires("onnx")
@pytest.mark.slow
def test_onnx(tmp_path, architecture):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    module, images = _trained(architecture), torch.randn(5, *SHAPE)
    write_onnx(module, SHAPE, tmp_path / "network.onnx")
    session = runtime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"images": images.numpy()})
    assert torch.allclose(torch.from_numpy(scores), module(images), atol=1e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["network.onnx"]


def test_source_can_be_trained():
    names = {}
    exec(plain_source(_trained(BENCHMARK), "", ""), names)
    names["Network"]()(torch.randn(4, *SHAPE)).sum().backward()


class _Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return x * self.scale


class _Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


@pytest.mark.parametrize("kind", [_Scaled, _Branching], ids=["own-weights", "branch"])
def test_layers_that_cannot_be_written(kind):
    name = f"own_{kind.__name__}"
    register_layer(name, lambda operation, place: kind())
    with pytest.raises(PermanentError, match="cannot be written as source"):
        plain_source(network(Chain((ChainLayer(Operation(name)),)), 2, SHAPE), "", "")


def test_a_layer_of_pytorchs_own_is_written():
    register_layer("own_dropout", lambda operation, place: nn.Dropout2d(0.25))
    text = plain_source(network(Chain((ChainLayer(Operation("own_dropout")),)), 2, SHAPE), "", "")
    assert "self.layers_0 = nn.Dropout2d(p=0.25)" in text


def test_without_the_packages_of_onnx(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"'onnx' is not installed.*katib-engine\[nas\]"):
        write_onnx(_trained(BENCHMARK), SHAPE, tmp_path / "network.onnx")
