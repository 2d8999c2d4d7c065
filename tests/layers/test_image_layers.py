"""Convolutional and normalizing layers: shapes, derivatives, what they keep, and what they refuse."""

import copy
import pickle
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import gradient_check

RNG = np.random.default_rng(0)


class Case(NamedTuple):
    """A layer, the shapes of x and y, of all that it holds, and its descriptions before and after it has seen x."""

    make: Callable[..., Any]
    x: tuple[int, ...]
    y: tuple[int, ...]
    held: dict[str, tuple[int, ...]]
    waiting: str
    ready: str


NORMS = {"gamma": (3,), "beta": (3,), "avg_mean": (3,), "avg_var": (3,)}
CASES = {
    "conv": Case(lambda: L.Conv2d(4, 3, rng=0), (2, 3, 5, 4), (2, 4, 3, 2), {"W": (4, 3, 3, 3), "b": (4,)},
                 "Conv2d(?, 4, 3): ?", "Conv2d(3, 4, 3): 112"),
    "conv of settings": Case(lambda: L.Conv2d(4, (3, 2), (2, 1), 1, True, dilation=(1, 2), groups=2, rng=0),
                             (2, 2, 5, 4), (2, 4, 3, 4), {"W": (4, 1, 3, 2)},
                             "Conv2d(?, 4, (3, 2), stride=(2, 1), pad=1, dilation=(1, 2), groups=2): ?",
                             "Conv2d(2, 4, (3, 2), stride=(2, 1), pad=1, dilation=(1, 2), groups=2): 24"),
    "deconv": Case(lambda: L.Deconv2d(4, 3, 2, (1, 1), rng=0), (2, 3, 3, 2), (2, 4, 5, 3),
                   {"W": (3, 4, 3, 3), "b": (4,)},
                   "Deconv2d(?, 4, 3, stride=2, pad=(1, 1)): ?", "Deconv2d(3, 4, 3, stride=2, pad=(1, 1)): 112"),
    "deconv of groups": Case(lambda: L.Deconv2d(6, 2, groups=2, dilation=2, rng=0), (2, 4, 3, 2), (2, 6, 5, 4),
                             {"W": (4, 3, 2, 2), "b": (6,)},
                             "Deconv2d(?, 6, 2, dilation=2, groups=2): ?",
                             "Deconv2d(4, 6, 2, dilation=2, groups=2): 54"),
    "batch": Case(L.BatchNorm, (5, 3), (5, 3), NORMS, "BatchNorm(?): ?", "BatchNorm(3): 6"),
    "batch of images": Case(L.BatchNorm, (2, 3, 2, 2), (2, 3, 2, 2), NORMS, "BatchNorm(?): ?", "BatchNorm(3): 6"),
    "layer": Case(L.LayerNorm, (2, 4, 3), (2, 4, 3), {"gamma": (3,), "beta": (3,)},
                  "LayerNorm(?): ?", "LayerNorm(3): 6"),
}  # fmt: skip
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def example(case, dtype=np.float32):
    return np.random.default_rng(1).standard_normal(case.x).astype(dtype)


def moved(case):
    """The layer after one step, so that no two of its numbers are alike."""
    layer = case.make()
    layer(example(case))
    rng = np.random.default_rng(2)
    layer.load_state({key: value + rng.uniform(0.1, 0.5, value.shape) for key, value in layer.state().items()})
    return layer


@each
def test_shapes_and_descriptions(case):
    layer = case.make()
    assert repr(layer).removesuffix(" parameters") == case.waiting
    y = layer(example(case))
    assert (y.shape, y.dtype) == (case.y, np.float32)
    assert {key: value.shape for key, value in layer.state().items()} == case.held
    assert repr(layer).removesuffix(" parameters") == case.ready


@each
@pytest.mark.parametrize("train", [True, False])
def test_derivatives_by_x_and_by_all_that_is_learned(case, train):
    layer = moved(case)
    params = layer.named_params()

    def f(x, *values):
        for name, value in zip(params, values, strict=True):
            vars(layer)[name] = value  # Past the guard that keeps learners from replacing a Parameter.
        return layer(x)

    with tg.using_config("train", train):
        assert gradient_check(f, example(case, float), *(p.data.astype(float) for p in params.values()), order=2)


@each
def test_copies_of_a_layer_compute_the_same(case):
    x, layer = example(case), case.make()
    for ready in (False, True):
        copies = [copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
        expected = layer(x).data
        for duplicate in copies:
            np.testing.assert_array_equal(duplicate(x).data, expected)
            assert all(a is not b for a, b in zip(layer.params(), duplicate.params(), strict=True)), ready


@each
def test_a_state_makes_a_layer_the_same_whether_it_waits_or_not(case):
    x, layer = example(case), moved(case)
    busy = case.make()
    busy(x)
    for other in (case.make(), busy):
        other.load_state(layer.state())
        with tg.test_mode():
            np.testing.assert_array_equal(other(x).data, layer(x).data)


@pytest.mark.parametrize(("layer", "f"), [(L.Conv2d, F.conv2d), (L.Deconv2d, F.deconv2d)])
def test_arguments_come_in_dezeros_order_and_reach_the_function(layer, f):
    layer = layer(4, (3, 2), (2, 3), (1, 0), False, np.float64, 6, dilation=(1, 2), groups=2, init="he", rng=3)
    layer.b.data += RNG.random(4)
    x = RNG.standard_normal((2, 6, 5, 5))
    expected = f(x, layer.W, layer.b, (2, 3), (1, 0), dilation=(1, 2), groups=2)
    assert expected.dtype == layer.W.dtype == np.float64
    np.testing.assert_array_equal(layer(x).data, expected.data)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", [L.Conv2d, L.Deconv2d])
def test_initial_kernels_have_the_variance_that_is_promised(kind, groups):
    W = kind(80, 5, in_channels=40, groups=groups, rng=0).W.data
    assert W.var() == pytest.approx(groups / (40 * 5 * 5), rel=0.03)
    np.testing.assert_array_equal(W, kind(80, 5, in_channels=40, groups=groups, rng=0).W.data)
    assert kind(4, 3, in_channels=2, init="zeros").W.data.any() == np.False_


def test_batch_norm_follows_the_batches_and_uses_what_it_has_learned():
    layer, mean, var = L.BatchNorm(decay=0.7, eps=1e-3, dtype=np.float64), np.zeros(3), np.ones(3)
    for _ in range(3):
        x = RNG.normal(2, 3, (6, 3, 4))
        y = layer(x)
        seen = x.mean((0, 2)), x.var((0, 2)), x.var((0, 2), ddof=1)
        mean, var = 0.7 * mean + 0.3 * seen[0], 0.7 * var + 0.3 * seen[2]
        np.testing.assert_allclose(y.data, (x - seen[0][:, None]) / np.sqrt(seen[1] + 1e-3)[:, None])
    with tg.test_mode():
        y = layer(x)
    np.testing.assert_allclose(y.data, (x - mean[:, None]) / np.sqrt(var + 1e-3)[:, None])
    np.testing.assert_allclose(layer.avg_mean.data, mean)
    np.testing.assert_allclose(layer.avg_var.data, var)
    assert [p.name for p in layer.params()] == ["gamma", "beta"]


def test_layer_norm_does_the_same_in_training_and_after():
    layer, x = L.LayerNorm(4, dtype=np.float64, eps=1e-3), RNG.normal(2, 3, (5, 4))
    assert layer.gamma.dtype == np.float64
    y = layer(x)
    with tg.test_mode():
        np.testing.assert_array_equal(layer(x).data, y.data)
    np.testing.assert_allclose(y.data, (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3))


REFUSED = {
    "Conv2d: expected x of shape (N, C, H, W), got (3, 8); reshape it": (lambda: L.Conv2d(4, 3), (3, 8)),
    "Conv2d: expected x of shape (N, 3, H, W), got (1, 2, 8, 8)": (lambda: L.Conv2d(4, 3, in_channels=3), (1, 2, 8, 8)),
    "conv2d: expected a kernel within the padded image (8, 1), got (3, 3)": (lambda: L.Conv2d(4, 3), (1, 8, 8, 1)),
    "Conv2d: expected in_channels that groups=2 divides, got 3": (lambda: L.Conv2d(4, 3, groups=2), (1, 3, 8, 8)),
    "Deconv2d: expected x of shape (N, 3, H, W), got (1, 2, 8, 8)": (
        lambda: L.Deconv2d(4, 3, in_channels=3),
        (1, 2, 8, 8),
    ),
    "deconv2d: expected an outsize": (lambda: L.Deconv2d(4, 1, pad=3), (1, 2, 4, 4)),
    "BatchNorm: expected x of shape (N, C, ...), got (3,)": (L.BatchNorm, (3,)),
    "LayerNorm: expected x of shape (..., D), got ()": (L.LayerNorm, ()),
    "LayerNorm: expected x of shape (..., 4), got (2, 3)": (lambda: L.LayerNorm(4), (2, 3)),
}


@pytest.mark.parametrize(("message", "refused"), REFUSED.items(), ids=range(len(REFUSED)))
def test_an_x_that_does_not_fit_is_refused_and_decides_nothing(message, refused):
    make, shape = refused
    layer = make()
    before = repr(layer)
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(np.ones(shape, np.float32))
    assert repr(layer) == before


def test_what_comes_later_must_fit_what_came_first():
    norm = L.BatchNorm()
    norm(np.ones((4, 2), np.float32))
    with pytest.raises(ValueError, match=r"BatchNorm: expected x of shape \(N, 2, ...\), got \(4, 3\)"):
        norm(np.ones((4, 3), np.float32))
    with pytest.raises(ValueError, match="Conv2d: expected groups that divide out_channels=4, got 3"):
        L.Conv2d(4, 3, groups=3)
