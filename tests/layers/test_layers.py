"""Layers and models: their parameters, in order, once each, wherever they are; and what they compute."""

import copy
import importlib
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Layer, Parameter, Variable, gradient_check, models, optimizers, seed

core_of_layers = importlib.import_module("tinygrad_jp.layers.layer")


class Pair(NamedTuple):
    y: Any
    z: Any


class Nested(Layer):
    def __init__(self):
        self.first = L.Linear(2, in_size=3)
        self.rest = [L.Linear(2, in_size=2), {"a": L.Linear(1, in_size=2, nobias=True)}]
        self.pair = (Parameter(np.zeros(1)), "no parameter")
        self.tied = self.first
        self.own = self.pair[0]
        self.me = self

    def forward(self, x):
        return x


def test_parameters_come_in_order_of_definition_and_once():
    expected = ["first.W", "first.b", "rest.0.W", "rest.0.b", "rest.1.a.W", "pair.0"]
    model = Nested()
    assert list(model.named_params()) == expected
    assert [id(p) for p in model.params()] == [id(p) for p in model.named_params().values()]


def test_parameters_are_found_after_every_change():
    model, p, q, r = Nested(), *[Parameter(np.zeros(1)) for _ in range(3)]
    assert p not in set(model.params())
    model.rest.append(p)
    model.rest[1]["b"] = q
    assert {p, q} < set(model.params())
    model.first.extra = r  # Of a layer further down.
    assert r in set(model.params())
    flat = L.Linear(2, in_size=3)  # Without a list or a dict, a layer remembers its Parameters.
    flat.extra = r
    assert r in set(flat.params())
    del flat.extra
    assert r not in set(flat.params())
    for duplicate in (copy.copy(flat), copy.deepcopy(flat), pickle.loads(pickle.dumps(flat))):
        assert len(flat.params()) == 2
        duplicate.b = None
        assert duplicate.params() == [duplicate.W] and len(flat.params()) == 2
    flat.params().clear()
    assert len(flat.params()) == 2


def test_an_optimizer_updates_a_parameter_that_came_later():
    model = L.Linear(1, in_size=1)
    optimizer = optimizers.SGD(0.5).setup(model)
    for p in (model.W, model.b):
        p.grad = np.ones_like(p.data)
    optimizer.update()
    model.scale = Parameter(np.ones(1))
    model.scale.grad = np.ones(1)
    optimizer.update()
    assert model.scale.data == [0.5]
    model.cleargrads()
    assert model.scale.grad is None


def test_parameters_are_searched_for_once(monkeypatch):
    model, walks = models.MLP((3, 2)), []
    model(np.ones((1, 4), np.float32))
    walk = core_of_layers._walk
    monkeypatch.setattr(core_of_layers, "_walk", lambda root: walks.append(root) or walk(root))
    for _ in range(3):
        model.params()
        model.cleargrads()
        model(np.ones((1, 4), np.float32)).sum().backward()
    assert len(walks) <= 4, "once for the parameters, and once in each layer for its dtype"


@pytest.mark.parametrize("wrap", [
    lambda y, z: (y, z), lambda y, z: [y, z], lambda y, z: {"y": y, "z": z}, lambda y, z: {"all": [y, (z, None)]},
    lambda y, z: Pair(y, z), lambda y, z: [y, [1.0, "text"], {"z": z}],
])  # fmt: skip
def test_pictures_know_every_output_of_a_layer_in_whatever_it_comes(wrap):
    class Several(Layer):
        def forward(self, x):
            self.outputs = x * 2, x * 3
            return wrap(*self.outputs)

    layer = Several()
    layer(Variable(1.0))
    assert [y.creator.layer[0] for y in layer.outputs] == [layer, layer]


def test_cleargrads():
    model = L.Linear(2, in_size=3)
    model(np.ones((1, 3), np.float32)).sum().backward()
    assert all(p.grad is not None for p in model.params())
    model.cleargrads()
    assert all(p.grad is None for p in model.params())


def test_linear_infers_its_input_size():
    layer = L.Linear(3)
    assert layer.W.data is None
    assert layer(np.ones((5, 4), np.float32)).shape == (5, 3)
    assert layer.W.shape == (4, 3)
    assert layer(Variable(np.ones((2, 5, 4)))).shape == (2, 5, 3)
    assert L.Linear(3)([[1.0, 2.0]]).shape == (1, 3)


def test_linear_is_float32_unless_told():
    assert L.Linear(3, in_size=2)(np.ones((1, 2), np.float32)).dtype == np.float32
    layer = L.Linear(3, False, np.float64, 2)
    assert gradient_check(lambda x: layer(x), np.ones((2, 2)), order=2)


def test_the_initial_weights_have_the_variance_that_is_promised():
    W = L.Linear(400, in_size=100, rng=0).W.data
    assert abs(W.mean()) < 0.002
    assert W.var() == pytest.approx(1 / 100, rel=0.02)


def test_one_seed_makes_a_model_reproducible():
    def weights(rng=None):
        return [p.tolist() for p in models.MLP((3, 2), rng=rng)(np.ones((1, 4))).creator.inputs[1:]]

    seed(5)
    a = weights()
    seed(5)
    assert weights() == a != weights()
    assert weights(3) == weights(3)


def test_sequential_and_mlp():
    x = np.random.default_rng(0).random((4, 3), np.float32)
    model = models.Sequential(L.Linear(5, rng=1), F.relu, L.Linear(2, rng=2))
    mlp = models.MLP((5, 2), activation=F.relu)
    model(x), mlp(x)
    for p, q in zip(model.params(), mlp.params(), strict=True):
        q.data = p.data
    np.testing.assert_array_equal(model(x).data, mlp(x).data)
    assert list(mlp.named_params()) == ["l0.W", "l0.b", "l1.W", "l1.b"]
    h = np.maximum(x @ model.layers[0].W.data, 0)
    np.testing.assert_allclose(model(x).data, h @ model.layers[2].W.data, rtol=1e-5)


def test_a_model_can_be_copied_and_pickled():
    model = models.MLP((3, 1))
    fresh = copy.deepcopy(model)
    assert fresh(np.ones((1, 2), np.float32)).shape == (1, 1)
    y = model(np.ones((1, 2), np.float32))
    y.backward()
    for duplicate in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(duplicate(np.ones((1, 2), np.float32)).data, y.data)
        assert duplicate.params()[0] is not model.params()[0]


def test_a_model_draws_itself(tmp_path):
    path = models.MLP((3, 1)).plot(np.ones((1, 2), np.float32), to_file=tmp_path / "model.dot")
    assert "linear" in path.read_text()
