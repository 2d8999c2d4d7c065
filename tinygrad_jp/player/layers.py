"""Layers that open and close one by one: which pictures of a graph the page holds."""

from typing import Any

from tinygrad_jp.graph.structure import Picture

Open = frozenset[int]
"""The layers that are open, by the numbers of their Scopes in the outline; 0 is the whole, which is always open."""


def level(scopes: list[Any], depth: int) -> Open:
    """All layers down to `depth`."""
    return frozenset(i for i, scope in enumerate(scopes) if 0 < scope.level <= depth)


def open_in(drawn: Picture) -> Open:
    return frozenset(i for i, scope in enumerate(drawn.outline.scopes) if i and not scope.closed)


def outer(scopes: list[Any]) -> list[int]:
    """For each Scope the number of the one around it."""
    number = {scope: i for i, scope in enumerate(scopes)}
    around = {call: number[scope] for scope in scopes for call in scope.calls}
    return [around.get(scope, 0) for scope in scopes]


def sets_of_open(scopes: list[Any], levels: list[Open]) -> list[Open]:
    """What one press after the other leads to from the `levels`, those of few presses first."""
    around = outer(scopes)
    known, waiting = dict.fromkeys(levels), [*levels]
    for at in waiting:
        for i in range(1, len(scopes)):
            if i in at or around[i] in (0, *at):
                after = pressed(at, i, around)
                if after not in known:
                    known[after] = None
                    waiting.append(after)
        if len(known) > 1000:
            break
    return [s for s in known if s not in levels]


def pressed(at: Open, i: int, around: list[int]) -> Open:
    """What is open after a press on layer `i`: a layer that closes takes those in it along.

    >>> sorted(pressed(frozenset({1, 2, 3}), 1, [0, 0, 1, 0])), sorted(pressed(frozenset({3}), 1, [0, 0, 1, 0]))
    ([3], [1, 3])
    """
    if i not in at:
        return at | {i}
    gone = {i}
    for j in sorted(at):
        if around[j] in gone:
            gone.add(j)
    return at - gone
