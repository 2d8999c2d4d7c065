"""Programs in the style of the DeZero book (Koki Saito, 2020), chapters 24 to 60, after the renaming.

The numbers are those that DeZero itself gives after `np.random.seed(0)`.
"""

import copy
import importlib
import pickle
import warnings

import numpy as np
import pytest

import tinygrad_jp
import tinygrad_jp.datasets
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import (
    DataLoader,
    Dataset,
    Function,
    Model,
    Parameter,
    Variable,
    as_array,
    cuda,
    is_simple_core,
    names,
    optimizers,
    setup_variable,
    transforms,
    utils,
)
from tinygrad_jp.models import MLP


@pytest.fixture(autouse=True)
def _the_global_seed():
    tinygrad_jp.seed(None)
    np.random.seed(0)


# ---- Names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in names.DEZERO for name in names.DEZERO[module]]
)
def test_every_name_of_the_table_is_found_and_not_listed(module, name):
    found = importlib.import_module(module)
    assert getattr(found, name) is not None
    listed = dir(found)
    assert name not in listed or module == "tinygrad_jp.functions_conv"


def test_what_is_no_name_is_refused():
    for module in names.DEZERO:
        with pytest.raises(AttributeError, match="nonsense"):
            importlib.import_module(module).nonsense  # noqa: B018


X, Y = np.array([1.0, 2.0]), np.array([3.0, 4.0])


@pytest.mark.parametrize(("name", "expected"), [
    ("add", X + Y), ("sub", X - Y), ("mul", X * Y), ("div", X / Y), ("pow", X**Y), ("rsub", Y - X), ("rdiv", Y / X),
])  # fmt: skip
def test_arithmetic_as_functions(name, expected):
    for module in (F, tinygrad_jp.core, tinygrad_jp.core_simple):
        y = getattr(module, name)(Variable(X), Y)
        assert isinstance(y, Variable) and y.data.tolist() == expected.tolist()
    y = getattr(F, name)(x := Variable(X), 3.0)
    y.backward()
    assert x.grad.shape == X.shape


def test_neg_and_pow_of_numbers():
    x = Variable(np.array(3.0))
    y = F.add(F.neg(x), F.pow(x, 2))
    y.backward()
    assert (y.item(), x.grad.item()) == (6, 5)


def test_simple_names_are_the_same_functions():
    assert F.softmax_simple is F.softmax and F.linear_simple is F.linear and F.batch_nrom is F.batch_norm
    assert tinygrad_jp.functions_conv.conv2d_simple is F.conv2d and F.Function is Function and not is_simple_core


def test_the_engine_of_chapter_24():
    setup_variable()
    x, y = Variable(as_array(1.0)), Variable(np.array(1))
    z = 0.26 * (x**2 + y**2) - 0.48 * x * y
    z.backward()
    assert x.grad.item() == pytest.approx(0.04) and y.grad.item() == pytest.approx(0.04)
    assert (x.generation, (x**2).generation, z.generation) == (0, 1, 4)
    assert x.matmul(np.array([2.0])[0:1][:, None][0]).shape == (1,) if x.ndim else True
    assert Variable(np.eye(2)).matmul(np.eye(2)).shape == (2, 2)
    x.to_cpu()
    with pytest.raises(RuntimeError, match="no GPU"):
        x.to_gpu()


def test_members_for_old_scripts_are_not_listed():
    assert not {"generation", "set_creator", "to_gpu", "matmul"} & set(dir(Variable(1.0)))
    assert not {"in_size", "x2h"} & set(dir(L.Linear(1)))
    for layer, name in ((L.Linear(1), "x2h"), (L.RNN(1), "x2f"), (L.RNN(1), "in_size"), (L.BatchNorm(), "in_channels")):
        with pytest.raises(AttributeError, match=name):
            getattr(layer, name)


# ---- utils and cuda --------------------------------------------------------------------------------------------------


def test_helpers():
    assert utils.sum_to(np.ones((2, 3)), (2, 1)).tolist() == [[3], [3]]
    assert utils.reshape_sum_backward(Variable(np.ones(3)), (2, 3), 0, False).shape == (1, 3)
    assert utils.reshape_sum_backward(Variable(np.ones(())), (2, 3), None, False).shape == ()
    np.testing.assert_allclose(utils.logsumexp(np.array([[1000.0, 1000.0]])), [[1000 + np.log(2)]])
    assert utils.max_backward_shape(np.ones((2, 3)), (0, 1)) == [1, 1]
    assert utils.array_equal(Variable(X), X) and not utils.array_equal(X, Y)
    assert utils.array_allclose(X, Variable(X + 1e-6)) and not utils.array_allclose(X, X + 1)
    assert utils.get_conv_outsize(7, 3, 2, 1) == 4 and utils.get_deconv_outsize(4, 3, 2, 1) == 7
    assert utils.pair(2) == (2, 2) and utils.pair((1, 2)) == (1, 2)
    with pytest.raises(ValueError, match="pair"):
        utils.pair([1])
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    col = utils.im2col_array(x, 2, 2, 0)
    assert col.shape == (4, 4) and np.array_equal(utils.col2im_array(col, x.shape, 2, 2, 0), x)
    np.testing.assert_allclose(utils.numerical_grad(lambda x, n: x**n, Variable(X), 3), 3 * X**2, rtol=1e-6)
    assert "digraph" in utils.get_dot_graph(Variable(1.0) ** 2)


def test_a_file_that_is_there_is_not_downloaded(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_JP_DATA", str(tmp_path))
    (tmp_path / "a.txt").write_text("here")
    assert utils.get_file("https://nowhere.invalid/a.txt") == str(tmp_path / "a.txt")
    assert utils.get_file("https://nowhere.invalid/b.txt", "a.txt") == str(tmp_path / "a.txt")


def test_cuda_says_that_there_is_none():
    assert not cuda.gpu_enable and cuda.get_array_module(Variable(X)) is np
    assert cuda.as_numpy(Variable(X)) is X and cuda.as_numpy(2.0) == 2
    with pytest.raises(RuntimeError, match="gpu_enable"):
        cuda.as_cupy(X)


def test_gradient_check_takes_what_deZeros_takes():
    assert utils.gradient_check(F.softmax, Variable(np.ones((2, 3))), 1)
    assert utils.gradient_check(F.sum, np.ones((2, 3), int), axis=0)
    assert utils.gradient_check(F.softmax_cross_entropy, np.random.rand(3, 4), np.array([0, 1, 2]))
    assert utils.gradient_check(F.conv2d, np.random.rand(1, 1, 4, 4), np.random.rand(1, 1, 3, 3), None, 1, 1)
    assert utils.gradient_check(F.reshape, X, (2, 1), rtol=1e-4, atol=1e-5)
    tinygrad_jp.core.table.PULLBACKS[wrong := lambda x, n: x * n] = (lambda gy, y, x, n: gy, None)
    with pytest.raises(AssertionError, match="gradient"):
        utils.gradient_check(lambda x, n: tinygrad_jp.apply(wrong, x, n), X, 3)


# ---- Functions of one's own (chapters 27 and 35) ---------------------------------------------------------------------


class Scaled(Function):
    def forward(self, x, factor, shift=None):
        return x * factor + (0 if shift is None else shift)

    def backward(self, gy):
        return gy * self.inputs[1]


def test_one_gradient_where_the_others_need_none():
    x = Variable(X)
    y = Scaled()(x, 3.0) + Scaled()(x, np.array(2.0), None)
    y.backward()
    assert x.grad.data.tolist() == [5, 5]


def test_a_gradient_that_is_needed_may_not_be_missing():
    with pytest.raises(ValueError, match="expected 2 gradients, one per input, got 1"):
        Scaled()(Variable(X), Variable(2.0)).backward()


def test_an_applied_function_works_on_a_copy():
    class Square(Function):
        def forward(self, x):
            self.seen = x
            return x**2

        def backward(self, gy):
            return 2 * self.seen * gy

    f, x, z = Square(), Variable(3.0), Variable(5.0)
    y, u = f(x), f(z)
    (y + u + f(y)).backward()
    assert (x.grad.item(), z.grad.item()) == (6 + 4 * 27, 10)
    assert y.creator is f and u.creator is not f


# ---- Numbers ---------------------------------------------------------------------------------------------------------


def test_step_42_linear_regression():
    x = np.random.rand(100, 1)
    y = 5 + 2 * x + np.random.rand(100, 1)
    W, b = Variable(np.zeros((1, 1))), Variable(np.zeros(1))
    for _ in range(100):
        loss = F.mean_squared_error(F.matmul(x, W) + b, y)
        W.cleargrad()
        b.cleargrad()
        loss.backward()
        W.data -= 0.1 * W.grad.data
        b.data -= 0.1 * b.grad.data
    assert f"{W.data[0, 0]:.8f} {b.data[0]:.8f} {loss.item():.12f}" == "2.11807369 5.46608905 0.079086065124"


def test_steps_43_to_46_regression_of_a_sine():
    x = np.random.rand(100, 1)
    y = np.sin(2 * np.pi * x) + np.random.rand(100, 1)
    model, losses = MLP((10, 1)), []
    optimizer = optimizers.SGD(0.2).setup(model)
    for i in range(2001):
        loss = F.mean_squared_error(model(x), y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        losses += [loss.item()] if i % 1000 == 0 else []
    np.testing.assert_allclose(losses, [0.8165178, 0.2499028, 0.2460988], atol=2e-4)


def test_step_47_softmax_with_cross_entropy():
    model = MLP((10, 3))
    x, t = np.array([[0.2, -0.4], [0.3, 0.5], [1.3, -3.2], [2.1, 0.3]]), np.array([2, 0, 1, 0])
    y = model(x)
    np.testing.assert_allclose(y.data[0], [-0.61505777, -0.42790161, 0.31733287], atol=2e-7)
    np.testing.assert_allclose(F.softmax_simple(y).data[0], [0.21068639, 0.25404893, 0.53526468], atol=2e-7)
    assert f"{F.softmax_cross_entropy_simple(y, t).item():.6f}" == "1.496744"


def test_steps_48_and_49_the_spiral():
    x, t = tinygrad_jp.datasets.get_spiral()
    np.testing.assert_allclose(x[:2].ravel(), [-0.13981389, -0.00721657, 0.37049392, 0.58209473], atol=1e-7)
    assert t[:6].tolist() == [1, 1, 2, 0, 1, 2]
    np.testing.assert_allclose(MLP((3, 2))(x[:2]).data.ravel(), [-0.6182, -0.24895, -0.30663, -0.35329], atol=1e-5)
    data = tinygrad_jp.datasets.Spiral(train=True)
    assert np.array_equal(data.data, x) and np.array_equal(data.label, t)
    assert not np.array_equal(tinygrad_jp.datasets.Spiral(train=False).data, x)
    tinygrad_jp.seed(0)
    before = np.random.get_state()[1].copy()
    assert np.array_equal(tinygrad_jp.datasets.get_spiral()[0], x)
    assert np.array_equal(np.random.get_state()[1], before)


def test_step_50_orders_are_drawn_when_dezero_draws_them():
    loader = DataLoader([(i, i) for i in range(6)], 2)
    np.random.rand(5)  # Between the epochs: it must not change the first.
    first = [x.tolist() for x, _ in loader]
    np.random.seed(0)
    assert first == np.random.permutation(6).reshape(3, 2).tolist()
    np.random.rand(5)
    second = np.random.permutation(6).reshape(3, 2).tolist()
    assert [x.tolist() for x, _ in loader] == second


def test_a_loader_as_an_iterator():
    loader = DataLoader([(i, i) for i in range(5)], 2, False, False)
    assert (loader.data_size, loader.max_iter, loader.gpu) == (5, 3, False)
    assert [next(loader)[0].tolist(), loader.next()[0].tolist()] == [[0, 1], [2, 3]]
    loader.reset()
    assert [x.tolist() for x, _ in loader] == [[0, 1], [2, 3], [4]]
    assert [next(loader)[0].tolist() for _ in range(3)] == [[0, 1], [2, 3], [4]]
    with pytest.raises(StopIteration):
        next(loader)
    assert next(pickle.loads(pickle.dumps(loader)))[0].tolist() == [0, 1]
    with pytest.raises(RuntimeError, match="gpu_enable"):
        DataLoader([(1, 1)], 1, gpu=True)


def first(*arrays):
    return [round(float(v), 5) for a in arrays for v in np.ravel(a.data)[:2]]


def test_layers_are_drawn_in_dezeros_order():
    l, e = L.Linear(3, in_size=2), L.EmbedID(2, 2)
    c, d = L.Conv2d(2, 3, in_channels=2), L.Deconv2d(2, 3, in_channels=3)
    assert first(l.W, e.W, c.W, d.W) == [1.24737, 0.28295, 0.95009, -0.15136, 0.03395, 0.34278, -0.2411, 0.14963]


@pytest.mark.parametrize(("make", "expected"), [
    (L.RNN, [0.58561, 0.56206, 0.56099]), (L.LSTM, [-0.15986, -0.26193, -0.32842]),
])  # fmt: skip
def test_steps_59_and_60_recurrent_layers(make, expected):
    rnn, fc, x = make(2), L.Linear(1), np.ones((2, 3), np.float32)
    assert [round(fc(rnn(x)).data[0, 0].item(), 5) for _ in range(3)] == expected


def test_a_recurrent_layer_after_one_step_has_all_that_is_saved():
    rnn = L.RNN(2)
    y = rnn(np.ones((1, 3), np.float32))
    y.sum().backward()
    assert rnn.U.data is None and set(rnn.state()) == {"W", "U", "b"} and rnn.U.shape == (2, 2)
    x = np.ones((1, 3), np.float32)
    rnn.reset_state()
    np.testing.assert_allclose(rnn(x).data, y.data)


def test_dropout_is_numpys():
    y = F.dropout(np.ones(100))
    np.random.seed(0)
    assert np.array_equal(y.data != 0, np.random.rand(100) > 0.5)


def test_a_seed_or_rng_wins_over_the_global_state():
    def drawn():
        return L.Linear(2, in_size=2).W.data.tolist()

    a, b = drawn(), drawn()
    np.random.seed(0)
    assert drawn() == a != b
    tinygrad_jp.seed(1)
    before = np.random.get_state()[1].copy()
    a = drawn()
    np.random.seed(5)
    tinygrad_jp.seed(1)
    assert drawn() == a
    np.random.seed(0)
    assert L.Linear(2, in_size=2, rng=3).W.data.tolist() == L.Linear(2, in_size=2, rng=3).W.data.tolist()
    assert before.shape == np.random.get_state()[1].shape


def test_a_checkpoint_keeps_numpys_state_and_the_order_drawn_ahead(tmp_path):
    model, loader = L.Linear(1, in_size=1), DataLoader([(i, i) for i in range(9)], 3)
    list(loader)
    np.random.randn()  # Half of a pair: the other half is kept, too.
    tinygrad_jp.save_checkpoint(tmp_path / "run.npz", model, generators={"loader": loader.rng})
    goes_on = [[x.tolist() for x, _ in loader], np.random.randn(3).tolist()]
    np.random.seed(7)
    other = DataLoader([(i, i) for i in range(9)], 3)
    tinygrad_jp.load_checkpoint(tmp_path / "run.npz", model, generators={"loader": other.rng})
    assert [[x.tolist() for x, _ in other], np.random.randn(3).tolist()] == goes_on


# ---- Layers, weights, data -------------------------------------------------------------------------------------------


def test_members_of_layers():
    linear, conv = L.Linear(3), L.Conv2d(4, 3)
    assert linear.in_size is None and conv.in_channels is None
    linear(np.ones((1, 2), np.float32)), conv(np.ones((1, 2, 5, 5), np.float32))
    assert (linear.in_size, conv.in_channels, L.Deconv2d(4, 3, in_channels=5).in_channels) == (2, 2, 5)
    linear.to_cpu()
    with pytest.raises(RuntimeError, match="no GPU"):
        linear.to_gpu()
    rnn, lstm = L.RNN(3, in_size=2), L.LSTM(3, in_size=2)
    assert rnn.x2h.W is rnn.W and rnn.x2h.b is rnn.b and rnn.h2h.W is rnn.U and rnn.h2h.b is None
    assert np.shares_memory(lstm.x2f.W.data, lstm.W.data) and lstm.h2o.W.shape == (3, 3)
    z = lstm.x2f(np.ones((1, 2), np.float32))
    np.testing.assert_allclose(z.data, np.ones((1, 2)) @ lstm.W.data[:, 3:6])


def test_params_by_name():
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.l1, self.bn, self.p, self.v = L.Linear(3, in_size=2), L.BatchNorm(), Parameter(np.ones(1)), Variable(1)

        def forward(self, x):
            return self.bn(self.l1(x)) * self.p

    net, flat, below = Net(), {}, {}
    net(np.ones((2, 2), np.float32))
    net._flatten_params(flat)
    net.l1._flatten_params(below, "net")
    assert net._params == {"l1", "bn", "p"} and net.l1._params == {"W", "b"}
    assert flat["l1/W"] is net.l1.W and flat["bn/avg_mean"] is net.bn.avg_mean and flat["p"] is net.p
    assert set(below) == {"net/W", "net/b"}


@pytest.mark.parametrize("counts", [True, False])
def test_an_optimizer_that_counts_its_updates_itself(counts, tmp_path):
    class Own(optimizers.Optimizer):
        def __init__(self):
            super().__init__()
            self.t, self.seen = 0, []

        def update(self):
            if counts:
                self.t += 1
            super().update()

        def update_one(self, param):
            self.seen.append(self.t)

    model = L.Linear(1, in_size=2, nobias=True)
    optimizer = Own().setup(model)
    model(X).sum().backward()
    for _ in range(3):
        optimizer.update()
    optimizer.load_state(optimizer.state())
    optimizer.update()
    assert optimizer.seen == [1, 2, 3, 4] and optimizer.t == 4


def test_an_optimizer_whose_names_are_its_own():
    class Own(optimizers.Optimizer):
        def __init__(self):
            super().__init__()
            self.rate, self.t, self.state = 0.5, {}, {}

        def update_one(self, param):
            self.t[param] = self.t.get(param, 0) + 1
            param.data -= self.rate * param.grad.data

    model = L.Linear(1, in_size=2, nobias=True)
    before = model.W.data.copy()
    optimizer = Own().setup(model)
    model(X).sum().backward()
    for _ in range(3):
        optimizer.update()
    np.testing.assert_allclose(model.W.data, before - 3 * 0.5 * model.W.grad.data, rtol=1e-6)
    assert optimizer.t == {model.W: 3} and optimizer.rate == 0.5


def by_hand(y):
    """Gradients as one computes them who walks through the graph alone, without `backward()`."""
    y.grad = Variable(np.ones_like(y.data))
    waiting = [y.creator]
    while waiting:
        f = waiting.pop(0)
        gxs = f.backward(*[result().grad for result in f.outputs])
        for x, gx in zip(f.inputs, gxs if isinstance(gxs, tuple) else (gxs,), strict=True):
            x.grad = gx if x.grad is None else x.grad + gx
            waiting += [x.creator] if x.creator is not None else []


class Twice(Function):
    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return 2 * gy


@pytest.mark.parametrize("f", [
    lambda x, w: F.sum(F.exp(x * w)), lambda x, w: F.matmul(x.T, w), lambda x, w: F.sum(Twice()(x) - w),
    lambda x, w: F.mean_squared_error(F.tanh(x), w), lambda x, w: F.linear(w.T, x), lambda x, w: F.sum(x + w[:1]),
])  # fmt: skip
def test_a_graph_walked_by_hand(f):
    x, w = (Variable(a) for a in np.random.randn(2, 3, 1))
    f(x, w).backward()
    expected = [x.grad.data, w.grad.data]
    x.cleargrad()
    w.cleargrad()
    by_hand(f(x, w))
    np.testing.assert_allclose([x.grad.data, w.grad.data], expected)


def test_a_function_of_a_graph():
    x = Variable(0.5)
    h = F.exp(x)
    y = F.sin(h) * h
    f = y.creator
    assert [f.generation, y.generation, h.creator.generation] == [2, 3, 0]
    assert f.outputs[0]() is y and h.creator.outputs[0]() is h
    first, second = f.backward(Variable(1.0))
    first.backward()  # Recorded, as every gradient that is a Variable's function.
    np.testing.assert_allclose([second.item(), x.grad.item()], [np.sin(np.exp(0.5)), np.exp(0.5)])
    with pytest.raises(NotImplementedError, match="write backward"):
        type("Forward", (Function,), {"forward": lambda self, x: x})()(x).backward()


def test_as_array():
    v = Variable(1.0)
    assert as_array(v) is v
    assert as_array(2.0, cuda.get_array_module(v.data)).shape == ()


def test_the_outputs_of_a_layer():
    class Two(L.Layer):
        def __init__(self):
            self.inner = L.Linear(2)

        def forward(self, x):
            return self.inner(x), {"b": self.inner(x * 2)}

    layer = Two()
    assert layer.outputs == []
    y, z = layer(X)
    assert [v() for v in layer.outputs] == [y, z["b"]]
    assert layer.inner.outputs[0]() is z["b"]
    assert copy.deepcopy(layer).outputs == []
    del y, z  # It keeps nothing alive.
    assert [v() for v in layer.outputs] == [None, None]


def of_dezero(kind, rng):
    """The arrays of a DeZero model with a recurrent layer `rnn`, and of its output, as its save_weights names them."""
    gates = {L.RNN: "h", L.LSTM: "fiou"}[kind]
    arrays = {f"rnn/x2{g}/W": rng.standard_normal((3, 2)) for g in gates}
    arrays |= {f"rnn/x2{g}/b": rng.standard_normal(2) for g in gates}
    arrays |= {f"rnn/h2{g}/W": rng.standard_normal((2, 2)) for g in gates}
    return arrays | {"fc/W": rng.standard_normal((2, 1)), "fc/b": rng.standard_normal(1)}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("kind", [L.RNN, L.LSTM])
def test_weights_of_dezero_load(kind, rng, tmp_path):
    class Net(Model):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = kind(2, dtype=np.float64), L.Linear(1, dtype=np.float64)

        def forward(self, x):
            return self.fc(self.rnn(x))

    arrays = of_dezero(kind, rng)
    np.savez_compressed(tmp_path / "model.npz", **arrays)
    model = Net()
    model.load_weights(tmp_path / "model.npz")
    h, c = np.zeros((1, 2)), np.zeros((1, 2))
    part = {name.partition("/")[2]: a for name, a in arrays.items() if name.startswith("rnn")}
    for x in rng.standard_normal((3, 1, 3)):
        z = {g: x @ part[f"x2{g}/W"] + part[f"x2{g}/b"] + h @ part[f"h2{g}/W"] for g in "hfiou" if f"x2{g}/W" in part}
        if kind is L.RNN:
            h = np.tanh(z["h"])
        else:
            c = sigmoid(z["f"]) * c + sigmoid(z["i"]) * np.tanh(z["u"])
            h = sigmoid(z["o"]) * np.tanh(c)
        np.testing.assert_allclose(model(x).data, h @ arrays["fc/W"] + arrays["fc/b"])
    del arrays[next(name for name in arrays if "h2" in name)]
    np.savez_compressed(tmp_path / "model.npz", **arrays)
    with pytest.raises(ValueError, match=r"model\.npz: .*missing: h2"):
        model.load_weights(tmp_path / "model.npz")


def test_a_data_set_of_ones_own_and_transforms():
    class Numbers(Dataset):
        def prepare(self):
            self.data, self.label = np.arange(4.0), np.arange(4)

    x, t = Numbers(transform=transforms.ToInt())[1]
    assert (x.dtype, t) == (np.dtype(int), 1)
    assert tinygrad_jp.datasets.Spiral().data.dtype == np.float32


def test_images_of_pillow():
    pytest.importorskip("PIL")
    image = np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    picture = transforms.ToPIL()(image)
    assert np.array_equal(transforms.ToArray(np.uint8)(picture), image)
    assert np.array_equal(transforms.ToArray(np.uint8)(transforms.Convert("BGR")(picture)), image[::-1])
    assert transforms.Convert("L")(picture).mode == "L"


def test_the_text_of_step_60(tmp_path, monkeypatch):
    monkeypatch.setattr(tinygrad_jp.datasets.text.Shakespeare, "_read", lambda self: "hello")
    monkeypatch.setattr(tinygrad_jp.datasets.text.Shakespeare, "prepare", lambda self: None)
    data = tinygrad_jp.datasets.Shakespear()
    assert data.data.tolist() == [0, 1, 2, 2] and data.label.tolist() == [1, 2, 2, 3]
    assert data.char_to_id["o"] == 3 and data.id_to_char[0] == "h"


def test_the_names_of_imagenets_classes(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_JP_DATA", str(tmp_path))
    (tmp_path / "imagenet1000_clsidx_to_labels.txt").write_text("{0: 'tench',\n 1: 'goldfish'}")
    assert tinygrad_jp.datasets.ImageNet.labels() == {0: "tench", 1: "goldfish"}


def test_a_parameter_that_waits_and_a_variable_that_waits():
    assert Parameter(None).data is None and Variable(None).data is None
    x = Variable(None)
    x.data = X
    (x**2).backward()
    assert x.grad.data.tolist() == [2, 4]


def test_integers_can_be_differentiated():
    x = Variable(np.array([[1, 2], [3, 4]]))
    y = F.sum(x**2)
    y.backward()
    assert x.grad.dtype == np.float64 and x.grad.data.tolist() == [[2, 4], [6, 8]]


def test_a_copy_of_a_loader_goes_on_without_its_iterator():
    loader = DataLoader([(i, i) for i in range(4)], 2)
    next(loader)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(copy.deepcopy(loader))) == 2


CONSTANTS = {
    "a number": lambda x: 3.0 * x,
    "a number on the right": lambda x: x**2,
    "a number of NumPy's": lambda x: x / np.float32(2),
    "an array": lambda x: x + np.ones(2),
    "an integer array": lambda x: np.ones((2, 2), int) @ x,
    "a list": lambda x: x * [1.0, 2.0],
    "a mask": lambda x: np.where([True, False], x, 1.0),
    "an index": lambda x: x[0],
    "a slice": lambda x: x[:1],
    "a setting": lambda x: np.sum(x, axis=0),
    "no bias": lambda x: F.linear(x[None], np.ones((2, 1))),
    "several": lambda x: np.concatenate([x, np.zeros(3)]),
    "a contraction": lambda x: np.einsum("i,i->", x, np.ones(2)),
    "a function of one's own": lambda x: Twice()(x),
}


@pytest.mark.parametrize("f", CONSTANTS.values(), ids=CONSTANTS)
def test_the_inputs_of_a_function_are_variables_all(f):
    """So a script may walk through the graph by `x.creator`, and read `x.data`, as DeZero's own do."""
    x = Variable(np.array([1.0, 2.0]), "x")
    y = f(x)
    assert any(other is x for inputs in inputs_behind(y) for other in inputs)
    for inputs in inputs_behind(y):
        assert all(isinstance(other, Variable) for other in inputs)
        assert all(other.data is None or isinstance(other.data, np.ndarray) for other in inputs)
        repr(inputs)
    y.grad = Variable(np.ones_like(y.data))
    by_hand(y)
    by_walking, x.grad = x.grad, None
    y.cleargrad()
    y.backward()
    np.testing.assert_array_equal(by_walking.data, x.grad.data)


def inputs_behind(y):
    waiting = [y.creator]
    while waiting:
        f = waiting.pop()
        yield f.inputs
        waiting += [x.creator for x in f.inputs if x.creator is not None]
