"""The engine."""

from tinygrad_jp.core.settings import Config, no_grad, test_mode, using_config
from tinygrad_jp.core.variable import (
    Function,
    Parameter,
    Several,
    Variable,
    apply,
    as_variable,
    gradients,
    one_of,
    overwrite,
    primitive,
    serial,
)

__all__ = [
    "Config",
    "Function",
    "Parameter",
    "Several",
    "Variable",
    "apply",
    "as_variable",
    "gradients",
    "no_grad",
    "one_of",
    "overwrite",
    "primitive",
    "serial",
    "test_mode",
    "using_config",
]
