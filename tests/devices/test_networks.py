"""Layers, models, losses, optimizers, hooks and files on a device give what they give in NumPy's memory."""

import copy

import numpy as np
import pytest

import tinygrad_jp
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tests import device
from tinygrad_jp import DataLoader, Variable, cuda, fit, models, no_grad, optimizers, using_config
from tinygrad_jp.optimizers import schedules

RNG = np.random.default_rng(0)
ROWS, IMAGES = RNG.standard_normal((6, 5)).astype(np.float32), RNG.standard_normal((2, 4, 8, 8)).astype(np.float32)
TEXTS, SEQUENCES = RNG.integers(0, 7, (2, 6)), RNG.standard_normal((3, 4, 5)).astype(np.float32)
SEEN = np.tri(4, dtype=bool)

LAYERS = {
    "Linear": (lambda: L.Linear(3), ROWS),
    "Linear nobias": (lambda: L.Linear(3, nobias=True), SEQUENCES),
    "Conv2d": (lambda: L.Conv2d(6, 3, pad=1, groups=2), IMAGES),
    "Conv2d strided and dilated": (lambda: L.Conv2d(6, 3, stride=2, dilation=2), IMAGES),
    "Deconv2d": (lambda: L.Deconv2d(6, 3, stride=2), IMAGES),
    "BatchNorm": (lambda: L.BatchNorm(), IMAGES),
    "BatchNorm of rows": (lambda: L.BatchNorm(), ROWS),
    "LayerNorm": (lambda: L.LayerNorm(), ROWS),
    "GroupNorm": (lambda: L.GroupNorm(2), IMAGES),
    "EmbedID": (lambda: L.EmbedID(7, 3), TEXTS),
    "Dropout": (lambda: L.Dropout(0.5, rng=0), ROWS),
    "RNN": (lambda: L.RNN(3), SEQUENCES),
    "LSTM": (lambda: L.LSTM(3, num_layers=2), SEQUENCES),
    "GRU": (lambda: L.GRU(3), SEQUENCES),
    "MultiHeadAttention": (lambda: L.MultiHeadAttention(1, causal=True, dropout_ratio=0.5), SEQUENCES),
    "TransformerBlock": (lambda: L.TransformerBlock(1), SEQUENCES),
    "MLP": (lambda: models.MLP(8, 3, activation=F.relu), ROWS),
    "Sequential": (lambda: models.Sequential(L.Conv2d(4, 3), F.relu, F.flatten, L.Linear(2)), IMAGES),
    "GPT": (lambda: models.GPT(7, n_layers=1, width=8, n_heads=2, context=6, dropout_ratio=0.1), TEXTS),
    "ResNet": (lambda: models.ResNet(18, n_classes=3), IMAGES[:1, :, :2, :2].repeat(4, 2).repeat(4, 3)),
    "SqueezeNet": (lambda: models.SqueezeNet(n_classes=3), np.tile(IMAGES[:1], (4, 4))),
    "VGG16": (lambda: models.VGG16(n_classes=3), np.tile(IMAGES[:1], (4, 4))),
}
HEAVY = ("ResNet", "SqueezeNet", "VGG16")
layers = [pytest.param(name, marks=[pytest.mark.slow] if name in HEAVY else []) for name in LAYERS]


def trained(name, place, moves):
    """The output of a layer, then its state after a step; a fresh layer with the same seed each time."""
    make, x = LAYERS[name]
    tinygrad_jp.seed(0)
    layer = make()
    if moves:
        layer.to_gpu()
    y = layer(place(x))
    if not layer.params():
        return [y.data]
    optimizer = optimizers.SGD(0.01).setup(layer)
    np.sum(y * y).backward()
    optimizer.update()
    with using_config("train", False), no_grad():
        layer.reset_state()
        again = layer(place(x)).data
    return [y.data, again, *(p.data for p in layer._named_arrays().values())]


@pytest.mark.parametrize("name", layers)
def test_layers_and_models_train_alike(name, cupy, close):
    for there, here in zip(trained(name, cupy.asarray, True), trained(name, np.asarray, False), strict=True):
        close(there, here)


@pytest.mark.parametrize("name", ["Conv2d", "BatchNorm", "LayerNorm", "GroupNorm", "RNN", "LSTM", "Linear nobias"])
def test_waiting_weights_are_made_where_x_is(name, cupy):
    make, x = LAYERS[name]
    layer = make()
    layer.to_gpu()
    waiting = [p for p in layer._named_arrays().values() if p.data is None]
    assert waiting
    layer(cupy.asarray(x))
    assert all(type(p.data) is cupy.ndarray for p in layer._named_arrays().values())


LABELS = np.array([0, 2, 1, 2, 0, 1])
P, Q = F.softmax(ROWS).data, F.softmax(ROWS[::-1]).data
TRUTHS = (ROWS > 0).astype(np.float32)
EACH = np.linspace(0.5, 1.5, 6).astype(np.float32)
LOSSES = {
    "mean_squared_error": (F.mean_squared_error, ROWS, TRUTHS, {}),
    "mean_absolute_error": (F.mean_absolute_error, ROWS, TRUTHS, {"weight": EACH}),
    "huber_loss": (F.huber_loss, ROWS, TRUTHS, {"reduction": "none"}),
    "softmax_cross_entropy": (F.softmax_cross_entropy, ROWS, LABELS, {}),
    "softmax_cross_entropy weighted": (F.softmax_cross_entropy, ROWS, LABELS, {"weight": EACH[:5]}),
    "softmax_cross_entropy smoothed": (F.softmax_cross_entropy, ROWS, LABELS, {"label_smoothing": 0.1}),
    "softmax_cross_entropy ignoring": (
        F.softmax_cross_entropy, ROWS, LABELS, {"ignore_label": 1, "reduction": "none"}),
    "sigmoid_cross_entropy": (F.sigmoid_cross_entropy, ROWS, TRUTHS, {"reduction": "sum"}),
    "binary_cross_entropy": (F.binary_cross_entropy, P, TRUTHS, {}),
    "kl_divergence": (F.kl_divergence, P, Q, {}),
    "accuracy": (F.accuracy, ROWS, LABELS, {"ignore_label": 1}),
    "gelu": (lambda x, t: F.gelu(x, approximate=False), ROWS, LABELS, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, cupy, close):
    loss, x, t, settings = LOSSES[name]
    results = []
    for place in (np.asarray, cupy.asarray):
        v = Variable(place(x))
        y = loss(v, place(t), **{k: place(a) if isinstance(a, np.ndarray) else a for k, a in settings.items()})
        if name != "accuracy":
            np.sum(y).backward()
        results.append([y.data, *([v.grad.data] if v.grad is not None else [])])
    for here, there in zip(*results, strict=True):
        close(there, here)


def test_a_confusion_matrix(cupy):
    there = F.confusion_matrix(cupy.asarray(ROWS), cupy.asarray(LABELS))
    np.testing.assert_array_equal(there.counts, F.confusion_matrix(ROWS, LABELS).counts)


def test_lists_are_sent_to_where_x_is(cupy):
    x = Variable(cupy.asarray(ROWS))
    results = [x * [1.0, 2.0, 3.0, 4.0, 5.0], F.softmax_cross_entropy(x, LABELS.tolist())]
    results += [F.sigmoid_cross_entropy(x, TRUTHS.tolist()), F.embed_id([0, 2], x), x[[0, 2]], F.matmul(x, [[1.0]] * 5)]
    results += [F.attention_weights(x, x, np.tri(6, dtype=bool).tolist()), F.mean_squared_error(x, TRUTHS.tolist())]
    assert all(type(y.data) is cupy.ndarray for y in results)


# ---- Optimizers, hooks ----------------------------------------------------------------------------------------------


def steps(optimizer, hooks, place, moves, n=3):
    tinygrad_jp.seed(0)
    model = models.MLP(8, 3, activation=F.tanh)
    model(ROWS)
    if moves:
        model.to_gpu()
    optimizer.setup(model, groups={model.l0: 0.02})
    for hook in hooks:
        optimizer.add_hook(hook(model))
    for _ in range(n):
        model.cleargrads()
        F.softmax_cross_entropy(model(place(ROWS)), place(LABELS)).backward()
        optimizer.update()
    return model, optimizer


OPTIMIZERS = [getattr(optimizers, name) for name in optimizers.__all__ if name[0].isupper()]
OPTIMIZERS = [cls for cls in OPTIMIZERS if issubclass(cls, optimizers.Optimizer) and cls is not optimizers.Optimizer]
HOOKS = {
    "decay": lambda model: optimizers.WeightDecay(0.1),
    "clip": lambda model: optimizers.ClipGrad(0.01),
    "clip value": lambda model: optimizers.ClipGradValue(0.01),
    "freeze": lambda model: optimizers.FreezeParam(model.l1),
}


@pytest.mark.parametrize("cls", OPTIMIZERS, ids=lambda cls: cls.__name__)
def test_optimizers_step_alike_and_their_states_fit_each_other(cls, cupy, close):
    here, _ = steps(cls(), [], np.asarray, False)
    there, optimizer = steps(cls(), [], cupy.asarray, True)
    for name, p in there.named_params().items():
        close(p.data, here.named_params()[name].data)
    state = optimizer.state()
    assert all(isinstance(a, np.ndarray) for slot in optimizer.slots for a in state[slot].values())
    resumed = cls().setup(there)
    resumed.load_state(state)
    resumed.update()
    assert all(type(p.data) is cupy.ndarray for p in there.params())
    moved, follows = steps(cls(), [], np.asarray, False)
    moved.to_gpu()  # In the middle of a run: what the optimizer keeps goes along.
    F.softmax_cross_entropy(moved(cupy.asarray(ROWS)), cupy.asarray(LABELS)).backward()
    follows.update()
    assert all(type(p.data) is cupy.ndarray for p in moved.params())


@pytest.mark.parametrize("hook", HOOKS)
def test_hooks(hook, cupy, close):
    here, _ = steps(optimizers.Adam(schedules.cosine(0.1, 9)), [HOOKS[hook]], np.asarray, False)
    there, _ = steps(optimizers.Adam(schedules.cosine(0.1, 9)), [HOOKS[hook]], cupy.asarray, True)
    for a, b in zip(there.params(), here.params(), strict=True):
        close(a.data, b.data)


def test_float16_is_updated_in_float32(cupy, close):
    models = [L.Linear(3, in_size=5, rng=0).astype(np.float16) for _ in range(2)]
    models[1].to_gpu()
    for model, place in zip(models, (np.asarray, cupy.asarray), strict=True):
        optimizer = optimizers.Adam(0.1).setup(model)
        np.sum(model(place(ROWS))).backward()
        optimizer.update()
    for here, there in zip(*(m.params() for m in models), strict=True):
        np.testing.assert_allclose(there.data.get(), here.data, rtol=1e-2)


# ---- How often the host waits, and how often it sends ---------------------------------------------------------------

CEILINGS = {  # waits and uploads of a step; the batch is sent first, which takes two uploads
    "MLP": (lambda: models.MLP(8, 3, activation=F.relu), ROWS, 1, 2),
    "MLP with ClipGrad": (lambda: models.MLP(8, 3, activation=F.relu), ROWS, 2, 2),
    "CNN": (lambda: models.Sequential(L.Conv2d(4, 3), F.relu, lambda x: F.pooling(x, 2, 2), F.flatten, L.Linear(3)),
            IMAGES, 1, 2),
    "BatchNorm": (lambda: models.Sequential(L.Linear(4), L.BatchNorm(), L.Dropout(0.5, rng=0)), ROWS, 1, 3),
    "GPT": (lambda: models.GPT(7, n_layers=2, width=8, n_heads=2, context=6), TEXTS, 2, 2),
    "LSTM": (lambda: models.Sequential(L.LSTM(4), lambda h: h[:, -1], L.Linear(3)), SEQUENCES, 1, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", CEILINGS)
def test_a_step_waits_and_sends_no_more_than_it_must(name, cupy):
    """One wait: that the labels are in range is known before they index. Reading the loss is the user's."""
    if cupy is not device.cupy:
        pytest.skip("only the stand-in counts")
    make, x, waits, uploads = CEILINGS[name]
    model = make()
    model.to_gpu()
    optimizer = optimizers.Adam().setup(model)
    if "Clip" in name:
        optimizer.add_hook(optimizers.ClipGrad(1.0))
    t = TEXTS if name == "GPT" else LABELS[: len(x)]
    for _ in range(3):
        before = dict(device.COUNTS)
        y = model(cupy.asarray(x))
        loss = F.softmax_cross_entropy(y, cupy.asarray(t))
        model.cleargrads()
        loss.backward()
        optimizer.update()
        model.reset_state()
    assert device.COUNTS["waits"] - before["waits"] <= waits
    assert device.COUNTS["uploads"] - before["uploads"] <= uploads


# ---- Files, loaders, loops ------------------------------------------------------------------------------------------


def test_states_and_files_are_of_numpys_arrays(cupy, tmp_path):
    model, optimizer = steps(optimizers.Adam(), [], cupy.asarray, True)
    assert all(isinstance(a, np.ndarray) for a in model.state().values())
    for layout in (None, "torch"):
        model.save_weights(tmp_path / "weights.npz", layout=layout)
        here, there = models.MLP(8, 3), models.MLP(8, 3)
        here(ROWS), there(ROWS)
        there.to_gpu()
        for other in (here, there):
            other.load_weights(tmp_path / "weights.npz", layout=layout)
            assert all(type(p.data) is type(other.l0.b.data) for p in other.params())
            np.testing.assert_array_equal(cuda.as_numpy(other.l1.W), cuda.as_numpy(model.l1.W))
    tinygrad_jp.save_checkpoint(tmp_path / "run.npz", model, optimizer, step=3)
    resumed, again = models.MLP(8, 3, activation=F.tanh), optimizers.Adam()
    resumed.to_gpu()
    assert (
        tinygrad_jp.load_checkpoint(tmp_path / "run.npz", resumed, again.setup(resumed, groups={resumed.l0: 0.02})) == 3
    )
    for m, o in ((model, optimizer), (resumed, again)):
        m.cleargrads()
        F.softmax_cross_entropy(m(cupy.asarray(ROWS)), cupy.asarray(LABELS)).backward()
        o.update()
    np.testing.assert_allclose(cuda.as_numpy(resumed.l0.W), cuda.as_numpy(model.l0.W), rtol=1e-6)


def test_models_are_copied_and_moved_back(cupy, close):
    model, _ = steps(optimizers.SGD(), [], cupy.asarray, True)
    close(copy.deepcopy(model).l0.W.data, cuda.as_numpy(model.l0.W))
    model.to_cpu()
    assert all(type(p.data) is np.ndarray and type(p.grad.data) is np.ndarray for p in model.params())
    model(ROWS)


def test_loaders_send_their_batches(cupy):
    loader = DataLoader((ROWS, LABELS), 2, shuffle=False, gpu=True)
    x, t = next(iter(loader))
    assert loader.gpu and type(x) is type(t) is cupy.ndarray
    np.testing.assert_array_equal(x.get(), ROWS[:2])
    loader.to_cpu()
    assert type(next(iter(loader))[0]) is np.ndarray
    loader.to_gpu()
    assert type(next(iter(loader))[1]) is cupy.ndarray
    images = DataLoader(tinygrad_jp.datasets.Digits(), 100, gpu=True)
    assert type(next(images)[0]) is cupy.ndarray


def test_fit(cupy):
    tinygrad_jp.seed(0)
    histories = []
    for gpu in (False, True):
        loader = DataLoader((ROWS, LABELS), 3, rng=0, gpu=gpu)
        model = models.MLP(8, 3, rng=0)
        place = cupy.asarray if gpu else np.asarray
        test = place(ROWS), place(LABELS)
        metrics = {"accuracy": F.accuracy}
        optimizer = optimizers.Adam(0.01)
        if gpu:
            model.to_gpu()
        histories.append(fit(model, F.softmax_cross_entropy, loader, optimizer, 3, test, metrics=metrics, show=False))
    np.testing.assert_allclose(histories[0]["validation loss"], histories[1]["validation loss"], rtol=1e-4)
    assert histories[0]["validation accuracy"] == histories[1]["validation accuracy"]


def test_a_gpt_writes_on(cupy):
    here, there = (models.GPT(7, n_layers=1, width=8, n_heads=2, context=6, rng=0) for _ in range(2))
    there.to_gpu()
    texts = [model.generate([[1, 2]], 5, rng=0, top_k=3) for model in (here, there)]
    np.testing.assert_array_equal(*texts)
    assert type(there.generate(cupy.asarray(TEXTS), 1)) is np.ndarray
