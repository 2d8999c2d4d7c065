"""Losses: one law for all of them, with weights and without, as DeZero defines them."""

import itertools
from functools import partial
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import special

import tinygrad_jp.functions as F
from tinygrad_jp import Variable

T = np.array([2, 0, 1, 1, 2])
X = np.random.default_rng(0).normal(size=(5, 3))
P = special.softmax(X, axis=1)

# A loss → predictions, truths, and the losses element by element, or example by example, written out.
LOSSES = {
    "mean_squared_error": (X, P, lambda x, t: (x - t) ** 2),
    "mean_absolute_error": (X, P, lambda x, t: abs(x - t)),
    "huber_loss": (X, P, lambda x, t: special.huber(1, x - t)),
    "sigmoid_cross_entropy": (X, P, lambda x, t: np.logaddexp(0, x) - t * x),
    "binary_cross_entropy": (P, P[::-1], lambda p, t: -t * np.log(p) - (1 - t) * np.log(1 - p)),
    "kl_divergence": (P, P[::-1], lambda p, q: (p * np.log(p / q)).sum(1)),
    "softmax_cross_entropy": (X, T, lambda x, t: -np.log(special.softmax(x, axis=1)[np.arange(5), t])),
}
ELEMENTWISE = [name for name in LOSSES if name not in ("kl_divergence", "softmax_cross_entropy")]
every = pytest.mark.parametrize("name", LOSSES)
everyone_of_elements = pytest.mark.parametrize("name", ELEMENTWISE)
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 3.0])
CLASSES = np.array([0.5, 2.0, 3.0])


def weights_of(name):
    """What `weight=` takes, and the weight of each example that follows from it."""
    return (CLASSES, CLASSES[T]) if name == "softmax_cross_entropy" else (WEIGHTS, WEIGHTS)


def by_example(losses):
    return losses.reshape(5, -1).sum(1)


def gradient(loss, x, t):
    x = Variable(x)
    loss(x, t).backward()
    return x.grad.data


def test_every_loss_is_here():
    assert {name for name in F.__all__ if name.endswith(("error", "loss", "entropy", "divergence"))} == set(LOSSES)


@every
def test_a_loss_is_summed_over_an_example_and_averaged_over_the_examples(name):
    x, t, written_out = LOSSES[name]
    losses, loss = written_out(x, t), getattr(F, name)
    np.testing.assert_allclose(loss(x, t, reduction="none").data, losses, rtol=1e-12, atol=1e-15)
    assert loss(x, t).item() == pytest.approx(by_example(losses).mean())
    assert loss(x, t, reduction="mean").item() == loss(x, t).item()
    assert loss(x, t, reduction="sum").item() == pytest.approx(losses.sum())


@every
def test_a_weighted_mean_divides_by_the_weights(name):
    x, t, written_out = LOSSES[name]
    losses, loss = written_out(x, t), getattr(F, name)
    weight, w = weights_of(name)
    weighted = (losses.reshape(5, -1) * w[:, None]).reshape(losses.shape)
    for given in (weight, weight.tolist(), Variable(weight)):
        np.testing.assert_allclose(loss(x, t, weight=given, reduction="none").data, weighted, rtol=1e-12, atol=1e-15)
        assert loss(x, t, weight=given, reduction="sum").item() == pytest.approx(weighted.sum())
        assert loss(x, t, weight=given).item() == pytest.approx(weighted.sum() / w.sum())


@every
def test_equal_weights_change_nothing_and_weights_of_zero_leave_nothing(name):
    x, t, _ = LOSSES[name]
    loss, (weight, _) = getattr(F, name), weights_of(name)
    assert loss(x, t, weight=np.full_like(weight, 7)).item() == pytest.approx(loss(x, t).item())
    nothing = partial(loss, weight=weight * 0)
    assert nothing(x, t).item() == 0
    assert not gradient(nothing, x, t).any()


@every
def test_gradients_are_the_same_on_every_way(name):
    """The mean, which has a rule of its own in some, against the reduced array."""
    x, t, _ = LOSSES[name]
    loss, (weight, w) = getattr(F, name), weights_of(name)
    expected = gradient(lambda x, t: np.sum(loss(x, t, reduction="none")) / 5, x, t)
    np.testing.assert_allclose(gradient(loss, x, t), expected, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(gradient(partial(loss, reduction="sum"), x, t), expected * 5, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(gradient(partial(loss, weight=weight), x, t), expected * 5 * w[:, None] / w.sum())


@every
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_dtype_is_that_of_the_predictions(name, dtype):
    x, t, _ = LOSSES[name]
    t = t if t.dtype.kind == "i" else t.astype(dtype)
    for weight, reduction in itertools.product((None, weights_of(name)[0]), ("mean", "sum", "none")):
        leaf = Variable(x.astype(dtype))
        y = getattr(F, name)(leaf, t, weight=weight, reduction=reduction)
        np.sum(y).backward()
        assert y.dtype == leaf.grad.dtype == dtype


@every
def test_a_weight_has_a_gradient_too(name):
    x, t, written_out = LOSSES[name]
    given, _ = weights_of(name)
    weight = Variable(given)
    getattr(F, name)(x, t, weight=weight, reduction="sum").backward()
    losses = by_example(written_out(x, t))
    expected = np.bincount(T, losses) if name == "softmax_cross_entropy" else losses
    np.testing.assert_allclose(weight.grad.data, expected)


@everyone_of_elements
@pytest.mark.parametrize("shape", [(6,), (6, 1), (2, 3), (2, 3, 4), (1, 1), ()])
def test_the_first_axis_counts_the_examples(name, shape):
    rng = np.random.default_rng(1)
    x, t = (rng.uniform(0.1, 0.9, shape) for _ in range(2))
    expected = LOSSES[name][2](x, t).sum() / (shape[0] if shape else 1)
    assert getattr(F, name)(x, t).item() == pytest.approx(expected)
    weight = np.ones(shape[:1])
    assert getattr(F, name)(x, t, weight=weight).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["softmax_cross_entropy", "kl_divergence"])
def test_every_row_is_an_example_where_the_last_axis_holds_classes(name):
    x, t, written_out = LOSSES[name]
    rows = [a.reshape(5, 1, *a.shape[1:]) for a in (x, t)]
    y = getattr(F, name)(*rows, reduction="none")
    np.testing.assert_allclose(y.data, written_out(x, t).reshape(5, 1))
    assert getattr(F, name)(*rows).item() == pytest.approx(getattr(F, name)(x, t).item())


# Shapes


@pytest.mark.parametrize("name", ["sigmoid_cross_entropy", "binary_cross_entropy"])
def test_a_column_and_a_vector_are_one_shape_in_the_cross_entropies(name):
    loss = getattr(F, name)
    x, t = P[:, 0], T % 2
    expected, gx = loss(x, t).item(), gradient(loss, x, t)
    for a, b in [(x[:, None], t), (x, t[:, None]), (x[:, None], t[:, None])]:
        assert loss(a, b).item() == pytest.approx(expected)
        assert loss(a, b, reduction="none").shape == a.shape
        np.testing.assert_allclose(gradient(loss, a, b), gx.reshape(a.shape))
    for a, b in [(x[None], t), (x[:, None], t[:2]), (x[:, None, None], t)]:
        with pytest.raises(ValueError, match=f"{name}: expected two arguments of one shape"):
            loss(a, b)


@pytest.mark.parametrize("name", ["mean_squared_error", "mean_absolute_error", "huber_loss"])
def test_a_column_and_a_vector_are_refused_where_a_difference_would_broadcast(name):
    for a, b in [(X[:, :1], X[:, 0]), (X[:, 0], X[:, :1])]:
        with pytest.raises(ValueError, match=f"{name}: expected two arguments of one shape"):
            getattr(F, name)(a, b)


@everyone_of_elements
def test_one_element_is_one_element(name):
    loss = getattr(F, name)
    expected = loss([0.25], [1.0]).item()
    for a, b in itertools.product([(1,), (1, 1), ()], repeat=2):
        x, t = Variable(np.full(a, 0.25)), Variable(np.full(b, 1.0))
        y = loss(x, t)
        y.backward()
        assert y.shape == () and y.item() == expected
        assert x.grad.shape == a and t.grad.shape == b


def test_labels_may_be_a_column():
    for f in (F.softmax_cross_entropy, F.accuracy):
        assert f(X, T[:, None]).item() == f(X, T).item()
    loss = F.softmax_cross_entropy
    np.testing.assert_array_equal(gradient(loss, X, T[:, None]), gradient(loss, X, T))


# Mistakes


@every
def test_mistakes_are_answered_by_name(name):
    x, t, _ = LOSSES[name]
    loss, (weight, _) = getattr(F, name), weights_of(name)
    with pytest.raises(ValueError, match=f"{name}: expected reduction 'mean', 'sum' or 'none', got 'average'"):
        loss(x, t, reduction="average")
    with pytest.raises(
        ValueError, match=rf"{name}: expected weights .* one for each (class|example), got shape \(7,\)"
    ):
        loss(x, t, weight=np.ones(7))
    with pytest.raises(ValueError, match=f"{name}: expected weights of at least 0, got -1.0"):
        loss(x, t, weight=weight * 0 - 1)


# Softmax cross entropy: what goes together


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weight", [None, CLASSES])
@pytest.mark.parametrize("ignored", [None, 1, 7])
def test_ignored_labels_weights_and_smoothing_go_together(smoothing, weight, ignored):
    settings = {"weight": weight, "ignore_label": ignored, "label_smoothing": smoothing}
    w = np.ones(3) if weight is None else weight
    q = (1 - smoothing) * np.eye(3)[T] * w[T, None] + smoothing / 3 * w
    losses = -(q * special.log_softmax(X, axis=1)).sum(1) * (ignored != T)
    loss = partial(F.softmax_cross_entropy, **settings)
    np.testing.assert_allclose(loss(X, T, reduction="none").data, losses, atol=1e-15)
    assert loss(X, T).item() == pytest.approx(losses.sum() / w[T[ignored != T]].sum())
    assert loss(X.reshape(1, 5, 3), T.reshape(1, 5), reduction="none").shape == (1, 5)
    assert not gradient(loss, X, T)[ignored == T].any()


# PyTorch 2.14's cross_entropy of the same, with ignore_index=1.
PYTORCH = {"mean": 0.4090136577037623, "sum": 1.431547801963168, "none": [0.9207809053614695, 0.5107668966016985, 0.0]}


def test_weights_and_smoothing_are_those_of_pytorch():
    x = [[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [0.0, 3.0, 1.0]]
    settings = {"weight": CLASSES, "ignore_label": 1, "label_smoothing": 0.1}
    for reduction, expected in PYTORCH.items():
        loss = F.softmax_cross_entropy(x, [2, 0, 1], reduction=reduction, **settings)
        np.testing.assert_allclose(loss.data, expected, rtol=1e-14)


# softmax, log_softmax, logsumexp


@pytest.mark.parametrize("f", [F.softmax, F.log_softmax, F.logsumexp])
def test_the_axis_is_one_as_in_dezero(f):
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    for shape in [(2, 60), (2, 3, 20), (2, 3, 4, 5)]:
        np.testing.assert_array_equal(f(x.reshape(shape)).data, f(x.reshape(shape), axis=1).data)
    np.testing.assert_allclose(np.moveaxis(F.softmax(x).data, 1, -1), special.softmax(np.moveaxis(x, 1, -1), axis=-1))


@pytest.mark.parametrize("f", [F.softmax, F.log_softmax, F.logsumexp])
def test_a_vector_is_one_example(f):
    x = Variable([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(f(x).data, f(x, axis=-1).data)
    np.testing.assert_array_equal(f(x).data, f(x, axis=0).data)
    np.testing.assert_array_equal(f(x).data, f(x.reshape(1, 3)).data[0])
    with pytest.raises(np.exceptions.AxisError):
        f(x, axis=2)


# accuracy


def test_ignored_labels_do_not_count_in_the_accuracy():
    y = np.eye(3)
    assert F.accuracy(y, [0, 1, 0]).item() == pytest.approx(2 / 3)
    assert F.accuracy(y, [0, 1, -1], ignore_label=-1).item() == 1
    assert F.accuracy(y.reshape(1, 3, 3), [[0, 2, 9]], ignore_label=9).item() == 0.5
    with pytest.raises(ValueError, match="accuracy: expected a label other than 1; the share of nothing"):
        F.accuracy(y, [1, 1, 1], ignore_label=1)


# The confusion matrix


def test_the_confusion_matrix_counts_the_truth_by_what_was_predicted():
    rng = np.random.default_rng(0)
    y, t = rng.normal(size=(200, 4)), rng.integers(0, 4, 200).astype(np.uint8)
    expected = [[np.sum((t == i) & (y.argmax(1) == j)) for j in range(4)] for i in range(4)]
    for labels in (t, t[:, None], Variable(t)):
        np.testing.assert_array_equal(F.confusion_matrix(y, labels).counts, expected)
    matrix = F.confusion_matrix(y.reshape(2, 100, 4), t.reshape(2, 100))
    np.testing.assert_array_equal(np.asarray(matrix), expected)
    assert np.trace(matrix.counts) / 200 == pytest.approx(F.accuracy(y, t).item())
    ignoring = F.confusion_matrix(y, t, ignore_label=2).counts
    np.testing.assert_array_equal(ignoring, np.where(np.arange(4)[:, None] == 2, 0, expected))


def test_the_confusion_matrix_is_printed_and_drawn(tmp_path):
    matrix = F.confusion_matrix(np.eye(3)[[0, 1, 1]], [0, 1, 2], names=["cat", "<b>dog & co", "cow"])
    header, names, *rows = repr(matrix).splitlines()
    assert header == "rows: truth, columns: predicted"
    assert names.split() == ["cat", "<b>dog", "&", "co", "cow"]
    assert [row.split()[-3:] for row in rows] == [["1", "0", "0"], ["0", "1", "0"], ["0", "1", "0"]]
    svg = ElementTree.fromstring(matrix.save(tmp_path / "matrix.svg").read_bytes())
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[-9:] == list("100010010") and texts.count("<b>dog & co") == 2
    with pytest.raises(ValueError, match=r"expected a file that ends in \.svg, got 'matrix.png'"):
        matrix.save(tmp_path / "matrix.png")
    with pytest.raises(ValueError, match="confusion_matrix: expected 3 names, one for each class, got 1"):
        F.confusion_matrix(np.eye(3), [0, 1, 2], names=["cat"])
