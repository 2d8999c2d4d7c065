"""What the table of cases does not say of `F`: dropout, accuracy, and arrays as arguments."""

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
from tinygrad_jp import Variable, seed


def test_functions_take_arrays_and_give_variables():
    y = F.softmax(F.relu(F.linear([[1.0, -2.0]], np.eye(2))))
    assert isinstance(y, Variable)
    np.testing.assert_allclose(y.data, [[np.e / (1 + np.e), 1 / (1 + np.e)]])


def test_dropout_keeps_the_mean_and_the_dtype():
    x = Variable(np.ones((100, 100), np.float32))
    y = F.dropout(x, 0.2, rng=0)
    assert y.dtype == np.float32
    assert set(np.unique(y.data)) == {0, np.float32(1.25)}
    assert abs(float(y.mean()) - 1) < 0.01
    y.backward()
    np.testing.assert_array_equal(x.grad.data, y.data)


def test_dropout_in_test_mode_lets_everything_pass():
    x = Variable(np.ones(5))
    with tg.test_mode():
        assert F.dropout(x) is x
    assert F.dropout(x, 0.0) is x


def test_one_seed_makes_dropout_reproducible():
    seed(1)
    a = F.dropout(np.ones(50))
    seed(1)
    b = F.dropout(np.ones(50))
    c = F.dropout(np.ones(50))
    assert a.tolist() == b.tolist() != c.tolist()


def test_accuracy():
    y = Variable([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.0, 0.1, 0.9]])
    assert float(F.accuracy(y, [1, 0, 0])) == pytest.approx(2 / 3)
    assert float(F.accuracy(y.data, Variable([1, 0, 2]))) == 1.0


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int32, np.int64, np.uint64])
def test_labels_of_any_integer_type(dtype):
    x = Variable(np.zeros((2, 3)))
    assert float(F.softmax_cross_entropy(x, np.array([0, 2], dtype))) == pytest.approx(np.log(3))
