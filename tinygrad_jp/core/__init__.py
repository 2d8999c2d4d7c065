"""The engine. To read it, begin with three files:

1. `variable.py`: what a `Variable` is, what a `Function` is, and how a call of NumPy links the two (`apply`).
2. `backward.py`: the order of a graph, and the one loop that walks back through it.
3. `table.py`: the table that the loop asks for derivatives. It is empty here; the room `calculus` fills it.

What they stand on can wait: `operators.py` (what Python and NumPy call on a Variable), `binding.py` (how a call of
NumPy is matched with its signature), `arrays.py` (operations that NumPy lacks), `settings.py` (`no_grad` and the
like), `errors.py` (what it says when something does not fit).

Readers of the graph (pictures, traces, derivatives, the debugger) use what is listed here, and of a Function what its
docstring names.
"""

from tinygrad_jp.core.arrays import Outputs, output
from tinygrad_jp.core.backward import Observer, key_of, propagate, run_backward, toposort
from tinygrad_jp.core.settings import Config, no_grad, test_mode, using_config
from tinygrad_jp.core.table import PULLBACKS, pullback
from tinygrad_jp.core.variable import (
    Function,
    Parameter,
    Variable,
    apply,
    apply_inplace,
    as_variable,
    next_sequence,
    primitive,
)
from tinygrad_jp.kinds import Array, ArrayLike, Axis, Shape
from tinygrad_jp.names import aliases

__all__ = [
    "PULLBACKS",
    "Array",
    "ArrayLike",
    "Axis",
    "Config",
    "Function",
    "Observer",
    "Outputs",
    "Parameter",
    "Shape",
    "Variable",
    "apply",
    "apply_inplace",
    "as_variable",
    "key_of",
    "next_sequence",
    "no_grad",
    "output",
    "primitive",
    "propagate",
    "pullback",
    "run_backward",
    "test_mode",
    "toposort",
    "using_config",
]

__getattr__ = aliases(__name__)


def __dir__() -> list[str]:
    return __all__
