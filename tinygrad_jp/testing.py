"""The check of derivatives against differences, for the engine's own operations and for yours."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.core import Variable
from tinygrad_jp.devices import beside, device_of, fetched
from tinygrad_jp.randomness import Rng, generator

__all__ = ["gradient_check"]

Array = np.ndarray[Any, Any]


def gradient_check(
    f: Callable[..., Any],
    *inputs: Any,
    order: int = 1,
    h: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    rng: Rng = 0,
    **settings: Any,
) -> bool:
    """Check the backward pass of `f` at `inputs` against central differences, to the order given.

    With a random cotangent w, s(x) = Σ w·f(x) is a number. For each input x and a random direction v, the difference
    (s(x + h·v) − s(x − h·v)) / 2h must equal Σ v·∂s/∂x, where ∂s/∂x is what `backward()` gives. For order 2 the
    gradients are checked in the same way, as functions of the inputs and of w; and so on.

    f takes Variables and returns one; `inputs` are arrays, Variables or lists. The first is checked in floats; of those
    that follow, floats are checked, and the rest is given to f as it is: integers such as labels, single numbers,
    shapes, None. So are settings by keyword. Differences are taken in float64. A layer computes in the dtype of its
    Parameters, so make it with `dtype=np.float64` to check it. Of a
    gradient in float32, only three digits are compared. h is the step. It is made smaller next to the edge of what f is
    defined for, as for log next to 0. The two may differ by atol + rtol·(their size). Also checked: the gradient has
    its input's shape and dtype, and no input is changed.

    Returns True, or raises an AssertionError that names the input, its worst element and both values there.

    >>> gradient_check(np.tanh, [0.5, -2.0], order=2)
    True
    >>> from tinygrad_jp import primitive, pullback
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> @pullback(cube)
    ... def d_cube(gy, y, x):
    ...     return gy * 2 * x**2  # 2 for 3
    >>> gradient_check(cube, [1.0, 2.0])
    Traceback (most recent call last):
    ...
    AssertionError: cube: the gradient with respect to input 0 is wrong at [1]: backward() gives ..., ...
    """
    if order < 1:
        raise ValueError(f"gradient_check: expected an order of at least 1, got {order}")
    rng, name = generator(rng), getattr(f, "__name__", repr(f))
    f, xs = _split(f, inputs, settings)
    device = device_of(*inputs)
    for k in range(1, order + 1):
        label = name if k == 1 else f"{name}, derivative of order {k}"
        w = _check_once(label, f, xs, h, rtol, atol, rng, device)
        f, xs = _gradients_of(f), [*xs, w]
    return True


def _split(f: Callable[..., Any], inputs: tuple[Any, ...], settings: dict[str, Any]) -> tuple[Any, list[Array]]:
    """f as a function of the inputs that are checked, and these."""
    given = [x.data if isinstance(x, Variable) else x for x in inputs]
    checked = {i: _floats(x) for i, x in enumerate(given) if not i or _is_checked(x)}
    for i, x in checked.items():
        if x.dtype.kind != "f":
            raise TypeError(
                f"gradient_check: expected numbers as input {i}, got {x.dtype}; let f hold what is constant"
            )
    if len(checked) == len(inputs) and not settings:
        return f, [*checked.values()]

    def of_checked(*xs: Any) -> Any:
        places = dict(zip(checked, xs, strict=True))
        return f(*[places.get(i, x) for i, x in enumerate(inputs)], **settings)

    return of_checked, [*checked.values()]


def _floats(x: Any) -> Array:
    """A copy of x: of its dtype, or float64 for integers."""
    x = np.array(fetched(x), getattr(x, "dtype", None))
    return x.astype(np.float64) if x.dtype.kind in "iu" else x


def _is_checked(x: Any) -> bool:
    x = fetched(x)
    return isinstance(x, np.ndarray | np.generic | list) and np.asarray(x).dtype.kind == "f"


def _check_once(
    name: str,
    f: Callable[..., Any],
    xs: list[Array],
    h: float,
    rtol: float,
    atol: float,
    rng: "np.random.Generator",
    device: Any,
) -> Array:
    """Check one order with a random cotangent, and return that. f gets Variables on the device."""
    y = f(*_leaves(xs, device))
    if not isinstance(y, Variable):
        raise AssertionError(f"{name}: expected f to return a Variable, got {type(y).__name__}; keep .data out of f")
    w = np.asarray(rng.standard_normal(y.shape), y.dtype)
    if any(x.dtype != np.float64 for x in xs):
        rtol, atol = max(rtol, 1e-3), max(atol, 1e-4)

    def difference(i: int, v: Array, step: float) -> float:
        """The central difference along v in input i."""
        ends = []
        with np.errstate(all="ignore"):
            for signed in (step, -step):
                moved = [x.astype(np.float64) + (signed * v if j == i else 0) for j, x in enumerate(xs)]
                ends.append(np.sum(w * fetched(f(*_leaves(moved, device)).data)))
            return float(ends[0] - ends[1]) / (2 * step)

    def slope(i: int, v: Array) -> float:
        """The limit of the difference: the step shrinks until halving it hardly matters, and both are extrapolated."""
        coarse = fine = np.nan
        for k in range(8):
            coarse, fine = difference(i, v, h / 10**k), difference(i, v, h / 10**k / 2)
            if abs(coarse - fine) <= 1e-3 * abs(fine) + atol:
                break
        return (4 * fine - coarse) / 3

    for i, (x, g) in enumerate(zip(xs, _gradients(name, f, xs, w, device), strict=True)):
        if g.shape != x.shape or g.dtype != x.dtype:
            raise AssertionError(f"{name}: input {i} is {x.dtype} {x.shape}, but its gradient {g.dtype} {g.shape}")
        # No element of the direction is near 0, so that no element of the gradient goes unseen.
        v = rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape)
        found, allowed = np.sum(v * g), atol + rtol * np.sum(np.abs(v * g))
        if not (abs(found - difference(i, v, h)) <= allowed or abs(found - slope(i, v)) <= allowed):
            differences = np.array([slope(i, e.reshape(x.shape)) for e in np.eye(x.size)]).reshape(x.shape)
            worst = np.unravel_index(np.nanargmax(np.nan_to_num(np.abs(g - differences), nan=np.inf)), x.shape)
            raise AssertionError(
                f"{name}: the gradient with respect to input {i} is wrong at {list(map(int, worst))}: "
                f"backward() gives {g[worst]}, differences give {differences[worst]}"
            )
    return w


def _gradients(name: str, f: Callable[..., Any], xs: list[Array], w: Array, device: Any) -> list[Array]:
    """The gradients of Σ w·f with respect to all inputs, from `backward()`."""
    leaves = _leaves(xs, device)
    y = _result(f(*leaves))
    y.grad = beside(w, device)
    y.backward()
    for i, (x, leaf) in enumerate(zip(xs, leaves, strict=True)):
        if not np.array_equal(x, fetched(leaf.data), equal_nan=True):
            raise AssertionError(f"{name}: input {i} was changed in place; let f and its rule write to copies")
    grads = [None if leaf.grad is None else fetched(leaf.grad.data) for leaf in leaves]
    return [np.zeros_like(x) if g is None else g for x, g in zip(xs, grads, strict=True)]


def _gradients_of(f: Callable[..., Any]) -> Callable[..., Any]:
    """The gradients of Σ w·f as a function of the inputs and of w, all in one row."""

    def gradients(*inputs: Any) -> Any:
        *xs, w = inputs
        y = _result(f(*xs))
        y.grad = w
        y.backward(create_graph=True)
        gxs: list[Any] = [np.zeros_like(x.data) if x.grad is None else x.grad for x in xs]
        for x in xs:
            x.cleargrad()
        return np.concatenate([np.reshape(gx, -1) for gx in gxs])

    return gradients


def _result(y: Variable) -> Variable:
    """y, not an input itself, as f returns where it has nothing to do: the gradient of a leaf starts from one."""
    return +y if y.creator is None else y


def _leaves(xs: list[Array], device: Any) -> list[Variable]:
    return [Variable(beside(x.copy(), device)) for x in xs]
