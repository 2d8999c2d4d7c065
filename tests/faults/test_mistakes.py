"""What is no error, but surprises learners: what happens is stated here, and what tells them."""

import numpy as np
import pytest

import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Parameter, Variable, optimizers, trace

# ---- Variables -------------------------------------------------------------------------------------------------------


def test_adding_in_place_makes_a_new_variable():
    """As for a Python number: the name moves on, and the gradient goes to the leaf that bore it before."""
    x = leaf = Variable([1.0, 2.0])
    x += 1
    x *= 2
    x.sum().backward()
    assert x is not leaf and x.grad is None
    assert leaf.tolist() == [1.0, 2.0] and leaf.grad.tolist() == [2.0, 2.0]


def test_a_sum_may_be_gathered_in_place():
    x, y = Variable(3.0), Variable(0.0)
    for _ in range(3):
        y += x * x
    y.backward()
    assert x.grad.item() == 18.0


def test_data_changed_in_place_leave_the_leaf_a_leaf():
    x = Variable([1.0, 2.0])
    for _ in range(3):
        x.cleargrad()
        (x**2).sum().backward()
        x.data -= 0.25 * x.grad.data
    assert x.tolist() == [0.125, 0.25]


def test_a_variable_of_one_integer_is_an_index():
    assert np.arange(3)[Variable(1)] == [0, 1, 2][Variable(1)] == 1


def test_a_loss_of_one_number_is_true_or_false_as_that_number():
    assert Variable([0.5]) and not Variable(0.0)


def test_functions_take_lists_and_arrays():
    assert F.relu([-1, 2]).tolist() == F.relu(np.array([-1, 2])).tolist() == [0, 2]


def test_the_gradient_of_an_array_is_that_of_its_sum():
    x, z = Variable([1.0, 2.0, 3.0]), Variable([1.0, 2.0, 3.0])
    (x**2).backward()
    (z**2).sum().backward()
    assert x.grad.tolist() == z.grad.tolist() == [2.0, 4.0, 6.0]


# ---- Layers ----------------------------------------------------------------------------------------------------------


def test_float64_data_are_converted_to_the_dtype_of_the_weights():
    layer, x = L.Linear(2, in_size=3, rng=0), Variable(np.ones((4, 3)))
    y = layer(x)
    F.softmax_cross_entropy(y, [0, 1, 1, 0]).backward()
    assert (y.dtype, x.grad.dtype) == (np.float32, np.float64)
    assert {p.grad.dtype for p in layer.params()} == {np.dtype(np.float32)}
    optimizers.Adam().setup(layer).update()
    assert {p.dtype for p in layer.params()} == {np.dtype(np.float32)}


def test_a_parameter_gives_way_to_a_parameter_or_to_none():
    layer, x = L.Linear(1, in_size=2, rng=0), np.ones((1, 2), np.float32)
    layer.W, layer.b = Parameter(np.ones((2, 1))), None
    assert list(layer.named_params()) == ["W"] and layer(x).item() == 2


def test_data_change_what_is_learned_in_place():
    layer, x = L.Linear(1, in_size=2, rng=0), np.ones((1, 2), np.float32)
    before = layer(x).item()
    layer.W.data -= 0.5
    assert layer(x).item() == pytest.approx(before - 1)
    assert list(layer.named_params()) == ["W", "b"]


# ---- A forgotten cleargrads ------------------------------------------------------------------------------------------


def last_line(lang, passes):
    w, b = Variable(3.0, "w"), Variable([1.0, 2.0], "b")
    y = (w * w * b).sum()
    for _ in range(passes):
        y.backward()
    return trace(y, lang=lang).explain().splitlines()[-1]


def test_explain_tells_of_gradients_that_will_add_up():
    assert last_line("en", 2) == (
        "Note: another gradient is already stored in w, b; backward() adds to it, so call cleargrad() first"
    )
    assert last_line("ja", 3) == (
        "注意: w, b にはすでに別の勾配が入っていて、backward() はそれに足し込みます。先に cleargrad() を呼んでください"
    )


@pytest.mark.parametrize("passes", [0, 1])
def test_explain_says_nothing_where_gradients_are_those_of_one_pass(passes):
    assert not any(last_line(lang, passes).startswith(("Note", "注意")) for lang in ("en", "ja"))


def test_explain_finds_the_gradients_of_another_step():
    x, w = Variable([1.0, 2.0], "x"), Parameter([0.5, 0.5], "w")
    for _ in range(2):
        loss = ((x * w) ** 2).sum()
        loss.backward()
        w.data = w.data - 0.01 * w.grad.data
    steps = trace(((x * w) ** 2).sum(), lang="en")
    assert "already stored in x, w;" in steps.explain()
    x.cleargrad()
    assert "already stored in w;" in steps.explain()
    w.cleargrad()
    assert "Note" not in steps.explain()
