"""A batch in chunks of rows gives what it gives as a whole, or is refused by name."""

import pickle
import threading

import numpy as np
import pytest

from tinygrad_jp import Parameter, compiled, models, no_grad, optimizers
from tinygrad_jp import functions as F
from tinygrad_jp import layers as L
from tinygrad_jp import test_mode as inference
from tinygrad_jp.programs import roles, rows
from tinygrad_jp.programs.borrowing import NotWritten

N = 103
RNG = np.random.default_rng(0)
X = RNG.standard_normal((N, 5)).astype(np.float32)
IMAGES = RNG.standard_normal((N, 2, 6, 6)).astype(np.float32)
SEQUENCES = RNG.standard_normal((N, 4, 5)).astype(np.float32)
TEXTS = RNG.integers(0, 9, (N, 4))
LABELS = RNG.integers(0, 3, N)
TARGETS = RNG.random((N, 3)).astype(np.float32)
SIGNS = RNG.integers(0, 2, (N, 3))


def language():
    """The next word of each place: rows have several labels each."""
    transformer = L.TransformerBlock(2, 8, rng=1)
    return models.Sequential(L.EmbedID(9, 8, rng=0), transformer, lambda y: F.reshape(y, (-1, 8)), L.Linear(9, rng=2))


def recurring(kind):
    """Sequences step by step, from a state that is cleared afterwards."""
    cell = kind(6, rng=0)

    def last(x):
        for t in range(x.shape[1]):
            y = cell(x[:, t])
        cell.reset_state()
        return y

    model = models.Sequential(last, L.Linear(3, rng=1))
    model.cell = cell
    return model


def flat(x):
    return F.reshape(x, (len(x), -1))


def mlp():
    return models.Sequential(L.Linear(6, rng=0), F.relu, L.Linear(3, rng=1))


def normalized():
    return models.Sequential(L.Linear(6, rng=0), L.LayerNorm(), F.gelu, L.Linear(3, rng=1))


def cnn():
    return models.Sequential(
        L.Conv2d(4, 3, pad=1, rng=0), F.relu, lambda x: F.pooling(x, 2, 2), flat, L.Linear(3, rng=1)
    )


def deconvolution():
    return models.Sequential(
        L.Conv2d(4, 3, stride=2, rng=0),
        L.Deconv2d(2, 2, rng=0),
        lambda x: F.average_pooling(x, 2),
        flat,
        L.Linear(3, rng=1),
    )


def embedding():
    return models.Sequential(L.EmbedID(9, 4, rng=0), flat, L.Linear(3, rng=1))


def attention():
    return models.Sequential(
        L.EmbedID(9, 8, rng=0), L.MultiHeadAttention(2, 8, rng=1), lambda y: np.mean(y, axis=1), L.Linear(3, rng=1)
    )


def step_of(model, loss, optimizer, data, clear=True):
    """A training step, and the model that it trains."""
    with no_grad():
        model(data[:2])
    optimizer = optimizer.setup(model)

    def step(x, t):
        found = loss(model(x), t)
        if clear:
            model.cleargrads()
        found.backward()
        optimizer.update()
        return found

    return step, model


def check(made, *batches, rows=20, threads=1, calls=3):
    """A step does in chunks what it does as it is written, call by call."""
    (plain, one), (step, other) = made(), made()
    step = compiled(step, rows=rows, threads=threads)
    for i in range(calls):
        expected, got = plain(*batches[i % len(batches)]), step(*batches[i % len(batches)])
        close(got.data, expected.data)
        for p, q in zip(one.params(), other.params(), strict=True):
            close(q.grad.data, p.grad.data)
            close(q.data, p.data)
    assert isinstance(step._latest, rows_module.InRows)
    assert not step._otherwise
    return step


rows_module = rows


def close(got, expected):
    assert np.shape(got) == np.shape(expected) and got.dtype == expected.dtype
    got, expected = got * 1.0, expected * 1.0
    assert np.abs(got - expected).max(initial=0) <= 2e-5 * max(1, np.abs(expected).max(initial=0))


LOSSES = {
    "cross entropy": (F.softmax_cross_entropy, LABELS),
    "label smoothing": (lambda y, t: F.softmax_cross_entropy(y, t, label_smoothing=0.1), LABELS),
    "weights of classes": (lambda y, t: F.softmax_cross_entropy(y, t, reduction="none").mean(), LABELS),
    "log_softmax by hand": (lambda y, t: -F.log_softmax(y)[np.arange(len(t)), t].mean(), LABELS),
    "squared error": (F.mean_squared_error, TARGETS),
    "absolute error": (F.mean_absolute_error, TARGETS),
    "huber": (F.huber_loss, TARGETS),
    "sigmoid": (F.sigmoid_cross_entropy, SIGNS),
    "binary": (lambda y, t: F.binary_cross_entropy(F.sigmoid(y), t), SIGNS),
    "kl": (lambda y, t: F.kl_divergence(F.softmax(t), F.softmax(y)), TARGETS),
    "sum over columns": (lambda y, t: np.mean(np.sum((y - t) ** 2, axis=1)), TARGETS),
    "sum by hand": (lambda y, t: np.sum((y - t) ** 2) / len(t), TARGETS),
    "norms": (lambda y, t: np.mean(np.sqrt(np.sum((y - t) ** 2, axis=1))), TARGETS),
    "two terms": (lambda y, t: F.mean_squared_error(y, t) + 0.1 * np.mean(y), TARGETS),
}
MODELS = {
    "mlp": (mlp, X),
    "layer norm": (normalized, X),
    "cnn": (cnn, IMAGES),
    "deconvolution": (deconvolution, IMAGES),
    "embedding": (embedding, TEXTS),
    "attention": (attention, TEXTS),
    "rnn": (lambda: recurring(L.RNN), SEQUENCES),
    "lstm": (lambda: recurring(L.LSTM), SEQUENCES),
    "gru": (lambda: recurring(L.GRU), SEQUENCES),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name):
    loss, t = LOSSES[name]
    check(lambda: step_of(mlp(), loss, optimizers.SGD(0.1), X), (X, t))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("threads", [1, 2])
def test_models(name, threads):
    model, x = MODELS[name]
    check(lambda: step_of(model(), F.softmax_cross_entropy, optimizers.SGD(0.1), x), (x, LABELS), threads=threads)


def test_a_language_model():
    loss = lambda y, t: F.softmax_cross_entropy(y, F.reshape(t, -1).data)  # noqa: E731
    check(lambda: step_of(language(), loss, optimizers.SGD(0.1), TEXTS), (TEXTS, TEXTS[:, ::-1]), threads=2)


@pytest.mark.parametrize(
    "kind", [optimizers.SGD, optimizers.MomentumSGD, optimizers.AdaGrad, optimizers.Adam, optimizers.AdamW]
)
def test_optimizers(kind):
    check(lambda: step_of(mlp(), F.softmax_cross_entropy, kind(0.01), X), (X, LABELS))


def test_forward_passes():
    """Results with rows are put together."""
    model = mlp()
    with no_grad():
        model(X[:2])
    step = compiled(lambda x: model(x), rows=20, threads=2)
    for x in (X, X + 1, X[:50]):
        close(step(x).data, model(x).data)
    two = compiled(lambda x, t: (F.softmax(model(x)), F.accuracy(model(x), t), model(x).data.T), rows=30)
    for got, expected in zip(two(X, LABELS), two.__wrapped__(X, LABELS), strict=True):
        close(np.asarray(getattr(got, "data", got)), np.asarray(getattr(expected, "data", expected)))


def hooked():
    step, model = step_of(mlp(), F.softmax_cross_entropy, optimizer := optimizers.SGD(0.1), X)
    optimizer.add_hook(optimizers.WeightDecay(0.1))
    optimizer.add_hook(optimizers.ClipGrad(0.05))
    return step, model


def regularized():
    model = mlp()
    return step_of(
        model,
        lambda y, t: F.softmax_cross_entropy(y, t) + 0.01 * sum(np.sum(p**2) for p in model.params()),
        optimizers.SGD(0.1),
        X,
    )


def clipped_in_the_step():
    model, optimizer = mlp(), optimizers.SGD(0.1)
    with no_grad():
        model(X[:2])
    optimizer.setup(model)

    def step(x, t):
        loss = F.softmax_cross_entropy(model(x), t)
        model.cleargrads()
        loss.backward()
        norm = np.sqrt(sum(np.sum(p.grad.data**2) for p in model.params()))
        for p in model.params():
            p.grad.data = p.grad.data / np.maximum(norm, 0.1)
        optimizer.update()
        return loss

    return step, model


def of_two_losses():
    model, optimizer = mlp(), optimizers.SGD(0.1)
    with no_grad():
        model(X[:2])
    optimizer.setup(model)

    def step(x, t):
        y = model(x)
        model.cleargrads()
        (F.softmax_cross_entropy(y, t) * 2).backward()
        loss = np.mean(y**2)
        loss.backward()
        optimizer.update()
        return loss

    return step, model


def tied():
    model = models.Sequential(L.Linear(5, rng=0), F.tanh, L.Linear(5, rng=1), lambda y: y[:, :3])
    with no_grad():
        model(X[:2])
    model.layers[2].W = model.layers[0].W
    return step_of(model, F.softmax_cross_entropy, optimizers.SGD(0.1), X)


def accumulating():
    return step_of(mlp(), F.softmax_cross_entropy, optimizers.SGD(0.01), X, clear=False)


@pytest.mark.parametrize("made", [hooked, regularized, clipped_in_the_step, of_two_losses, tied, accumulating])
def test_steps(made):
    check(made, (X, LABELS), (X[::-1], LABELS), threads=2, calls=4)


@pytest.mark.parametrize("n", [5, 6, 9, 21, 41, 64, 103])
@pytest.mark.parametrize("rows", [4, 7, 20, 63])
def test_lengths(n, rows):
    if n > rows:
        check(
            lambda: step_of(mlp(), F.softmax_cross_entropy, optimizers.SGD(0.1), X),
            (X[:n], LABELS[:n]),
            rows=rows,
            calls=2,
        )


def test_other_kinds_of_calls():
    """Other lengths, modes, rates, weights, dtypes and settings, between each other."""
    (plain, one), (step, other) = (step_of(mlp(), F.softmax_cross_entropy, optimizers.SGD(0.1), X) for _ in range(2))
    step = compiled(step, rows=20, threads=2)
    saved = one.state_dict() if hasattr(one, "state_dict") else None
    for n in (103, 10, 50, 103, 10, 50):
        close(step(X[:n], LABELS[:n]).data, plain(X[:n], LABELS[:n]).data)
    for model in (one, other):
        for p in model.params():
            p.data = p.data * 2
    for _ in range(2):
        close(step(X, LABELS).data, plain(X, LABELS).data)
    with no_grad():
        assert saved is None or saved
    close(step(t=LABELS, x=X).data, plain(X, LABELS).data)


def loss_of(function):
    """A step whose loss is that of a function of the inputs."""
    return lambda: step_of(models.Sequential(L.Linear(3, rng=0)), function, optimizers.SGD(0.1), X)


def layer(*layers):
    return lambda: step_of(
        models.Sequential(L.Linear(6, rng=0), *layers, L.Linear(3, rng=1)),
        F.softmax_cross_entropy,
        optimizers.SGD(0.1),
        X,
    )


def recurrent():
    cell = L.RNN(6, rng=0)
    step, model = step_of(models.Sequential(cell, L.Linear(3, rng=1)), F.softmax_cross_entropy, optimizers.SGD(0.1), X)
    cell.reset_state()
    return step, model


def updated_in_between():
    """The second loss is one of weights that all rows have updated."""
    step, model = step_of(mlp(), F.softmax_cross_entropy, optimizers.SGD(0.1), X)
    return lambda x, t: (step(x, t), step(x, t))[1], model


OWN = np.random.default_rng(1).random((N, 3), np.float32)

REFUSED = {
    "BatchNorm": (layer(L.BatchNorm()), "l1.*BatchNorm"),
    "dropout": (layer(L.Dropout(0.5)), "draws random numbers"),
    "a sum": (loss_of(lambda y, t: np.sum((y - 1) ** 2)), "no mean"),
    "a mean of something else": (loss_of(lambda y, t: np.sum((y - 1) ** 2) / 7), "no mean"),
    "one row less": (loss_of(lambda y, t: np.sum((y - 1) ** 2) / (len(t) - 1)), "no mean"),
    "at most 15 rows": (loss_of(lambda y, t: np.sum((y - 1) ** 2) / min(len(t), 15)), "no mean|otherwise"),
    "the largest of all": (loss_of(lambda y, t: np.mean(y / np.max(y))), "divide"),
    "the mean of all": (loss_of(lambda y, t: np.mean((y - np.mean(y, axis=0)) ** 2)), "subtract"),
    "softmax over rows": (loss_of(lambda y, t: np.mean(F.softmax(y, axis=0) ** 2)), "subtract|divide|max"),
    "cumsum": (loss_of(lambda y, t: np.mean(np.cumsum(y, axis=0) ** 2)), "cumsum"),
    "sorted": (loss_of(lambda y, t: np.mean(np.sort(y, axis=0) ** 2)), "sort"),
    "the next row": (loss_of(lambda y, t: np.mean((y[1:] - y[:-1]) ** 2)), "getitem"),
    "the first row": (loss_of(lambda y, t: np.mean(y * y[0])), "getitem"),
    "backwards": (loss_of(lambda y, t: np.mean(y * y[::-1])), "getitem"),
    "by labels": (loss_of(lambda y, t: np.mean(y * y[t])), "getitem"),
    "similarities": (loss_of(lambda y, t: np.mean(np.exp(y @ y.T))), "matmul.*for each row"),
    "rolled": (loss_of(lambda y, t: np.mean(y * np.roll(y, 1, axis=0))), "roll|getitem|concatenate"),
    "put together otherwise": (loss_of(lambda y, t: np.mean(np.max(np.reshape(y, (3, -1)), axis=0))), "reshape"),
    "numbers of rows": (loss_of(lambda y, t: np.mean(y[:, 0] * np.arange(len(t), dtype=np.float32))), "."),
    "an array of its own": (loss_of(lambda y, t: np.mean(y * OWN[: len(t)])), "by itself"),
    "a std": (loss_of(lambda y, t: np.mean(np.std(y, axis=0))), "."),
    "attention over the batch": (
        loss_of(lambda y, t: np.mean(F.scaled_dot_product_attention(y[None], y[None], y[None]) ** 2)),
        "attention_weights.*for each row",
    ),
    "a state": (recurrent, "h"),
    "an update in between": (updated_in_between, "all rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name):
    made, word = REFUSED[name]
    step, model = made()
    before = [p.data.copy() for p in model.params()]
    step = compiled(step, rows=20, threads=2)
    with pytest.raises(NotWritten, match=f"(?s)rows=.*({word})"):
        step(X, LABELS)
    assert all(np.array_equal(p.data, b) and p.grad is None for p, b in zip(model.params(), before, strict=True))
    step(X[:10], LABELS[:10])  # It runs as ever where it is not cut.


@pytest.mark.parametrize(
    "made", [models.MLP, lambda *sizes, rng: models.Sequential(L.Linear(6, rng=rng), L.Linear(3, rng=rng))]
)
def test_parameters_that_wait_for_their_data(made):
    """The first call, which gives it to them, runs as it is written; from then on no call sees all rows."""
    losses = []
    for most in (N, 20):
        model = made(6, 3, rng=0)
        optimizer = optimizers.Adam(0.01).setup(model)

        def step(x, t, model=model, optimizer=optimizer, most=most):
            assert len(x) <= most or model.params()[0].data is None
            loss = F.softmax_cross_entropy(model(x), t)
            model.cleargrads()
            loss.backward()
            optimizer.update()
            return loss

        step = compiled(step, rows=most)
        losses.append([step(X, LABELS).item() for _ in range(4)] + [optimizer.t])
    assert np.allclose(*losses, rtol=1e-5)


def test_a_parameter_that_is_never_used_keeps_waiting():
    model, unused = L.Linear(3, rng=0), L.Linear(3)

    def step(x):
        return np.mean(model(x)) if len(x) > 1 else unused(x)

    step = compiled(step, rows=20)
    for _ in range(3):
        close(step(X).data, np.mean(model(X)).data)


def trained(rows=20, threads=2, loss=F.softmax_cross_entropy, calls=2):
    step, model = step_of(mlp(), loss, optimizers.Adam(0.01), X)
    step = compiled(step, rows=rows, threads=threads)
    for _ in range(calls):
        step(X, LABELS)
    return step, model


def state(step, model):
    return [a.copy() for p in model.params() for a in (p.data, p.grad.data)]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("at", [0, 50, N - 1])
@pytest.mark.parametrize("label", [-1, 3, 1000])
def test_errors_of_the_library(at, label):
    """A wrong label in any chunk raises what it raises without chunks, and all is as before; at first, and later."""
    wrong = LABELS.copy()
    wrong[at] = label
    for calls in (0, 2):
        step, model = trained(calls=calls)
        before = state(step, model) if calls else None
        with pytest.raises(ValueError, match=f"expected integers.*{label}"):
            step(X, wrong)
        assert before is None or same(state(step, model), before)
        step(X, LABELS)


class Bad(Exception):
    pass


@pytest.mark.parametrize("kind", [KeyboardInterrupt, Bad, MemoryError])
@pytest.mark.parametrize("thread", [0, 1])
def test_exceptions_in_a_thread(kind, thread, monkeypatch):
    """One reaches the caller, all is as before, and the next call is right."""
    step, model = trained()
    twin, other = trained()
    before = state(step, model)
    chunk = next(iter(step._latest.chunks[thread].values()))
    run, count = chunk.run, iter(range(10))

    def failing(*args):
        if next(count) == 1:
            raise kind
        return run(*args)

    with monkeypatch.context() as patch:
        patch.setattr(chunk, "run", failing)
        if kind is Bad:
            patch.setattr(step, "_f", lambda *args: (_ for _ in ()).throw(Bad))  # It runs as written, and fails there.
        with pytest.raises(kind):
            step(X, LABELS)
    assert same(state(step, model), before)
    step(X, LABELS)
    twin(X, LABELS)
    assert same(state(step, model), state(twin, other))
    assert threading.active_count() < 20


def test_what_threads_do_does_not_depend_on_their_order():
    losses = {tuple(step(X, LABELS).item() for _ in range(5)) for step, _ in (trained(calls=1) for _ in range(5))}
    assert len(losses) == 1


def test_settings_hold_in_threads():
    step = compiled(lambda x: np.mean(np.exp(x)), rows=20, threads=2)
    large = X.copy()
    large[-1] = 1000
    with np.errstate(over="ignore"):
        assert [step(x).item() for x in (X, large, X)] == [step(X).item(), np.inf, step(X).item()]
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        step(large)


def test_modes():
    """One without dropout is computed in chunks, and not one with dropout, nor one with a graph as one without."""
    model = models.Sequential(L.Linear(3, rng=0), L.Dropout(0.5))
    step = compiled(lambda x: np.mean(model(x) ** 2), rows=20, threads=2)
    with inference():
        model(X[:2])
        with no_grad():
            expected = step.__wrapped__(X).data
            for _ in range(2):
                close(step(X).data, expected)
        close(step(X).data, expected)
    with pytest.raises(NotWritten, match="draws"):
        step(X)
    with inference():
        close(step(X).data, expected)


def test_random_generators_are_left_as_they_are():
    rng = np.random.default_rng(0)
    step, _ = step_of(
        models.Sequential(L.Linear(3, rng=0), lambda x: F.dropout(x, 0.5, rng=rng)),
        F.softmax_cross_entropy,
        optimizers.SGD(0.1),
        X,
    )
    before = rng.bit_generator.state
    with pytest.raises(NotWritten):
        compiled(step, rows=20)(X, LABELS)
    assert rng.bit_generator.state == before


def test_decisions():
    """A decision is one about the whole batch, and another one lets the step run as it is written."""
    model = models.Sequential(L.Linear(3, rng=0))

    def step(x):
        y = model(x)
        return np.mean(y) if np.max(x) < 10 else np.mean(y) * 2

    with no_grad():
        model(X[:2])
    fast = compiled(step, rows=20, threads=2)
    large = X.copy()
    large[77] = 11
    for x in (X, X, large, X, large):
        close(fast(x).data, step(x).data)
    assert fast._otherwise == 2


def test_numbers_that_are_returned():
    """They are those of the whole batch, and a step that also decides by one is refused."""
    model = models.Sequential(L.Linear(3, rng=0))
    with no_grad():
        model(X[:2])
    step = compiled(lambda x: float(np.mean(model(x) ** 2).data), rows=20, threads=2)
    for x in (X, X * 2, X * 0):
        assert np.isclose(step(x), step.__wrapped__(x)) and type(step(x)) is float

    def deciding(x):
        loss = float(np.mean(model(x) ** 2).data)
        return loss, np.mean(model(x)) * (1 if loss < 100 else 2)

    with pytest.raises(NotWritten, match="decides by"):
        compiled(deciding, rows=20)(X)


def test_pickles_and_other_ways_to_call():
    step = compiled(rows=4, threads=2)(doubled)
    assert step(np.ones((9, 2))) == 2
    again = pickle.loads(pickle.dumps(step))
    assert again(np.ones((9, 2))) == 2 and isinstance(again._latest, rows.InRows)
    assert "mean" in step.source

    class Trainer:
        @compiled(rows=4)
        def mean(self, batch, factor=2.0):
            return np.mean(batch["x"][0] * factor) + np.mean(batch["y"])

    trainer, batch = Trainer(), {"x": [np.arange(18.0).reshape(9, 2)], "y": np.ones(9)}
    for factor in (2.0, 3.0, 2.0):
        assert np.isclose(trainer.mean(batch, factor=factor), 8.5 * factor + 1)
    for settings in ({"rows": 0}, {"rows": 2.5}, {"threads": 0}):
        with pytest.raises(ValueError, match="expected"):
            compiled(doubled, **settings)


def doubled(x):
    return np.mean(x * 2)


def test_variables_of_many_rows_are_refused():
    with pytest.raises(NotWritten, match="Variable"):
        compiled(lambda x, y: np.mean(x * y), rows=4)(np.ones(9), Parameter(np.ones(9)))


def test_programs_are_checked_on_demand(monkeypatch):
    monkeypatch.setenv("TINYGRAD_JP_CHECK_PROGRAMS", "1")
    step, _ = trained()
    chunk = next(iter(step._latest.chunks[1].values()))
    monkeypatch.setattr(chunk, "run", lambda *args, run=chunk.run: tuple(v + 1 for v in run(*args)))
    with pytest.raises(AssertionError, match="otherwise"):
        step(X, LABELS)


def test_a_wrong_program_is_given_up(monkeypatch):
    monkeypatch.setattr(rows.Chunk, "check_with", lambda self, args: (_ for _ in ()).throw(AssertionError("wrong")))
    step = compiled(doubled, rows=4)
    with pytest.warns(RuntimeWarning, match="wrong.*as a whole"):
        assert step(np.ones((9, 2))) == 2
    assert [step(np.ones((9, 2))) for _ in range(3)] == [2, 2, 2]


PLANTED = {
    "_indexed": lambda x: np.mean(x * x[::-1]),
    "_along": lambda x: np.mean(np.cumsum(x, axis=0)),
    "_reshaped": lambda x: np.mean(np.max(np.reshape(x[:, :3].T, (-1, 3)), axis=1)),
    "_reduction": lambda x: np.std(x),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_wrong_rule_is_found_by_numbers(name, monkeypatch):
    """Where the table takes an operation that mixes rows for one that does not, the comparison of pieces sees it."""
    step = compiled(PLANTED[name], rows=20)
    with pytest.raises(NotWritten, match="rows="):
        step(X)
    for func in [func for func, rule in roles._RULES.items() if rule.__name__ == name]:
        monkeypatch.setitem(roles._RULES, func, lambda step: roles.EACH if step.axis is not None else roles.SUM)
    with pytest.raises(NotWritten, match="no mean"):
        step(X)


@pytest.mark.parametrize("fault", ["weights", "late", "sizes"])
def test_other_planted_faults(fault, monkeypatch):
    """Means that are weighed wrongly, or chunks left out, are seen by the tests of losses."""
    patches = {
        "weights": (rows.Span, "size", property(lambda span: 20)),
        "late": (rows, "gathered", lambda w, spans, *rest, gathered=rows.gathered: gathered(w, list(spans)[:1], *rest)),
        "sizes": (rows, "prove", lambda *args, **kwargs: None),
    }
    monkeypatch.setattr(*patches[fault])
    with pytest.raises((AssertionError, NotWritten, ValueError, KeyError, pytest.fail.Exception)):
        test_losses("squared error") if fault != "sizes" else test_refused_by_name("a sum")


@pytest.mark.parametrize("rows", [1500, 4000])
def test_large_chunks(rows):
    """No function is recorded otherwise for many rows than for few, as those that write into large arrays would be."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((9001, 16), np.float32), rng.integers(0, 20, 9001)
    model = lambda: models.MLP(64, 20, activation=F.relu, rng=0)  # noqa: E731
    check(
        lambda: step_of(model(), F.softmax_cross_entropy, optimizers.SGD(0.1), x), (x, t), rows=rows, threads=2, calls=2
    )


ALONG = [
    "sum",
    "mean",
    "max",
    "min",
    "prod",
    "var",
    "std",
    "cumsum",
    "cumprod",
    "sort",
    "argsort",
    "argmax",
    "argmin",
    "flip",
    "median",
    "any",
    "all",
    "diff",
    "ptp",
    "nansum",
    "count_nonzero",
]
TRIED = {
    f"{name} {axis}": lambda x, name=name, axis=axis: getattr(np, name)(x, axis=axis)
    for name in ALONG
    for axis in (0, 1, None)
    if (name, axis) != ("diff", None)
} | {
    "roll": lambda x: np.roll(x, 1, axis=1),
    "take": lambda x: np.take(x, [0, 2], axis=1),
    "repeat": lambda x: np.repeat(x, 2, axis=1),
    "tile": lambda x: np.tile(x, (1, 2)),
    "tile rows": lambda x: np.tile(x, (2, 1)),
    "pad": lambda x: np.pad(x, ((0, 0), (1, 1))),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "where": lambda x: np.where(x > 0, x, -2 * x),
    "maximum of a column": lambda x: np.maximum(x, x[:, :1]),
    "squared norms": lambda x: np.einsum("ij,ij->i", x, x),
    "einsum over rows": lambda x: np.einsum("ij,ik->jk", x, x),
    "outer of rows": lambda x: x[:, :, None] * x[:, None, :],
    "outer": lambda x: np.exp(x[:, None, :] - x[None, :, :]),
    "gram": lambda x: x.T @ x,
    "covariance": lambda x: x.T @ x / len(x),
    "matmul of rows": lambda x: np.matmul(x[:, :, None], x[:, None, :]),
    "tensordot": lambda x: np.tensordot(x, np.ones((5, 2), np.float32), 1),
    "trace of gram": lambda x: np.trace(x.T @ x) / len(x),
    "stack": lambda x: np.stack([x, x * 2], axis=1),
    "stack first": lambda x: np.stack([x, x * 2]),
    "concatenate": lambda x: np.concatenate([x, x * 2], axis=1),
    "concatenate rows": lambda x: np.concatenate([x, x * 2]),
    "split": lambda x: np.split(x, [2], axis=1)[0],
    "split rows": lambda x: np.split(x, [2])[1],
    "transposed": lambda x: np.transpose(x) * np.arange(5.0, dtype=np.float32)[:, None],
    "mean of a transposed": lambda x: x.T.mean(axis=1) + x.T.mean(axis=0).mean(),
    "reshaped": lambda x: np.reshape(x, (len(x), 5, 1)).mean(axis=1),
    "flattened": lambda x: np.ravel(x) * 2,
    "flattened and back": lambda x: np.reshape(np.ravel(x) ** 2, (-1, 5))[:, 1:3],
    "columns first": lambda x: np.reshape(x.T, -1)[: len(x)],
    "odd columns": lambda x: x[:, ::2],
    "reversed columns": lambda x: x[:, ::-1],
    "even rows": lambda x: x[::2],
    "one number": lambda x: x[0, 0] * x,
    "last row": lambda x: x[-1] + x,
    "by number": lambda x: x[np.arange(len(x)), (x[:, 0] > 0).astype(int)],
    "by another's number": lambda x: x[np.arange(len(x))[::-1], 0] * x[:, 1],
    "permuted": lambda x: x[np.argsort(x[:, 0])],
    "best of each": lambda x: np.take_along_axis(x, np.argmax(x, axis=1)[:, None], axis=1),
    "best of all": lambda x: x[np.argmax(x[:, 0])] * x,
    "ones of its own": lambda x: x + np.ones((len(x), 1), np.float32),
    "ones like it": lambda x: x * np.ones_like(x) + np.zeros_like(x),
    "numbers of rows": lambda x: x * np.arange(len(x), dtype=np.float32)[:, None],
    "divided by n": lambda x: x / len(x),
    "times n": lambda x: np.sum(x / len(x), axis=0),
    "a norm": lambda x: np.linalg.norm(x, axis=1),
    "a norm of all": lambda x: np.linalg.norm(x),
    "softmax": lambda x: F.softmax(x),
    "softmax over rows": lambda x: F.softmax(x, axis=0),
    "logsumexp": lambda x: np.log(np.sum(np.exp(x), axis=1)),
    "log of mean": lambda x: np.log(np.mean(np.exp(x), axis=0)),
    "standardized rows": lambda x: (x - x.mean(axis=1, keepdims=True)) / (x.std(axis=1, keepdims=True) + 1),
    "standardized columns": lambda x: (x - x.mean(axis=0)) / (x.std(axis=0) + 1),
    "kept": lambda x: x.mean(axis=0, keepdims=True),
    "swapped": lambda x: np.swapaxes(x, 0, 1).sum(axis=0),
    "scan": lambda x: F.softmax(np.cumsum(x, axis=1)),
    "at": lambda x: x[:, np.array([1, 1, 3])],
    "a mask of columns": lambda x: x[:, np.array([True, False, True, False, True])],
    "half precision": lambda x: np.tanh(x).astype(np.float16).astype(np.float32),
}


# These must not be refused, neither their values nor the gradients of their mean.
COMPUTED = {
    *(
        f"{name} 1"
        for name in [
            "sum",
            "mean",
            "max",
            "min",
            "prod",
            "var",
            "std",
            "cumsum",
            "argsort",
            "argmax",
            "flip",
            "any",
            "all",
            "ptp",
        ]
    ),
    *("mean 0", "roll", "take", "repeat", "clip", "where", "maximum of a column", "squared norms", "outer of rows"),
    *("covariance", "matmul of rows", "stack", "stack first", "concatenate", "split", "transposed", "reshaped"),
    *("flattened", "odd columns", "reversed columns", "by number", "ones of its own", "ones like it", "softmax"),
    *("logsumexp", "kept", "swapped", "scan", "at", "half precision"),
}


@pytest.mark.parametrize("name", TRIED)
@pytest.mark.parametrize("whole", [False, True])
def test_right_or_refused(name, whole):
    """Whatever a step computes: in chunks it is what it is without, values and gradients, or it is refused."""
    function, W = TRIED[name], Parameter(np.random.default_rng(1).standard_normal((5, 5)).astype(np.float32))

    def step(x):
        y = function(np.tanh(x @ W))
        W.cleargrad()
        if whole:
            return y
        loss = np.mean(y * 1.0)
        if getattr(loss, "creator", None) is not None:
            loss.backward()
        return loss

    fast = compiled(step, rows=20)
    for x in (X, X[::-1] * 2, X - 1):
        expected = step(x)
        gradient = None if W.grad is None else W.grad.data.copy()
        W.cleargrad()
        try:
            got = fast(x)
        except NotWritten:
            assert name not in COMPUTED
            return
        got, expected = (np.asarray(getattr(y, "data", y)) for y in (got, expected))
        close(got, expected)
        if gradient is not None:
            close(W.grad.data, gradient)
