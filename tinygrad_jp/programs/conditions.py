"""What has to be true of a call for a program to fit: as a comparison of two recordings, and as text."""

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_jp.core import Variable
from tinygrad_jp.core.settings import ENABLE_BACKPROP, OBSERVER, TRAIN
from tinygrad_jp.layers.layer import CHANGES
from tinygrad_jp.programs.arguments import Leaf
from tinygrad_jp.programs.fast import Fast
from tinygrad_jp.programs.takes import Take
from tinygrad_jp.programs.watching import PLAIN, World, contents, is_array, place, same


def alike_before(a: Take, b: Take) -> bool:
    """Whether two calls find the same: arguments of one kind, the same settings, names and lists."""
    if (a.settings, a.names, a.containers) != (b.settings, b.names, b.containers):
        return False
    worlds = a.world, b.world
    names, states, collections = ([getattr(w, kind) for w in worlds] for kind in ("names", "states", "collections"))
    return (
        all(map(_alike, a.leaves, b.leaves))
        and {x: a.shapes.get(x) for x in b.held} == {x: b.shapes[x] for x in b.held}
        and len(names[0]) == len(names[1])
        and all(_is_one(x, y) and same(x.value, y.value) for x, y in zip(*names, strict=True))
        and len(states[0]) == len(states[1])
        and all(_is_one(x, y) and _fit(x.value, y.value) for x, y in zip(*states, strict=True))
        and _arrays(a.world) == _arrays(b.world)
        and len(collections[0]) == len(collections[1])
        and all(x[0] is y[0] and _all_same(x[1], y[1]) for x, y in zip(*collections, strict=True))
    )


def _arrays(world: World) -> Any:
    """What has to be alike of the arrays that a step can reach."""
    kinds = [(id(name.holder), name.key, name.value.shape, name.value.dtype) for name in world.arrays]
    return kinds, [(id(x), content) for x, content, _ in world.fixed]


def _is_one(a: Any, b: Any) -> bool:
    """Whether two names are one."""
    return a.holder is b.holder and a.key == b.key


def _fit(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape and a.dtype == b.dtype)


def _all_same(a: list[Any], b: list[Any]) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


def _alike(a: Leaf, b: Leaf) -> bool:
    """Whether two arguments are of one kind."""
    x, y = a.x, b.x
    if a.text != b.text or type(x) is not type(y):
        return False
    return _fit(x, y) if isinstance(x, np.ndarray | np.generic | Variable) else same(x, y)


def conditions(take: Take, fast: Fast, fixed: dict[str, Any], any_grads: bool) -> list[str]:
    """The conditions as expressions, for a function whose names are in `fast.env`.

    fixed: Variables that have to hold the arrays of these names. any_grads: they may have gradients or not.
    """
    constant, (train, backprop) = fast.constant, take.settings
    fast.env.update(TRAIN=TRAIN.get, BACKPROP=ENABLE_BACKPROP.get, WATCHED=OBSERVER.get, Variable=Variable, same=same)
    fast.env.update(changes=CHANGES, seen=[take.changes], contents=contents, ndarray=np.ndarray)
    found = [_of_container(leaf, constant) for leaf in take.containers]
    found += [condition for leaf in take.leaves for condition in _of_leaf(leaf, take, constant)]
    found += [f"TRAIN() is {train} and BACKPROP() is {backprop} and WATCHED() is None", "changes[0] == seen[0]"]
    inside = {id(vars(layer)) for layer in take.world.layers}  # These are looked at when `changes` has moved.
    for name in take.world.names:
        if id(name.holder) not in inside:
            where, value = place(constant(name.holder), name), constant(name.value)
            found.append(f"{where} is {value}" + f" or same({where}, {value})" * isinstance(name.value, PLAIN))
    for name in take.states_read:
        where, x = place(constant(name.holder), name), name.value
        found.append(f"{where}._array.shape == {x.shape} and {where}._array.dtype == {constant(x.dtype)}")
        found += [f"{where}.creator is None"] * backprop
    found += [*_of_arrays(take.world, constant), *_of_collections(take.world, constant)]
    found += [f"{constant(x)}._array is {name}" for name, x in fixed.items()]
    for x in take.held.keys() - {*fixed.values()}:
        shape, dtype = take.shapes[x]
        found.append(f"{constant(x)}._array.shape == {shape} and {constant(x)}._array.dtype == {constant(dtype)}")
    return found + ([] if any_grads else _of_grads(take, constant))


def _of_arrays(world: World, constant: Any) -> Iterator[str]:
    """That each name has an array as it had, and two the same one where they did."""
    first: dict[int, str] = {}
    for name in world.arrays:
        where = place(constant(name.holder), name)
        if id(name.value) in first:
            yield f"{where} is {first[id(name.value)]}"
        else:
            first[id(name.value)] = where
            like = f"{where}.shape == {name.value.shape} and {where}.dtype == {constant(name.value.dtype)}"
            yield f"type({where}) is ndarray and {like}"
    for x, content, _ in world.fixed:
        yield f"{constant(x)}.tobytes() == {constant(content)}"


def _of_collections(world: World, constant: Any) -> Iterator[str]:
    """That lists, dicts and sets hold what they held, but for arrays, which are looked at by themselves."""
    for x, before, _ in world.collections:
        if isinstance(x, tuple | frozenset):
            continue
        if any(map(is_array, x.values() if isinstance(x, dict) else x)):
            yield f"contents({constant(x)}) == {constant(before)}"
        else:
            yield f"{constant(x)} == {constant(copy.copy(x))}"


def _of_container(leaf: Leaf, constant: Any) -> str:
    text, (kind, size) = leaf
    has = f"[*{text}] == {constant(size)}" if kind is dict else f"len({text}) == {size}"
    return f"type({text}) is {constant(kind)} and {has}"


def _of_leaf(leaf: Leaf, take: Take, constant: Any) -> list[str]:
    text, x = leaf
    if isinstance(x, Variable):
        shape, dtype = take.shapes[x]
        like = f"{text}._array.shape == {shape} and {text}._array.dtype == {constant(dtype)}"
        return [f"type({text}) is {constant(type(x))} and {like} and {text}.creator is None"]
    if isinstance(x, np.ndarray | np.generic) and x.dtype.kind in "fiub":
        like = f"{text}.shape == {x.shape} and {text}.dtype == {constant(x.dtype)}"
        return [f"type({text}) is {constant(type(x))} and {like}"]
    return [f"same({text}, {constant(x)})" if isinstance(x, PLAIN) else f"{text} is {constant(x)}"]


def _of_grads(take: Take, constant: Any) -> list[str]:
    """That there are gradients where there were some, and none elsewhere."""
    found = []
    for x, has in take.has_grad.items():
        owner = take.owner(x)
        text = owner if isinstance(owner, str) else constant(x) if owner is x else place(constant(owner.holder), owner)
        found.append(f"type({text}._grad) is {'' if has else 'not '}Variable")
    return found
