"""Buckets: parameters that take their step as one array."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, combinations, pairwise
from typing import Any

import numpy as np

from tinygrad_jp.core import Array, Parameter
from tinygrad_jp.devices import array_class, on_device

# A parameter of at most SMALL elements shares a bucket with others, up to BUCKET_SIZE elements in all.
SMALL, BUCKET_SIZE = 2048, 1 << 15
ON_DEVICE = 1 << 20, 1 << 24  # The same where a call takes as long as a million elements.


def compute_dtype(dtype: "np.dtype[Any]") -> "np.dtype[Any]":
    """The dtype in which parameters of `dtype` take their steps: float32 for float16, and in native byte order."""
    return np.promote_types(dtype, np.float32)


class Bucket:
    """Parameters that have taken the same number of steps, `t`, and take the next one as one array.

    A call of NumPy on ten elements takes as long as one on a thousand, so small parameters share their calls. With
    Adam, this saves a third of a whole training step of a 2-10-1 MLP. Data and gradients are gathered in flat arrays.
    The slots live in flat arrays, and `slots` holds for each parameter its views of them.

    A parameter alone in its bucket takes its step in place, unless it is to be computed in another dtype.
    """

    def __init__(self, params: list[Parameter], slots: list[list[Array]], t: int, n_scratch: int) -> None:
        self.params, self.slots, self.t = params, slots, t
        self.xs = [p.data for p in params]
        dtype = compute_dtype(self.xs[0].dtype)
        self.in_place = len(params) == 1 and self.xs[0].dtype == dtype
        if self.in_place:
            self.x, self.arrays = self.xs[0], slots[0]
        else:
            self._gather_in_flat_arrays(dtype)
        self.scratch = [np.empty_like(self.x) for _ in range(n_scratch)]

    def _gather_in_flat_arrays(self, dtype: "np.dtype[Any]") -> None:
        self.x, self.g = (np.empty(sum(x.size for x in self.xs), dtype, like=self.xs[0]) for _ in range(2))
        self.x_parts, self.g_parts = self._parts(self.x), self._parts(self.g)
        self.arrays = [np.concatenate(slot, axis=None, dtype=dtype) for slot in zip(*self.slots, strict=True)]
        parts = [self._parts(a) for a in self.arrays]
        self.slots = [[part[i] for part in parts] for i in range(len(self.params))]

    def move_in(self) -> None:
        """Let the Parameters have their data here, so that nothing has to be gathered, and their gradients as well."""
        for p, part in zip(self.params, self.x_parts, strict=True):
            if p._array is not part:
                part[...] = p._array
                p.data = part
        self.xs = self.x_parts

    @property
    def is_home(self) -> bool:
        """Whether the Parameters have their data here."""
        return not self.in_place and all(p._array is part for p, part in zip(self.params, self.x_parts, strict=True))

    def _parts(self, flat: Array) -> list[Array]:
        """The part of a flat array that belongs to each parameter, in its shape."""
        ends = pairwise(accumulate((x.size for x in self.xs), initial=0))
        return [flat[i:j].reshape(x.shape) for x, (i, j) in zip(self.xs, ends, strict=True)]

    def apply(self, step: Callable[..., None]) -> None:
        """Call `step` on the parameters, their gradients, their slots and scratch memory."""
        if self.in_place:
            step(self.x, self.params[0].grad.data, *self.arrays, *self.scratch)
            return
        # Not `p.grad.data`: for 100 arrays of 64, the two properties would take a third of the update.
        for x_part, x, g_part, p in zip(self.x_parts, self.xs, self.g_parts, self.params, strict=True):
            x_part[...] = x
            g_part[...] = p._grad._array
        step(self.x, self.g, *self.arrays, *self.scratch)
        for x, part in zip(self.xs, self.x_parts, strict=True):
            x[...] = part


def group(
    params: list[Parameter], steps: Mapping[Parameter, int], rates: Mapping[Parameter, Any]
) -> Iterator[list[Parameter]]:
    """The parameters by bucket: small ones of the same dtype, rate and number of steps together, large ones alone.

    If data overlap, as in tied weights, all are alone: the second step must see what the first has done.
    """
    small, most = ON_DEVICE if params and on_device(params[0].data) else (SMALL, BUCKET_SIZE)
    if _overlap([p.data for p in params]):
        small = -1
    groups: dict[object, list[Parameter]] = defaultdict(list)
    filled: Counter[object] = Counter()
    for p in params:
        if p.size > small:
            yield [p]
            continue
        key = array_class(p.data), compute_dtype(p.dtype), steps[p], rates.get(p)
        if filled[key] + p.size > most:
            yield groups.pop(key)
            filled[key] = 0
        groups[key].append(p)
        filled[key] += p.size
    yield from groups.values()


def _overlap(arrays: list[Array]) -> bool:
    """Whether two of them share memory."""
    if any(map(on_device, arrays)):
        return any(np.may_share_memory(a, b) for a, b in combinations(arrays, 2))
    bounds = sorted(map(np.lib.array_utils.byte_bounds, arrays))
    return any(a[1] > b[0] for a, b in pairwise(bounds))
