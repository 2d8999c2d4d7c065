"""Rules that print themselves: a rule, run on symbols instead of arrays, gives the formula that it computes.

>>> from tinygrad_jp import PULLBACKS
>>> gy, y, x = Symbol(1.0, "gy"), Symbol(0.5, "y"), Symbol(0.549, "x")
>>> formula = PULLBACKS[np.sqrt][0](gy, y, x)
>>> formula.text(), formula.text(numbers=True), formula.item()
('gy / (2 * y)', '1 / (2 * 0.5)', 1.0)
"""

import operator
from collections.abc import Callable
from typing import Any

from tinygrad_jp.core.arrays import astype
from tinygrad_jp.core.kinds import ArrayMethods, np
from tinygrad_jp.formatting import escape, listed, number

# How tightly each operator binds, and how it is written: in Python, and in mathematics.
_COMPARED, _SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(6)
_INFIX: dict[Any, tuple[int, str, str]] = {
    np.equal: (_COMPARED, "==", "="),
    np.not_equal: (_COMPARED, "!=", "≠"),
    np.greater: (_COMPARED, ">", ">"),
    np.greater_equal: (_COMPARED, ">=", "≥"),
    np.less: (_COMPARED, "<", "<"),
    np.less_equal: (_COMPARED, "<=", "≤"),
    np.add: (_SUM, "+", "+"),
    np.subtract: (_SUM, "-", "−"),
    np.multiply: (_PRODUCT, "*", "·"),
    np.matmul: (_PRODUCT, "@", " "),
    np.divide: (_PRODUCT, "/", "/"),
    np.power: (_POWER, "**", "^"),
}


def _operators(ufunc: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The methods of a binary operator: with the Symbol on its left, and on its right."""
    return lambda self, other: ufunc(self, other), lambda self, other: ufunc(other, self)


class Symbol(ArrayMethods):
    """A named array or number, or what a function made of such: its value, and how it was computed."""

    __slots__ = ("args", "func", "kwargs", "name")

    def __init__(self, data: Any, name: str = "", func: Any = None, args: Any = (), kwargs: Any = None) -> None:
        self._data = np.asarray(data)[()]
        self.name, self.func, self.args, self.kwargs = name, func, args, kwargs or {}

    @staticmethod
    def call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `func` on the values, and record that where it gives an array or a number."""
        y = func(*_values(args), **_values(kwargs))
        if func is np.dot and all(1 <= np.ndim(x) <= 2 for x in args):
            func = np.matmul
        return Symbol(y, "", func, args, kwargs) if isinstance(y, (np.ndarray, np.generic)) else y

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.call(ufunc, *args, **kwargs) if method == "__call__" and "out" not in kwargs else NotImplemented

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.call(func, *args, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.call(operator.getitem, self, index)

    def astype(self, dtype: Any) -> Any:
        return self.call(astype, self, dtype=np.dtype(dtype).name)

    def __len__(self) -> int:
        return len(self._data)

    def __neg__(self) -> Any:
        return np.negative(self)

    def __abs__(self) -> Any:
        return np.absolute(self)

    __add__, __radd__ = _operators(np.add)
    __sub__, __rsub__ = _operators(np.subtract)
    __mul__, __rmul__ = _operators(np.multiply)
    __truediv__, __rtruediv__ = _operators(np.divide)
    __matmul__, __rmatmul__ = _operators(np.matmul)
    __pow__, __rpow__ = _operators(np.power)
    __eq__, _ = _operators(np.equal)
    __ne__, _ = _operators(np.not_equal)
    __gt__, _ = _operators(np.greater)
    __lt__, _ = _operators(np.less)
    __ge__, _ = _operators(np.greater_equal)
    __le__, _ = _operators(np.less_equal)
    __hash__ = object.__hash__

    def text(self, numbers: bool = False) -> str:
        """The formula in Python's words, with names or with numbers in their place."""
        return _Text(numbers).write(self)[0]

    def mathml(self, numbers: bool = False) -> str:
        """The formula in MathML, which browsers show as mathematics."""
        return f"<math><mrow>{_MathML(numbers).write(self)[0]}</mrow></math>"


def _values(x: Any) -> Any:
    """`x` with every Symbol in it replaced by its value."""
    if isinstance(x, Symbol):
        return x._data
    if isinstance(x, (list, tuple)):
        return type(x)([_values(e) for e in x])
    return {key: _values(e) for key, e in x.items()} if isinstance(x, dict) else x


class _Text:
    """Writes Symbols as Python would: each `write` gives a text, and how tightly it binds."""

    def __init__(self, numbers: bool) -> None:
        self.numbers = numbers

    def write(self, x: Any) -> tuple[str, int]:
        if not isinstance(x, Symbol):
            return self.constant(x)
        if x.func is None:
            return self.constant(x._data) if self.numbers and x.size <= 9 else self.named(x.name)
        if x.func in _INFIX and not x.kwargs:
            return self.infix(x, *_INFIX[x.func])
        if x.func is np.negative:
            return self.negative(self.within(x.args[0], _SIGNED)), _SIGNED
        return self.call(x), _ATOM

    def within(self, x: Any, least: int) -> str:
        """`x`, in brackets where it binds less tightly than `least`."""
        text, binds = self.write(x)
        return text if binds >= least else self.bracketed(text)

    def after(self, x: Any, least: int) -> str:
        """`x` as it follows an operator: in brackets also where it has a sign."""
        text = self.within(x, least)
        return self.bracketed(text) if text.startswith(self.signs) else text

    # What differs between Python and MathML

    signs: tuple[str, ...] = ("-",)

    def named(self, name: str) -> tuple[str, int]:
        return name, _ATOM

    def bracketed(self, text: str) -> str:
        return f"({text})"

    def negative(self, text: str) -> str:
        return f"-{text}"

    def infix(self, x: Symbol, binds: int, python: str, sign: str) -> tuple[str, int]:
        a, b = x.args
        # a - (b - c) needs its brackets, (a - b) - c does not; with powers it is the other way round.
        left, right = (binds + 1, _SIGNED) if binds == _POWER else (binds, binds + 1)
        return f"{self.within(a, left)} {python} {self.after(b, right)}", binds

    def constant(self, x: Any) -> tuple[str, int]:
        if isinstance(x, np.ndarray) and x.ndim:
            if x.size and (x == 1).all():
                return f"ones({x.shape})", _ATOM
            return (f"array({listed(x)})" if x.size <= 9 else "array(...)"), _ATOM
        if isinstance(x, (float, np.floating, np.ndarray)):
            text = number(x) if self.numbers else str(x)
            return text, _SIGNED if text.startswith("-") else _ATOM
        if isinstance(x, (list, tuple)):
            inner = ", ".join(self.write(e)[0] for e in x)
            return (f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"), _ATOM
        return repr(x.item() if isinstance(x, np.generic) else x), _ATOM

    def call(self, x: Symbol) -> str:
        first, *rest = x.args
        if x.func is np.transpose and x.ndim == 2 and not any(rest) and not any(x.kwargs.values()):
            return self.transposed(self.within(first, _ATOM))
        if x.func is np.swapaxes and x.ndim == 2 and set(rest) == {-1, -2}:
            return self.transposed(self.within(first, _ATOM))
        if x.func is operator.getitem:
            return self.element(self.within(first, _ATOM), self.write(rest[0])[0])
        settings = [f"{key}={value!r}" for key, value in x.kwargs.items() if value is not None and value is not False]
        return self.applied(x, [self.write(a)[0] for a in x.args], settings)

    def transposed(self, text: str) -> str:
        return f"{text}.T"

    def element(self, text: str, index: str) -> str:
        return f"{text}[{index}]"

    def applied(self, x: Symbol, args: list[str], settings: list[str]) -> str:
        return f"{x.func.__name__.lstrip('_')}({', '.join([*args, *settings])})"


class _MathML(_Text):
    """Writes Symbols as mathematics."""

    signs = ("<mo>−", "<mrow><mo>−")

    def named(self, name: str) -> tuple[str, int]:
        return f"<mi>{escape(name)}</mi>", _ATOM

    def bracketed(self, text: str) -> str:
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def negative(self, text: str) -> str:
        return f"<mo>−</mo>{text}"

    def element(self, text: str, index: str) -> str:
        return f"{text}<mo>[</mo>{index}<mo>]</mo>"

    def transposed(self, text: str) -> str:
        return f"<msup><mrow>{text}</mrow><mi>T</mi></msup>"

    def infix(self, x: Symbol, binds: int, python: str, sign: str) -> tuple[str, int]:
        a, b = x.args
        if x.func is np.divide:
            return f"<mfrac><mrow>{self.write(a)[0]}</mrow><mrow>{self.write(b)[0]}</mrow></mfrac>", _ATOM
        if x.func is np.power:
            return self.power(self.within(a, _ATOM), self.write(b)[0]), _ATOM
        if x.func is np.multiply and a is b and isinstance(a, Symbol):
            return self.power(self.within(a, _ATOM), "<mn>2</mn>"), _ATOM
        if x.func is np.multiply and np.ndim(a) and np.ndim(b):
            sign = "⊙"
        text = f"{self.within(a, binds)}<mo>{escape(sign)}</mo>{self.after(b, binds + 1)}"
        # A truth counts as 1 or 0: Iverson's brackets say so.
        return (f"<mrow><mo>[</mo>{text}<mo>]</mo></mrow>", _ATOM) if binds == _COMPARED else (text, binds)

    def power(self, base: str, exponent: str) -> str:
        return base if exponent == "<mn>1</mn>" else f"<msup><mrow>{base}</mrow><mrow>{exponent}</mrow></msup>"

    def constant(self, x: Any) -> tuple[str, int]:
        if isinstance(x, np.ndarray) and 0 < x.ndim <= 2 and 0 < x.size <= 9:
            rows = "".join(f"<mtr>{''.join(f'<mtd>{_mn(e)}</mtd>' for e in row)}</mtr>" for row in np.atleast_2d(x))
            return f"<mrow><mo>[</mo><mtable>{rows}</mtable><mo>]</mo></mrow>", _ATOM
        if isinstance(x, (int, float, np.number)) and not isinstance(x, bool):
            return _mn(x), _SIGNED if x < 0 else _ATOM
        return f"<mtext>{escape(super().constant(x)[0])}</mtext>", _ATOM

    def applied(self, x: Symbol, args: list[str], settings: list[str]) -> str:
        if x.func is np.sqrt:
            return f"<msqrt>{args[0]}</msqrt>"
        if x.func is np.exp:
            return self.power("<mi>e</mi>", args[0])
        if x.func is np.absolute:
            return f"<mrow><mo>|</mo>{args[0]}<mo>|</mo></mrow>"
        notes = [f"<mtext>{escape(setting)}</mtext>" for setting in settings]
        if x.func is np.sum:
            return f"<munder><mo>∑</mo><mrow>{notes[0] if notes else ''}</mrow></munder>{self.bracketed(args[0])}"
        inner = "<mo>,</mo>".join([*args, *notes])
        return f"<mi>{escape(x.func.__name__.lstrip('_'))}</mi><mo>(</mo>{inner}<mo>)</mo>"


def _mn(x: Any) -> str:
    """A number in MathML."""
    text = number(x)
    return f"<mrow><mo>−</mo><mn>{text[1:]}</mn></mrow>" if text.startswith("-") else f"<mn>{text}</mn>"
