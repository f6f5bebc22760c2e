"""Scalars out of event files that PyTorch, tensorboardX and TensorBoard wrote, and out of every form of tensor."""

from __future__ import annotations

import importlib
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pool

from katib.core.collector import CollectorSpec
from katib.core.objective import Measurement, Objective
from katib.core.ports import Chunk, Collected
from katib.core.trial import Cursor
from katib.metrics import create_collector
from katib.metrics.event_files import matching
from katib.metrics.generated.event_pb2 import Event, Shape, SummaryValue, Tensor
from tests.metrics.test_records import record

SPEC = CollectorSpec("TensorFlowEvent", "/logs/tf", directory=True)


def collect(data: bytes, *metrics: str, source: str = "events.out.tfevents.1", final: bool = True) -> Collected:
    collector = create_collector(SPEC, Objective(metrics[0], additional=metrics[1:]))
    return collector(Chunk(source, Cursor(), data, 7.0, final))


def written(folder: Path, *metrics: str) -> list[Measurement]:
    """What is found in all event files below ``folder``, in order of their paths."""
    found: list[Measurement] = []
    for path in sorted(folder.rglob("*tfevents*")):
        collected = collect(path.read_bytes(), *metrics, source=str(path.relative_to(folder)))
        assert collected.notes == ()
        assert collected.end.offset == path.stat().st_size
        found.extend(collected.measurements)
    return found


def torch_writer(folder: Path) -> Any:
    return importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder))


def tensorboardx_writer(folder: Path) -> Any:
    return importlib.import_module("tensorboardX").SummaryWriter(str(folder))


WRITERS = [
    pytest.param(torch_writer, id="torch", marks=pytest.mark.requires("torch")),
    pytest.param(tensorboardx_writer, id="tensorboardX", marks=pytest.mark.requires("tensorboardX")),
]


@pytest.mark.parametrize("writer", WRITERS)
def test_scalars(tmp_path: Path, writer: Callable[[Path], Any]) -> None:
    with writer(tmp_path) as summary:
        for step, value in enumerate([0.5, 0.1, 1e-8, math.nan, 3e38]):
            summary.add_scalar("train/loss", value, step, walltime=1700000000.25 + step)
        summary.add_scalar("accuracy", 1, 9)
        summary.add_histogram("weights", np.arange(10.0), 1)
        summary.add_text("note", "hello", 1)
    found = written(tmp_path, "train/loss", "accuracy")
    assert [(m.metric, m.value, m.text, m.step) for m in found] == [
        ("train/loss", 0.5, "0.5", 0),
        ("train/loss", 0.1, "0.1", 1),
        ("train/loss", 1e-8, "1e-08", 2),
        ("train/loss", None, "nan", 3),
        ("train/loss", 3e38, "3e+38", 4),
        ("accuracy", 1.0, "1.0", 9),
    ]
    assert [m.time for m in found[:5]] == [1700000000.25 + step for step in range(5)]


@pytest.mark.requires("torch")
def test_the_new_style_of_torch_writes_tensors(tmp_path: Path) -> None:
    with torch_writer(tmp_path) as summary:
        summary.add_scalar("loss", 0.1, 3, new_style=True)
        summary.add_scalar("exact", 0.1, 3, new_style=True, double_precision=True)
    assert [(m.metric, m.value, m.step) for m in written(tmp_path, "loss", "exact")] == [
        ("loss", 0.1, 3),
        ("exact", 0.1, 3),
    ]


@pytest.mark.parametrize(
    ("writer", "metric"),
    [
        pytest.param(torch_writer, "loss_val/loss", id="torch", marks=pytest.mark.requires("torch")),
        pytest.param(tensorboardx_writer, "val/loss", id="tensorboardX", marks=pytest.mark.requires("tensorboardX")),
    ],
)
def test_add_scalars_makes_a_folder_for_each(tmp_path: Path, writer: Callable[[Path], Any], metric: str) -> None:
    with writer(tmp_path) as summary:
        summary.add_scalars("loss", {"train": 0.25, "val": 0.5}, 1)
    assert len(list(tmp_path.rglob("*tfevents*"))) == 3
    assert [(m.metric, m.value) for m in written(tmp_path, metric)] == [(metric, 0.5)]


@pytest.mark.requires("tensorboard")
def test_the_form_of_tensorflow_2_as_tensorboards_own_writer_writes_it(tmp_path: Path) -> None:
    """``tf.summary.scalar`` makes this very message: a tensor of rank 0 with the plugin "scalars"."""
    writer_module = importlib.import_module("tensorboard.summary.writer.event_file_writer")
    scalar_pb = importlib.import_module("tensorboard.plugins.scalar.summary_v2").scalar_pb
    event_type = importlib.import_module("tensorboard.compat.proto.event_pb2").Event
    writer = writer_module.EventFileWriter(str(tmp_path / "validation"))
    for step in range(3):
        summary = scalar_pb("loss", 1 / (1 + step))
        writer.add_event(event_type(step=step, wall_time=1700000000.0 + step, summary=summary))
    writer.close()
    found = written(tmp_path, "validation/loss", "loss")
    assert [(m.metric, m.text, m.step, m.time) for m in found if m.metric == "validation/loss"] == [
        ("validation/loss", "1.0", 0, 1700000000.0),
        ("validation/loss", "0.5", 1, 1700000001.0),
        ("validation/loss", "0.33333334", 2, 1700000002.0),
    ]


@pytest.mark.parametrize(
    ("metric", "tag", "folder", "matches"),
    [
        pytest.param("loss", "loss", "/logs/tf", True, id="tag"),
        pytest.param("loss", "loss", "/logs/tf/train", True, id="tag in any folder"),
        pytest.param("train/loss", "train/loss", "/logs/tf/test", True, id="nested tag in any folder"),
        pytest.param("train/loss", "loss", "/logs/tf/train", True, id="folder and tag"),
        pytest.param("tf/train/loss", "loss", "/logs/tf/train", True, id="folders and tag"),
        pytest.param("/logs/tf/train/loss", "loss", "/logs/tf/train", True, id="whole path and tag"),
        pytest.param("run/train/loss", "train/loss", "/logs/tf/run", True, id="folder and nested tag"),
        pytest.param("loss", "loss_1", "/logs/tf", True, id="counted by TensorFlow 1"),
        pytest.param("train/loss", "loss_12", "/logs/train", True, id="counted, with folder"),
        pytest.param("train/loss", "loss", "/logs/tf/test", False, id="another folder"),
        pytest.param("train/loss", "loss", "/logs/tf/pretrain", False, id="end of a folder's name"),
        pytest.param("train/loss", "loss", "/logs/train/tf", False, id="folder farther up"),
        pytest.param("loss", "train/loss", "/logs/tf", False, id="part of a nested tag"),
        pytest.param("loss", "loss_val", "/logs/tf", False, id="longer tag"),
        pytest.param("loss", "my_loss", "/logs/tf", False, id="end of a tag"),
        pytest.param("loss_1", "loss", "/logs/tf", False, id="count asked for"),
    ],
)
def test_which_tag_is_which_metric(metric: str, tag: str, folder: str, matches: bool) -> None:
    assert matching((metric,), tag, folder) == ([metric] if matches else [])


def test_a_counted_tag_that_is_asked_for_is_no_other() -> None:
    assert matching(("loss", "loss_1"), "loss_1", "/") == ["loss_1"]


def event(value: SummaryValue, **fields: Any) -> bytes:
    made = Event(**{"wall_time": 1.7e9, "step": 1, **fields})
    made.summary.value.append(value)
    return record(made.SerializeToString())


def tensor(**fields: Any) -> SummaryValue:
    return SummaryValue(tag=b"loss", tensor=Tensor(**fields))


ONE = Shape(dim=[Shape.Dim(size=1)])
BFLOAT16 = struct.unpack("<H", struct.pack("<f", 0.5)[2:])[0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(SummaryValue(tag=b"loss", simple_value=0.1), "0.1", id="simple"),
        pytest.param(SummaryValue(tag=b"loss", simple_value=0.0), "0.0", id="simple zero"),
        pytest.param(SummaryValue(tag=b"loss", simple_value=-math.inf), "-inf", id="simple infinity"),
        pytest.param(tensor(dtype=1, tensor_content=struct.pack("<f", 0.1)), "0.1", id="float"),
        pytest.param(tensor(dtype=1, float_val=[0.1]), "0.1", id="float list"),
        pytest.param(tensor(dtype=1, float_val=[0.1], tensor_shape=ONE), "0.1", id="one element"),
        pytest.param(tensor(dtype=2, tensor_content=struct.pack("<d", 0.1)), "0.1", id="double"),
        pytest.param(tensor(dtype=2, double_val=[1 / 3]), "0.3333333333333333", id="double list"),
        pytest.param(tensor(dtype=3, int_val=[-7]), "-7", id="int"),
        pytest.param(tensor(dtype=9, int64_val=[2**40]), str(2**40), id="int64"),
        pytest.param(tensor(dtype=9, tensor_content=struct.pack("<q", -(2**40))), str(-(2**40)), id="int64 content"),
        pytest.param(tensor(dtype=19, tensor_content=np.float16(0.5).tobytes()), "0.5", id="half"),
        pytest.param(tensor(dtype=19, half_val=[int(np.float16(0.5).view(np.uint16))]), "0.5", id="half list"),
        pytest.param(tensor(dtype=14, half_val=[BFLOAT16]), "0.5", id="bfloat16 list"),
        pytest.param(tensor(dtype=14, tensor_content=struct.pack("<H", BFLOAT16)), "0.5", id="bfloat16"),
        pytest.param(tensor(dtype=7, string_val=[b"Genotype(x)"], tensor_shape=ONE), "Genotype(x)", id="text"),
        pytest.param(tensor(dtype=1, tensor_content=b"\0\0"), None, id="too short"),
        pytest.param(tensor(dtype=1), None, id="empty"),
        pytest.param(tensor(dtype=7), None, id="empty text"),
        pytest.param(tensor(dtype=8, tensor_content=b"\0" * 8), None, id="complex"),
        pytest.param(
            tensor(dtype=1, float_val=[1, 2], tensor_shape=Shape(dim=[Shape.Dim(size=2)])), None, id="two elements"
        ),
        pytest.param(SummaryValue(tag=b"loss"), None, id="neither"),
    ],
)
def test_forms_of_a_value(value: SummaryValue, text: str | None) -> None:
    found = collect(event(value), "loss").measurements
    assert [m.text for m in found] == ([] if text is None else [text])


@pytest.mark.parametrize(
    ("fields", "time", "step"),
    [
        pytest.param({"wall_time": 1.5e9, "step": 3}, 1.5e9, 3, id="as given"),
        pytest.param({"wall_time": 0.0}, 7.0, 1, id="no time"),
        pytest.param({"wall_time": math.nan}, 7.0, 1, id="time nan"),
        pytest.param({"step": -1}, 1.7e9, None, id="negative step"),
    ],
)
def test_time_and_step(fields: dict[str, Any], time: float, step: int | None) -> None:
    (found,) = collect(event(SummaryValue(tag=b"loss", simple_value=1), **fields), "loss").measurements
    assert (found.time, found.step) == (time, step)


def test_other_tags_are_seen_with_their_folder() -> None:
    data = b"".join(event(SummaryValue(tag=tag, simple_value=1)) for tag in (b"acc", b"a\x1b[1m\xff", b"acc", b"loss"))
    assert collect(data, "loss", source="train/x.tfevents").seen == ("train/acc", "train/a�")


def test_what_cannot_be_read_is_told_with_its_file() -> None:
    good = event(SummaryValue(tag=b"loss", simple_value=1))
    data = good + record(b"\xff\xff\xff") * 5 + good[:-1] + b"?" + good + good[:20]
    collected = collect(data, "loss", source="a/x.tfevents")
    assert [m.value for m in collected.measurements] == [1.0, 1.0]
    assert len(collected.notes) == 4
    assert all(note.startswith("a/x.tfevents: ") for note in collected.notes)
    assert collected.notes[-1] == "a/x.tfevents: and 4 more"


def test_the_messages_are_no_namesakes_of_tensorflows() -> None:
    """A process that loads both must not meet two messages of one name."""
    pool = descriptor_pool.Default()
    assert Event.DESCRIPTOR.full_name == "katib.metrics.Event"
    assert pool.FindMessageTypeByName("katib.metrics.Event") is not None
