"""The arguments of a call: their parts, and what a program calls them."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

CONTAINERS = (list, tuple, dict)


class Leaf(NamedTuple):
    """A part of the arguments: how the program reaches it, and what it is."""

    text: str
    x: Any


def leaves(args: tuple[Any, ...], kwargs: dict[str, Any], names: list[str]) -> Iterator[Leaf]:
    """The parts of the arguments of a call."""

    return (part for part in _parts(args, kwargs, names) if type(part.x) not in CONTAINERS)


def containers(args: tuple[Any, ...], kwargs: dict[str, Any], names: list[str]) -> Iterator[Leaf]:
    """The lists, tuples and dicts among them, each with its type and its length or keys as `x`."""
    for text, x in _parts(args, kwargs, names):
        if type(x) in CONTAINERS:
            yield Leaf(text, (type(x), [*x] if isinstance(x, dict) else len(x)))


def _parts(args: tuple[Any, ...], kwargs: dict[str, Any], names: list[str]) -> Iterator[Leaf]:
    def inside(text: str, x: Any) -> Iterator[Leaf]:
        yield Leaf(text, x)
        if type(x) in CONTAINERS:
            for key, part in x.items() if isinstance(x, dict) else enumerate(x):
                yield from inside(f"{text}[{key!r}]", part)

    for name, x in zip(names, (*args, *kwargs.values()), strict=True):
        yield from inside(name, x)


def name_of(f: Any) -> str:
    """What messages call a step."""
    return str(getattr(f, "__name__", "the function"))


def argument_names(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """What the program calls its arguments: no other name in it begins like that."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    own = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][: len(args)]
    return [f"a_{name}" for name in (*own, *range(len(own), len(args)), *kwargs)]


def rebuilt(tree: Any, change: Callable[[Any], Any]) -> Any:
    """`tree` with `change` made to each of its leaves."""
    if type(tree) in (list, tuple):
        return type(tree)(rebuilt(e, change) for e in tree)
    if type(tree) is dict:
        return {key: rebuilt(e, change) for key, e in tree.items()}
    return change(tree)
