"""What hypothesis draws: numbers at which derivatives exist, and settings of convolutions that fit their shapes."""

import itertools
import math

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.cases import ANY

GOLDEN = (math.sqrt(5) - 1) / 2


@st.composite
def numbers(draw, shapes, domains=None):
    """An array for each shape, with numbers from its domain. It cannot be written into.

    Hypothesis draws whole numbers of eighths (of less where a domain is narrow), to which each element adds its own
    share of an eighth. So no two elements, of one array or of several, are equal or opposite, and neither they nor
    their differences are 0, 1 or 0.7: a derivative exists, and differences of 1e-5 stay on one side of every kink.
    """
    positions, arrays = itertools.count(1), []
    for shape, (low, high) in zip(shapes, domains or itertools.repeat(ANY), strict=domains is not None):
        parts = next(n for n in (8, 16, 32, 64) if math.floor(n * high) - math.ceil(n * low) > 2)
        whole = draw(
            hnp.arrays(np.int64, shape, elements=st.integers(math.ceil(parts * low), math.floor(parts * high) - 2))
        )
        shares = [share(next(positions)) for _ in range(math.prod(shape))]
        x = np.asarray((whole + np.reshape(shares, shape)) / parts)
        x.flags.writeable = False
        arrays.append(x)
    return arrays


def share(i):
    """Multiples of the golden ratio keep apart best of all; those of the squares keep sums apart, too."""
    return i * GOLDEN % 1 + i * i * GOLDEN % 1 / 200


def inputs(case):
    """Numbers for a case of the table."""
    return numbers(case.shapes, case.domains)


SIZES = st.tuples(st.integers(1, 3), st.integers(1, 3))
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def convolutions(draw):
    """x, W, b and settings that fit each other: (x, W, b, stride, pad, dilation, groups)."""
    kernel, stride, dilation = draw(SIZES), draw(SIZES), draw(SIZES)
    pad = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    groups, n, c, oc = draw(st.tuples(*[st.integers(1, 3)] * 4))
    size = [
        max(1, d * (k - 1) + 1 - 2 * p) + draw(st.integers(0, 4)) for k, p, d in zip(kernel, pad, dilation, strict=True)
    ]
    rng = np.random.default_rng(draw(SEEDS))
    x = rng.standard_normal((n, c * groups, *size))
    W = rng.standard_normal((oc * groups, c, *kernel))
    return x, W, rng.standard_normal(oc * groups), stride, pad, dilation, groups


@st.composite
def windows(draw):
    """x and where a kernel moves over it: (x, kernel, stride, pad). No two pixels of x are equal."""
    kernel, stride = draw(SIZES), draw(SIZES)
    pad = tuple(draw(st.integers(0, k - 1)) for k in kernel)
    size = [max(1, k - 2 * p) + draw(st.integers(0, 4)) for k, p in zip(kernel, pad, strict=True)]
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *size)
    rng = np.random.default_rng(draw(SEEDS))
    return rng.permutation(np.prod(shape)).reshape(shape) / 8 - 3.0, kernel, stride, pad
