"""Numbers, arrays and names as text: short enough to read, and safe where they are shown."""

from typing import Any

import numpy as np

from tinygrad_jp.core.arrays import is_released


def printable(text: str) -> str:
    """`text` with an escape for each character that a terminal would obey instead of show.

    >>> printable("重み\\x1b[31m")
    '重み\\\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def number(x: Any) -> str:
    """A number in at most four significant digits.

    >>> number(3.0), number(np.float32(0.1)), number(-12345.678), number(True)
    ('3', '0.1', '-1.235e+04', 'True')
    """
    return str(x) if isinstance(x, (bool, np.bool_)) else f"{x:.4g}"


def summary_of(x: Any) -> str:
    """An array in full up to nine elements; of a larger one its shape, mean and spread.

    >>> summary_of(np.array([1.0, 2.5])), summary_of(np.arange(12.0).reshape(3, 4))
    ('[1, 2.5]', '(3, 4) of 5.5 ± 3.452')
    """
    if isinstance(x, tuple):  # The gradients of several results, of which some may have none.
        return f"({', '.join('–' if e is None else summary_of(e) for e in x)})"
    if np.size(x) <= 9:
        return listed(x) if np.ndim(x) else number(x)
    if is_released(x):
        return f"{np.shape(x)}, let go"
    with np.errstate(all="ignore"):
        return f"{np.shape(x)} of {number(np.mean(x, dtype=float))} ± {number(np.std(x, dtype=float))}"


def listed(x: Any) -> str:
    """An array as nested lists of short numbers."""
    return "[" + ", ".join(listed(e) if np.ndim(e) else number(e) for e in x) + "]"


def escape(text: str) -> str:
    """`text` as it stands in markup."""
    from html import escape  # Here, since importing it takes longer than all the rest of this module.

    return escape(text)
