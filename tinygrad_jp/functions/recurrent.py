"""Recurrent networks: a whole sequence in one Function. Their layers call these functions.

There are T steps of N sequences. z (T, N, G·H) is what the inputs give to the G gates of each step, x·W + b, and
U (H, G·H) carries the state h (N, H) of a step to the gates of the next. σ is the sigmoid, ∘ the element-wise product.

The rules compute what they can for many steps at once, above all the slopes: by what the gradient of a state reaches
the gates. Step by step, from the last to the first, they do little more than to multiply these slopes by the gradient.
On arrays that is `slopes *= gradient`, in memory of the rule's own. On Variables the same text makes a new Variable.
"""

from tinygrad_jp.core import PULLBACKS, Array, primitive
from tinygrad_jp.core.table import Joint
from tinygrad_jp.functions.precision import upcast
from tinygrad_jp.kinds import ArrayMethods, np


@upcast("z", "U", "h", integers=True)
@primitive
def rnn(z: Array, U: Array, h: Array) -> Array:
    """All states (T, N, H) of hₜ = tanh(zₜ + hₜ₋₁·U), from h₀ = h.

    Source: Elman, Finding Structure in Time, 1990.

    >>> rnn(np.ones((2, 1, 1)), np.ones((1, 1)), np.zeros((1, 1))).ravel()  # tanh 1, and tanh(1 + tanh 1)
    array([0.76159416, 0.94268079])
    """
    hs = np.empty((len(z), *h.shape), np.result_type(z, U, h), like=z)
    for t in range(len(z)):
        h = np.tanh(z[t] + h @ U, out=hs[t])
    return hs


def d_rnn(gy: Array, y: Array, z: Array, U: Array, h: Array) -> Array:
    """From the last step to the first, what reaches a state goes through tanh's slope, and by U to the state before."""
    slopes, U_T, gh, gzs = 1 - y * y, _transposed(U, z), h * 0, []
    for t in reversed(range(len(z))):
        gz_t = slopes[t]
        gz_t *= gh + gy[t]
        gh = gz_t @ U_T
        gzs.append(gz_t)
    gz = _in_order(gzs, slopes)
    return gz, _by_weights(_before(h, y), gz), gh


@upcast("z", "U", "h", "c", integers=True)
@primitive
def lstm(z: Array, U: Array, h: Array, c: Array) -> Array:
    """Everything an LSTM computes, (T, 7, N, H): for each step the gates i, f, u and o, then tanh c, c and h.

    zₜ + hₜ₋₁·U is cut into four parts, of which σ, σ, tanh and σ are the gates i, f, u and o of step t. Then
    cₜ = f∘cₜ₋₁ + i∘u and hₜ = o∘tanh(cₜ). c is (N, H), as h is.

    Source: Hochreiter and Schmidhuber, Long Short-Term Memory, 1997; with the gate f of Gers et al., 2000.

    >>> lstm(np.zeros((1, 1, 4)), np.zeros((1, 4)), np.zeros((1, 1)), np.ones((1, 1)))[:, -2].item()  # σ(0)·1 + σ(0)·0
    0.5
    """
    T, (N, H) = len(z), h.shape
    # Each of the seven lies in one piece, for all steps: the rule reads pieces.
    y = np.empty((7, T, N, H), np.result_type(z, U, h, c), like=z).swapaxes(0, 1)
    # Each gate is k·tanh(k·x) + 1 − k, with k = 1 for u, and k = ½ for the others, which makes it σ(x).
    k = np.full_like(y, 0.5, shape=(N, 4, H))
    k[:, 2] = 1
    k = k.reshape(N, 4 * H)
    rest, gates = 1 - k, np.empty_like(k)  # The same memory at every step: it stays in the cache.
    parts = gates.reshape(N, 4, H).swapaxes(0, 1)
    for z_t, y_t in zip(z, y, strict=True):
        i, f, u, o, tanh_c, c_t, h_t = y_t
        np.add(z_t, h @ U, out=gates)
        gates *= k
        np.tanh(gates, out=gates)
        gates *= k
        gates += rest
        y_t[:4] = parts
        c = np.multiply(f, c, out=c_t)
        c += np.multiply(i, u, out=tanh_c)  # The place of tanh c is still free.
        h = np.multiply(o, np.tanh(c, out=tanh_c), out=h_t)
    return y


def d_lstm(gy: Array, y: Array, z: Array, U: Array, h: Array, c: Array) -> Array:
    """From the last step to the first, what reaches c and h goes on to the gates, and through them to the step before.

    gc and gh are the gradients of cₜ and hₜ, from this step and all later ones. gh adds gh∘o∘(1 − tanh²cₜ) to gc, and
    the gates receive them through their slopes.

    On Variables the gates are computed again, as functions of z, U and h, so that they can be differentiated.
    """
    known, T, cs, hs = not isinstance(y, ArrayMethods), len(z), y[:, 5], y[:, 6]
    before, gh, gc = _before(h, hs), h * 0, c * 0
    gates = np.moveaxis(y[:, :5], 1, 0) if known else _lstm_gates(z + before @ U, cs)
    room, U_T = np.empty(z.shape, y.dtype, like=y) if known else z * 0, _transposed(U, z)
    # A call of NumPy takes as long as thousands of products: slopes come for n steps at once, as many as caches hold.
    n = max(2**14 // max(h.size, 1), 1) if known else max(T, 1)
    given, gzs = (gy[:, 5], gy[:, 6], *gates, hs, _before(c, cs)), []
    for start in reversed(range(0, T, n)):
        gcs, ghs, *states = [a[start : start + n] for a in given]
        slopes, slopes_c = _lstm_slopes(room[start : start + n] if known else None, *states)
        for gc_t, gh_t, gz_t, slope_c, f in reversed(list(zip(gcs, ghs, slopes, slopes_c, states[1], strict=True))):
            gh = gh + gh_t
            gc = gc + gc_t
            slope_c *= gh
            gc += slope_c
            gz_t *= np.concatenate([gc, gc, gc, gh], axis=-1)
            gc *= f
            gh = gz_t @ U_T
            gzs.append(gz_t)
    gz = _in_order(gzs, room)
    return gz, _by_weights(before, gz), gh, gc


def _lstm_slopes(out: Array, i: Array, f: Array, u: Array, o: Array, tanh_c: Array, h: Array, before: Array) -> Array:
    """By what gc and gh reach the gates, (T, N, 4H), in `out` if that is given, and by what gh reaches c.

    The gates i, f and u receive gc∘u∘i∘(1 − i), gc∘cₜ₋₁∘f∘(1 − f) and gc∘i∘(1 − u²), and o receives gh∘hₜ∘(1 − o).
    cₜ₋₁ is `before`.
    """
    by_i, by_f = u * i, before * f
    slopes = [by_i - by_i * i, by_f - by_f * f, i - by_i * u, h - h * o]
    return np.concatenate(slopes, axis=-1, out=out), o - h * tanh_c


def _lstm_gates(a: Array, c: Array) -> Array:
    i, f, u, o = _cut(a, 4)
    return _sigmoid(i), _sigmoid(f), np.tanh(u), _sigmoid(o), np.tanh(c)


@upcast("z", "U", "b", "h", integers=True)
@primitive
def gru(z: Array, U: Array, b: Array, h: Array) -> Array:
    """All states (T, N, H) of a GRU: hₜ = (1 − k)∘n + k∘hₜ₋₁, from h₀ = h.

    With (zr, zk, zn) = zₜ and (ur, uk, un) = hₜ₋₁·U, each cut into three parts, r = σ(zr + ur), k = σ(zk + uk), which
    PyTorch calls z, and n = tanh(zn + r∘(un + b)), with b (H,).

    Source: Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, 2014, with r applied after U.

    >>> gru(np.zeros((1, 1, 3)), np.zeros((1, 3)), np.zeros(1), np.ones((1, 1))).item()  # σ(0)·1 + σ(0)·0
    0.5
    """
    hs = np.empty((len(z), *h.shape), np.result_type(z, U, b, h), like=z)
    for t in range(len(z)):
        _, k, n, _ = _gru_gates(z[t], h @ U, b)
        h = np.add(n, k * (h - n), out=hs[t])
    return hs


def d_gru(gy: Array, y: Array, z: Array, U: Array, b: Array, h: Array) -> Array:
    """From the last step to the first, what reaches a state goes to its gates, and through them to the state before."""
    hs, U_T = _before(h, y), _transposed(U, z)
    r, k, n, s = _gru_gates(z, hs @ U, b)
    by_n = (1 - k) * (1 - n * n)
    by_u = by_n * r
    by_r, by_k = by_u * s * (1 - r), (hs - n) * k * (1 - k)
    slopes, g, shares = np.concatenate([by_r, by_k, by_u, by_n], axis=-1), h * 0, []
    for t in reversed(range(len(z))):
        g = g + gy[t]
        share = slopes[t]
        share *= np.concatenate([g, g, g, g], axis=-1)
        g = g * k[t] + share[:, : len(U_T)] @ U_T
        shares.append(share)
    shares = _in_order(shares, slopes)
    gr, gk, gu, gn = _cut(shares, 4)
    gz = np.concatenate([gr, gk, gn], axis=-1)
    return gz, _by_weights(hs, shares[..., : len(U_T)]), gu.sum(axis=(0, 1)), g


def _gru_gates(z: Array, u: Array, b: Array) -> Array:
    H = 2 * b.shape[-1]
    r, k = _cut(_sigmoid(z[..., :H] + u[..., :H]), 2)
    s = u[..., H:] + b
    return r, k, np.tanh(z[..., H:] + r * s), s


PULLBACKS |= {rnn.primitive: Joint(d_rnn), lstm.primitive: Joint(d_lstm), gru.primitive: Joint(d_gru)}  # type: ignore[attr-defined]


def _before(first: Array, states: Array) -> Array:
    """The state that each step began with."""
    return np.concatenate([first[None], states])[: len(states)]


def _transposed(U: Array, z: Array) -> Array:
    """Uᵀ, as a copy where there is enough to multiply: BLAS takes up to twice as long if a factor is transposed."""
    copied = min(z.shape[:2]) >= 16 and not isinstance(U, ArrayMethods)
    return np.ascontiguousarray(U.T, like=U) if copied else U.T


def _in_order(steps: list[Array], room: Array) -> Array:
    """What the steps gave, the last of which comes first: on arrays all of it is in `room`."""
    return np.stack(steps[::-1]) if steps and isinstance(steps[0], ArrayMethods) else room


def _by_weights(hs: Array, gz: Array) -> Array:
    """The gradient with respect to U: a sum over all steps and sequences."""
    return np.reshape(hs, (-1, hs.shape[-1])).T @ np.reshape(gz, (-1, gz.shape[-1]))


def _cut(a: Array, n: int) -> Array:
    """The n equal parts of the last axis."""
    H = a.shape[-1] // n
    return [a[..., i * H : (i + 1) * H] for i in range(n)]


def _sigmoid(x: Array) -> Array:
    y = np.tanh(x * 0.5)
    y *= 0.5
    y += 0.5
    return y
