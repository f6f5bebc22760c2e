"""The two searches that are compared on a GPU, here on a processor and small."""

import pytest

torch = pytest.importorskip("torch")

from algorithms.darts.wiring import SupernetShape  # noqa: E402
from benchmarks.darts_gpu import course, distance, gpu  # noqa: E402
from katib.core.errors import PermanentError  # noqa: E402

pytestmark = pytest.mark.requires("torch")


def test_they_begin_the_same_and_learn_the_same():
    shape = SupernetShape(("convolution_3x3", "skip_connection"), 1, 3, 4, (1, 8, 8), 4)
    plain, ours = (course(shape, torch.device("cpu"), plain=plain, epochs=3) for plain in (True, False))
    assert plain.losses[-1] < plain.losses[0] / 2
    assert 0 < distance(plain, ours) < 0.05
    assert len(plain.seconds) == len(ours.seconds) == 60


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu():
    with pytest.raises(PermanentError, match="there is no GPU here"):
        gpu(None)
