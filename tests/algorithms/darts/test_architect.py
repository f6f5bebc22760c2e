"""The architecture's gradient, against what it means: the change of the validation loss with the alphas."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from algorithms.darts.alphas import Alphas  # noqa: E402
from algorithms.darts.architect import VirtualStep, first_order, gradients, second_order  # noqa: E402
from algorithms.darts.presets import SAMPLINGS, Method  # noqa: E402
from algorithms.darts.sampling import Moment, mix, zero_one  # noqa: E402
from algorithms.darts.search import Schedule, Search  # noqa: E402
from algorithms.darts.supernet import Supernet  # noqa: E402
from tests.algorithms.darts.supernets import examples, shape_of  # noqa: E402

pytestmark = pytest.mark.requires("torch")

STEP = 1e-7  # of the numerical derivative; a longer one meets the kinks of ReLU
OPERATIONS = ["convolution_3x3", "avg_pooling_3x3", "skip_connection"]


class Problem:
    """A supernet in float64, a training and a validation loss, and one alpha to move."""

    def __init__(self, sampling="softmax", **more):
        shape = shape_of(OPERATIONS, nodes=1, cells=2, channels=4, **more)
        torch.manual_seed(0)
        self.net = Supernet(shape).double()
        self.alphas = Alphas(shape, edge_normalisation=True, seed=3).double()
        self.sampling, self.train, self.validation = (
            sampling,
            examples(8, dtype=torch.float64),
            examples(12, dtype=torch.float64),
        )
        self.weights = list(self.net.parameters())
        with torch.no_grad():
            for alpha in self.alphas.parameters():
                alpha.mul_(300)

    def loss(self, given):
        mixed = mix(self.alphas, self.sampling, Moment(skip=0.5))
        return functional.cross_entropy(self.net(given.inputs, mixed), given.labels)

    @staticmethod
    def numerically(alpha, place, value):
        """The central difference of ``value()`` by one number."""
        differences = []
        for sign in (1, -1):
            with torch.no_grad():
                alpha[place] += sign * STEP
            differences.append(value())
            with torch.no_grad():
                alpha[place] -= sign * STEP
        return (differences[0] - differences[1]) / (2 * STEP)


@pytest.mark.parametrize("sampling", ["softmax", "sigmoid", "dirichlet"])
def test_first_order_is_exact(sampling):
    problem = Problem(sampling, partial=2, auxiliary_skip=True)
    alphas = list(problem.alphas.parameters())
    found = first_order(lambda: problem.loss(problem.validation), alphas)
    for alpha, gradient in zip(alphas, found, strict=True):
        for place in [(0,), (1,)] if alpha.dim() == 1 else [(0, 1), (1, 3)]:
            expected = problem.numerically(alpha, place, lambda: problem.loss(problem.validation).item())
            assert gradient[place].item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize(
    ("alpha", "loss"),
    [(0.0, 0.0), (torch.tensor(3.0).log().item(), -1 / 16), (-40.0, -1 / 4), (40.0, -1 / 4)],
    ids=["undecided", "three quarters", "zero", "one"],
)
def test_the_zero_one_loss_of_equal_alphas(alpha, loss):
    alphas = Alphas(shape_of(OPERATIONS), edge_normalisation=False, seed=0).double()
    for rows in alphas.operations.values():
        rows.data.fill_(alpha)
    assert zero_one(alphas).item() == pytest.approx(loss)


def test_the_gradient_of_the_zero_one_loss():
    alphas = Problem().alphas
    found = dict(zip(alphas.operations, gradients(zero_one(alphas), list(alphas.operations.values())), strict=True))
    for kind, rows in alphas.operations.items():
        assert not found[kind][:, 0].any()  # none
        for place in [(0, 1), (1, 3)]:
            expected = Problem.numerically(rows, place, lambda: zero_one(alphas).item())
            assert found[kind][place].item() == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("order", [1, 2])
def test_the_zero_one_loss_is_a_part_of_the_architectures_gradient(order):
    found = []
    for weight in (0.0, 10.0):
        method = Method(sampling="sigmoid", order=order, zero_one=weight)
        search = Search(shape_of(OPERATIONS), method, Schedule(batch_size=8), examples(16), examples(16))
        alphas = list(search.alphas.parameters())
        own = gradients(zero_one(search.alphas), alphas)
        search.step()
        found.append([alpha.grad for alpha in alphas])
    for without, with_it, part in zip(*found, own, strict=True):
        assert part.abs().max() > 0
        torch.testing.assert_close(with_it - without, 10 * part, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_second_order_is_the_hypergradient(momentum):
    problem = Problem()
    alphas, rate, decay = list(problem.alphas.parameters()), 0.1, 3e-2
    generator = torch.Generator().manual_seed(1)
    velocities = [0.1 * torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in problem.weights]
    before = [weight.detach().clone() for weight in problem.weights]
    ahead = gradients(problem.loss(problem.train), problem.weights)
    step = VirtualStep(ahead, rate, momentum, decay, velocities, distance=1e-7)
    kept = [each.clone() for each in ahead]

    def trained():
        """The validation loss after one step of training with the alphas at hand."""
        directions = gradients(problem.loss(problem.train), problem.weights)
        with torch.no_grad():
            for weight, direction, velocity in zip(problem.weights, directions, velocities, strict=True):
                weight -= rate * (direction + momentum * velocity + decay * weight)
            value = problem.loss(problem.validation).item()
            for weight, saved in zip(problem.weights, before, strict=True):
                weight.copy_(saved)
        return value

    found = second_order(
        lambda: problem.loss(problem.train), lambda: problem.loss(problem.validation), alphas, problem.weights, step
    )
    assert all(torch.equal(weight, saved) for weight, saved in zip(problem.weights, before, strict=True))
    assert all(torch.equal(one, other) for one, other in zip(ahead, kept, strict=True))  # the weights move by them
    plain = first_order(lambda: problem.loss(problem.validation), alphas)
    seen = []
    for alpha, gradient, simple in zip(alphas, found, plain, strict=True):
        for place in [(0,), (1,)] if alpha.dim() == 1 else [(0, 0), (0, 1), (1, 3)]:
            expected = problem.numerically(alpha, place, trained)
            assert gradient[place].item() == pytest.approx(expected, rel=1e-4, abs=1e-7)
            seen.append(abs(simple[place].item() - expected) > 1e-4)
    assert any(seen)  # first order is something else


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_alphas_are_no_weights(sampling):
    shape = shape_of(OPERATIONS, nodes=1, cells=3, auxiliary_skip=True)
    method = Method(sampling=sampling, edge_normalisation=True, auxiliary_skip=True)
    search = Search(shape, method, Schedule(epochs=2, batch_size=8, alpha_lr=0.1), examples(16), examples(16))
    trained = {id(x) for group in search.w_optimiser.param_groups for x in group["params"]}
    alphas = list(search.alphas.parameters())
    assert trained == {id(x) for x in search.supernet.parameters()}
    assert not trained.intersection(map(id, alphas))
    before = [alpha.detach().clone() for alpha in alphas]
    inputs, labels = search.train.inputs[:8], search.train.labels[:8]
    search.weight_step(inputs, labels, search.moment(noise=True))
    assert all(alpha.grad is None and torch.equal(alpha, old) for alpha, old in zip(alphas, before, strict=True))
    search.step()
    assert all(bool(alpha.grad.any()) for alpha in alphas)
    assert not any(torch.equal(alpha, old) for alpha, old in zip(alphas, before, strict=True))
