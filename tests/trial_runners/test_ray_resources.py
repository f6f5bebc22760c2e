"""What attempts ask of Ray, and what is said while they wait."""

from __future__ import annotations

import pytest

from katib.core.errors import RunnerError, SpecError
from katib.resources.python_function import function_document
from trial_runners.ray.resources import Shape, shape_of, waiting_reason

GIB = 2**30


def job(limits=None, requests=None):
    resources = {"limits": limits or {}, "requests": requests or {}}
    container = {"name": "main", "command": ["true"], "resources": resources}
    return {"kind": "Job", "spec": {"template": {"spec": {"containers": [container]}}}}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({}, Shape(), id="function at hand"),
        pytest.param(function_document({"cpu": 2, "memory": "1Gi"}, 1, False), Shape(2, 0, GIB), id="function"),
        pytest.param(function_document({"nvidia.com/gpu": 0.5}, 1, False), Shape(1, 0.5), id="a share of a GPU"),
        pytest.param(
            function_document({"gpu": 2, "fpga": 1}, 1, False), Shape(1, 2, 0, (("fpga", 1),)), id="no domains"
        ),
        pytest.param(function_document({"ephemeral-storage": "1Gi"}, 1, False), Shape(), id="disk"),
        pytest.param(function_document({"cpu": 0}, 1, False), Shape(0), id="no CPU"),
        pytest.param(
            function_document({"example.com/fpga": 1}, 1, False),
            Shape(custom=(("example.com/fpga", 1.0),)),
            id="custom",
        ),
        pytest.param(job(), Shape(), id="job without resources"),
        pytest.param(job({"cpu": "500m"}), Shape(0.5), id="limits"),
        pytest.param(job(requests={"cpu": "4", "memory": "2Gi"}), Shape(4, 0, 2 * GIB), id="requests"),
        pytest.param(job({"cpu": 2}, {"cpu": 1}), Shape(2), id="limits before requests"),
        pytest.param(job({"amd.com/gpu": 2}), Shape(1, 2), id="GPUs of any maker"),
        pytest.param(
            job({"example.com/fpga": 2, "ephemeral-storage": "1Gi"}),
            Shape(custom=(("example.com/fpga", 2.0),)),
            id="extended resource, disk left out",
        ),
    ],
)
def test_shape(document, expected):
    assert shape_of(document, "main") == expected


def test_a_trial_of_one_and_a_half_gpus_is_refused():
    with pytest.raises(RunnerError, match="expected a whole number, or a fraction"):
        shape_of(job({"nvidia.com/gpu": 1.5}), "main")


def test_what_is_no_quantity_is_named():
    with pytest.raises(SpecError, match=r"resources\.limits\.cpu: got 'many'"):
        shape_of(job({"cpu": "many"}), "main")


def test_options_and_bundle():
    shape = Shape(2, 0.5, GIB, (("fpga", 1.0),))
    assert shape.options() == {"num_cpus": 2, "num_gpus": 0.5, "resources": {"fpga": 1.0}, "memory": GIB}
    assert shape.bundle() == {"CPU": 2, "GPU": 0.5, "memory": GIB, "fpga": 1.0}
    assert Shape(0).bundle() == {}


TWO_NODES = [{"CPU": 8.0, "GPU": 2.0, "memory": 4.0 * GIB}, {"CPU": 8.0, "memory": 8.0 * GIB}]


@pytest.mark.parametrize(
    ("shape", "free", "workers", "expected"),
    [
        pytest.param(Shape(1, 4), {"GPU": 2.0}, 1, "4 GPUs asked, 2 exist", id="more than there are"),
        pytest.param(Shape(64), {"CPU": 16.0}, 1, "64 CPUs asked, 16 exist", id="CPUs"),
        pytest.param(Shape(12), {"CPU": 16.0}, 1, "12 CPUs asked on one node, the largest has 8", id="on one node"),
        pytest.param(Shape(1, 2), {"GPU": 1.0}, 1, "2 GPUs asked, 1 of 2 free", id="taken"),
        pytest.param(Shape(1, 1), {"GPU": 0.5}, 1, "1 GPU asked, 0.5 of 2 free", id="a share is free"),
        pytest.param(Shape(4), {"CPU": 3.0}, 1, "4 CPUs asked, 3 of 16 free", id="CPUs taken"),
        pytest.param(Shape(1), {}, 1, "1 CPU asked, 0 of 16 free", id="all CPUs taken"),
        pytest.param(Shape(memory=20 * GIB), {"CPU": 16.0}, 1, "20.0 GiB of memory asked, 12.0 GiB exist", id="memory"),
        pytest.param(Shape(custom=(("fpga", 1.0),)), {"CPU": 16.0}, 1, "1 fpga asked, 0 exist", id="custom"),
        pytest.param(Shape(1, 4, 99 * GIB), {}, 1, "4 GPUs asked, 2 exist", id="the scarcest is told"),
        pytest.param(Shape(4), {"CPU": 16.0}, 5, "20 CPUs asked, 16 exist", id="several workers"),
        pytest.param(Shape(4), {"CPU": 10.0}, 3, "12 CPUs asked, 10 of 16 free", id="several workers, taken"),
        pytest.param(Shape(1), {"CPU": 16.0}, 1, "waits for its actor", id="all is there"),
        pytest.param(Shape(1), {"CPU": 16.0}, 3, "waits for its 3 actors", id="all is there for several"),
        pytest.param(Shape(0), {}, 1, "waits for its actor", id="nothing asked"),
    ],
)
def test_waiting_reason(shape, free, workers, expected):
    assert waiting_reason(shape, TWO_NODES, free, workers) == expected
