"""A search goes on where it was interrupted, and every method of it runs."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from algorithms.architecture.cells import CELLS  # noqa: E402
from algorithms.darts.presets import PRESETS, Method  # noqa: E402
from algorithms.darts.projection import project  # noqa: E402
from algorithms.darts.sampling import Moment, mix, strengths  # noqa: E402
from algorithms.darts.search import Schedule, Search  # noqa: E402
from algorithms.networks.data import Examples  # noqa: E402
from algorithms.networks.training import load_tensors, save_tensors  # noqa: E402
from katib.core.errors import PermanentError  # noqa: E402
from tests.algorithms.darts.supernets import examples, shape_of  # noqa: E402

pytestmark = pytest.mark.requires("torch")

OPERATIONS = ["convolution_3x3", "max_pooling_3x3", "skip_connection"]


def search_of(method, epochs=2, operations=OPERATIONS, given=None, **more):
    shape = shape_of(operations, channels=8, nodes=1, cells=3, partial=method.partial_channels,
                     auxiliary_skip=method.auxiliary_skip)  # fmt: skip
    schedule = Schedule(epochs=epochs, batch_size=8, alpha_lr=0.05, **more)
    return Search(shape, method, schedule, given or examples(16), examples(20))


def bits(search):
    tensors = [*search.supernet.parameters(), *search.alphas.parameters(), search.sums]
    return [x.detach().clone() for x in tensors]


@pytest.mark.parametrize(
    ("preset", "after"), [*((preset, 2) for preset in PRESETS), ("robust", 1), ("darts-2nd", 1), ("darts-2nd", 3)]
)
def test_goes_on_with_the_same_bits(preset, after, tmp_path):
    unbroken = search_of(PRESETS[preset])
    for _ in range(4):
        unbroken.step()
    first, second = search_of(PRESETS[preset]), search_of(PRESETS[preset])
    for _ in range(after):
        first.step()
    save_tensors(tmp_path / "state.pt", first.state())
    second.restore(load_tensors(tmp_path / "state.pt"))
    for _ in range(4 - after):
        second.step()
    assert all(torch.equal(one, other) for one, other in zip(bits(unbroken), bits(second), strict=True))
    assert unbroken.report() == second.report()


@pytest.mark.parametrize("other", [{"epochs": 3}, {"seed": 1}, {"operations": OPERATIONS[:2]}])
def test_a_checkpoint_of_another_search(other):
    with pytest.raises(PermanentError, match="another search's"):
        search_of(Method(), **other).restore(search_of(Method()).state())


def test_it_learns():
    search = search_of(PRESETS["robust"], epochs=12)
    for _ in range(12 * search.steps_per_epoch):
        search.step()
    report = search.report()
    assert report.epoch == 12
    assert report.train_accuracy > 0.6  # a third by chance


def test_the_architecture_waits_for_the_warm_up():
    search = search_of(Method(warm_up=0.5), epochs=4)
    before = [alpha.detach().clone() for alpha in search.alphas.parameters()]
    for expected in (True, True, False):
        for _ in range(search.steps_per_epoch):
            search.step()
        same = all(torch.equal(alpha, old) for alpha, old in zip(search.alphas.parameters(), before, strict=True))
        assert same is expected


@pytest.mark.parametrize(("until", "expected"), [(1.0, [1.0, 0.75, 0.5, 0.25]), (0.5, [1.0, 0.5, 0.0, 0.0])])
def test_the_auxiliary_skip_fades(until, expected):
    search = search_of(Method(auxiliary_skip=True, skip_until=until), epochs=2)
    weights = []
    for _ in range(4):
        weights.append(mix(search.alphas, "softmax", search.moment())["normal"].operations[0, -1].item())
        search.step()
    assert weights == expected
    assert search.moment().skip == 0


@pytest.mark.parametrize("noise", [1, None])
def test_weights_of_samplings(noise):
    alphas = search_of(Method(edge_normalisation=True)).alphas
    for sampling in ("softmax", "gumbel", "dirichlet", "sigmoid"):
        for kind, cell in mix(alphas, sampling, Moment(noise, 0.5)).items():
            shares = cell.operations / cell.edges[:, None]
            if sampling != "sigmoid":
                torch.testing.assert_close(shares.sum(dim=1), torch.ones(2))
            torch.testing.assert_close(cell.edges.sum(), torch.ones(()))
            assert (cell.chosen is not None) == (sampling == "gumbel" and noise is not None)
            if cell.chosen:
                assert torch.equal(shares.argmax(dim=1), torch.tensor(cell.chosen))
                torch.testing.assert_close(shares.max(dim=1).values, torch.ones(2))
            assert strengths(alphas, sampling)[kind].shape == (2, 4)


def test_noise_is_the_same_for_the_same_seed():
    alphas = search_of(Method()).alphas
    for sampling in ("gumbel", "dirichlet"):
        one, same, other = (mix(alphas, sampling, Moment(seed))["normal"].operations for seed in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other) or sampling == "gumbel"


def test_projection_keeps_what_the_supernet_would_miss():
    search = search_of(Method(), epochs=10, operations=["convolution_3x3", "max_pooling_3x3"])
    for _ in range(10 * search.steps_per_epoch):
        search.step()
    genotype = project(search, steps=1)
    for kind in CELLS:
        ((first, second),) = getattr(genotype, kind)
        assert (first[1], second[1]) == (0, 1)
        assert {first[0], second[0]} <= {"convolution_3x3", "max_pooling_3x3"}


def test_bfloat16():
    search = search_of(PRESETS["robust"], epochs=1, bfloat16=True)
    for _ in range(search.steps_per_epoch):
        search.step()
    assert all(x.dtype == torch.float32 and bool(x.isfinite().all()) for x in search.weights)
    assert search.report().train_loss < 5


def test_too_few_images():
    given = examples(1)
    with pytest.raises(PermanentError, match="expected at least 2 of each"):
        search_of(Method(), given=Examples(given.inputs, given.labels))


@pytest.mark.parametrize("sampling", ["softmax", "gumbel"])
@pytest.mark.parametrize("fused", [True, False], ids=["grouped", "plain"])
def test_gradients_of_small_strided_convolutions_stay_in_their_memory(sampling, fused):
    """Four channels in reduction cells, and one thread; with channels last PyTorch's own strides end the process."""
    shape = shape_of(["nor_conv_1x1", "skip_connection"], nodes=1, cells=3, channels=2)
    schedule = Schedule(epochs=30, batch_size=8)
    search = Search(shape, Method(sampling=sampling), schedule, examples(16), examples(16), fused=fused)
    for _ in range(2 * schedule.epochs):
        search.step()
    assert all(bool(weight.isfinite().all()) for weight in search.weights)
