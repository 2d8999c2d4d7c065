"""What a mistake is answered with: each message says what was expected, what came, and the remedy."""

import re

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Function, Layer, Parameter, Variable, models, no_grad, optimizers, primitive


class Twice(Function):
    def forward(self, x):
        return 2 * x

    def backward(self, gy):
        return 2 * gy


class WrongShape(Twice):
    def backward(self, gy):
        return (2 * gy).sum()


class WrongCount(Twice):
    def backward(self, gy):
        return gy, gy


class WrongKind(Twice):
    def backward(self, gy):
        return 2.0


class NoForward(Function):
    pass


class NoBackward(Function):
    def forward(self, x):
        return x


class WrongDtype(Twice):
    def backward(self, gy):
        return (2 * gy).astype(np.float32)


class NoReturn(Twice):
    def forward(self, x):
        2 * x


class NoReturnBackward(Twice):
    def backward(self, gy):
        2 * gy


class OfVariables(Twice):
    def forward(self, x):
        return Variable(2 * x)


def v(*shape):
    return Variable(np.ones(shape))


def boolean_backward():
    Variable([True, False]).backward()


def no_graph():
    with no_grad():
        y = v(2) * 2
    y.backward()


def gradient_of_a_gradient():
    x = Variable(2.0)
    (x**3).backward()
    x.grad.backward()


def in_place_on_an_array():
    a = np.ones(2)
    a += v(2)


def assign():
    v(2)[0] = 1.0


def grad_of_wrong_shape():
    x = v(2)
    x.grad = np.ones(3)


@primitive
def unknown(x):
    return x


model = models.MLP((3, 2))
model(np.ones((1, 4), np.float32))


def weight_subtracted_from():
    layer = L.Linear(1, in_size=2)
    layer.W -= 0.1


def weight_replaced():
    layer = L.Linear(1, in_size=2)
    layer.W = np.ones((2, 1))


ERRORS = [
    # Data
    (lambda: Variable("text"), TypeError, "expected an array, a list or a number (floats, integers or booleans), got str"),
    (lambda: Variable([None, 1.0]), TypeError, "got list of dtype object; convert it to numbers first"),
    (lambda: Variable({"a": 1}), TypeError, "got dict of dtype object"),
    (lambda: Variable(1 + 2j), TypeError, "got complex of dtype complex128"),
    (lambda: Variable([[1.0], [1.0, 2.0]]), TypeError, "Variable: the data do not form an array"),
    (lambda: Variable(v(2)), TypeError, "got a Variable; use as_variable(x) or x.data"),
    (lambda: setattr(v(2), "data", "text"), TypeError, "expected an array, a list or a number"),
    (lambda: np.asarray(v(2)), TypeError, "a Variable does not turn into an array silently, its graph would be lost; use .data"),
    (lambda: np.array([v(2), v(2)]), TypeError, "use .data"),
    (lambda: Variable([v(2), v(2)]), TypeError, "use .data"),
    (lambda: np.array([v(2), v(2)]), TypeError, "np.stack of a list or np.block of a nested one"),
    (lambda: np.arange(3)[Variable([0.0, 1.0])], TypeError, "a Variable does not turn into an array silently"),
    (lambda: F.relu([v(2), v(2)]), TypeError, "np.stack of a list or np.block of a nested one"),
    (lambda: setattr(L.Linear(1).W, "data", v(1)), TypeError, "got a Variable; use as_variable(x) or x.data"),
    # Operators
    (lambda: Variable([1, 2]) ** -1, ValueError, "np.power of (2,) and (): Integers to negative integer powers are not allowed."),
    (lambda: v(2) + "text", TypeError, "unsupported operand type(s) for +: 'Variable' and 'str'"),
    (lambda: None * v(2), TypeError, "unsupported operand type(s) for *: 'NoneType' and 'Variable'"),
    (lambda: v(2, 3) + v(2), ValueError, "np.add: the shapes (2, 3) and (2,) do not fit: aligned at their last axes"),
    (lambda: v(2, 3) @ v(2, 3), ValueError, "np.matmul: the shapes (2, 3) and (2, 3) do not fit: the last axis of the first"),
    (lambda: v(2, 3) @ np.ones((4, 5)), ValueError, "transpose or reshape one"),
    (lambda: v() @ v(2), ValueError, "np.matmul: the shapes () and (2,) do not fit"),
    (lambda: np.tensordot(v(2, 3), v(2, 3), 1), ValueError, "np.tensordot of (2, 3) and (2, 3): shape-mismatch for sum"),
    (lambda: np.einsum("ij,jk->ik", v(2, 3), v(2, 3)), ValueError, "einsum of (2, 3) and (2, 3): operands could not be broadcast"),
    (lambda: np.einsum("ij->ik", v(2, 3)), ValueError, "np.einsum: k of the output is in no input of 'ij->ik'"),
    (lambda: np.einsum("ijk", v(2, 3)), ValueError, "np.einsum: expected an operand of 3 axes for 'ijk', got shape (2, 3)"),
    (lambda: np.einsum("ij,jk", v(2, 3)), ValueError, "np.einsum: expected 2 operands for 'ij,jk', got 1"),
    (lambda: np.pad(v(2), 1, mode="maximum"), ValueError, "np.pad: expected mode 'constant' or 'edge' or 'reflect' or 'symmetric' or 'wrap'"),
    (lambda: np.linalg.norm(v(2, 2), ord=3), ValueError, "np.linalg.norm: there is no ord=3 of 2 axes; of vectors there are numbers, of matrices 'fro', 1, -1"),
    (lambda: np.linalg.qr(v(2, 2), "raw"), TypeError, "np.linalg.qr: mode='raw' is not differentiated; use \"reduced\""),
    (lambda: np.linalg.eig(Variable([[0.0, 1.0], [-1.0, 0.0]])), TypeError, "expected a matrix with real eigenvalues, got complex ones"),
    (lambda: np.linalg.eigvals(Variable([[0.0, 1.0], [-1.0, 0.0]])), TypeError, "use np.linalg.eigh"),
    (lambda: np.linalg.multi_dot([v(2, 2), v(2), v(2, 2)]), np.linalg.LinAlgError, "np.linalg.multi_dot: expected matrices, and vectors first or last only"),
    (lambda: np.linalg.outer(v(2, 2), v(2)), ValueError, "np.linalg.outer: expected two vectors, got (2, 2) and (2,)"),
    (lambda: np.linalg.cross(v(2), v(2)), ValueError, "np.linalg.cross: expected vectors of 3 elements, got 2 and 2"),
    (lambda: np.linalg.tensorsolve(v(2, 3), v(2)), np.linalg.LinAlgError, "np.linalg.tensorsolve: expected as many unknowns as equations"),
    (lambda: np.linalg.tensorinv(v(2, 2), 0), ValueError, "np.linalg.tensorinv: expected a number of axes ind of at least 1, got 0"),
    (lambda: np.block([[v(2)], v(2)]), ValueError, "np.block: expected lists of the same depth"),
    (lambda: np.block([v(2), (v(2), v(2))]), TypeError, "np.block: expected lists of arrays, got a tuple"),
    (lambda: np.linalg.inv(v(2, 2)), np.linalg.LinAlgError, "Singular matrix"),
    (lambda: np.take(v(2), [5]), IndexError, "index 5 is out of bounds"),
    (lambda: np.concatenate([v(2), v(2)], axis=3), ValueError, "axis 3 is out of bounds for array of dimension 1"),
    (lambda: np.transpose(v(2, 3), (0, 0)), ValueError, "np.transpose of (2, 3): repeated axis in transpose"),
    (lambda: v(2)[5], IndexError, "index 5 is out of bounds for axis 0 with size 2"),
    (lambda: v(2)[0.5], IndexError, "only integers, slices"),
    (assign, TypeError, "a Variable cannot be assigned into"),
    (in_place_on_an_array, TypeError, "np.add: out= and a += v on an array a lose the graph; write a = a + v"),
    (lambda: bool(v(2)), ValueError, "the truth of a Variable of shape (2,) is ambiguous; use .all() or .any()"),
    (lambda: len(v()), TypeError, "unsized object"),
    (lambda: list(v()), TypeError, "unsized object"),
    (lambda: float(Variable([1, 2])), TypeError, "arrays can be converted to Python scalars"),
    # NumPy functions
    (lambda: np.roots(v(2)), TypeError, "np.roots: no rule differentiates it; it gives complex numbers"),
    (lambda: np.is_busday(v(2)), TypeError, "np.is_busday: no rule differentiates it; where no gradient is needed call it on x.data, else enter its derivative with @tinygrad_jp.pullback(np.is_busday)"),
    (lambda: np.bitwise_and(v(2), 1), TypeError, "np.bitwise_and: no rule differentiates it"),
    (lambda: np.add.reduceat(v(2), [0]), TypeError, "np.add.reduceat: no rule differentiates it"),
    (lambda: np.add.at(np.zeros(2), [0], v(1)), TypeError, "np.add.at: no rule differentiates it"),
    (lambda: np.subtract.reduce(v(2)), TypeError, "np.subtract.reduce: no rule differentiates it"),
    (lambda: np.sum(v(2), out=np.ones(())), TypeError, "np.sum: its rule does not support out=; it supports axis, keepdims"),
    (lambda: np.max(v(2), initial=v()), TypeError, "np.max: no derivative with respect to initial= is known"),
    (lambda: np.median(v(2), overwrite_input=True), TypeError, "np.median: its rule does not support overwrite_input="),
    (lambda: np.quantile(v(2), 0.5, weights=[1, 1]), TypeError, "np.quantile: its rule does not support weights="),
    (lambda: np.nan_to_num(v(2), copy=False), TypeError, "np.nan_to_num: its rule does not support copy="),
    (lambda: np.clip(v(2), 0.0), TypeError, "np.clip: expected a_min and a_max, got one of them; None is no bound"),
    (lambda: np.unique(v(2)), TypeError, "np.unique: no rule differentiates it"),
    (lambda: np.exp(v(2), dtype=complex), TypeError, "np.exp: its rule does not support dtype=; call it without"),
    (lambda: np.exp(v(2), out=np.ones(2)), TypeError, "np.exp: out= and a += v on an array a lose the graph"),
    (lambda: np.sum(v(2), axis=1), ValueError, "axis 1 is out of bounds for array of dimension 1"),
    (lambda: np.reshape(v(2, 3), (4, 2)), ValueError, "np.reshape of (2, 3): cannot reshape array of size 6 into shape (4,2)"),
    (lambda: np.concatenate([v(2, 2), v(3, 3)]), ValueError, "concatenate of (2, 2) and (3, 3): all the input array dim"),
    (lambda: np.exp(v(2), where=[True, False]), TypeError, "where=; write np.where(mask, y, 0) of its result y"),
    (lambda: unknown(v(2)), TypeError, "unknown: no rule differentiates it"),
    # The backward pass
    (boolean_backward, TypeError, "backward: expected a Variable of numbers, got bool; use .astype(float)"),
    (no_graph, RuntimeError, "backward: no graph leads to this Variable"),
    (gradient_of_a_gradient, RuntimeError, "as a gradient without backward(create_graph=True)"),
    (grad_of_wrong_shape, ValueError, "grad: expected the shape (2,) of the data, got (3,)"),
    # Functions of the user's own
    (lambda: WrongShape()(v(2)).backward(), ValueError, "WrongShape: for an input of shape (2,) its rule returned a gradient of ()"),
    (lambda: WrongCount()(v(2)).backward(), ValueError, "WrongCount.backward: expected 1 gradient, one per input, got 2"),
    (lambda: WrongKind()(v(2)).backward(), TypeError, "WrongKind: expected its rule to return an array, got float"),
    (lambda: WrongDtype()(v(2)).backward(), TypeError, "WrongDtype: for an input of dtype float64 its rule returned a gradient of float32"),
    (lambda: NoReturn()(v(2)), TypeError, "NoReturn.forward: expected an array, a list or a number (floats, integers or booleans), got NoneType"),
    (lambda: NoReturnBackward()(v(2)).backward(), TypeError, "NoReturnBackward.backward: expected a gradient, got None; return it"),
    (lambda: OfVariables()(v(2)), TypeError, "OfVariables.forward: expected an array, a list or a number, got a Variable; use"),
    (lambda: NoForward()(v(2)), NotImplementedError, "NoForward: write forward(self, x), which takes and returns arrays"),
    (lambda: NoBackward()(v(2)).backward(), NotImplementedError, "NoBackward: write backward(self, gy)"),
    (lambda: NoForward(v(2)), TypeError, "NoForward: an operation is made first, then called: NoForward()(x)"),
    # Functions of networks
    (lambda: F.mean_squared_error(v(4, 1), v(4)), ValueError, "mean_squared_error: expected two arguments of one shape, got (4, 1)"),
    (lambda: F.softmax_cross_entropy(v(2, 3), [0, 3]), ValueError, "softmax_cross_entropy: expected integers from 0 to 2, got 0 to 3"),
    (lambda: F.softmax_cross_entropy(v(2, 3), [-1, 0]), ValueError, "expected integers from 0 to 2, got -1 to 0"),
    (lambda: F.softmax_cross_entropy(v(2, 3), [0.0, 1.0]), TypeError, "expected integers, got float64; use .astype(int)"),
    (lambda: F.softmax_cross_entropy(v(2, 3), [[0, 1]]), ValueError, "expected x of shape (N, C) and N > 0 labels (N,), got (2, 3)"),
    (lambda: F.accuracy(v(2, 3), [0, 7]), ValueError, "accuracy: expected integers from 0 to 2, got 0 to 7"),
    (lambda: F.dropout(v(2), 1.0), ValueError, "dropout: expected a ratio of at least 0 and below 1, got 1.0"),
    (lambda: F.linear(v(2, 3), v(4, 5)), ValueError, "linear of (2, 3) and (4, 5)"),
    (lambda: F.linear(2.0, v(1, 5)), ValueError, "linear: expected x of shape (..., I), got one number"),
    (lambda: F.softmax_cross_entropy(v(2, 3), [0, 1], label_smoothing=2), ValueError, "expected a label_smoothing from 0 to 1, got 2"),
    (lambda: F.softmax_cross_entropy(v(2, 3), [0, -1]), ValueError, "expected integers from 0 to 2, got -1 to 0"),
    (lambda: F.binary_cross_entropy([1.5], [1]), ValueError, "binary_cross_entropy: expected p from 0 to 1, got 1.5 to 1.5"),
    (lambda: F.sigmoid_cross_entropy(v(1, 4), [0, 1, 0, 1]), ValueError, "sigmoid_cross_entropy: expected two arguments of one shape"),
    (lambda: F.kl_divergence(v(2, 3), v(3)), ValueError, "kl_divergence: expected two arguments of one shape"),
    (lambda: F.mean_absolute_error(v(2), v(2, 1)), ValueError, "mean_absolute_error: expected two arguments of one shape"),
    (lambda: F.huber_loss(v(2), v(2), 0), ValueError, "huber_loss: expected a positive delta, got 0"),
    (lambda: F.embed_id([0, 3], v(3, 2)), ValueError, "embed_id: expected integers from 0 to 2, got 0 to 3"),
    (lambda: F.embed_id([0.0], v(3, 2)), TypeError, "embed_id: expected integers, got float64; use .astype(int)"),
    (lambda: F.one_hot([3], 3), ValueError, "one_hot: expected integers from 0 to 2, got 3 to 3"),
    (lambda: F.group_norm(v(2, 3, 4), 2), ValueError, "group_norm: expected x (N, C, ...) whose C 2 groups divide, got (2, 3, 4)"),
    (lambda: F.batch_norm(v(2, 3), v(2), v(3), np.ones(3), np.ones(3)), ValueError, "batch_norm: expected x of shape (N, C, ...) and four"),
    (lambda: F.scaled_dot_product_attention(v(2, 3), v(2, 4), v(2, 4)), ValueError, "expected q (..., T, D), k (..., S, D) and v (..., S, E)"),
    (lambda: F.sum_to(v(2, 3), (4,)), ValueError, "sum_to: (2, 3) is not (4,) broadcast"),
    # Layers, models, optimizers
    (lambda: model(np.ones((1, 28, 28))), ValueError, "Linear: expected x of shape (..., 4), got (1, 28, 28); flatten each example"),
    (lambda: model(np.float32(1)), ValueError, "Linear: expected x of shape (..., 4), got ()"),
    (lambda: L.Linear(784, 10), TypeError, "Linear: expected nobias to be True or False, got 10; write Linear(O, in_size=I)"),
    (lambda: models.Sequential([L.Linear(1), F.relu]), TypeError, "Sequential: expected layers and functions, got list; write Sequential(*layers)"),
    (lambda: Layer()(1), NotImplementedError, "Layer: write forward(self, x)"),
    (lambda: optimizers.SGD().update(), RuntimeError, "SGD: no model to update; call setup(model) first"),
    (lambda: optimizers.SGD().setup(L.Linear(1, in_size=1)).update(), RuntimeError, "SGD: no parameter has a gradient; call loss.backward()"),
    (lambda: optimizers.SGD().setup(Parameter(1.0)), TypeError, "setup: expected a model or a layer, got Parameter"),
    (weight_subtracted_from, TypeError, "Linear: expected a Parameter or None as W, got Variable, which would not be learned; change W.data"),
    (weight_replaced, TypeError, "Linear: expected a Parameter or None as W, got ndarray"),
]  # fmt: skip


@pytest.mark.parametrize(("mistake", "kind", "message"), ERRORS, ids=lambda x: x if isinstance(x, str) else "")
def test_a_mistake_is_answered(mistake, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        mistake()
