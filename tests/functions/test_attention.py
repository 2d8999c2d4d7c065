"""Attention, the transformer block and the GPT: their values, what they may know, and what they refuse."""

import copy
import math
import pickle

import numpy as np
import pytest
from scipy import special

import tinygrad_jp as tg
import tinygrad_jp.layers as L
from tinygrad_jp import Variable, gradient_check, models

F64 = {"dtype": np.float64, "rng": 0}
IDS = np.random.default_rng(0).integers(0, 7, (2, 6))
MASK = np.array([[1, 1, 0, 0], [0, 1, 1, 1], [1, 0, 0, 1], [0, 0, 0, 1]], bool)


def small_gpt(rng=0, **settings):
    return models.GPT(7, width=8, n_heads=2, context=6, rng=rng, **settings)


def attention(layer, x, context, mask):
    """Multi-head attention by its formula, a head at a time."""
    W, b, D = layer.qkv.W.data, layer.qkv.b.data, x.shape[-1]
    size = D // layer.n_heads
    heads = []
    for first in range(0, D, size):
        parts = (slice(i * D + first, i * D + first + size) for i in range(3))
        q, k, v = (a @ W[:, p] + b[p] for a, p in zip((x, context, context), parts, strict=True))
        scores = np.where(mask, np.einsum("ntd,nsd->nts", q, k) / math.sqrt(size), -np.inf)
        heads.append(special.softmax(scores, axis=-1) @ v)
    return np.concatenate(heads, axis=-1) @ layer.out.W.data + layer.out.b.data


def normalized(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def randomized(layer, rng):
    """Biases and norms too away from where they start, so that none can be forgotten."""
    for p in layer.params():
        p.data = rng.standard_normal(p.shape).astype(p.dtype)
    return layer


# Values


@pytest.mark.parametrize("mask", [None, MASK, MASK[None], np.stack([MASK, ~MASK | np.eye(4, dtype=bool)])])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_is_its_formula(mask, causal, rng):
    layer = randomized(L.MultiHeadAttention(3, 6, causal=causal, **F64), rng)
    x = rng.standard_normal((2, 4, 6))
    if mask is not None:
        mask = mask | np.eye(4, dtype=bool)
    seen = np.ones((4, 4), bool) if mask is None else mask
    expected = attention(layer, x, x, seen & np.tri(4, dtype=bool) if causal else seen)
    np.testing.assert_allclose(layer(x, mask=mask).data, expected, rtol=1e-10)


def test_keys_and_values_may_come_from_elsewhere(rng):
    layer = randomized(L.MultiHeadAttention(2, 6, **F64), rng)
    x, context, mask = rng.standard_normal((2, 3, 6)), rng.standard_normal((2, 4, 6)), MASK[None, :3]
    np.testing.assert_allclose(layer(x, context, mask=mask).data, attention(layer, x, context, mask), rtol=1e-10)
    np.testing.assert_allclose(layer(x, x.copy()).data, layer(x).data, rtol=1e-10)


def test_a_place_that_may_look_at_nothing_gets_the_bias(rng):
    layer = randomized(L.MultiHeadAttention(2, 4, **F64), rng)
    y = layer(rng.standard_normal((2, 3, 4)), mask=np.zeros((3, 3), bool))
    np.testing.assert_array_equal(y.data, np.broadcast_to(layer.out.b.data, (2, 3, 4)))


def test_the_block_is_its_formula(rng):
    block = randomized(L.TransformerBlock(2, 4, causal=True, **F64), rng)
    x = rng.standard_normal((2, 4, 4))
    g1, b1, g2, b2 = (p.data for n in (block.norm1, block.norm2) for p in (n.gamma, n.beta))
    a = normalized(x) * g1 + b1
    h = x + attention(block.attention, a, a, np.tri(4, dtype=bool))
    u = (normalized(h) * g2 + b2) @ block.wide.W.data + block.wide.b.data
    gelu = u * special.expit(2 * math.sqrt(2 / math.pi) * (u + 0.044715 * u**3))
    expected = h + gelu @ block.narrow.W.data + block.narrow.b.data
    np.testing.assert_allclose(block(x).data, expected, rtol=1e-10)


def test_the_gpt_is_its_formula():
    model = small_gpt(n_layers=1)
    x = model.token.W.data[IDS] + model.position.W.data
    h = normalized(model.blocks[0](x).data)
    np.testing.assert_allclose(model(IDS).data, h @ model.token.W.data.T, rtol=1e-3, atol=1e-5)


def test_the_gpt_starts_as_gpt2_does():
    model = models.GPT(50, n_layers=8, width=64, rng=0)
    for W, std in [
        (model.token.W, 0.02), (model.position.W, 0.02), (model.blocks[3].attention.qkv.W, 0.02),
        (model.blocks[3].attention.out.W, 0.005), (model.blocks[3].narrow.W, 0.005),
    ]:  # fmt: skip
        assert W.data.std() == pytest.approx(std, rel=0.1)
    assert sum(p.size for p in model.params()) == (50 + 64) * 64 + 8 * (12 * 64**2 + 13 * 64) + 2 * 64


# What they may know


@pytest.mark.parametrize("place", range(6))
def test_a_later_token_never_changes_an_earlier_prediction(place):
    model, changed = small_gpt(), IDS.copy()
    changed[:, place] = (changed[:, place] + 1) % 7
    before, after = model(IDS).data, model(changed).data
    np.testing.assert_array_equal(before[:, :place], after[:, :place])
    assert (before[:, place:] != after[:, place:]).any(axis=(0, 2)).all()


def test_without_causal_every_place_sees_all():
    layer, x = L.MultiHeadAttention(2, rng=0), np.random.default_rng(0).standard_normal((1, 3, 4))
    changed = x + np.array([[[0.0], [0.0], [1.0]]])
    assert (layer(x).data != layer(changed).data).all()


# Derivatives


@pytest.mark.parametrize("layer", [
    L.MultiHeadAttention(2, 4, causal=True, **F64), L.TransformerBlock(2, 4, causal=True, **F64),
    lambda x: CROSS(x, x[:, :2]),
], ids=["attention", "block", "across"])  # fmt: skip
def test_derivatives_to_second_order(layer, rng):
    assert gradient_check(lambda x: layer(x), rng.standard_normal((2, 3, 4)), order=2)


CROSS = L.MultiHeadAttention(2, 4, **F64)


@pytest.mark.parametrize("name", ["qkv.W", "qkv.b", "out.W", "out.b"])
def test_derivatives_by_the_parameters(name, rng):
    layer, x = randomized(L.MultiHeadAttention(2, 4, causal=True, **F64), rng), rng.standard_normal((2, 3, 4))
    part, key = name.split(".")

    def f(p):
        vars(getattr(layer, part))[key] = p  # Past the guard that keeps learners from replacing a Parameter.
        return layer(x)

    assert gradient_check(f, layer.named_params()[name].data, order=2)


def test_every_parameter_of_a_gpt_learns_in_float32():
    model = small_gpt()
    tg.functions.softmax_cross_entropy(model(IDS), np.roll(IDS, -1, 1)).backward()
    for name, p in model.named_params().items():
        assert p.grad.shape == p.shape and p.grad.dtype == p.dtype == np.float32, name
        assert p.grad.data.any(), name


def test_a_gpt_learns_a_sequence_by_heart():
    model, x, t = small_gpt(), IDS[:, :-1], IDS[:, 1:]
    optimizer = tg.optimizers.Adam(0.01).setup(model)
    for _ in range(60):
        loss = tg.functions.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    assert loss.item() < 0.05
    assert model.generate(IDS[:, :2], 4, temperature=0).tolist() == IDS.tolist()


# Dropout


@pytest.mark.parametrize("make", [
    lambda: L.MultiHeadAttention(2, 8, dropout_ratio=0.5, rng=0),
    lambda: L.TransformerBlock(2, 8, dropout_ratio=0.5, rng=0),
    lambda: models.Sequential(small_gpt(dropout_ratio=0.5)),
])  # fmt: skip
def test_dropout_is_for_training_alone(make):
    x = IDS if isinstance(make(), models.Sequential) else np.random.default_rng(1).random((2, 6, 8), np.float32)
    layer, again = make(), make()
    first = layer(x).data
    assert (first != layer(x).data).any()
    np.testing.assert_array_equal(first, again(x).data)
    with tg.test_mode():
        np.testing.assert_array_equal(layer(x).data, again(x).data)


# State


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_duplicate_computes_the_same_and_shares_nothing(duplicate):
    model = small_gpt()
    other = duplicate(model)
    np.testing.assert_array_equal(model(IDS).data, other(IDS).data)
    assert not any(np.shares_memory(p.data, q.data) for p, q in zip(model.params(), other.params(), strict=True))


def test_state_makes_another_model_the_same():
    model, other = small_gpt(rng=1), small_gpt(rng=2)
    assert (model(IDS).data != other(IDS).data).any()
    other.load_state(model.state())
    np.testing.assert_array_equal(model(IDS).data, other(IDS).data)


@pytest.mark.parametrize("make", [L.MultiHeadAttention, L.TransformerBlock])
def test_the_first_x_decides_the_size(make):
    x = np.random.default_rng(1).random((2, 3, 8), np.float32)
    layer, waiting = make(2, rng=0), make(2)
    with pytest.raises(RuntimeError, match="still wait"):
        layer.state()
    y, told = layer(x), make(2, 8, rng=0)
    assert [p.shape for p in layer.params()] == [p.shape for p in told.params()]
    waiting.load_state(layer.state())
    np.testing.assert_array_equal(waiting(x).data, y.data)
    assert repr(waiting) == repr(layer) == repr(told)
    assert "Linear(8, 24): 216" in repr(layer)


# Generation


def test_what_is_generated_is_reproducible_and_begins_with_what_was_given():
    model = small_gpt()
    a, b, c = (model.generate(IDS[:, :3], 9, rng=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert a.shape == (2, 12) and (a != c).any()
    np.testing.assert_array_equal(a[:, :3], IDS[:, :3])


def test_tokens_are_drawn_with_the_probabilities_predicted():
    model = small_gpt()
    model.token.W.data *= 20
    start = np.zeros((20_000, 1), int)
    p = special.softmax(model(start[:1]).data[0, 0] / 2)
    drawn = model.generate(start, 1, temperature=2, rng=0)[:, 1]
    np.testing.assert_allclose(np.bincount(drawn, minlength=7) / len(start), p, atol=0.02)
    three = model.generate(start, 1, temperature=2, top_k=3, rng=0)[:, 1]
    assert set(three) == set(np.argsort(p)[-3:])


def test_only_the_context_counts():
    model, long = small_gpt(), np.tile(IDS, (1, 3))
    a, b = model.generate(long, 3, rng=0)[:, -3:], model.generate(long[:, -6:], 3, rng=0)[:, -3:]
    np.testing.assert_array_equal(a, b)


# Mistakes

X = np.ones((2, 3, 4), np.float32)
MISTAKES = [
    (lambda: L.MultiHeadAttention(3, 4), ValueError, "n_heads=3 divides, got 4"),
    (lambda: L.MultiHeadAttention(0), ValueError, "n_heads=0"),
    (lambda: L.MultiHeadAttention(3)(X), ValueError, "n_heads=3 divides, got 4"),
    (lambda: L.TransformerBlock(3, 4), ValueError, "n_heads=3 divides, got 4"),
    (lambda: L.MultiHeadAttention(2)(X[0]), ValueError, "expected x of shape (N, T, D), got (3, 4)"),
    (lambda: L.MultiHeadAttention(2, 8)(X), ValueError, "expected x of shape (N, T, 8), got (2, 3, 4)"),
    (lambda: L.MultiHeadAttention(2, 4)(X, X[..., :2]), ValueError, "expected memory of shape (N, T, 4)"),
    (
        lambda: L.MultiHeadAttention(2)(X, mask=np.ones((3, 4), bool)),
        ValueError,
        "that broadcasts to (2, 3, 3), got (3, 4)",
    ),
    (lambda: L.MultiHeadAttention(2)(X, mask=np.ones((3, 3))), TypeError, "a mask of booleans"),
    (lambda: tg.functions.attention_weights(X, X, np.ones((3, 3))), TypeError, "use mask.astype(bool)"),
    (lambda: tg.functions.attention_weights(X, X, np.ones((5, 2, 3, 3), bool)), ValueError, "broadcasts to (2, 3, 3)"),
    (lambda: tg.functions.split_heads(X, 3), ValueError, "D that parts * n_heads = 3 divides"),
    (lambda: small_gpt()(np.zeros((1, 7), int)), ValueError, "T up to context=6, got (1, 7)"),
    (lambda: small_gpt()([1, 2]), ValueError, "expected ids of shape (N, T)"),
    (lambda: small_gpt()(np.zeros((1, 3))), TypeError, "expected integers"),
    (lambda: small_gpt()([[7]]), ValueError, "from 0 to 6, got 7"),
    (lambda: small_gpt().generate([1, 2], 3), ValueError, "expected ids of shape (N, T)"),
    (lambda: small_gpt().generate([[1]], 3, temperature=-1), ValueError, "temperature >= 0"),
    (lambda: small_gpt().generate([[1]], 3, top_k=0), ValueError, "top_k >= 1"),
]


@pytest.mark.parametrize(("mistake", "error", "message"), MISTAKES, ids=[message for *_, message in MISTAKES])
def test_a_mistake_is_answered(mistake, error, message):
    with pytest.raises(error) as caught:
        mistake()
    assert message in str(caught.value)


def test_a_refused_x_leaves_the_layer_waiting():
    layer = L.MultiHeadAttention(3)
    with pytest.raises(ValueError, match="divides"):
        layer(X)
    assert layer(Variable(np.ones((1, 2, 6), np.float32))).shape == (1, 2, 6)
