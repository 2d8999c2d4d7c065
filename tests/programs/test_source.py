"""`source`: a program gives what the engine gives, on data other than those that were recorded."""

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
import tinygrad_jp.models as M
from tests.cases import CASES, Case
from tinygrad_jp import Source, Variable, seed, source
from tinygrad_jp.programs.borrowing import NotWritten


def weighted(y: Variable) -> Variable:
    """One number, on which all elements of y act differently."""
    return np.sum(y * np.cos(np.arange(y.size)).reshape(y.shape))


def gradients(loss: Variable, xs: list[Variable], order: int) -> dict[str, np.ndarray]:
    """What the engine computes: the loss, its gradients, and for order 2 the gradients of Σ v·gx with v of ones."""
    results = {"loss": loss.data}
    loss.backward(create_graph=order == 2)
    gxs = {x: x.grad for x in xs}
    results |= {f"g{x.name}": np.zeros_like(x.data) if g is None else g.data for x, g in gxs.items()}
    if order == 2:
        for x in xs:
            x.cleargrad()
        total = sum((np.sum(g) for g in gxs.values() if g is not None), Variable(0.0))
        total.backward()
        results |= {f"h{x.name}": np.zeros_like(x.data) if x.grad is None else x.grad.data for x in xs}
    return results


def run(program: Source, arguments: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the text computes, by itself."""
    module: dict[str, object] = {"__name__": "program"}
    exec(compile(str(program), "<program>", "exec"), module)
    ys = module[program.name](**arguments)  # type: ignore[operator]
    return dict(zip(["loss", *program.returns[1:]], ys if len(program.returns) > 1 else [ys], strict=True))


def assert_same(computed, expected, rtol):
    for name, y in computed.items():
        np.testing.assert_allclose(y, expected[name], rtol=rtol, atol=rtol, err_msg=name)
        assert np.shape(y) == np.shape(expected[name]), name
        assert np.result_type(y) == np.result_type(expected[name]), name


# Decompositions, whose rules use the engine themselves, or warn by their numbers.
REFUSED = {1: ("eig", "svd"), 2: ("eig", "svd", "norm of matrices", "cond", "lstsq")}


@pytest.mark.parametrize(("dtype", "order"), [(np.float64, 1), (np.float64, 2), (np.float32, 1)])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_rule_on_other_data(case: Case, dtype, order):
    def recorded(seed_):
        inputs = case.inputs(np.random.default_rng(seed_), dtype)
        xs = [Variable(x, f"x{i}") for i, x in enumerate(inputs)]
        return xs, weighted(case.f(*xs))

    _, loss = recorded(1)
    try:
        program = source(loss, order=order, lang="en")
    except NotWritten:
        assert any(name in case.name for name in REFUSED[order])
        return
    xs, other = recorded(2)
    arguments = source(other, order=order, lang="en").arguments
    assert arguments.keys() == program.arguments.keys()
    with np.errstate(all="ignore"):
        computed = run(program, arguments)
    assert len(computed) > 1
    assert_same(computed, gradients(other, xs, order), 1e-9 if dtype == np.float64 else 2e-3)


def floats(rng, shape):
    return rng.normal(size=shape).astype(np.float32)


def tokens(rng, shape):
    return rng.integers(0, 5, shape)


# Each layer and model, made from a seed, and the data that it takes.
NETWORKS = {
    "Linear": (lambda s: L.Linear(3, rng=s), floats, (4, 2)),
    "Linear of sequences": (lambda s: L.Linear(3, rng=s), floats, (2, 4, 3)),
    "EmbedID": (lambda s: L.EmbedID(5, 3, rng=s), tokens, (4,)),
    "Conv2d": (lambda s: L.Conv2d(4, 3, pad=1, groups=2, rng=s), floats, (2, 2, 5, 6)),
    "Deconv2d": (lambda s: L.Deconv2d(4, 3, stride=2, rng=s), floats, (2, 2, 3, 4)),
    "BatchNorm": (lambda s: L.BatchNorm(), floats, (6, 3)),
    "BatchNorm of images": (lambda s: L.BatchNorm(), floats, (3, 2, 4, 4)),
    "GroupNorm": (lambda s: L.GroupNorm(2), floats, (3, 4, 2)),
    "LayerNorm": (lambda s: L.LayerNorm(), floats, (3, 4)),
    "Dropout": (lambda s: M.Sequential(L.Linear(8, rng=s), L.Dropout(0.5, rng=s)), floats, (3, 4)),
    "MultiHeadAttention": (lambda s: L.MultiHeadAttention(2, rng=s), floats, (2, 3, 4)),
    "TransformerBlock": (lambda s: L.TransformerBlock(2, rng=s), floats, (2, 3, 4)),
    "RNN": (lambda s: L.RNN(4, rng=s), floats, (3, 2)),
    "LSTM": (lambda s: L.LSTM(4, rng=s), floats, (3, 2)),
    "GRU": (lambda s: L.GRU(4, rng=s), floats, (3, 2)),
    "MLP": (lambda s: M.MLP((8, 3), rng=s), floats, (4, 2)),
    "a small CNN": (
        lambda s: M.Sequential(
            L.Conv2d(3, 3, rng=s), F.relu, lambda x: F.pooling(x, 2, 2), F.flatten, L.Linear(2, rng=s)
        ),
        floats,
        (2, 1, 8, 8),
    ),
    "GPT": (lambda s: M.GPT(5, 2, 8, n_heads=2, context=6, rng=s), tokens, (2, 6)),
    "SqueezeNet": (lambda s: M.SqueezeNet(rng=s), floats, (1, 3, 64, 64)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_layer_and_model_on_other_data_and_weights(name):
    make, draw, shape = NETWORKS[name]

    def recorded(seed_):
        network, x = make(seed_), draw(np.random.default_rng(seed_), shape)
        seed(seed_)
        return network, weighted(network(x))

    _, loss = recorded(1)
    program = source(loss, lang="en")
    network, other = recorded(2)
    arguments = source(other, lang="en").arguments
    computed = run(program, arguments)
    other.backward()
    expected = {"loss": other.data} | {
        f"g{path}": p.grad.data for path, p in network.named_params().items() if p.grad is not None
    }
    assert computed.keys() == expected.keys()
    assert_same(computed, expected, 2e-3)


LOSSES = {
    "mean_squared_error": (F.mean_squared_error, lambda rng: rng.normal(size=(4, 3))),
    "mean_absolute_error": (F.mean_absolute_error, lambda rng: rng.normal(size=(4, 3))),
    "huber_loss": (F.huber_loss, lambda rng: rng.normal(size=(4, 3)) * 3),
    "softmax_cross_entropy": (F.softmax_cross_entropy, lambda rng: rng.integers(0, 3, 4)),
    "softmax_cross_entropy, weighted": (
        lambda x, t: F.softmax_cross_entropy(x, t, weight=np.array([1.0, 2.0, 3.0]), label_smoothing=0.1),
        lambda rng: rng.integers(0, 3, 4),
    ),
    "softmax_cross_entropy, ignoring": (
        lambda x, t: F.softmax_cross_entropy(x, t, ignore_label=-1),
        lambda rng: np.array([-1, *rng.integers(0, 3, 3)]),
    ),
    "sigmoid_cross_entropy": (F.sigmoid_cross_entropy, lambda rng: rng.integers(0, 2, (4, 3))),
    "binary_cross_entropy": (lambda x, t: F.binary_cross_entropy(F.sigmoid(x), t), lambda rng: rng.random((4, 3))),
    "kl_divergence": (lambda x, t: F.kl_divergence(t, F.softmax(x)), lambda rng: rng.dirichlet(np.ones(3), 4)),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("order", [1, 2])
def test_every_loss_on_other_data(name, order):
    loss_of, labels = LOSSES[name]

    def recorded(seed_):
        rng = np.random.default_rng(seed_)
        x = Variable(rng.normal(size=(4, 3)), "x")
        return x, loss_of(x, labels(rng))

    program = source(recorded(1)[1], order=order, lang="en")
    x, other = recorded(2)
    computed = run(program, source(other, order=order, lang="en").arguments)
    assert_same(computed, gradients(other, [x], order), 1e-9)


def test_the_networks_and_losses_are_all():
    made = {type(make(0)).__name__ for make, _, _ in NETWORKS.values()}
    layers = {name for name in L.__all__ if name not in ("Layer", "Buffer")} - {"Dropout"}
    assert made >= layers
    names = {name for name in F.__all__ if name.endswith(("error", "loss", "entropy", "divergence"))}
    assert names <= LOSSES.keys()
