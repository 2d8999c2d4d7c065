"""tinygrad_jp: differentiate plain NumPy, and see how.

>>> import numpy as np
>>> from tinygrad_jp import Variable
>>> x = Variable([1.0, 2.0])
>>> y = np.sum(np.tanh(x) ** 2)
>>> y.backward()
>>> x.grad
variable([0.63970001 0.13621869])
"""

from typing import TYPE_CHECKING

from tinygrad_jp import calculus as calculus  # Importing it enters the rules.
from tinygrad_jp import functions, layers, models, optimizers
from tinygrad_jp.calculus import linear_algebra as linear_algebra
from tinygrad_jp.core import (
    PULLBACKS,
    Config,
    Function,
    Parameter,
    Variable,
    apply,
    as_variable,
    no_grad,
    primitive,
    pullback,
    test_mode,
    using_config,
)
from tinygrad_jp.derivatives import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
from tinygrad_jp.files import load_checkpoint, save_checkpoint
from tinygrad_jp.hints import HINTS
from tinygrad_jp.layers import Layer, initializers
from tinygrad_jp.memory import keep_freed_memory
from tinygrad_jp.models import Model, summary
from tinygrad_jp.names import aliases
from tinygrad_jp.optimizers import Optimizer
from tinygrad_jp.progress import progress
from tinygrad_jp.randomness import seed

if TYPE_CHECKING:  # Loaded at their first use: see `names.LATE`.
    from tinygrad_jp import datasets, transforms
    from tinygrad_jp.dataloaders import DataLoader, SeqDataLoader
    from tinygrad_jp.debugging import debug
    from tinygrad_jp.film import Film
    from tinygrad_jp.fitting import History, fit
    from tinygrad_jp.graph import draw, get_dot_graph, plot_dot_graph
    from tinygrad_jp.programs.compiling import compiled
    from tinygrad_jp.programs.source import Source, source
    from tinygrad_jp.testing import gradient_check
    from tinygrad_jp.tracing.trace import Trace, trace

__version__ = "0.4.0"

__all__ = [
    "PULLBACKS",
    "Config",
    "DataLoader",
    "Film",
    "Function",
    "History",
    "Layer",
    "Model",
    "Optimizer",
    "Parameter",
    "SeqDataLoader",
    "Source",
    "Trace",
    "Variable",
    "apply",
    "as_variable",
    "compiled",
    "datasets",
    "debug",
    "draw",
    "fit",
    "functions",
    "get_dot_graph",
    "grad",
    "gradient_check",
    "hessian",
    "hvp",
    "initializers",
    "jacobian",
    "jvp",
    "keep_freed_memory",
    "layers",
    "load_checkpoint",
    "models",
    "no_grad",
    "optimizers",
    "plot_dot_graph",
    "primitive",
    "progress",
    "pullback",
    "save_checkpoint",
    "seed",
    "source",
    "summary",
    "test_mode",
    "trace",
    "transforms",
    "using_config",
    "value_and_grad",
    "vjp",
]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


__getattr__ = aliases(__name__, HINTS[__name__])
