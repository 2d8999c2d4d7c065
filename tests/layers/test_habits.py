"""Habits from other libraries that work, or are answered."""

import copy
import operator
import pickle
import re
import warnings

import numpy as np
import pytest

import tinygrad_jp
from tinygrad_jp import Function, Variable, datasets, models, optimizers
from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp.hints import HINTS
from tinygrad_jp.optimizers import schedules

OWNERS = {
    "Variable": Variable(1.0),
    "Layer": L.Linear(1),
    "Function": Function(),
    "Optimizer": optimizers.Adam(),
    "DataLoader": tinygrad_jp.DataLoader(([[1.0]], [0]), 1),
}
MODULES = {
    "tinygrad_jp": tinygrad_jp,
    "tinygrad_jp.functions": F,
    "tinygrad_jp.layers": L,
    "tinygrad_jp.models": models,
    "tinygrad_jp.optimizers": optimizers,
    "tinygrad_jp.optimizers.schedules": schedules,
    "tinygrad_jp.datasets": datasets,
}
NAMED = {"F": F, "L": L, "np": np, "v": Variable(1.0), "x": Variable(1.0), "model": models.MLP(1), "layer": L.Linear(1)}
NAMED |= {"f": Function(), "optimizer": optimizers.SGD(), "y": Variable(1.0), "loss": Variable(1.0)}
NAMED |= {name.rpartition(".")[2]: module for name, module in MODULES.items()}


def test_the_table_knows_every_owner():
    assert set(HINTS) == {*OWNERS, *MODULES}


@pytest.mark.parametrize(("owner", "name"), [(owner, name) for owner, names in HINTS.items() for name in names])
def test_a_name_from_elsewhere_is_answered_by_the_name_here(owner, name):
    thing = (OWNERS | MODULES)[owner]
    with pytest.raises(AttributeError, match=re.escape(HINTS[owner][name])):
        getattr(thing, name)
    assert not hasattr(thing, name)


@pytest.mark.parametrize("hint", sorted({hint for names in HINTS.values() for hint in names.values()}))
def test_what_a_hint_says_exists(hint):
    for owner, name in re.findall(r"\b(\w+)\.([A-Za-z_]\w*)", hint):
        if owner != "self":
            assert hasattr(NAMED[owner], name), f"{owner}.{name}"


@pytest.mark.parametrize("thing", OWNERS.values(), ids=OWNERS)
def test_other_missing_names_copies_and_pickles_are_as_ever(thing):
    with pytest.raises(AttributeError, match="no attribute 'xyz'"):
        thing.xyz  # noqa: B018
    assert type(pickle.loads(pickle.dumps(thing))) is type(copy.deepcopy(thing)) is type(thing)


def test_an_error_inside_a_property_is_not_hidden():
    class Own(L.Layer):
        @property
        def train(self):
            return self.W.nothing

    with pytest.raises(AttributeError, match="'W'"):
        Own().train  # noqa: B018


@pytest.mark.parametrize("kind", [L.Conv2d, L.Deconv2d])
@pytest.mark.parametrize("numbers", [(1, 16, 3), (3, 6, 5), (6, 16, 5), (16, 32, 3), (64, 64, 3), (1, 4, 3), (1, 8, 3)])
def test_numbers_in_pytorchs_order_warn(kind, numbers):
    remedy = f"({numbers[1]}, {numbers[2]}, in_channels={numbers[0]})"
    with pytest.warns(UserWarning, match=re.escape(remedy)) as caught:
        kind(*numbers)
    assert caught[0].filename == __file__


USUAL = [(16, 3), (64, 7, 2), (96, 11, 4), (768, 16, 16), (32, 8, 4), (1, 4, 2), (1, 3, 2), (21, 64, 32), (1, 28)]


@pytest.mark.parametrize("kind", [L.Conv2d, L.Deconv2d])
@pytest.mark.parametrize("numbers", [*USUAL, (3, 8, 4)])
def test_usual_kernels_do_not_warn(kind, numbers):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind(*numbers)


@pytest.mark.parametrize("sizes", [((32, 1),), (32, 1), ([32, 1],), (np.int64(32), 1)])
def test_an_mlp_takes_its_sizes_one_by_one_or_together(sizes):
    x = np.ones((2, 3), np.float32)
    expected = models.MLP((32, 1), F.relu, rng=0)(x).data
    assert (models.MLP(*sizes, activation=F.relu, rng=0)(x).data == expected).all()
    assert (models.MLP(*sizes, F.relu, rng=0)(x).data == expected).all()


@pytest.mark.parametrize("sizes", [((),), (32, 0), (32, 1.5)])
def test_an_mlp_of_no_sizes_is_refused(sizes):
    with pytest.raises(TypeError, match="MLP"):
        models.MLP(*sizes)


def test_a_sequential_is_a_sequence():
    model = models.Sequential(L.Linear(3, in_size=2), F.relu, L.Linear(1, in_size=3))
    assert len(model) == 3
    assert model[0] is model.l0
    assert list(model) == [model.l0, F.relu, model.l2]
    assert model[1:][-1] is model.l2
    assert [p is q for p, q in zip(model[:2].params(), model.params(), strict=False)] == [True, True]
    assert models.Sequential()


@pytest.mark.parametrize("kind", [L.RNN, L.LSTM, L.GRU])
def test_recurrent_layers_stand_one_above_the_other(kind, rng):
    x = rng.standard_normal((4, 5, 2))
    layer = kind(3, num_layers=3, dtype=float, rng=0)
    y = layer(x)
    expected = x
    for part in [layer, *layer.above]:
        single = kind(3, dtype=float)
        single.load_state({key: array for key, array in part.state().items() if "above" not in key})
        expected = single(expected)
    assert np.allclose(y.data, expected.data)
    y.sum().backward()
    assert all(p.grad is not None for p in layer.params())
    layer.reset_state()
    in_steps = [layer(x[:, t]).data for t in range(5)]
    assert np.allclose(np.stack(in_steps, 1), y.data)
    with pytest.raises(ValueError, match="num_layers"):
        kind(3, num_layers=0)


@pytest.mark.parametrize(("kind", "theirs"), [(L.RNN, "RNN"), (L.LSTM, "LSTM"), (L.GRU, "GRU")])
def test_recurrent_layers_have_pytorchs_layout_at_every_level(kind, theirs, rng):
    layer = kind(3, 2, num_layers=2, rng=0)
    names = [*layer.state(layout="torch")]
    assert [name.rpartition("_")[2] for name in names] == ["l0"] * 4 + ["l1"] * 4
    again = kind(3, num_layers=2)
    again.load_state(layer.state(layout="torch"), layout="torch")
    assert all(np.array_equal(a, b) for a, b in zip(layer.state().values(), again.state().values(), strict=True))
    torch = pytest.importorskip("torch")
    module = getattr(torch.nn, theirs)(2, 3, num_layers=2, batch_first=True)
    again.load_state({name: a.numpy() for name, a in module.state_dict().items()}, layout="torch")
    x = rng.standard_normal((4, 5, 2)).astype(np.float32)
    assert np.allclose(again(x).data, module(torch.tensor(x))[0].detach().numpy(), atol=1e-6)


def test_a_model_resets_all_states_within():
    model = models.Sequential(L.LSTM(3, num_layers=2), L.GRU(2), L.Linear(1))
    model(np.ones((2, 4, 3)))
    model.reset_state()
    assert [layer.h for layer in (model[0], model[0].above[0], model[1])] == [None] * 3
    assert model[0].c is model[0].above[0].c is None
    L.Linear(1).reset_state()


LAYERS = [
    (L.Linear(2), (3, 4)),
    (L.Conv2d(2, 3), (3, 4, 5, 5)),
    (L.BatchNorm(), (3, 4)),
    (L.GroupNorm(2), (3, 4, 5)),
    (L.LayerNorm(), (3, 4)),
    (L.GRU(3, num_layers=2), (3, 4, 2)),
    (L.TransformerBlock(2), (3, 4, 2)),
    (models.MLP(3, 1), (3, 4)),
]


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=[type(layer).__name__ for layer, _ in LAYERS])
def test_a_model_changes_its_dtype(layer, shape, waits):
    layer = copy.deepcopy(layer)
    if not waits:
        layer(np.ones(shape)).sum().backward()
        layer.reset_state()
    assert layer.astype(np.float64) is layer
    y = layer(np.ones(shape, np.float32))
    assert y.dtype == np.float64
    assert {a.dtype for a in layer.state().values()} == {np.dtype(np.float64)}
    y.sum().backward()
    optimizers.Adam().setup(layer).update()
    with pytest.raises(TypeError, match="floats"):
        layer.astype(int)


def test_group_norm_agrees_with_its_function(rng):
    x = rng.standard_normal((2, 6, 3))
    layer = L.GroupNorm(3, 6, dtype=float)
    assert np.allclose(layer(x).data, F.group_norm(x, 3).data)
    assert [*layer.state(layout="torch")] == ["weight", "bias"]
    for wrong in (lambda: L.GroupNorm(0), lambda: L.GroupNorm(4, 6), lambda: layer(x[:, :5]), lambda: layer(x[0, 0])):
        with pytest.raises(ValueError, match="GroupNorm"):
            wrong()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("kind", [L.RNN, L.LSTM, L.GRU])
def test_a_smaller_last_batch_goes_on_with_the_first_sequences(kind, layers, rng):
    layer = kind(3, in_size=2, num_layers=layers, dtype=float)
    x = rng.standard_normal((5, 4, 2))
    expected = layer(x[:3]).data  # Three sequences alone.
    layer.reset_state()
    layer(x[:, :2])
    y = layer(x[:3, 2:])
    np.testing.assert_allclose(y.data, expected[:, 2:])
    y.sum().backward()
    assert layer.h.shape == (3, 3)
    with pytest.raises(ValueError, match=r"at most 3 sequences.*reset_state"):
        layer(x)


class Table:
    """Data as pandas, Polars and PyTorch hold them: an object that turns into an array."""

    def __init__(self, data):
        self.rows = np.array(data)

    def __array__(self, dtype=None, copy=None):
        return self.rows if dtype is None else self.rows.astype(dtype)

    def __len__(self):
        return len(self.rows)


@pytest.mark.parametrize("loss", [
    F.mean_squared_error, F.mean_absolute_error, F.huber_loss, F.binary_cross_entropy, F.sigmoid_cross_entropy,
    F.softmax_cross_entropy, F.kl_divergence, F.accuracy, F.confusion_matrix,
])  # fmt: skip
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_tables_as_targets(loss, dtype):
    labels = loss in (F.softmax_cross_entropy, F.accuracy, F.confusion_matrix)
    y, t = np.array([[0.25, 0.75], [0.5, 0.5]], dtype), [0, 1] if labels else [[0.5, 0.5], [0.25, 0.75]]
    found, expected = loss(Variable(y), Table(t)), loss(Variable(y), np.array(t))
    assert np.array_equal(getattr(found, "data", found), getattr(expected, "data", expected))
    assert np.array_equal(getattr(loss(Table(y), Table(t)), "data", found), getattr(expected, "data", expected))


def test_labels_and_data_in_the_wrong_form():
    y = np.eye(3)
    with pytest.raises(ValueError, match="give ignore_label=-1"):
        F.softmax_cross_entropy(y, [0, 1, -1])
    for measure in (F.accuracy, F.confusion_matrix):
        with pytest.raises(ValueError, match="not their argmax"):
            measure(y.argmax(axis=1), [0, 1, 2])
    for data in ({"a": y}, ({"a": y}, [0, 1, 2])):
        with pytest.raises(TypeError, match="one by one"):
            tinygrad_jp.DataLoader(data, 2)


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, np.multiply, np.arctan2]


@pytest.mark.parametrize("operate", OPERATORS)
def test_tables_beside_variables(operate):
    x, data = Variable([[1.0, 2.0]]), [[3.0, 4.0]]
    for a, b in ((x, Table(data)), (Table(data), x)):
        x.cleargrad()
        y = operate(a, b)
        y.backward()
        plain = [np.array(data) if isinstance(part, Table) else part.data for part in (a, b)]
        assert isinstance(y, Variable) and np.array_equal(y.data, operate(*plain)) and x.grad is not None


@pytest.mark.parametrize("operate", OPERATORS)
def test_tables_of_pandas_beside_variables(operate):
    pandas = pytest.importorskip("pandas")
    frame, x = pandas.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), Variable([[1.0, 2.0], [3.0, 4.0]])
    for a, b in ((x, frame), (frame, x), (x[:, 0], frame["a"]), (frame["a"], x[:, 0])):
        x.cleargrad()
        y = operate(a, b)
        y.backward()
        assert isinstance(y, Variable) and x.grad is not None


def test_step_without_arguments_is_answered():
    with pytest.raises(TypeError, match=r"write optimizer.update\(\)"):
        optimizers.SGD().step()
