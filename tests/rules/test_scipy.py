"""SciPy's functions: their rules are entered when they are called, SciPy is not imported, and the rest is refused."""

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.cases import CASES, SCIPY
from tinygrad_jp import Variable, grad, gradient_check
from tinygrad_jp.calculus.special import _scipy, enter

special = pytest.importorskip("scipy.special")
FIRST_USE = """
import sys
import numpy as np
from tinygrad_jp import PULLBACKS, Variable
assert not any(name.partition(".")[0] == "scipy" for name in sys.modules)
from scipy import special
assert special.erf not in PULLBACKS
x = Variable([0.0, 1.0])
special.erf(x).sum().backward()
assert special.erf in PULLBACKS and special.erfc not in PULLBACKS
np.testing.assert_allclose(x.grad.data, 2 / np.sqrt(np.pi) * np.exp([0.0, -1.0]))
"""


def test_a_rule_is_entered_at_the_first_call():
    subprocess.run([sys.executable, "-W", "error", "-c", FIRST_USE], check=True)


def test_every_rule_has_a_function_and_a_case():
    found = {getattr(special, name, None) or getattr(special._ufuncs, name) for name in _scipy(special)}
    assert found == SCIPY == {case.table for case in CASES} & SCIPY


def test_only_scipys_own_ufuncs_get_its_rules():
    assert not enter(SimpleNamespace(__name__="erf"))
    with pytest.raises(TypeError, match="no rule differentiates it"):
        np.frompyfunc(special.erf, 1, 1)(Variable([1.0]))


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda x: special.logsumexp(x), r"logsumexp .* use F\.logsumexp\(x, axis=None\)"),
        (lambda x: special.softmax(x, axis=0), r"softmax .* use F\.softmax\(x, axis=axis\)"),
        (lambda x: special.log_softmax(x), r"log_softmax .* use F\.log_softmax"),
        (lambda x: special.polygamma(1, x), r"polygamma .*zeta\(n \+ 1, x\)"),
        (lambda x: special.multigammaln(x, 2), r"multigammaln .*\.gammaln"),
        (lambda x: special.ellipk(x), r"scipy\.special\.ellipk: no rule differentiates it"),
        (lambda x: special.erf.outer(x, x), r"outer"),
    ],
)
def test_what_has_no_rule_is_refused_by_name_with_a_remedy(call, remedy):
    with pytest.raises((TypeError, ValueError), match=remedy):
        call(Variable([0.2, 0.7]))


@pytest.mark.parametrize("name", ["iv", "ive", "jv", "yv", "kv", "gammainc", "gammaincc", "expn"])
def test_the_derivative_with_respect_to_an_order_is_refused(name):
    for x in (1.5, Variable(1.5)):
        with pytest.raises(TypeError, match="with respect to an order or a shape"):
            getattr(special, name)(Variable(2.0), x)


INF = np.inf
AT_THE_EDGE = [
    (special.expit, (-800.0,), (0.0,)),
    (special.expit, (800.0,), (0.0,)),
    (special.log_expit, (-800.0,), (1.0,)),
    (special.log_ndtr, (-1e10,), (1e10,)),
    (special.log_ndtr, (40.0,), (0.0,)),
    (special.ndtr, (-40.0,), (0.0,)),
    (special.erf, (30.0,), (0.0,)),
    (special.erfinv, (0.0,), (np.sqrt(np.pi) / 2,)),
    (special.xlogy, (0.0, 0.0), (0.0, 0.0)),
    (special.xlogy, (0.0, 2.0), (np.log(2.0), 0.0)),
    (special.xlog1py, (0.0, -1.0), (0.0, 0.0)),
    (special.xlog1py, (2.0, 0.0), (0.0, 2.0)),
    (special.kl_div, (1.0, 1.0), (0.0, 0.0)),
    (special.i1, (0.0,), (0.5,)),
    (special.j1, (0.0,), (0.5,)),
    (special.i0, (0.0,), (0.0,)),
    (special.i0e, (0.0,), (0.0,)),
    (special.huber, (1.0, 3.0), (2.0, 1.0)),
    (special.gammaln, (1e10,), (special.digamma(1e10),)),
    (special.gammaln, (-0.5,), (special.digamma(-0.5),)),
]


@pytest.mark.parametrize(("f", "at", "expected"), AT_THE_EDGE)
def test_slopes_at_the_edge(f, at, expected):
    xs = [Variable(x) for x in at]
    f(*xs).backward()
    np.testing.assert_allclose([x.grad.item() for x in xs], expected, rtol=1e-12)


# A function of one number, a point where its formula divides 0 by 0, and its derivatives there, from its power series.
SERIES = [
    *((lambda x, a=a: special.gammainc(a, x), 0.0, slopes) for a, slopes in {
        1: (1.0, -1.0, 1.0), 2: (0.0, 1.0, -2.0), 3: (0.0, 0.0, 1.0), 4: (0.0, 0.0, 0.0), 1.5: (0.0, INF), 0.5: (INF,),
    }.items()),
    (lambda x: special.gammaincc(2.0, x), 0.0, (0.0, -1.0, 2.0)),
    (lambda x: np.sum(special.gammainc(np.array([1.0, 2.0, 3.0]), x)), 0.0, (1.0, 0.0, 0.0)),
    (special.spence, 1.0, (-1.0, 1 / 2, -2 / 3)),
    (lambda x: special.expn(0, x), 1.0, (-2 / np.e, 5 / np.e, -16 / np.e)),
    (lambda x: special.expn(1, x), 1.0, (-1 / np.e, 2 / np.e, -5 / np.e)),
    (np.sinc, 0.0, (0.0, -(np.pi**2) / 3, 0.0)),
]  # fmt: skip


@pytest.mark.parametrize(("f", "at", "expected"), SERIES)
def test_higher_derivatives_where_the_formula_is_0_by_0(f, at, expected):
    for slope in expected:
        f = grad(f)
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(f(at), slope, rtol=1e-12, atol=1e-12)


def test_a_likelihood_of_plain_scipy_and_numpy():
    """Of a negative binomial distribution, from counts."""
    k = np.array([0.0, 3.0, 1.0, 7.0])

    def log_likelihood(r, logit):
        choose = special.gammaln(k + r) - special.gammaln(r) - special.gammaln(k + 1)
        return np.sum(choose + r * special.log_expit(logit) + k * special.log_expit(-logit))

    assert gradient_check(log_likelihood, 1.7, 0.3, order=2)
