"""A fault planted in any pass of the writer is found by the tests of its programs."""

import numpy as np
import pytest

from tests.cases import CASES
from tests.programs import test_source, test_text
from tinygrad_jp import Variable, primitive, pullback, source
from tinygrad_jp.programs import recorder, replaying, simplifying, writing
from tinygrad_jp.programs.values import Value

NAMES = ("multiply", "sum {'axis': 0}", "F.relu", "linear", "softmax", "divide")
SUSPECTS = [case for case in CASES if case.name in NAMES]


@primitive
def squared(x):
    return x * x


@pullback(squared)
def d_squared(gy, y, x):
    """It does something else for what is not an array of NumPy's."""
    return gy * 2 * x if isinstance(gy, np.ndarray | np.generic) else gy * x


EXPRESSIONS = [
    lambda x: x - (1 - x),
    lambda x: (x > 1) * x + (x == 2.0) * x,
    lambda x: x**2 * np.sum(x) + np.cumsum(x) * np.exp(x),
    lambda x: x * np.sum(np.outer(x, x + 1), axis=0) - x**2 * np.sum(np.outer(x, x + 1), axis=1),
    lambda x: np.sum(x * x) / 7,
    lambda x: squared(x) * np.exp(x),
]


def check() -> None:
    """A few of the tests."""
    test_text.test_a_network_as_it_is_written_by_hand()
    test_text.test_numbers_are_exact()
    test_text.test_own_functions(test_text.looping, 1)
    for case in SUSPECTS:
        test_source.test_every_rule_on_other_data(case, np.float64, 2)
    test_source.test_every_rule_on_other_data(CASES[0], np.float64, 1)
    for f in EXPRESSIONS:
        x, other = Variable([2.0, 3.0], "x"), Variable([-1.0, 0.5], "x")
        program, y = source(np.sum(f(x)), lang="en"), np.sum(f(other))
        arguments = source(y, lang="en").arguments
        expected = test_source.gradients(y, [other], order=1)
        test_source.assert_same(test_source.run(program, arguments), expected, rtol=1e-12)


def everything_kept(*roots, through=None):
    """As `behind`, with a dead line kept alive."""
    found = behind(*roots, **({"through": through} if through else {}))
    dead = [np.multiply(x, 2) for x in found[:1] if isinstance(x, Value)]
    return sorted([*found, *dead], key=lambda x: x.number)


behind = writing.behind
step, key, exact, infix = simplifying._step, simplifying.key_of, writing.Writer.exact, writing.Text.infix
FAULTS = {
    "a dead line kept alive": (writing, "behind", everything_kept),
    "settings forgotten where what is the same is found": (
        simplifying,
        "key_of",
        lambda tree: () if isinstance(tree, dict) else key(tree),
    ),
    "all arguments taken for the same": (
        simplifying,
        "key_of",
        lambda tree: tuple(map(key, tree[:1])) if isinstance(tree, tuple) else key(tree),
    ),
    "what depends on data folded": (
        simplifying,
        "_step",
        lambda x, *rest: x.data[()] if x.ndim == 0 else step(x, *rest),
    ),
    "the dtype of a constant lost": (
        writing.Writer,
        "exact",
        lambda self, x: tuple(a.item() if isinstance(a, np.generic) else a for a in x.args),
    ),
    "brackets left out": (
        writing.Writer,
        "infix",
        lambda self, x, binds, python, sign: (f"{self.write(x.args[0])[0]} {python} {self.write(x.args[1])[0]}", binds),
    ),
    "digits lost": (writing, "_python_number", lambda x: round(float(x), 3)),
    "x * 2 taken for x": (simplifying, "_IDENTITIES", simplifying._IDENTITIES | {np.multiply: lambda x, a, b: a}),
    "a rule's result not compared with what the rule gives for arrays": (recorder, "alike", lambda a, b: True),
    "a function in a graph replaced by what it gave": (
        replaying.Replay,
        "_again",
        lambda self, f: Variable(f.y) if f.name == "exp" else again(self, f),
    ),
}
again = replaying.Replay._again


def test_without_a_fault():
    check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, monkeypatch):
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises((AssertionError, TypeError, ValueError, NameError, KeyError, SyntaxError)):
        check()
