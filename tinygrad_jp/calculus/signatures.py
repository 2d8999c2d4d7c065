"""Signatures of functions of NumPy that it tells only since version 2.4."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_jp.core.binding import SIGNATURES

UNTOLD: dict[Any, Callable[..., Any]] = {
    np.where: lambda condition, x=None, y=None, /: None,
    np.dot: lambda a, b, out=None: None,
    np.vdot: lambda a, b, /: None,
    np.inner: lambda a, b, /: None,
    np.concatenate: lambda arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind": None,
    np.bincount: lambda x, /, weights=None, minlength=0: None,
    np.array: lambda object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, ndmax=0: None,
    np.asarray: lambda a, dtype=None, order=None, *, device=None, copy=None: None,
}
SIGNATURES.update(UNTOLD)
