"""The values that weights start from have the variance that their sources ask for, and say what they cannot make."""

import math
import re

import numpy as np
import pytest

import tinygrad_jp.layers as L
from tinygrad_jp.layers import initializers
from tinygrad_jp.layers.initializers import INITIALIZERS, fans, initialize

SHAPES = {"weights": (60, 90), "kernels": (40, 30, 3, 2)}
# The variance from fan_in and fan_out.
VARIANCES = {
    "he": lambda i, o: 2 / i,
    "glorot": lambda i, o: 2 / (i + o),
    "lecun": lambda i, o: 1 / i,
    "normal": lambda i, o: 1.0,
    "zeros": lambda i, o: 0.0,
    "ones": lambda i, o: 0.0,
}
VARIANCES |= {f"{name}_uniform": VARIANCES[name] for name in ("he", "glorot", "lecun")}


def test_every_initializer_is_here():
    assert {*INITIALIZERS} == {*VARIANCES, "orthogonal"}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("name", VARIANCES)
def test_the_variance_is_that_of_the_source(name, shape):
    W = initialize(name, shape, np.float32, rng=0)
    variance = VARIANCES[name](*fans(shape))
    assert W.shape == shape and W.dtype == np.float32
    assert W.var() == pytest.approx(variance, rel=0.05, abs=1e-12)
    assert W.mean() == pytest.approx(float(name == "ones"), abs=4 * math.sqrt(variance / W.size))
    if name.endswith("uniform"):
        assert 0.99 < np.abs(W).max() / math.sqrt(3 * variance) <= 1


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 2, 3, 2), (12, 2, 1, 3)])
def test_rows_or_columns_are_orthonormal(shape):
    W = initialize("orthogonal", shape, np.float64, rng=0).reshape(shape[0], -1)
    small = W @ W.T if W.shape[0] <= W.shape[1] else W.T @ W
    np.testing.assert_allclose(small, np.eye(len(small)), atol=1e-12)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_seed_makes_it_repeatable(name):
    assert (initialize(name, (3, 2), rng=1) == initialize(name, (3, 2), rng=1)).all()


@pytest.mark.parametrize(
    ("init", "shape", "error", "message"),
    [
        *((name, (3,), ValueError, "expected weights of 2 or more axes, got the shape (3,)") for name in INITIALIZERS
          if name not in ("normal", "zeros", "ones")),
        ("xavier", (3, 2), ValueError, "expected one of he, he_uniform, glorot, "),
        (0.1, (3, 2), TypeError, "expected a name or a function of (shape, rng), got float"),
        (None, (3, 2), TypeError, "expected a name or a function of (shape, rng), got NoneType"),
        (lambda shape, rng: np.zeros(shape[::-1]), (3, 2), ValueError, "expected values of shape (3, 2), got (2, 3)"),
        (lambda shape, rng: 0.0, (3, 2), ValueError, "expected values of shape (3, 2), got ()"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_said(init, shape, error, message):
    with pytest.raises(error, match=re.escape(message)):
        initialize(init, shape)


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_layer_takes_its_name(name):
    W = L.Linear(4, in_size=3, init=name, rng=0).W.data
    np.testing.assert_array_equal(W, initialize(name, (3, 4), rng=0))


def test_normal_takes_its_standard_deviation():
    assert initialize(initializers.normal(0.02), (100, 100), rng=0).std() == pytest.approx(0.02, rel=0.05)
