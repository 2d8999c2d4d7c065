"""Random computations, written down and run on other data."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.programs.test_source import assert_same, gradients, run
from tests.rules.test_programs import BINARY, UNARY
from tinygrad_jp import Variable, source

SHAPES = [(), (3,), (2, 3)]
MORE = {  # Operations on arrays, with masks, indices and shapes.
    "relu": lambda x: np.maximum(x, 0),
    "rows": lambda x: np.sum(x, axis=0) if x.ndim else x,
    "mean": lambda x: np.mean(x, axis=-1, keepdims=True) if x.ndim else x,
    "largest": lambda x: np.max(x),
    "where": lambda x: np.where(np.tri(3, dtype=bool)[-1], x, 0.5 * x),
    "back": lambda x: np.flip(x) if x.ndim else x,
    "first": lambda x: x[..., :1] if x.ndim else x,
}
ONE = {name: f for name, (f, _) in UNARY.items()} | MORE
TWO = {name: f for name, (f, _) in BINARY.items() if name != "mean of both"}  # It needs two arrays of one shape.
LINES = st.lists(st.tuples(st.sampled_from([*ONE, *TWO]), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=8)


def computed(lines, xs):
    """The sum of the last line of a program whose lines use any values before them."""
    values = list(xs)
    for name, i, j in lines:
        a, b = values[i % len(values)], values[j % len(values)]
        values.append(np.tanh(ONE[name](a) if name in ONE else TWO[name](a, b)))  # It stays small.
    return np.sum(values[-1] * values[0])


@pytest.mark.parametrize("order", [1, 2])
@given(lines=LINES, shape=st.sampled_from(SHAPES), seed=st.integers(0, 99))
def test_random_programs(order, lines, shape, seed):
    def recorded(rng):
        xs = [Variable(rng.uniform(-2, 2, s), f"x{i}") for i, s in enumerate((shape, (2, 3)))]
        return xs, computed(lines, xs)

    _, y = recorded(np.random.default_rng(seed))
    xs, other = recorded(np.random.default_rng(seed + 1))
    arguments = source(other, order=order).arguments
    program = source(y, order=order)
    assert program.arguments.keys() == arguments.keys()
    assert_same(run(program, arguments), gradients(other, xs, order), 1e-9)
