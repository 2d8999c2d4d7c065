"""What enters a layer is converted to the dtype of its Parameters: every layer, every kind of data."""

import inspect
import re

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Parameter, Variable, models


class Residual(L.Layer):
    """A layer of one's own: what it adds to has not gone through a layer of the package."""

    def __init__(self, dtype):
        self.inner = [L.Linear(3, dtype=dtype, rng=0)]

    def forward(self, x):
        return x + self.inner[0](x)


class Own(L.Layer):
    """A layer of one's own that holds a Parameter itself."""

    def __init__(self, dtype):
        self.W = Parameter(np.ones((3, 2), dtype))

    def forward(self, x):
        return x @ self.W


# name: (a new layer of that dtype, the shape of x)
LAYERS = {
    "Linear": (lambda dtype: L.Linear(4, dtype=dtype, rng=0), (2, 3)),
    "Linear without b": (lambda dtype: L.Linear(4, True, dtype, rng=0), (2, 5, 3)),
    "Conv2d": (lambda dtype: L.Conv2d(4, 2, dtype=dtype, rng=0), (2, 3, 3, 3)),
    "Deconv2d": (lambda dtype: L.Deconv2d(4, 2, nobias=True, dtype=dtype, rng=0), (2, 3, 3, 3)),
    "BatchNorm": (lambda dtype: L.BatchNorm(dtype=dtype), (4, 3)),
    "BatchNorm of images": (lambda dtype: L.BatchNorm(dtype=dtype), (4, 3, 2, 2)),
    "LayerNorm": (lambda dtype: L.LayerNorm(dtype=dtype), (4, 3)),
    "RNN": (lambda dtype: L.RNN(4, dtype=dtype, rng=0), (2, 3)),
    "RNN of sequences": (lambda dtype: L.RNN(4, dtype=dtype, rng=0), (2, 5, 3)),
    "LSTM": (lambda dtype: L.LSTM(4, dtype=dtype, rng=0), (2, 5, 3)),
    "GRU": (lambda dtype: L.GRU(4, dtype=dtype, rng=0), (2, 5, 3)),
    "MultiHeadAttention": (lambda dtype: L.MultiHeadAttention(2, dtype=dtype, rng=0), (2, 3, 4)),
    "TransformerBlock": (lambda dtype: L.TransformerBlock(2, dtype=dtype, rng=0), (2, 3, 4)),
    "MLP": (lambda dtype: models.MLP((4, 2), dtype=dtype, rng=0), (2, 3)),
    "Sequential": (
        lambda dtype: models.Sequential(F.flatten, L.Linear(4, dtype=dtype, rng=0), F.relu, L.BatchNorm(dtype=dtype)),
        (2, 3, 2),
    ),
}
OWN = {"a layer around another": (Residual, (2, 3)), "a layer with its own W": (Own, (2, 3))}
DTYPES = (np.float32, np.float64)


class Table:
    """As those of pandas: no array, but one can be had of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtypes = array, array.shape, [array.dtype] * array.shape[-1]

    def __array__(self, dtype=None, copy=None):
        return self.array


FLOATS = {
    "float64": lambda x: x,
    "float32": lambda x: x.astype(np.float32),
    "float16": lambda x: x.astype(np.float16),
    "big-endian": lambda x: x.astype(">f8"),
    "a Variable of float64": Variable,
    "a Variable of float32": lambda x: Variable(x.astype(np.float32)),
}
OTHERS = {
    "int64": lambda x: x.astype(int),
    "uint8": lambda x: x.astype(np.uint8),
    "bool": lambda x: x > 3,
    "a list": lambda x: x.tolist(),
    "a list of integers": lambda x: x.astype(int).tolist(),
    "a list of arrays": list,
    "a table": Table,
    "a Variable of integers": lambda x: Variable(x.astype(int)),
}
ENTERING = [
    *((layer, kind) for layer in LAYERS for kind in FLOATS | OTHERS),
    *((layer, kind) for layer in OWN for kind in FLOATS),
]


def data(shape):
    """Numbers that float16 and the integers can hold, too."""
    return np.random.default_rng(0).integers(0, 7, shape).astype(float)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "kind"), ENTERING)
def test_a_layer_computes_in_the_dtype_of_its_parameters(name, kind, dtype):
    make, shape = (LAYERS | OWN)[name]
    x = (FLOATS | OTHERS)[kind](data(shape))
    same = np.array(x.data if isinstance(x, Variable) else x).astype(dtype)
    layer, other = make(dtype), make(dtype)
    y = layer(x)
    assert {y.dtype, *(p.dtype for p in layer._named_arrays().values())} == {np.dtype(dtype)}
    np.testing.assert_array_equal(y.data, other(same).data)
    y.sum().backward()
    assert {p.grad.dtype for p in layer.params()} == {np.dtype(dtype)}
    if isinstance(x, Variable) and x.dtype.kind == "f":
        assert x.grad.dtype == x.dtype and x.grad.shape == x.shape


@pytest.mark.parametrize("make", [models.ResNet18, models.SqueezeNet])
def test_models_of_images_take_bytes_and_lists(make):
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 31, 31), np.uint8)
    model = make(n_classes=2, rng=0)
    with tg.no_grad(), tg.test_mode():
        expected = model(images.astype(np.float32)).data
        assert expected.dtype == np.float32
        for x in (images, images.astype(float), images.tolist(), Variable(images)):
            np.testing.assert_array_equal(model(x).data, expected, strict=True)


@pytest.mark.parametrize("name", LAYERS)
def test_nothing_but_numbers_enters(name):
    make, shape = LAYERS[name]
    for x in (np.full(shape, "3", object), np.full(shape, "3"), None, data(shape) * 1j):
        layer = make(np.float32)
        before = repr(layer)
        if not isinstance(layer, models.Sequential):
            with pytest.raises(TypeError, match=r"^\w+: expected x of numbers .*, got \w+ of dtype "):
                layer(x)
        assert repr(layer) == before
    with pytest.raises(ValueError, match="expected x as an array, but this list does not form one"):
        make(np.float32)([[1.0, 2.0], [3.0]]) if name != "Sequential" else L.Linear(3)([[1.0], [2.0, 3.0]])


@pytest.mark.parametrize("kind", [L.RNN, L.LSTM, L.GRU])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("entering", [lambda h: h, Variable, lambda h: h.tolist(), lambda h: h.astype(np.float16)])
def test_a_state_is_converted_as_well(kind, dtype, entering):
    layer, x = kind(4, 3, dtype=dtype, rng=0), data((2, 5, 3))
    for name in ("h", "c")[: 1 + (kind is L.LSTM)]:
        setattr(layer, name, entering(np.ones((2, 4))))
    h = layer.h
    y = layer(x)
    assert {y.dtype, layer.h.dtype} == {np.dtype(dtype)}
    if isinstance(h, Variable):
        y.sum().backward()
        assert h.grad.dtype == np.float64


@pytest.mark.parametrize("name", LAYERS | OWN)
@pytest.mark.parametrize("wrap", [np.asarray, Variable], ids=["array", "variable"])
def test_data_of_the_right_dtype_enter_untouched(name, wrap, monkeypatch):
    make, shape = (LAYERS | OWN)[name]
    layer, x, entered = make(np.float32), wrap(data(shape).astype(np.float32)), []
    forward = layer.forward
    vars(layer)["forward"] = lambda x: entered.append(x) or forward(x)
    layer(x), layer(x)
    assert [e is x for e in entered] == [True, True]


@pytest.mark.parametrize("make", [
    lambda: L.EmbedID(7, 2, rng=0), lambda: models.GPT(7, width=4, n_heads=2, context=3, rng=0),
    lambda: models.Sequential(L.EmbedID(7, 2, rng=0), L.Linear(2)),
])  # fmt: skip
def test_indices_stay_integers(make):
    ids = np.array([[0, 1, 6]])
    expected = make()(ids).data
    for x in (ids.tolist(), ids.astype(np.uint8), Variable(ids), ids.astype(">i4")):
        y = make()(x)
        assert (y.dtype, y.shape) == (np.float32, expected.shape)
    with pytest.raises(TypeError, match="embed_id: expected integers, got"):
        make()(ids.astype(float))


def test_labels_and_masks_stay_what_they_are():
    entered = []

    class Loss(L.Layer):
        def __init__(self):
            self.fc = L.Linear(3, in_size=2, rng=0)

        def forward(self, x, t, scale=None, *, mask=None, names=()):
            entered[:] = [x.dtype, t.dtype, scale.dtype, mask.dtype, names]
            return F.softmax_cross_entropy(self.fc(x) * scale, t)

    t, mask = np.array([0, 2]), np.array([True, False])
    loss = Loss()(np.ones((2, 2)), t, scale=np.float64(2), mask=mask, names=["a", "b"])
    assert entered == [np.float32, t.dtype, np.float32, bool, ["a", "b"]] and loss.dtype == np.float32


@pytest.mark.parametrize("mask", [np.tri(3, dtype=bool), np.tri(3, dtype=bool).tolist()])
def test_attention_takes_a_memory_and_a_mask(mask):
    layer, x = L.MultiHeadAttention(2, 4, rng=0), data((2, 3, 4))
    expected = layer(x.astype(np.float32), x.astype(np.float32) + 1, mask=np.tri(3, dtype=bool))
    for memory in (x + 1, (x + 1).astype(int), (x + 1).tolist()):
        for y in (layer(x, memory, mask=mask), layer(x=x, memory=memory, mask=mask)):
            assert y.dtype == np.float32
            np.testing.assert_array_equal(y.data, expected.data)


def test_layers_of_several_dtypes_convert_by_themselves():
    class Mixed(L.Layer):
        def __init__(self):
            self.last = L.Linear(2, in_size=4, rng=0)
            self.first = L.Linear(4, dtype=np.float64, in_size=3, rng=0)

        def forward(self, x):
            self.h = self.first(x)
            return self.last(self.h)

    model, x = Mixed(), np.random.default_rng(0).standard_normal((2, 3))
    assert model(x).dtype == np.float32
    np.testing.assert_array_equal(model.h.data, x @ model.first.W.data, strict=True)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_the_dtype_is_that_of_the_parameters_now(dtype):
    layer, x = L.Linear(4, in_size=3, rng=0), data((2, 3))
    model = models.Sequential(layer)
    assert model(x).dtype == layer(x).dtype == np.float32
    for p in layer.params():
        p.data = p.data.astype(dtype)
    assert model(x.astype(np.float32)).dtype == layer(x).dtype == dtype
    layer.W, layer.b = Parameter(np.ones((3, 2), np.float32)), None
    assert model(x).dtype == layer(x).dtype == np.float32


def test_a_layer_without_parameters_converts_nothing():
    for layer in (L.Dropout(), models.Sequential(F.relu)):
        assert layer(data((2, 3))).dtype == np.float64


@pytest.mark.parametrize("name", LAYERS)
def test_weights_in_float64_do_not_turn_a_waiting_layer_to_float64(name):
    """`np.savez` of arrays that are float64 by accident."""
    make, shape = LAYERS[name]
    layer, x = make(np.float32), data(shape)
    y = layer(x)
    state = {path: a.astype(float) for path, a in layer.state().items()}
    other = make(np.float32)
    other.load_state(state)
    assert {p.dtype for p in other._named_arrays().values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(other(x).data, y.data, strict=True)


# ---------------------------------------------------------------------------------------------------------------------
# Signatures

PUBLIC = [getattr(room, name) for room in (L, models) for name in room.__all__]
MADE = [kind for kind in PUBLIC if inspect.isclass(kind) and issubclass(kind, L.Layer)]


@pytest.mark.parametrize("kind", MADE, ids=lambda kind: kind.__name__)
def test_signatures_show_their_settings_and_dtype_comes_by_keyword(kind):
    parameters = inspect.signature(kind).parameters
    assert kind.__init__ is object.__init__ or not any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    if "dtype" in parameters:
        by_position = parameters["dtype"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        assert by_position == (kind in (L.Linear, L.Conv2d, L.Deconv2d)), "as in DeZero, and nowhere else"


def test_a_message_names_the_layer():
    class Mine(L.Linear):
        pass

    with pytest.raises(TypeError, match=re.escape("Mine: expected x of numbers (floats, integers or booleans), got")):
        Mine(3)(np.array(["a"]))
