"""Pictures: whole SVG with everything of the architecture in it, laid out without anything on top of anything."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ET

import pytest

from algorithms.architecture.operations import Operation
from algorithms.architecture.pictures import Titled, draw, draw_beside, draw_weights, read_record
from algorithms.architecture.pictures.layered import Box, lay_out
from algorithms.architecture.pictures.svg import described, short
from algorithms.architecture.reading import Chain, ChainLayer, read_architecture
from katib.core.errors import NotFoundError, PermanentError

GENOTYPE = read_architecture(
    "Genotype(normal=[[('separable_convolution_3x3', 0), ('skip_connection', 1)], [('dilated_convolution_5x5', 2), "
    "('max_pooling_3x3', 0)]], reduce=[[('avg_pooling_3x3', 0), ('skip_connection', 1)]])"
)
BENCHMARK = read_architecture("|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|")
CONVOLUTION = Operation("convolution", (("filter_size", 3), ("num_filter", 8), ("stride", 1)))
CHAIN = Chain((ChainLayer(CONVOLUTION), ChainLayer(CONVOLUTION, (0,)), ChainLayer(CONVOLUTION, (0, 1))))


def _texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize(
    ("architecture", "expected"),
    [
        (
            GENOTYPE,
            ["Normal cell", "Reduction cell", "sep conv 3×3", "dil conv 5×5", "max pool 3×3", "avg pool 3×3", "k-2"],
        ),
        (BENCHMARK, ["in", "out", "conv 3×3", "conv 1×1", "avg pool 3×3", "none", "skip"]),
        (CHAIN, ["image", "classes", "conv 3×3 · 8 filters", "0", "2"]),
    ],
    ids=["genotype", "benchmark", "chain"],
)
def test_all_of_it_is_there(architecture, expected):
    texts = _texts(draw(architecture, "<trial> & more"))
    assert texts[0] == "<trial> & more"
    assert set(expected) <= set(texts)


def test_each_skip_of_a_chain_is_an_arc():
    assert draw(CHAIN).count('fill="none"') == 3 + 2  # arcs, and the two ends


def test_what_the_runner_up_has_of_its_own_is_ringed():
    other = read_architecture(str(BENCHMARK).replace("none~0", "nor_conv_1x1~0"))
    ring = 'rx="9"'
    assert draw_beside([Titled("best", BENCHMARK), Titled("same", BENCHMARK)]).count(ring) == 0
    assert draw_beside([Titled("best", BENCHMARK), Titled("other", other)]).count(ring) == 1


def test_the_same_picture_each_time():
    assert draw(GENOTYPE) == draw(GENOTYPE)


@pytest.mark.parametrize(
    ("label", "expected"),
    [("separable_convolution_3x3", "sep conv 3×3"), ("nor_conv_1x1", "conv 1×1"), ("skip_connect", "skip"),
     ("my_attention", "my attention")],
)  # fmt: skip
def test_short_names(label, expected):
    assert short(label) == expected


def test_parameters_of_an_operation():
    operation = Operation("reduction", (("reduction_type", "max_pooling"), ("pool_size", 2)))
    assert described(operation) == "max pool 2×2 · reduction"
    strided = Operation("separable_convolution", (("filter_size", 5), ("stride", 2), ("depth_multiplier", 3)))
    assert described(strided) == "sep conv 5×5 · stride 2 · depth multiplier 3"


def test_layout():
    """Boxes of a layer keep their distance, edges go to the right, and no edge passes over a box."""
    names = [*"abcdefgh"]
    boxes = [Box(name, 40, 20, late=name == "c") for name in names]
    edges = [(one, other) for one, other in itertools.combinations(names, 2) if (ord(one) * ord(other)) % 3]
    layout = lay_out(boxes, edges, gap=10)
    for one, other in itertools.combinations(names, 2):
        (x, y), (other_x, other_y) = layout.places[one], layout.places[other]
        assert x != other_x or abs(y - other_y) >= 30 - 1e-6
    for (source, target), bends in layout.bends.items():
        path = [layout.places[source], *bends, layout.places[target]]
        assert all(x < next_x for (x, _), (next_x, _) in itertools.pairwise(path))
        assert all(
            abs(bend - y) > 10 for at, bend in bends for x, y in layout.places.values() if abs(at - x) <= 20 + 1e-6
        )
    assert min(y for _, y in layout.places.values()) >= 10 - 1e-6


def _line(epoch, weight=0.5, edges=2):
    rows = [[weight, 1 - weight]] * edges
    return json.dumps({"epoch": epoch, "operations": ["none", "skip_connection"], "normal": rows, "reduce": rows})


def test_weights_over_the_epochs(tmp_path):
    file = tmp_path / "alphas.jsonl"
    lines = [_line(1), _line(2, 0.6), _line(2, 0.9), _line(3, 0.8), _line(4)[:-9]]  # 2 done again, 4 not whole
    file.write_text("\n".join(lines))
    record = read_record(file)
    assert record.epochs == (1, 2, 3)
    assert [each[0][0] for each in record.cells["normal"]] == [0.5, 0.9, 0.8]
    texts = _texts(draw_weights(record, "search"))
    assert {"search", "Normal cell", "Reduction cell", "cₖ₋₂ → 0", "none", "skip"} <= set(texts)
    assert any(re.search("epochs 1 to 3", text) for text in texts)


def test_many_epochs_stay_one_picture(tmp_path):
    file = tmp_path / "alphas.jsonl"
    file.write_text("".join(f"{_line(epoch, 1 / epoch, 14)}\n" for epoch in range(1, 601)))
    assert len(draw_weights(read_record(file))) < 300_000


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        pytest.param(None, NotFoundError, "no record of a search there", id="none"),
        pytest.param("", NotFoundError, "no epoch in it yet", id="empty"),
        pytest.param("{}\n", PermanentError, ":1: expected an epoch's operations and weights", id="other"),
        pytest.param("no json\n", PermanentError, ":1: expected an epoch's", id="text"),
        pytest.param(_line(1).replace("0.5", "7"), PermanentError, "not between 0 and 1", id="range"),
        pytest.param(f"{_line(1)}\n{_line(2, edges=3)}\n", PermanentError, "in every epoch the same edges", id="edges"),
    ],
)
def test_records_that_are_none(tmp_path, content, error, message):
    file = tmp_path / "alphas.jsonl"
    if content is not None:
        file.write_text(content if content.endswith("\n") or not content else f"{content}\n")
    with pytest.raises(error, match=message):
        read_record(file)
