"""Hooks: the gradients they leave, that they write into none, and in which order they work."""

import pickle

import numpy as np
import pytest

from tinygrad_jp import Layer, Parameter, layers, optimizers
from tinygrad_jp.optimizers import SGD, ClipGrad, ClipGradValue, FreezeParam, WeightDecay, hooks


def with_gradients(*grads):
    """Parameters of ones, with these gradients, in a layer."""
    model = Layer()
    model.xs = [Parameter(np.ones_like(g)) for g in map(np.asarray, grads)]
    for x, g in zip(model.xs, grads, strict=True):
        x.grad = np.asarray(g)
    return model


GRADS = [3.0, -4.0], np.float32([[0.0, 12.0]]), 84.0
# A hook, and the gradients that it makes of those.
HOOKS = {
    "WeightDecay": (WeightDecay(0.5), ([3.5, -3.5], [[0.5, 12.5]], 84.5)),
    "ClipGrad": (ClipGrad(8.5), ([0.3, -0.4], [[0.0, 1.2]], 8.4)),
    "ClipGrad, larger": (ClipGrad(85.5), GRADS),
    "ClipGradValue": (ClipGradValue(3.5), ([3.0, -3.5], [[0.0, 3.5]], 3.5)),
}


@pytest.mark.parametrize("name", HOOKS)
def test_the_gradient_is_another_and_the_old_one_is_left_alone(name):
    model = with_gradients(*GRADS)
    hook, expected = HOOKS[name]
    olds = [(x.grad, x.grad.data, x.grad.data.copy()) for x in model.xs]
    pickle.loads(pickle.dumps(hook))(model.params())
    for x, (old, array, numbers), new in zip(model.xs, olds, expected, strict=True):
        np.testing.assert_allclose(x.grad.data, new, rtol=1e-6)
        assert x.grad.dtype == x.dtype
        assert old.data is array
        np.testing.assert_array_equal(array, numbers)
        assert x.tolist() == np.ones(x.shape).tolist()


def test_every_hook_is_tested():
    assert set(hooks.__all__) == {name.split(",")[0] for name in HOOKS} | {"FreezeParam"}


@pytest.mark.parametrize("name", [*hooks.__all__])
def test_add_hook_returns_the_optimizer(name):
    hook = FreezeParam() if name == "FreezeParam" else HOOKS[name][0]
    optimizer = SGD()
    assert optimizer.add_hook(hook).add_hook(hook) is optimizer
    assert optimizer.hooks == [hook, hook]


# Hooks whose settings are out of the range of float16, or whose result comes from such numbers.
EXTREME = {
    "WeightDecay": [WeightDecay(1e-8), WeightDecay(1e-5)],
    "ClipGrad": [ClipGrad(1e-3), ClipGrad(1e5), ClipGrad(1.0)],
    "ClipGradValue": [ClipGradValue(1e6), ClipGradValue(0.1)],
}
CASES = [(hook, order) for name in HOOKS for hook in EXTREME[name.split(",")[0]] for order in "<>"]


@pytest.mark.parametrize(("hook", "order"), CASES)
@pytest.mark.parametrize("grad", [[600.0, -600.0], [6e4] * 1000, [0.0, 1e-7], []])
def test_float16_is_computed_in_float32_and_the_byte_order_does_not_matter(hook, order, grad):
    models = [with_gradients(np.array(grad, dtype), np.array(2.0, dtype)) for dtype in (order + "f2", "f4")]
    for model in models:
        for p in model.xs:
            p.data = (p.data * np.float32(300)).astype(p.dtype)
        hook(model.params())
    for p, q in zip(*(model.xs for model in models), strict=True):
        assert p.grad.dtype == p.dtype
        assert p.dtype.newbyteorder("=") == np.float16
        np.testing.assert_array_equal(p.grad.data, q.grad.data.astype(np.float16))
        assert p.grad.creator is None


def test_a_norm_that_overflows_float32_is_none_that_is_infinite():
    model = with_gradients(np.float32([3e30]), np.float32([4e30]))
    ClipGrad(5.0)(model.params())
    np.testing.assert_allclose([x.grad.item() for x in model.xs], [3, 4], rtol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_not_finite_stops_the_update_before_it_begins(bad):
    model = with_gradients([1.0, bad], 2.0)
    optimizer = optimizers.Adam().setup(model)
    optimizer.add_hook(ClipGrad(1.0))
    with pytest.raises(FloatingPointError, match=r"ClipGrad: expected a finite norm of the gradients, got (nan|inf)"):
        optimizer.update()
    assert [x.tolist() for x in model.xs] == [[1.0, 1.0], 1.0]
    assert optimizer.t == 0


def test_what_is_frozen_is_not_updated_and_later_hooks_do_not_see_it():
    model, seen = Layer(), []
    model.frozen, model.l1, model.l2 = (layers.Linear(2, in_size=2, rng=i) for i in range(3))
    optimizer = SGD(0.1).setup(model)
    hooks = FreezeParam(model.frozen, model.l2.W), WeightDecay(0.1), lambda params: seen.extend(params)
    for hook in hooks:
        optimizer.add_hook(hook)
    before = model.state()
    model.l2(model.l1(model.frozen(np.ones((1, 2), np.float32)))).sum().backward()
    optimizer.update()
    assert [path for path, x in model.state().items() if np.any(x != before[path])] == ["l1.W", "l1.b", "l2.b"]
    assert [id(p) for p in seen] == [id(p) for p in (model.l1.W, model.l1.b, model.l2.b)]
    optimizer.add_hook(FreezeParam(model))
    before = model.state()
    optimizer.update()  # Nothing is left to do, which is no mistake.
    np.testing.assert_equal(model.state(), before)


@pytest.mark.parametrize("make", [WeightDecay, ClipGrad, ClipGradValue])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf])
def test_settings_out_of_range_are_refused(make, value):
    with pytest.raises(ValueError, match=rf"^{make.__name__}: expected a number of at least 0, got "):
        make(value)


def test_only_layers_and_parameters_are_frozen():
    with pytest.raises(TypeError, match="FreezeParam: expected layers and Parameters, got str"):
        FreezeParam("l1")


def test_weight_decay_in_the_gradient_is_not_that_of_adamw():
    models = [with_gradients([1.0, 10.0]) for _ in range(2)]
    coupled, decoupled = optimizers.Adam(0.1).setup(models[0]), optimizers.AdamW(0.1, weight_decay=0.5).setup(models[1])
    coupled.add_hook(WeightDecay(0.5))
    coupled.update()
    decoupled.update()
    np.testing.assert_allclose(models[0].xs[0].data, [0.9, 0.9])
    np.testing.assert_allclose(models[1].xs[0].data, [0.85, 0.85])
