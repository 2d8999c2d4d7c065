"""Every case of the table of rules on a device: its value, its gradient, and the gradient of that."""

import re

import numpy as np
import pytest

from tests.cases import CASES
from tinygrad_jp import Variable, cuda, gradient_check, primitive, pullback
from tinygrad_jp.devices import NotOnDevice


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


# What CuPy lacks, and the cases that are refused for it, each by its whole name. All others work.
REFUSED = {
    r"where=": r"(sum|mean|var|std) \{'where'.*|(nansum|nanmean|nanvar|nanstd) where|std about a(ny)? mean",
    r"(where|initial)=": r"(max|min) \{'where'.*|(sum|max|min) initial|add\.reduce where",
    r"correction=": r"nanstd correction",
    r'method="(\w+)"': r"quantile (q )?(\w*inverted_cdf|closest_observation|hazen|weibull|\w+_unbiased)",
    r"np\.nan(quantile|percentile)": r"nan(quantile|percentile)( q)?",
    r"vecdot|matvec|vecmat": r"(vecdot|matvec|vecmat) .*",
    r"upper=": r"cholesky of many",
    r"hermitian=": r"pinv hermitian",
    r"np\.insert": r"insert.*",
    r"erfi|dawsn|spence": r"erfi|dawsn|spence",
    r"(iv|jv|yv|kv|ive)": r"[ijyk][01]e?|(iv|jv|yv|kv|ive) of order 2",
    r"zeta": r"psi|gamma|gammaln|loggamma|beta|betaln|zeta",
}


def lacking(case):
    """What CuPy lacks of what this case needs, as a pattern; None if it is to work there."""
    if case.table is np.i0:  # Not SciPy's function of that name.
        return None
    return next((what for what, names in REFUSED.items() if re.fullmatch(names, case.name, re.DOTALL)), None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_derivatives_are_those_of_numpy_or_refused_in_a_sentence(case, cupy, close, constants_there):
    expected = to_second_order(case, np.asarray)
    constants_there()
    if what := lacking(case):
        with pytest.raises(NotOnDevice) as error:
            to_second_order(case, cupy.asarray)
        sentence = (
            rf"[\w. ]+: not on a GPU, where CuPy has no ({what}); compute it in NumPy's memory, "
            r"on x\.to_cpu\(\) or cuda\.as_numpy\(a\)"
        )
        assert re.fullmatch(sentence, str(error.value))
        return
    for there, here in zip(to_second_order(case, cupy.asarray), expected, strict=True):
        close(there, here)


def test_the_remedy_of_a_refusal_works(cupy):
    x = Variable(cupy.asarray([1.0, 2.0, 4.0]))
    with pytest.raises(NotOnDevice, match=r"np\.sum: .* no initial=; .* on x\.to_cpu\(\) or cuda\.as_numpy\(a\)"):
        np.sum(x, initial=1.0)
    assert np.sum(cuda.as_numpy(x), initial=1.0) == 8
    x.to_cpu()
    assert np.sum(x, initial=1.0).item() == 8


def test_mistakes_that_are_not_of_the_device_keep_their_words(cupy):
    x = Variable(cupy.asarray(np.ones((2, 3))))
    with pytest.raises(ValueError, match="the shapes") as error:
        np.matmul(x, x)
    assert not isinstance(error.value, NotOnDevice)

    @primitive
    def once(x):
        return x * 1

    @pullback(once)
    def d_once(gy, y, x):
        raise TypeError("a fault of its own")

    with pytest.raises(TypeError, match=r"^a fault of its own$"):
        once(x).sum().backward()


@pytest.mark.parametrize("name", ["tanh", "matmul (2, 3) (3, 4)", "softmax", "layer_norm", "lstm"])
def test_gradient_check_on_a_device(name, cupy, constants_there):
    case = next(case for case in CASES if case.name == name)
    constants_there()
    assert gradient_check(case.f, *map(cupy.asarray, case.inputs(np.random.default_rng(0))), order=2)
