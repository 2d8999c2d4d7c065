"""A fault planted in any pass that makes a fast program is found: by its first check, or beside the step."""

import numpy as np
import pytest

import tinygrad_jp.functions as F
from tinygrad_jp import compiled, models, optimizers
from tinygrad_jp.programs import blocks, conditions, fast, plans, simplifying, takes
from tinygrad_jp.programs.borrowing import NotWritten
from tinygrad_jp.programs.effects import Decide, SetGrad, Update
from tinygrad_jp.programs.values import Value

SCALE = 2.0


def step_of(model, optimizer):
    def step(x, t):
        y = model(x)
        if y.data.mean() > 0.2:
            y = y * 2
        loss = F.softmax_cross_entropy(y, t) + SCALE * np.sum(model.l0.W**2) * 0.01 + np.max(np.abs(y)) * 0.1
        model.cleargrads()
        loss.backward()
        optimizer.update()
        turned = (np.abs(x) + 1).T
        return loss, np.exp(x) - np.exp(x)[:1], np.log(x * x + 2) @ turned, np.max(x, axis=0), np.max(x, axis=1)

    return step


def check() -> None:
    """A step and its compiled twin, on data that change, with a rate and a global number that change."""
    global SCALE
    twins = []
    for _ in range(2):
        model = models.MLP((8, 3), activation=F.relu, rng=0)
        model(np.zeros((1, 5), np.float32))
        optimizer = optimizers.MomentumSGD(0.1).setup(model)
        twins.append((model, optimizer, step_of(model, optimizer)))
    program = compiled(twins[1][2])
    rng = np.random.default_rng(0)
    try:
        for i in range(12):
            SCALE = 3.0 if i == 4 else 2.0
            n = 6 if i != 6 else 4
            x, t = rng.normal(size=(n, 5)).astype(np.float32) + (i == 5), rng.integers(0, 3, n)
            for _, optimizer, _ in twins:
                optimizer.lr = 0.1 if i < 7 else 0.05
            expected, got = twins[0][2](x, t), program(x, t)
            for a, b in zip(expected, got, strict=True):
                np.testing.assert_allclose(getattr(a, "data", a), getattr(b, "data", b), 1e-5, 1e-6)
            for p, q in zip(twins[0][0].params(), twins[1][0].params(), strict=True):
                np.testing.assert_allclose(p.data, q.data, 1e-5, 1e-6)
                np.testing.assert_allclose(p.grad.data, q.grad.data, 1e-4, 1e-5)
    finally:
        SCALE = 2.0
    assert program.source.count("np.exp(x)") == 1 and program._otherwise <= 2


behind, roots_of, number, checks = plans.behind, fast.roots_of, fast.Fast.number, plans.conditions
lines_of = {kind: kind.lines for kind in (Decide, SetGrad, Update)}


def kept_alive(*roots, **settings):
    """As `behind`, with a line that changes what is there."""
    found = behind(*roots, **settings)
    for x in found:
        if x.func is np.exp:
            x.func = np.expm1
    return found


def one_block(self, data):
    self.block = getattr(self, "block", blocks._aligned(1 << 16))
    return blocks._laid_out(self.block, data), self.block


FAULTS = {
    "a line replaced": (plans, "behind", kept_alive),
    "an operand overwritten too early": (
        fast.Fast,
        "_can_overwrite",
        lambda self, a, x, i: isinstance(a, Value) and a in self.blocks and self.real[a].shape == x.shape,
    ),
    "memory that is in use given away": (blocks.Memory, "array_like", one_block),
    "a view taken for an array of its own": (plans, "roots_of", lambda order: {x: {x} for x in order}),
    "a constant of another number": (
        fast.Fast,
        "number",
        lambda self, x, like: number(self, x * 2 if isinstance(x, float) else x, like),
    ),
    "a constant of another dtype": (
        fast.Fast,
        "number",
        lambda self, x, like: number(self, int(x), np.dtype(np.float32)),
    ),
    "an axis forgotten": (fast.Fast, "_reduction", lambda self, x: self._copy(x)),
    "a decision left out": (Decide, "lines", lambda self, x, program: []),
    "a decision turned": (
        Decide,
        "lines",
        lambda self, x, program: [line.replace("if not ", "if ") for line in lines_of[Decide](self, x, program)],
    ),
    "a gradient left out": (SetGrad, "lines", lambda self, x, program: []),
    "an update left out": (Update, "lines", lambda self, x, program: []),
    "an update of an optimizer whose count stands still": (
        Update,
        "lines",
        lambda self, x, program: [line for line in lines_of[Update](self, x, program) if "step" not in line][:1],
    ),
    "shapes not looked at": (
        conditions,
        "_of_leaf",
        lambda leaf, take, constant: [],
    ),
    "names not looked at": (
        plans,
        "conditions",
        lambda *given: [text for text in checks(*given) if "SCALE" not in text],
    ),
    "what is equal taken for one, whatever its axis": (
        simplifying,
        "key_of",
        lambda tree: () if isinstance(tree, dict) else simplifying_key(tree),
    ),
    "parameters left as they are": (takes.Take, "_settle", lambda self: None),
}
simplifying_key = simplifying.key_of


def test_without_a_fault():
    check()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault, monkeypatch):
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises((AssertionError, NotWritten, ValueError, RuntimeWarning)):
        check()
