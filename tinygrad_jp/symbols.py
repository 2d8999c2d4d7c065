"""Rules that print themselves: a rule, run on symbols instead of arrays, gives the formula that it computes.

>>> from tinygrad_jp import PULLBACKS
>>> gy, y, x = Symbol(1.0, "gy"), Symbol(0.5, "y"), Symbol(0.549, "x")
>>> formula = PULLBACKS[np.sqrt][0](gy, y, x)
>>> formula.text(), formula.text(numbers=True), formula.item()
('gy / (2 * y)', '1 / (2 * 0.5)', 1.0)
"""

import functools
import inspect
import operator
import reprlib
from collections.abc import Callable
from types import EllipsisType
from typing import Any

from tinygrad_jp.core import Array, Outputs
from tinygrad_jp.core.arrays import astype
from tinygrad_jp.devices import fetched
from tinygrad_jp.formatting import escape, listed, number, summary_of
from tinygrad_jp.kinds import ArrayMethods, DTypeLike, Index, np

# How tightly each operator binds, and how it is written: in Python, and in mathematics.
_COMPARED, _OR, _AND, _SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(8)
_INFIX: dict[Any, tuple[int, str, str]] = {
    np.equal: (_COMPARED, "==", "="),
    np.not_equal: (_COMPARED, "!=", "≠"),
    np.greater: (_COMPARED, ">", ">"),
    np.greater_equal: (_COMPARED, ">=", "≥"),
    np.less: (_COMPARED, "<", "<"),
    np.less_equal: (_COMPARED, "<=", "≤"),
    np.bitwise_or: (_OR, "|", "∨"),
    np.bitwise_and: (_AND, "&", "∧"),
    np.add: (_SUM, "+", "+"),
    np.subtract: (_SUM, "-", "−"),
    np.multiply: (_PRODUCT, "*", "·"),
    np.matmul: (_PRODUCT, "@", " "),
    np.divide: (_PRODUCT, "/", "/"),
    np.power: (_POWER, "**", "^"),
}
_PREFIX: dict[Any, tuple[str, str]] = {np.negative: ("-", "−"), np.invert: ("~", "¬")}


def _operators(ufunc: Any) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The methods of a binary operator: with the Symbol on its left, and on its right."""
    return lambda self, other: ufunc(self, other), lambda self, other: ufunc(other, self)


class Symbol(ArrayMethods):
    """A named array or number, or the result of a function of Symbols: its value `data`, and how it was computed."""

    __slots__ = ("args", "func", "kwargs", "name")

    def __init__(self, data: Any, name: str = "", func: Any = None, args: Any = (), kwargs: Any = None) -> None:
        data = fetched(data)  # Formulas are computed in NumPy's memory.
        self._array = _array_of_arrays(data) if isinstance(data, Outputs) else np.asarray(data)[()]
        self.name, self.func, self.args, self.kwargs = name, func, args, kwargs or {}

    @property
    def data(self) -> Array:
        return self._array

    @staticmethod
    def call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call `func` on the values, and record the call if it returns an array or a number."""
        y = func(*_values(args), **_values(kwargs))
        if func is np.dot and all(1 <= np.ndim(x) <= 2 for x in args):
            func = np.matmul
        return Symbol(y, "", func, args, kwargs) if isinstance(y, (np.ndarray, np.generic)) else y

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        return self.call(ufunc, *args, **kwargs) if method == "__call__" and "out" not in kwargs else NotImplemented

    def __array_function__(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self.call(func, *args, **kwargs)

    def __getitem__(self, index: Index) -> Any:
        return self.call(operator.getitem, self, index)

    def astype(self, dtype: DTypeLike) -> Any:
        return self.call(astype, self, dtype=np.dtype(dtype).name)

    def __len__(self) -> int:
        return len(self._array)

    def __neg__(self) -> Any:
        return np.negative(self)

    def __invert__(self) -> Any:
        return np.invert(self)

    def __abs__(self) -> Any:
        return np.absolute(self)

    __add__, __radd__ = _operators(np.add)
    __sub__, __rsub__ = _operators(np.subtract)
    __mul__, __rmul__ = _operators(np.multiply)
    __truediv__, __rtruediv__ = _operators(np.divide)
    __matmul__, __rmatmul__ = _operators(np.matmul)
    __pow__, __rpow__ = _operators(np.power)
    __and__, __rand__ = _operators(np.bitwise_and)
    __or__, __ror__ = _operators(np.bitwise_or)
    __eq__, _ = _operators(np.equal)
    __ne__, _ = _operators(np.not_equal)
    __gt__, _ = _operators(np.greater)
    __lt__, _ = _operators(np.less)
    __ge__, _ = _operators(np.greater_equal)
    __le__, _ = _operators(np.less_equal)
    __hash__ = object.__hash__

    def text(self, numbers: bool = False) -> str:
        """The formula in Python's words, with names or with numbers in their place."""
        return Text(numbers).write(self)[0]

    def mathml(self, numbers: bool = False) -> str:
        """The formula in MathML, which browsers show as mathematics."""
        return f"<math><mrow>{_MathML(numbers).write(self)[0]}</mrow></math>"


def _array_of_arrays(ys: Outputs) -> Any:
    """Several outputs, which may differ in shape."""
    arrays = np.empty(len(ys), object)
    for i, y in enumerate(ys):
        arrays[i] = y
    return arrays


def _values(x: Any) -> Any:
    """`x` with every Symbol in it replaced by its value."""
    if isinstance(x, Symbol):
        return x.data
    if isinstance(x, (list, tuple)):
        return type(x)([_values(e) for e in x])
    return {key: _values(e) for key, e in x.items()} if isinstance(x, dict) else fetched(x)


class _Settings(reprlib.Repr):
    """Writes settings as Python would, with a summary in the place of an array and a formula in that of a Symbol."""

    def __init__(self) -> None:
        super().__init__()
        self.maxtuple = self.maxlist = self.maxdict = 9
        self.maxstring, self.maxother = 80, 120

    def repr1(self, x: Any, level: int) -> str:
        if isinstance(x, np.dtype | type):
            return getattr(x, "name", None) or x.__name__
        if isinstance(x, slice):
            return f"np.s_[{index_text(x)}]"
        return number(x) if isinstance(x, np.generic) else super().repr1(x, level)

    def repr_ndarray(self, x: Array, level: int) -> str:
        return summary_of(x)

    def repr_Symbol(self, x: Symbol, level: int) -> str:
        return x.text()

    def repr_function(self, x: Callable[..., Any], level: int) -> str:
        return x.__name__

    repr_ufunc = repr_function


_settings = _Settings()


@functools.cache
def defaults_of(func: Callable[..., Any]) -> dict[str, Any]:
    """The defaults of the settings of `func`: settings that have these values are left out."""
    try:
        return {p.name: p.default for p in inspect.signature(func).parameters.values()}
    except (TypeError, ValueError):
        return {}


class Text:
    """Writes Symbols in Python. `write` returns the text, and how tightly its outermost operator binds."""

    def __init__(self, numbers: bool) -> None:
        self.numbers = numbers

    def write(self, x: Any) -> tuple[str, int]:
        if not isinstance(x, Symbol):
            return self.constant(x)
        if x.func is None:
            return self.constant(x.data) if self.numbers and x.size <= 9 and x.dtype != object else self.named(x.name)
        if x.func in _INFIX and not x.kwargs:
            return self.infix(x, *_INFIX[x.func])
        if x.func in _PREFIX:
            return self.prefixed(self.within(x.args[0], _SIGNED), *_PREFIX[x.func]), _SIGNED
        return self.call(x), _ATOM

    def within(self, x: Any, least: int) -> str:
        """`x`, in brackets if it binds less tightly than `least`."""
        text, binds = self.write(x)
        return text if binds >= least else self.bracketed(text)

    def after(self, x: Any, least: int) -> str:
        """`x` as it follows an operator: in brackets also if it has a sign."""
        text = self.within(x, least)
        return self.bracketed(text) if text.startswith(self.signs) else text

    # Python and MathML differ from here on.

    signs: tuple[str, ...] = ("-",)
    comma, colon, ellipsis = ", ", ":", "..."
    index_maker = "np.s_"

    def index(self, index: Any) -> str:
        """What stands in square brackets: `0, 1:3, ...`."""
        parts = index if isinstance(index, tuple) and index else (index,)
        return self.comma.join(map(self.place, parts))

    def place(self, part: Any) -> str:
        if isinstance(part, EllipsisType):
            return self.ellipsis
        if not isinstance(part, slice):
            return self.write(part)[0]
        ends = [part.start, part.stop, *([part.step] if part.step is not None else [])]
        return self.colon.join("" if end is None else self.write(end)[0] for end in ends)

    def sequence(self, elements: list[str], opening: str, closing: str) -> str:
        last = "," if len(elements) == 1 and opening == "(" else ""
        return f"{opening}{self.comma.join(elements)}{last}{closing}"

    def word(self, text: str) -> str:
        return text

    def named(self, name: str) -> tuple[str, int]:
        return name, _ATOM

    def bracketed(self, text: str) -> str:
        return f"({text})"

    def prefixed(self, text: str, python: str, sign: str) -> str:
        return python + text

    def infix(self, x: Symbol, binds: int, python: str, sign: str) -> tuple[str, int]:
        a, b = x.args
        # a - (b - c) needs its brackets, (a - b) - c does not; with powers it is the other way round.
        left, right = (binds + 1, _SIGNED) if binds == _POWER else (binds, binds + 1)
        return f"{self.within(a, left)} {python} {self.after(b, right)}", binds

    def constant(self, x: Any) -> tuple[str, int]:
        x = x.name if isinstance(x, np.dtype) else fetched(x)
        if isinstance(x, np.ndarray) and x.ndim:
            if x.size and x.dtype.kind == "f" and (x == 1).all():
                return self.word(f"ones({x.shape})"), _ATOM
            if x.size <= 9:
                return (listed(x) if self.numbers else f"array({listed(x)})"), _ATOM
            return self.word("array(...)"), _ATOM
        if isinstance(x, (float, np.floating, np.ndarray)):
            text = number(x) if self.numbers else str(x)
            return text, _SIGNED if text.startswith("-") else _ATOM
        if isinstance(x, list) and len(x) > 9:
            return self.word("array(...)"), _ATOM
        if isinstance(x, tuple) and any(isinstance(e, slice | EllipsisType) for e in x) or isinstance(x, slice):
            return self.element(self.index_maker, self.index(x)), _ATOM
        if isinstance(x, (list, tuple)):
            return self.sequence([self.write(e)[0] for e in x], *("[]" if isinstance(x, list) else "()")), _ATOM
        return self.word(repr(x.item() if isinstance(x, np.generic) else x)), _ATOM

    def call(self, x: Symbol) -> str:
        first, *rest = x.args
        if x.func is np.transpose and x.ndim == 2 and not any(rest) and not any(x.kwargs.values()):
            return self.transposed(self.within(first, _ATOM))
        if x.func is np.swapaxes and x.ndim == 2 and set(rest) == {-1, -2}:
            return self.transposed(self.within(first, _ATOM))
        if x.func is operator.getitem:
            return self.element(self.within(first, _ATOM), self.index(rest[0]))
        defaults = defaults_of(x.func) | {"keepdims": False}
        given = {key: value for key, value in x.kwargs.items() if value is not defaults.get(key, None)}
        settings = [f"{key}={_settings.repr(fetched(value))}" for key, value in given.items()]
        return self.applied(x, [self.write(a)[0] for a in x.args], settings)

    def transposed(self, text: str) -> str:
        return f"{text}.T"

    def element(self, text: str, index: str) -> str:
        return f"{text}[{index}]"

    def applied(self, x: Symbol, args: list[str], settings: list[str]) -> str:
        return f"{x.func.__name__.lstrip('_')}({', '.join([*args, *settings])})"


class _MathML(Text):
    """Writes Symbols as mathematics."""

    signs = ("<mo>−", "<mrow><mo>−")
    comma, colon, ellipsis = "<mo>,</mo>", "<mo>:</mo>", "<mo>…</mo>"
    index_maker = ""

    def sequence(self, elements: list[str], opening: str, closing: str) -> str:
        return f"<mrow><mo>{opening}</mo>{self.comma.join(elements)}<mo>{closing}</mo></mrow>"

    def word(self, text: str) -> str:
        return f"<mtext>{escape('[…]' if text == 'array(...)' else text)}</mtext>"

    def named(self, name: str) -> tuple[str, int]:
        return f"<mi>{escape(name)}</mi>", _ATOM

    def bracketed(self, text: str) -> str:
        return f"<mrow><mo>(</mo>{text}<mo>)</mo></mrow>"

    def prefixed(self, text: str, python: str, sign: str) -> str:
        return f"<mo>{sign}</mo>{text}"

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
        x = fetched(x)
        if isinstance(x, np.ndarray) and 0 < x.ndim <= 2 and 0 < x.size <= 9:
            rows = "".join(f"<mtr>{''.join(f'<mtd>{_mn(e)}</mtd>' for e in row)}</mtr>" for row in np.atleast_2d(x))
            return f"<mrow><mo>[</mo><mtable>{rows}</mtable><mo>]</mo></mrow>", _ATOM
        if isinstance(x, (int, float, np.number)) and not isinstance(x, bool):
            return _mn(x), _SIGNED if x < 0 else _ATOM
        small = isinstance(x, np.ndarray) and x.ndim and x.size <= 9
        return self.word(listed(x)) if small else super().constant(x)[0], _ATOM

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


def factor_of(formula: Any, gy: Symbol) -> Any:
    """What `formula` multiplies gy by: a Symbol or a number; None if it does anything else with gy.

    >>> gy, x = Symbol(1.0, "gy"), Symbol(3.0, "x")
    >>> factor_of(gy * x / 2, gy).text(), float(factor_of(-gy, gy)), factor_of(np.sum(gy), gy)
    ('x / 2', -1.0, None)
    """
    if formula is gy:
        return 1.0
    if not isinstance(formula, Symbol) or formula.func not in (np.multiply, np.divide, np.negative, np.add):
        return None
    parts = [factor_of(a, gy) for a in formula.args]
    free = [part is None and not _mentions(a, gy) for part, a in zip(parts, formula.args, strict=True)]
    if formula.func is np.negative or formula.func is np.add:
        return None if any(part is None for part in parts) else formula.func(*parts)
    if parts[0] is not None and free[1]:
        plain = formula.func is np.multiply and _is_one(parts[0])
        return formula.args[1] if plain else formula.func(parts[0], formula.args[1])
    if formula.func is np.multiply and free[0] and parts[1] is not None:
        return formula.args[0] if _is_one(parts[1]) else formula.args[0] * parts[1]
    return None


def _is_one(x: Any) -> bool:
    return not isinstance(x, Symbol) and x == 1


def _mentions(formula: Any, symbol: Symbol) -> bool:
    if formula is symbol:
        return True
    parts = formula.args if isinstance(formula, Symbol) else formula if isinstance(formula, list | tuple) else ()
    return any(_mentions(part, symbol) for part in parts)


def index_text(index: Index) -> str:
    """What stands in square brackets, as a user writes it.

    >>> index_text((slice(1, None), ..., 0))
    '1:, ..., 0'
    """
    return Text(numbers=True).index(index)


def _mn(x: Any) -> str:
    """A number in MathML."""
    text = number(x)
    return f"<mrow><mo>−</mo><mn>{text[1:]}</mn></mrow>" if text.startswith("-") else f"<mn>{text}</mn>"
