"""Every case of the table of rules on a device: its value, its gradient, and the gradient of that."""

import re

import numpy as np
import pytest

from tests.cases import CASES
from tests.device import UFUNCS
from tinygrad_jp import Variable, gradient_check


def to_second_order(case, place):
    """The value of a case, its gradients, and those of the sum of their squares."""
    xs = [Variable(place(x)) for x in case.inputs(np.random.default_rng(0))]
    y = case.f(*xs)
    weights = place(np.linspace(0.5, 1.5, y.size).reshape(y.shape))
    np.sum(y * y * weights).backward(create_graph=True)
    first = [x.grad for x in xs]
    for x in xs:
        x.cleargrad()
    sum(np.sum(g * g) for g in first).backward()
    return [y.data, *(g.data for g in (*first, *(x.grad for x in xs)))]


# These compute with arrays that they make in NumPy's memory, and are refused on a device, at the call or in their rule.
HERE_ALONE = re.compile(
    r"choose|piecewise|interp|nan(var|std|median|quantile|percentile)|median|quantile|percentile|rank$"
    r"|\w+\.(reduce|accumulate)|cond|cholesky|eig|svd|qr|pinv|lstsq|tensorsolve|tensorinv|matrix_|norm"
    r"|.*nested lists|polyval of a list|pad {|compress|extract|delete|resize|(lin|log)space|gradient with spacings"
    r"|poly(fit|add|sub|mul)?( |$)|vander|cov weighted|histogram|bincount|filter( |$)|irfft|hfft|rfftn|rfft2"
)


def what_cupy_lacks(case, error, cupy):
    """What of NumPy or SciPy this case needs that CuPy has not: a ufunc, or NumPy's own call of it fails there, too."""
    if (name := re.search(r"NotImplemented from __array_ufunc__\(<ufunc '_?(\w+)'", str(error))) is not None:
        return "" if name[1] in UFUNCS else name[1]
    if case.value is not None:
        return ""
    try:
        case.f(*map(cupy.asarray, case.inputs(np.random.default_rng(0))))
    except TypeError as theirs:
        found = re.search("no such signature|keyword|no implementation|Wrong arguments", str(theirs))
        return str(theirs) if found else ""
    return ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_derivatives_are_those_of_numpy(case, cupy, close, constants_there):
    expected = to_second_order(case, np.asarray)
    constants_there()
    try:
        found = to_second_order(case, cupy.asarray)
    except (TypeError, AttributeError) as error:
        if lacks := what_cupy_lacks(case, error, cupy):
            pytest.skip(f"CuPy has not {lacks}")
        assert HERE_ALONE.match(case.name)
        pytest.skip("not on a device")
    for there, here in zip(found, expected, strict=True):
        close(there, here)


@pytest.mark.parametrize("name", ["tanh", "matmul (2, 3) (3, 4)", "softmax", "layer_norm", "lstm"])
def test_gradient_check_on_a_device(name, cupy, constants_there):
    case = next(case for case in CASES if case.name == name)
    constants_there()
    assert gradient_check(case.f, *map(cupy.asarray, case.inputs(np.random.default_rng(0))), order=2)
