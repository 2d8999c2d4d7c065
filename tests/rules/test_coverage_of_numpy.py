"""Every function of NumPy is accounted for: one that NumPy adds shows here by its name."""

import numpy as np
import pytest

from tests.coverage_of_numpy import APART, CALLS, MODULES, PLAIN, differences, functions, kinds, known, right, total
from tinygrad_jp import PULLBACKS, Variable
from tinygrad_jp.core.table import COMPOSITIONS, REFUSED


def named():
    return [(module, f, name) for module in MODULES for f, name in functions(module).items()]


def test_every_function_is_of_one_kind():
    found = {f"{module.__name__}.{name}": kinds(f, name) for module, f, name in named()}
    assert {name: kind for name, kind in found.items() if len(kind) != 1} == {}


def test_what_is_refused_is_refused_with_its_reason():
    x = Variable(np.ones((2, 2)))
    for f, reason in REFUSED.items():
        with pytest.raises(TypeError, match="no rule differentiates it") as caught:
            x.__array_function__(f, (Variable,), (x,), {})
        assert str(caught.value).endswith(reason)


def test_no_table_names_what_is_no_function_of_numpy():
    names = {name for module in MODULES for name in dir(module)}
    assert names >= PLAIN
    assert len(PLAIN) == sum(len(group.split()) for group in APART.values())


def test_every_function_that_is_differentiated_has_a_call_to_compare():
    tried = set(map(known, CALLS))
    ours = {f for _, f, _ in named() if f in PULLBACKS or f in COMPOSITIONS}
    assert {f.__name__ for f in ours if f not in tried} == set()


@pytest.mark.filterwarnings("ignore")
def test_every_call_that_is_not_refused_has_the_gradient_of_differences():
    found = set(right("tinygrad_jp"))
    missing = {name for name in CALLS if name not in found}
    assert {name for name in missing if known(name) not in REFUSED} == set()


def test_a_call_is_compared_with_numpy_itself():
    assert np.isfinite(differences("sum(M)")).all()
    assert total("sum(M)", np, np.ones((3, 3))) == 729.0
