"""DeZero's names for arrays on a GPU, and what is said where arrays of two places meet."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import DataLoader, Variable, cuda, grad, hessian, jacobian, jvp, models, optimizers, utils

X = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def test_cuda(cupy):
    assert cuda.gpu_enable and cuda.cupy is cupy
    there = cuda.as_cupy(X)
    assert type(there) is type(cuda.as_cupy(Variable(X))) is cupy.ndarray and cuda.as_cupy(there) is there
    np.testing.assert_array_equal(cuda.as_numpy(Variable(there)), X)
    assert cuda.as_numpy(X) is X and type(cuda.as_numpy(there)) is np.ndarray
    assert cuda.get_array_module(there) is cuda.get_array_module(Variable(there)) is cupy
    assert cuda.get_array_module(Variable(X)) is np


def test_a_variable_is_moved_there_and_back(cupy):
    x = Variable(X)
    x.to_gpu()
    assert type(x.data) is cupy.ndarray and type((x * 2).data) is cupy.ndarray
    x.to_gpu()
    x.to_cpu()
    assert type(x.data) is np.ndarray
    x.to_cpu()


def no_cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # Importing it fails.


def no_gpu(monkeypatch):
    found = ModuleType("cupy")
    found.cuda = SimpleNamespace(is_available=lambda: False)
    monkeypatch.setitem(sys.modules, "cupy", found)


@pytest.mark.parametrize("missing", [no_cupy, no_gpu])
def test_without_a_gpu_everything_says_so(missing, monkeypatch):
    missing(monkeypatch)
    assert not cuda.gpu_enable
    loader, model = DataLoader([(1, 1)], 1), L.Linear(1)
    calls = [lambda: cuda.as_cupy(X), Variable(X).to_gpu, model.to_gpu, loader.to_gpu, lambda: cuda.cupy]
    for call in [*calls, lambda: DataLoader([(1, 1)], 1, gpu=True)]:
        with pytest.raises(RuntimeError, match=r"no GPU .*; ask tinygrad_jp.cuda.gpu_enable first, .* pip install"):
            call()
    Variable(X).to_cpu(), model.to_cpu(), loader.to_cpu()


def mlp(place):
    model = models.MLP(4, 3)
    model(place)
    return model


# Each meets an array of one place with one of the other; h is NumPy's, d on the device.
MEETINGS = {
    "h + d": lambda h, d: Variable(h) + Variable(d),
    "d * h": lambda h, d: Variable(d) * h,
    "h / d": lambda h, d: h / Variable(d),
    "h - d of arrays": lambda h, d: Variable(h) - d,
    "d ** h": lambda h, d: Variable(d) ** h,
    "matmul": lambda h, d: Variable(d) @ h.T,
    "rmatmul": lambda h, d: h.T @ Variable(d),
    "maximum": lambda h, d: np.maximum(Variable(h), d),
    "arctan2": lambda h, d: np.arctan2(d, Variable(h)),
    "where": lambda h, d: np.where(h > 0, Variable(d), 0),
    "dot": lambda h, d: np.dot(Variable(h), d.T),
    "concatenate": lambda h, d: np.concatenate([Variable(h), d]),
    "stack": lambda h, d: np.stack([d, Variable(h)]),
    "einsum": lambda h, d: np.einsum("ij,ij->i", h, Variable(d)),
    "linear": lambda h, d: F.linear(d, h.T),
    "a model on the host": lambda h, d: mlp(h)(d),
    "a model on the device": lambda h, d: mlp(d)(h),
    "a layer": lambda h, d: L.Linear(2, in_size=3)(d),
    "conv2d": lambda h, d: F.conv2d(d[None, None], h[None, None, :2, :2]),
    "conv2d the other way": lambda h, d: F.conv2d(h[None, None], d[None, None, :2, :2]),
    "batch_norm": lambda h, d: F.batch_norm(d, d[0], d[0], h[0], h[0]),
    "BatchNorm": lambda h, d: [layer := L.BatchNorm(), layer(h), layer(d)],
    "layer_norm": lambda h, d: F.layer_norm(d, h[0], h[0]),
    "LSTM": lambda h, d: L.LSTM(2, 3)(d),
    "attention": lambda h, d: F.scaled_dot_product_attention(d, h, d),
    "mask": lambda h, d: F.attention_weights(d, d, h[:, :2] >= 0),
    "labels": lambda h, d: F.softmax_cross_entropy(d, np.array([0, 1])),
    "logits": lambda h, d: F.softmax_cross_entropy(h, np.asarray([0, 1], like=d)),
    "mean_squared_error": lambda h, d: F.mean_squared_error(d, h),
    "sigmoid_cross_entropy": lambda h, d: F.sigmoid_cross_entropy(d, h),
    "huber_loss": lambda h, d: F.huber_loss(h, Variable(d)),
    "weight": lambda h, d: F.mean_squared_error(d, d, weight=np.ones(2)),
    "embed_id": lambda h, d: F.embed_id(np.array([0, 1]), Variable(d)),
    "GPT": lambda h, d: [gpt := models.GPT(5, 1, 4, 1), gpt.to_gpu(), gpt(np.array([[0, 1]]))],
    "grad": lambda h, d: setattr(Variable(d), "grad", h),
}


@pytest.mark.parametrize("name", MEETINGS)
def test_arrays_of_two_places_are_refused_with_the_remedy(name, cupy):
    with pytest.raises(TypeError, match=r": expected arrays in one place, .*; move .* to_gpu\(\).*cuda\.as_cupy"):
        MEETINGS[name](X, cupy.asarray(X))


def test_other_errors_keep_their_words(cupy):
    x = Variable(cupy.asarray(X))
    with pytest.raises(ValueError, match=r"np.add: the shapes \(2, 3\) and \(2,\) do not fit"):
        x + Variable(cupy.asarray(X[0, :2]))
    with pytest.raises(ValueError, match="from 0 to 2, got 0 to 7"):
        F.softmax_cross_entropy(x, [0, 7])
    with pytest.raises(ValueError, match=r"Linear: expected x of shape \(..., 2\), got \(2, 3\)"):
        layer = L.Linear(1, in_size=2)
        layer.to_gpu()
        layer(x)


def test_numbers_go_anywhere(cupy):
    x = Variable(cupy.asarray(X))
    for y in (x + 1, 2.0 * x, x / np.float32(3), x ** Variable(2.0), Variable(1.0) - x, np.maximum(x, 0), x > 1):
        assert type(getattr(y, "data", y)) is cupy.ndarray or y.dtype == bool
    assert float(x.sum().data) == 15 and x.sum().item() == 15 and f"{x.sum():.1f}" == "15.0" and 3 in x
    assert [1, 2, 3][Variable(cupy.asarray(np.array(1)))] == 2 and bool(x.sum() > 1) and len(x) == 2


def test_derivatives_as_functions(cupy, close):
    here, there = X.astype(np.float64), cupy.asarray(X.astype(np.float64))
    f = lambda x: np.sum(np.tanh(x) ** 2)  # noqa: E731
    close(grad(f)(there), grad(f)(here))
    close(hessian(f)(there), hessian(f)(here))
    close(jacobian(np.sin)(there), jacobian(np.sin)(here))
    close(jvp(np.sin, (there,), (there,))[1], jvp(np.sin, (here,), (here,))[1])


def test_utils(cupy, close):
    here = X.astype(np.float64)
    close(utils.numerical_grad(lambda x: x**2, cupy.asarray(here)), utils.numerical_grad(lambda x: x**2, here))
    assert utils.array_allclose(cupy.asarray(X), cupy.asarray(X))


def test_optimizers_of_ones_own(cupy, close):
    class Signs(optimizers.Optimizer):
        def __init__(self, lr=0.01):
            super().__init__(lr=lr)

        def update_one(self, param):
            param.data -= self.lr * np.sign(param.grad.data)

    model = L.Linear(1, in_size=3, rng=0)
    before = model.W.data.copy()
    model.to_gpu()
    np.sum(model(cupy.asarray(X))).backward()
    Signs().setup(model).update()
    close(model.W.data, before - np.float32(0.01))
