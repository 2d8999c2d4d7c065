"""The observer that records a step: each call of NumPy on its arrays, and what it asks and changes."""

import functools
import operator
import sys
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from tinygrad_jp.core import PULLBACKS, Array, Observer, Outputs, Parameter, toposort
from tinygrad_jp.core.settings import OBSERVER
from tinygrad_jp.core.table import CALLS, CUSTOM_RULE, Joint
from tinygrad_jp.devices import DEVICES, on_device
from tinygrad_jp.kinds import np
from tinygrad_jp.programs.borrowing import NotWritten, is_borrowable
from tinygrad_jp.programs.recorded import AS_ONE, Held, Recorded
from tinygrad_jp.programs.recording import alike, is_long, place_of, read_by, users_line
from tinygrad_jp.programs.values import (
    BACKWARD,
    PLACE,
    Place,
    Value,
    behind,
    leaves_in,
    mapped,
    next_number,
    plain,
    values_in,
)
from tinygrad_jp.randomness import generator

# What makes an array of no numbers but constants: it is the same for all data.
_MAKERS = {np.zeros_like, np.ones_like, np.full_like, np.empty_like, np.zeros, np.ones, np.empty, np.full, np.arange}
_ABOUT_SHAPES = {
    np.shape, np.ndim, np.size, np.result_type, np.can_cast, np.common_type, np.iscomplexobj, np.isrealobj,
    np.may_share_memory, np.shares_memory, np.einsum_path,
}  # fmt: skip
_OF_UNKNOWN_SIZE = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.extract, np.compress}
_MASKED = "indexes by a mask, so that a size depends on data; use np.where, or multiply by the mask"

MOST_WRITTEN_OUT = 64
"""The most operations of a function that a program takes over one by one."""
MOST_WRITTEN_INTO = 1 << 14
"""The most numbers of an array that such a function may write into piece by piece: each time, it is copied."""


def _array_equal(a: Any, b: Any, equal_nan: bool = False) -> bool:
    same_shape = np.shape(a) == np.shape(b)
    return same_shape and bool(np.all(np.isclose(a, b, 0, 0, True) if equal_nan else np.equal(a, b)))


# What gives numbers of Python's: they are asked for here, or stay arrays.
_ANSWERS: dict[Any, Any] = {
    np.array_equal: _array_equal,
    np.array_equiv: lambda a, b: bool(np.all(np.equal(a, b))),
    np.allclose: lambda *args, **settings: bool(np.all(np.isclose(*args, **settings))),
    np.count_nonzero: lambda a, axis=None, **settings: np.sum(np.not_equal(a, 0), axis, **settings),
}


class _TooLong(Exception):
    """A function takes more operations than are taken over one by one."""


class _RecordedRules:
    """The rules of a function, which are recorded when they are called."""

    def __init__(self, ruled: Any, pullbacks: Any) -> None:
        self.ruled, self.pullbacks = ruled, pullbacks

    def __getitem__(self, i: int) -> Any:
        rule = self.pullbacks[i]
        position = rule.args if isinstance(rule, functools.partial) else ()
        return rule and functools.partial(self.ruled, getattr(rule, "func", rule), *position)


class Node(NamedTuple):
    """What is kept of an operation: its function, and the path of its layer."""

    func: Any
    path: str


class Recorder(Observer):
    """Records what a step computes from `Recorded` arrays, and what it does.

    `decisions` are the Values of which the step has asked a number, with what it was told and the line that asked;
    `draws` the Values that are drawn anew each time, `generators` what they are drawn from, as it was before; `named`
    the Values that the step finds at names; `effects` what changes something outside, in order. `pretended` are numbers
    that the step is told in the place of those that it asks for, by their position in `decisions`.
    """

    def __init__(self, longest: int = MOST_WRITTEN_OUT, to_read: bool = False) -> None:
        self.longest, self.to_read, self.largest = longest, to_read, MOST_WRITTEN_INTO
        self.decisions: list[tuple[Value, Any, str]] = []
        self.draws: dict[Value, functools.partial[Array]] = {}
        self.postponed = ""
        self.dice: Any = None
        self.named: set[Value] = set()
        self.pretended: dict[int, Any] = {}
        self.generators: list[tuple[Any, Any]] = []
        self.effects: list[Any] = []
        self.updates: Callable[..., None] | None = None
        self.nodes: dict[Any, Node] = {}
        self.path_of: Any = lambda x: ""  # Of the layer that a Parameter belongs to.
        self.walked: set[Any] = set()
        self.long: set[Any] = set()  # Functions that cannot be taken over one by one.
        self.kind: type[Recorded] = Held
        self.left = -1

    @property
    def recorder(self) -> "Recorder":
        return self

    def __enter__(self) -> "Recorder":
        self.token, self.place = OBSERVER.set(self), PLACE.set(PLACE.get())
        DEVICES.add(Held)  # The engine looks at the shapes of such gradients, too.
        return self

    def __exit__(self, *_: Any) -> None:
        OBSERVER.reset(self.token)
        PLACE.reset(self.place)

    # Arrays and Values

    def array(self, value: Any, source: Recorded | None = None) -> Any:
        """A Value as an array of the step."""
        return self.kind(self, value, source) if isinstance(value, Value) else value

    def value(self, x: Any) -> Any:
        """What an array of the step holds, which must not have changed behind its back."""
        if not isinstance(x, Recorded):
            return x
        if x.recorder is not self:
            raise NotWritten("compiled: an array of a recording is used outside of it; return it from the step")
        if x.source is not None and x.source[0].version != x.source[1]:
            self.refuse("uses a view of an array that has been written into since; take the view afterwards")
        return x.value

    def values(self, tree: Any) -> Any:
        return mapped(tree, self.value)

    def call(self, func: Any, args: Any, settings: Any, out: Any = None) -> Any:
        """Call `func` on arrays of the step."""
        if out is not None:
            if not isinstance(out, Recorded):
                self.refuse("writes into an array that was made without its data; make it with np.empty_like")
            return out.assign(self.call(func, args, settings))
        func = getattr(func, "primitive", func)
        if func in _ABOUT_SHAPES:
            return func(*mapped(args, data_of), **mapped(settings, data_of))
        if not self.to_read:
            if func in _ANSWERS:
                return _ANSWERS[func](*args, **settings)
            args = self._of_known_size(func, args)
            if not any(isinstance(a, Recorded) for a in leaves_in((args, settings))) and func in _OF_UNKNOWN_SIZE:
                return func(*args, **settings)
        if func is np.asarray or func is np.array:
            return args[0] if isinstance(args[0], Recorded) else func(args[0], *args[1:], **_without_like(settings))
        return self._wrapped(self._called(func, args, settings), args)

    def _of_known_size(self, func: Any, args: Any) -> Any:
        """The arguments, with masks as they are for all data. Where a size depends on data, that is refused."""
        if func in _OF_UNKNOWN_SIZE or (func is np.where and len(args) == 1):
            what = f"np.{func.__name__} gives an array whose size depends on data; use np.where with three arguments, "
            return *self._settled(args[:1], what + "or multiply by a mask"), *args[1:]
        if func is operator.getitem and any(map(_is_mask, args[1] if type(args[1]) is tuple else args[1:])):
            settled = self._settled(args[1] if type(args[1]) is tuple else args[1:], _MASKED)
            return args[0], settled if type(args[1]) is tuple else settled[0]
        return args

    def _settled(self, args: tuple[Any, ...], what: str) -> tuple[Any, ...]:
        """Arguments whose numbers decide about a size: they must be the same for all data."""
        decides = [isinstance(a, Recorded) and (_is_mask(a) or len(args) == 1) for a in args]
        return tuple(self.settled(a, what) if decided else a for a, decided in zip(args, decides, strict=True))

    def settled(self, x: Recorded, what: str) -> Array:
        """The numbers in x, if they come from none but those that the step finds at names: the program looks at them.

        Otherwise it is refused: the step `what`.
        """
        inputs = [value for value in behind(x.value) if value.func is None]
        if not self.named.issuperset(inputs) or (inputs and self.kind is not Held):
            self.refuse(what)
        data = np.array(x.value.data)
        if inputs:
            self.decisions.append((x.value, data.tobytes(), users_line()))
        return data

    def _called(self, func: Any, args: Any, settings: Any) -> Any:
        values, settings = self.values(args), self.values(settings)
        if func in _MAKERS:
            func = {np.empty: np.zeros, np.empty_like: np.zeros_like}.get(func, func)  # Alike in each recording.
            made = func(*plain(values), **plain(settings))
            return Value(made, "", _constant, ()) if isinstance(made, np.ndarray) else made
        if not (_is_numpy(func) or func in AS_ONE):
            return self._written_out(func, values, settings)
        self.left -= 1
        if not self.left or (func in AS_ONE and self.kind is not Held and values[0].size > self.largest):
            raise _TooLong
        y = Value.call(func, *values, **settings)
        if not self.to_read and next(values_in(y), None) is None:
            self.refuse(f"gets something else than an array from np.{func.__name__}; do that outside")
        return y

    def _written_out(self, func: Any, values: Any, settings: Any) -> Any:
        """What a function or a rule computes, operation by operation if they are few, otherwise as one."""
        if func not in self.long:
            longest = self.longest if not self.to_read or is_borrowable(func) else sys.maxsize
            expected, before = func(*plain(values), **plain(settings)), (self.kind, self.left)
            self.kind, self.left, start = Recorded, longest, next_number()
            try:
                inside = mapped((values, settings), lambda x: Recorded(self, x) if isinstance(x, Value) else x)
                y = self.values(func(*inside[0], **inside[1]))
                if alike(plain(y), expected) and not (self.to_read and is_long(y, start, longest)):
                    return y
            except Exception:  # Functions and rules may do anything, and not all of it can be recorded.
                if not self.to_read:
                    self.long.add(func)
            finally:
                self.kind, self.left = before
        return Value.call(func, *values, **read_by(func, settings))

    def _wrapped(self, y: Any, args: Any) -> Any:
        """Results as arrays of the step, that know of which argument they are views."""
        given = [a for a in args if isinstance(a, Recorded)]

        def wrapped(y: Any) -> Any:
            if not isinstance(y, Value):
                return y
            shared = (a for a in given if a.ndim and y.ndim and np.may_share_memory(a.value.data, y.data))
            source = next((a if a.source is None else a.source[0] for a in shared), None)
            return self.kind(self, y, source)

        return mapped(y, wrapped) if not isinstance(y, Outputs) else Outputs(map(wrapped, y))

    # What the engine tells

    def calling(self, func: Any) -> Any:
        """What to call in the place of `func`."""
        return functools.partial(self._calling, func)

    def _calling(self, func: Any, *args: Any, **settings: Any) -> Any:
        if not any(isinstance(a, Recorded) for a in leaves_in((args, settings))):
            return CALLS.get(func, func)(*args, **settings)
        return self.call(func, args, settings)

    def rules(self, func: Any, default: Any = None) -> Any:
        pullbacks = PULLBACKS.get(func, default)
        if pullbacks is CUSTOM_RULE or pullbacks is None:
            return pullbacks
        if isinstance(pullbacks, Joint):
            return Joint(functools.partial(self._ruled, pullbacks.rule))
        return _RecordedRules(self._ruled, pullbacks)

    def _ruled(self, rule: Any, *args: Any, **settings: Any) -> Any:
        place = PLACE.set(self._place(place_of(sys._getframe(1))))
        try:
            return self.call(rule, args, settings)
        finally:
            PLACE.reset(place)

    def recorded(self, f: Any) -> None:
        if any(isinstance(x, Parameter) and isinstance(x._array, np.ndarray) and not on_device(x._array) for x in f.xs):
            raise NotWritten(
                "compiled: the step uses a Parameter that is not to be found from its names, arguments and their "
                "attributes; let it have the model as a global, a closure or an argument"
            )
        place = self._place(place_of(sys._getframe(), f))
        for x in behind(self.values(f.y), through=lambda x: (x.args, x.kwargs) if x.place.node is None else None):
            x.place = place if x.place.node is None else x.place

    def _place(self, place: Place) -> Place:
        """A place without the Function, which would keep the whole graph alive."""
        f = place.node
        if f not in self.nodes:
            paths = {path for x in getattr(f, "variables", ()) if (path := self.path_of(x))}
            self.nodes[f] = Node(getattr(f, "func", None), paths.pop() if len(paths) == 1 else "")
        return Place(place.phase, self.nodes[f])

    def seeded(self, root: Any, gy: Array) -> None:
        if root.creator is not None:
            self.walked |= set(toposort(root.creator))

    def passed(self, f: Any, i: int, key: Any, share: Array, before: Array | None, after: Array) -> None:
        if before is not None and isinstance(after, Recorded):
            after.value.place = self._place(Place(BACKWARD, f))

    def is_open(self, x: Any) -> bool:
        """Whether a graph leads to x through which nothing has gone back in the step."""
        return x.creator is not None and x.creator not in self.walked and not x.is_constant

    def drawn(self, draw: Any) -> Array:
        self.refuse_own_draws()
        drawn_from = generator(draw.args[0])
        self.generators.append((drawn_from, drawn_from.bit_generator.state))
        value = Value(draw(), "random", _constant, ())
        if self.dice is not None:
            self.dice.renew()
        value.func = None
        self.draws[value] = draw
        return Held(self, value)

    def updating(self, optimizer: Any, update: Callable[[], None]) -> None:
        assert self.updates is not None
        self.updates(optimizer, update)

    # What leaves

    def decided(self, value: Value, kind: Callable[[Any], Any]) -> Any:
        """A number that Python asks for: the program will ask whether it is the same."""
        if self.kind is not Held:
            raise TypeError("a function decides by its numbers")
        number = kind(value.data)
        number = self.pretended.get(len(self.decisions), number)
        self.decisions.append((value, number, users_line()))
        if self.effects:
            self.effects.append(("decision", len(self.decisions) - 1))
        return number

    def refuse_in_the_end(self, what: str) -> None:
        """Refuse, unless the step fails: it may have been the text of its error."""
        self.postponed = self.postponed or f"compiled: {users_line()} {what}"

    def refuse_own_draws(self) -> None:
        if self.dice is not None and self.dice.rolled():
            raise NotWritten(
                "compiled: the step draws random numbers by itself, which a program would take for the same in every "
                "call; draw them outside and give them as an argument, or use F.dropout"
            )

    def refuse(self, what: str) -> NoReturn:
        raise NotWritten(f"compiled: {users_line()} {what}")


def _constant() -> None:
    """Stands where an array comes from that is the same for all data."""


def data_of(x: Any) -> Any:
    return x.value.data if isinstance(x, Recorded) else x


def _is_mask(i: Any) -> bool:
    return isinstance(i, Recorded) and i.dtype == bool


def _is_numpy(func: Any) -> bool:
    return isinstance(func, np.ufunc) or str(getattr(func, "__module__", None)).partition(".")[0] in (
        "numpy",
        "_operator",
        "None",
    )


def _without_like(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: x for key, x in settings.items() if key != "like"}
