"""A recorded kind of call: what it takes, whether another recording agrees, and its program."""

import functools
import os
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_jp.core import Variable
from tinygrad_jp.core.variable import _DETACHED, _variable
from tinygrad_jp.layers.layer import CHANGES
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.conditions import alike_before, conditions
from tinygrad_jp.programs.effects import Decide, SetGrad, SetName, Update, open_result, result, with_grad
from tinygrad_jp.programs.fast import EFFECTS, Fast, roots_of
from tinygrad_jp.programs.interrupts import HOLDING
from tinygrad_jp.programs.recording import alike
from tinygrad_jp.programs.simplifying import key_of, simplified
from tinygrad_jp.programs.source import Source, text_of
from tinygrad_jp.programs.takes import Slot, Take, stand_in
from tinygrad_jp.programs.values import Effect, Value, behind, mapped, values_in
from tinygrad_jp.programs.watching import Watched, place, same
from tinygrad_jp.randomness import generator

MISSED, OTHERWISE = object(), object()
"""What a program returns where the call is of another kind, and where a decision has gone another way."""
CHECKING = "TINYGRAD_JP_CHECK_PROGRAMS"
"""Set to 1 in the environment, this lets every call be compared with the recorded operations, one by one."""


class Plan:
    """The program of one kind of call, from a recording. If it `gathers`, small Parameters live in buckets then."""

    def __init__(self, take: Take, gathers: bool = True) -> None:
        self.take, self.gathers = take, gathers
        values = [value for _, value in take.results]
        n = len(take.effects)
        simple = simplified([*take.effects, *values], readable=False)
        kept: list[tuple[Any, Any]] = []
        for before, effect in zip(take.effects, simple[:n], strict=True):
            if isinstance(effect.func, SetName) or getattr(effect.func, "in_place", None) is False:
                effect.args = (_apart(before.args[0], effect.args[0], kept),)
        self.results = simple[n:] = [_apart(a, b, kept) for a, b in zip(values, simple[n:], strict=True)]
        self.order = _scheduled([x for x in simple if isinstance(x, Value)])
        self.roots = roots_of(self.order)
        self.marks = _fingerprint(self.order, take)
        position = {x: i for i, x in enumerate(self.order)}
        self.returns = [position[x] if isinstance(x, Value) else key_of(x) for x in self.results]
        readable = simplified([*take.effects, *values])
        self.readable = [*readable[n:], *(x for x in readable[:n] if not isinstance(x.func, Decide))]

    # Which calls are of this kind

    def fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether a call has the arguments of this kind, by number and name."""
        return len(args) == len(self.take.args) and [*kwargs] == [*self.take.kwargs]

    def holds(self, take: Take) -> bool:
        """Whether `take`, which has not run yet, is a call of this kind."""
        grads = [*self.take.has_grad.values()] == [*take.has_grad.values()]
        return alike_before(self.take, take) and (grads or self.takes_any_grads)

    @functools.cached_property
    def takes_any_grads(self) -> bool:
        """Whether no gradient is read that there was before: whether there was one does not matter then."""
        read = {x for x in self.order if x.func is None and self.take.inputs.get(x, ("", None))[0] == "{}._grad._array"}
        return not read and all(self.take.has_grad.values())

    def decides_unlike(self, other: "Plan") -> bool:
        """Whether a decision has gone another way in another recording."""
        return [d[1] for d in self.take.decisions()] != [d[1] for d in other.take.decisions()]

    def difference(self, other: "Plan") -> str:
        """Where two recordings differ, in words, or nothing."""
        for x, mark, before in zip(self.order, self.marks, other.marks, strict=False):
            if mark != before:
                func = getattr(x.place.node, "func", None)
                inside = f" in {func.__name__.strip('_')}" if func is not None else ""
                return f"{getattr(x.func, '__name__', 'an argument').strip('_')}{inside}"
        if len(self.marks) != len(other.marks):
            return "the number of operations"
        alike = self.returns == other.returns and _same_results(self.take.returned, other.take.returned)
        return "" if alike else "a result"

    # The program

    def build(self) -> None:
        """Write the program, with memory of its own, for the arrays that the Parameters hold now."""
        for update in (x.func for x in self.order if isinstance(x.func, Update)):
            update.fill_buckets(self.gathers)
        self.homes = self._find_homes()
        self.gradients: dict[Value, Variable] = {}
        own: dict[Value, Any] = {}
        for x in self.order:
            if isinstance(x.func, SetGrad) and x.args and not self._reads_grad(x.func.variable):
                (g,) = x.args
                if isinstance(g, Value) and g.ndim:
                    own.setdefault(g, self._home(x.func.variable, g.data))
        lasting = {v for v in self.results if isinstance(v, Value)}
        for x in self.order:
            if isinstance(x.func, Effect) and not isinstance(x.func, SetGrad | Decide):
                lasting |= set(values_in(x.args))
        lasting |= {root for v in lasting for root in self.roots[v] if root.func is not None}  # What is a part of it.
        own = {g: memory for g, memory in own.items() if g not in lasting}
        self._write(own, lasting)
        self._link()

    def _write(self, own: dict[Value, Any], lasting: set[Value]) -> None:
        """Write the lines, with the memory that some Values have of their own."""
        objects, reads, fixed = self._reads()
        self.fast = Fast(self.order, self.roots, reads, fixed, own, lasting)
        self.fast.gradient = self._gradient
        self.fast.env |= objects
        self.fast.write_all()
        self.fixed = {reads[v]: self.take.inputs[v][1] for v in fixed}

    def _reads_grad(self, variable: Any) -> bool:
        """Whether the gradient that a Variable had before is used."""
        found = (self.take.inputs[x] for x in self.order if x in self.take.inputs)
        return any(template == "{}._grad._array" and _is(owner, variable) for template, owner in found)

    def _reads(self) -> tuple[dict[str, Any], dict[Value, str], set[Value]]:
        """Objects by name, the text that reads each input from them, and the inputs whose memory stays the same."""
        objects: dict[str, Any] = {}
        reads: dict[Value, str] = {}
        fixed: set[Value] = set()
        for value in (x for x in self.order if x.func is None):
            if value in self.take.recorder.draws:
                objects[name := f"draw{len(objects)}"] = self.take.recorder.draws[value]
                reads[value] = f"{name}()"
                continue
            template, owner = self.take.inputs[value]
            if isinstance(owner, Variable):
                name = next((n for n, x in objects.items() if x is owner), f"p{len(objects)}")
                objects[name] = owner
                reads[value] = template.format(name)
                if template == "{}._array" and value is self.take.first[owner] and value.ndim:
                    fixed.add(value)
                    reads[value] = f"{name}_array"
            elif isinstance(owner, str):
                reads[value] = template.format(owner)
            else:
                objects[name := f"h{len(objects)}"] = owner.holder
                reads[value] = template.format(place(name, owner))
        return objects, reads, fixed

    def _find_homes(self) -> dict[Variable, Any]:
        """For Parameters the memory where an optimizer looks for their gradients."""
        updates = (x.func for x in self.order if isinstance(x.func, Update))
        buckets = (bucket for update in updates for bucket in update.optimizer._buckets if bucket.is_home)
        return {p: part for b in buckets for p, part in zip(b.params, b.g_parts, strict=True)}

    def _home(self, variable: Any, like: Any) -> Any:
        """Memory for a gradient."""
        home = self.homes.get(variable) if isinstance(variable, Variable) else None
        return np.empty_like(like) if home is None else home

    def _gradient(self, variable: Any, g: Any) -> tuple[str, list[str]]:
        """The text of a Variable that is a gradient, and the lines that bring `g` into it."""
        fast = self.fast
        if isinstance(g, Value) and g in fast.own and fast.real.get(g) is fast.own[g] and g not in self.gradients:
            self.gradients[g] = holder = _variable(fast.own[g], None, _DETACHED)
            return fast.constant(holder), []
        data = np.asarray(g.data if isinstance(g, Value) else g)
        if not data.ndim:
            fast.env["result"] = result
            return f"result({fast.name(g)})", []
        holder = _variable(self._home(variable, data), None, _DETACHED)
        return fast.constant(holder), [f"{fast.function(np.copyto)}({fast.constant(holder._array)}, {fast.name(g)})"]

    def _link(self) -> None:
        """Make functions of the lines: the program, its conditions, and one that only computes, from given inputs."""
        fast, names = self.fast, ", ".join(self.take.names)
        fast.env.update(MISSED=MISSED, OTHERWISE=OTHERWISE, result=result, open_result=open_result, with_grad=with_grad,
                        drop=self._drop, **HOLDING)  # fmt: skip
        self.of_optimizers = [check for x in self.order if isinstance(x.func, Update) for check in x.func.checks(fast)]
        checks = conditions(self.take, fast, self.fixed, self.takes_any_grads) + self.of_optimizers
        checks = [f"if not ({check}): return MISSED" for check in checks]
        tested = _guarded(checks, "except (KeyError, ValueError, AttributeError, TypeError):", ["return MISSED"])
        written = [f"{x.func.target(fast)}._grad" for x in self.order if isinstance(x.func, SetGrad)]
        first = fast.lines.index(EFFECTS) if EFFECTS in fast.lines else len(fast.lines)
        effects = [line for line in fast.lines[first:] if line != EFFECTS]
        failed = [f"drop({', '.join(target.removesuffix('._grad') for target in written)})", "raise"]
        reads = [fast.reads[x] for x in self.order if x.func is None and x not in self._read_late()]
        results = "".join(f"{fast.name(x)}, " for x in self.results)
        functions = {
            f"program({names})": [
                *tested,
                *_guarded(fast.lines[:first], "except BaseException:", failed if written else []),
                *_with_effects(effects, written),
                f"return {self._returned()}",
            ],
            f"conditions({names})": tested,
            f"given({names})": [f"return [{', '.join(reads)}]"],
            "pure(inputs)": [*fast.pure, f"yield ({results})"],
        }
        self.text = fast.define(functions, self.fixed, self.take.name)
        self.run = self._checked if os.environ.get(CHECKING) == "1" else self._restoring(fast.env["program"])

    def _read_late(self) -> set[Value]:
        """Inputs that are read after something has been changed."""
        first = next((i for i, x in enumerate(self.order) if isinstance(x.func, Effect)
                      and not isinstance(x.func, Decide)), len(self.order))  # fmt: skip
        return {x for x in self.order[first:] if x.func is None}

    def _drop(self, *variables: Variable) -> None:
        """Take away gradients that lie in memory which a program that failed has half overwritten."""
        mine = {id(holder) for holder in self.gradients.values()}
        for x in variables:
            if id(x._grad) in mine:
                x._grad = None

    def _restoring(self, program: Any) -> Any:
        """`program`, which leaves random generators as they were where a decision has gone another way."""
        drawing = [*self.take.recorder.draws.values()]
        if not drawing or not self.take.decisions():
            return program

        def run(*args: Any) -> Any:
            generators = [generator(draw.args[0]) for draw in drawing]
            states = [g.bit_generator.state for g in generators]
            y = program(*args)
            if y is OTHERWISE:
                for g, state in zip(generators, states, strict=True):
                    g.bit_generator.state = state
            return y

        return run

    def _returned(self) -> str:
        """What the step returns, as text."""

        def text(x: Any) -> str:
            if isinstance(x, Slot):
                if x.of is not None:
                    return x.of if isinstance(x.of, str) else place(self.fast.constant(x.of.holder), x.of)
                kind, name = self.take.results[x.i][0], self.fast.name(self.results[x.i])
                name += ".copy()" * isinstance(self.results[x.i], np.ndarray)
                kinds = {"variable": f"result({name})", "open": f"open_result({name})", "array": name}
                made = kinds.get(kind, f"{kind}({name})")
                return made if x.grad is None else f"with_grad({made}, {text(x.grad)})"
            if type(x) in (list, tuple):
                inner = ", ".join(map(text, x))
                return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
            if type(x) is dict:
                return "{" + ", ".join(f"{self.fast.name(k)}: {text(e)}" for k, e in x.items()) + "}"
            return self.fast.name(x)

        return text(self.take.returned)

    def refresh(self) -> bool:
        """Whether the program fits again after arrays, or attributes of layers, have been changed."""
        env, take = self.fast.env, self.take
        if not all(same(name.now(), name.value) for name in take.world.names):
            return False
        arrays = {x: x._array for x in self.fixed.values()}
        if any(a is None or (np.shape(a), a.dtype) != take.shapes[x] for x, a in arrays.items()):
            return False
        env["seen"][0] = take.changes = CHANGES[0]
        moved = any(x._array is not env[name] for name, x in self.fixed.items())
        if moved or not all(eval(check, env) for check in self.of_optimizers):
            self.build()
        return True

    # Whether it computes what was recorded

    def recorded_inputs(self) -> list[Any]:
        return [x.data for x in self.order if x.func is None]

    def check(self, inputs: list[Any]) -> str:
        """Where the program computes something else than the recorded operations, one by one, or nothing."""
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = self.fast.env["pure"](iter(inputs))
            for (what, expected), got in zip(self.one_by_one(inputs), results, strict=False):
                if not all(map(alike, got, expected)):
                    return what
        return ""

    def one_by_one(self, inputs: list[Any]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """What the operations give up to each effect, and at the end, as far as the inputs reach."""
        given, known = iter(inputs), dict[Value, Any]()
        last = {a: x for x in self.order for a in values_in(x.args, x.kwargs)} | dict.fromkeys(values_in(self.results))

        def at(tree: Any) -> Any:
            return mapped(tree, lambda a: known[a] if isinstance(a, Value) else a)

        for x in self.order:
            if isinstance(x.func, Effect):
                yield x.func.about, tuple(at(x.args))
            elif x.func is not None:
                known[x] = x.func(*at(x.args), **at(x.kwargs))
            elif (value := next(given, None)) is None:
                return
            else:
                known[x] = value
            for a in values_in(x.args, x.kwargs):
                if last[a] is x:
                    known.pop(a, None)
        yield "the result", tuple(at(list(self.results)))

    def _checked(self, *args: Any) -> Any:
        """Run the program after a comparison on the inputs at hand."""
        env = self.fast.env
        if env["conditions"](*args) is MISSED:
            return MISSED
        generators = [generator(draw.args[0]) for draw in self.take.recorder.draws.values()]
        states = [g.bit_generator.state for g in generators]
        inputs = [np.copy(a) if isinstance(a, np.ndarray) else a for a in env["given"](*args)]
        for g, state in zip(generators, states, strict=True):
            g.bit_generator.state = state
        if what := self.check(inputs):
            raise AssertionError(f"compiled: the program of {self.take.name} computes {what} otherwise than the step")
        return self._restoring(env["program"])(*args)

    def give_up(self) -> None:
        """Let calls of this kind run as they are written."""
        tested, f, n, names = self.fast.env["conditions"], self.take.f, len(self.take.args), [*self.take.kwargs]
        self.run = lambda *args: (
            MISSED if tested(*args) is MISSED else f(*args[:n], **dict(zip(names, args[n:], strict=True)))
        )

    def lighten(self) -> None:
        """Forget the numbers of the recording, but not their shapes."""
        for x in {*self.order, *behind(self.readable)}:
            x._array = stand_in(x.data)
        self.take.lighten()

    def source(self, lang: str) -> Source:
        """The program in the words of a person."""
        take, values = self.take, [self.readable[i] for i in range(len(self.results))]
        labels: dict[Value, str] = {}
        returned = []
        for i, value in enumerate(values):
            returned.append("result" if len(values) == 1 else f"result{i + 1}")
            if isinstance(value, Value) and value.func is not None:
                labels.setdefault(value, returned[-1])
        for x in self.readable[len(values) :]:
            if x.args:
                values.append(x.args[0])
                returned.append(x.func.name_of_result(take))
                if isinstance(x.args[0], Value) and x.args[0].func is not None:
                    labels.setdefault(x.args[0], returned[-1])
        arguments = [x for x in behind(values) if x.func is None]
        return text_of(take.name, lang, arguments, values, labels, returned)


def _same_results(a: Any, b: Any) -> bool:
    """Whether two steps return the same, wherever it is not computed."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same_results, a, b))
    if isinstance(a, dict):
        return [*a] == [*b] and all(map(_same_results, a.values(), b.values()))
    return a.i == b.i and _is(a.of, b.of) if isinstance(a, Slot) else same(a, b)


def _apart(before: Any, x: Any, kept: list[tuple[Any, Any]]) -> Any:
    """x, which was `before`, or a copy of it if it shares memory with something that `before` did not share it with.

    x * 1 has become x itself, and what was computed twice is one now. `kept` is what has been looked at so far.
    """
    if not isinstance(x, Value) or isinstance(x.data, tuple) or not x.ndim:
        return x
    others = [(v, v) for v in behind(x) if v.func is None and v is not before] + kept
    if any(_share(x, b) and not _share(before, a) for a, b in others):
        y = Value(x.data, "", np.copy, (x,))
        y.number, y.place = max(before.number, x.number) + 0.25, before.place
        x = y
    kept.append((before, x))
    return x


def _share(a: Value, b: Value) -> bool:
    """Whether two Values may share memory in the recording; those that are one do."""
    return a is b or bool(a.ndim and b.ndim and np.may_share_memory(a.data, b.data))


def _is(a: Any, b: Any) -> bool:
    """Whether two ways to reach a Variable are one."""
    if isinstance(a, Watched) and isinstance(b, Watched):
        return a.holder is b.holder and a.key == b.key
    return a is b or (isinstance(a, str) and isinstance(b, str) and a == b)


def _with_effects(effects: list[str], written: list[str]) -> list[str]:
    """The lines that change something: an interrupt waits, and where they fail, gradients are as before."""
    if not effects:
        return []
    hold = "interrupt = handle(SIGINT, wait) if thread() == MAIN else None"
    before = [f"before = {', '.join(written)}," if written else "pass", hold]
    back = [f"{', '.join(written)}, = before" if written else "pass", "raise"]
    return [
        *before,
        *_guarded(effects, "except BaseException:", back),
        "finally:",
        "    if interrupt is not None: release(interrupt)",
    ]


def _guarded(lines: list[str], when: str, handling: list[str]) -> list[str]:
    """Lines of a function, with others that are run where they fail."""
    if not handling or not lines:
        return lines
    return ["try:", *(f"    {line}" for line in lines), when, *(f"    {line}" for line in handling)]


def _scheduled(outputs: list[Value]) -> list[Value]:
    """What leads to the outputs, in order: decisions before anything that cannot be undone."""
    order = behind(outputs)
    final = [x for x in order if isinstance(x.func, Effect) and not isinstance(x.func, Decide)]
    if not final:
        return order
    first = final[0].number
    decisions = [x for x in order if isinstance(x.func, Decide)]
    late = {x for x in behind(decisions) if x.number > first}
    if any(x.func is None for x in late):
        where = next(x.func.where for x in decisions if x in late)
        raise NotWritten(f"compiled: {where} decides by what the step has changed before; decide first, then change")
    return sorted(order, key=lambda x: (first - 0.25, x.number) if x in late else (x.number, 0))


def _fingerprint(order: list[Value], take: Take) -> list[Any]:
    """What two recordings of one kind of call must agree in, operation by operation."""
    index = {x: i for i, x in enumerate(order)}

    def mark(x: Value) -> Any:
        args, kwargs = mapped((x.args, x.kwargs), lambda a: f"%{index[a]}" if isinstance(a, Value) else a)
        return (
            (type(x.func), key_of(args))
            if isinstance(x.func, Effect)
            else (_code_of(x.func), key_of(args), key_of(kwargs))
        )

    return [mark(x) for x in order]


def _code_of(func: Any) -> Any:
    """What is the same for two functions that do the same."""
    if isinstance(func, functools.partial):
        return _code_of(func.func), key_of(func.args)
    code = getattr(func, "__code__", None)
    return func if code is None else (code, *(key_of(c.cell_contents) for c in func.__closure__ or ()))
