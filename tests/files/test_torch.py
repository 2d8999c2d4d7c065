"""Weights as PyTorch names and shapes them: written for its modules, and read from them."""

import math

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import models
from tinygrad_jp.files import weights
from tinygrad_jp.models import resnet, squeezenet, vgg

each_format = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])

IDS = np.array([[1, 0, 4], [2, 2, 3]])


def normal(*shape):
    return np.random.default_rng(1).standard_normal(shape).astype(np.float32)


class Zoo(tg.Model):
    """Layers in attributes, in a Sequential, in a list and in a dict; waiting or not."""

    def __init__(self, wait=False):
        self.fc = L.Linear(3, in_size=None if wait else 2, rng=0)
        self.conv = L.Conv2d(3, 3, in_channels=None if wait else 2, rng=0)
        self.bn = L.BatchNorm()
        self.table = L.EmbedID(5, 2)
        self.body = models.Sequential(L.Linear(2, in_size=2), F.relu, L.Linear(2, in_size=2, nobias=True))
        self.body.last = L.Linear(1, in_size=2)
        self.rest = [L.Linear(1, in_size=2), {"rnn": L.GRU(3, None if wait else 2)}]
        self.scale = tg.Parameter(np.ones(3))
        if not wait:
            self.bn(normal(2, 4))


ZOO = {
    "fc.weight": (3, 2), "fc.bias": (3,), "conv.weight": (3, 2, 3, 3), "conv.bias": (3,),
    "bn.weight": (4,), "bn.bias": (4,), "bn.running_mean": (4,), "bn.running_var": (4,), "table.weight": (5, 2),
    "body.0.weight": (2, 2), "body.0.bias": (2,), "body.2.weight": (2, 2), "body.last.weight": (1, 2),
    "body.last.bias": (1,), "rest.0.weight": (1, 2), "rest.0.bias": (1,), "rest.1.rnn.weight_ih_l0": (9, 2),
    "rest.1.rnn.weight_hh_l0": (9, 3), "rest.1.rnn.bias_ih_l0": (9,), "rest.1.rnn.bias_hh_l0": (9,), "scale": (3,),
}  # fmt: skip


def held(model):
    return {path: (a.dtype, a.tobytes()) for path, a in model.state().items()}


@each_format
@pytest.mark.parametrize("wait", [False, True])
def test_every_way_to_hold_a_layer(suffix, wait, tmp_path):
    if suffix == ".safetensors":
        pytest.importorskip("safetensors")
    model, other, path = Zoo(), Zoo(wait), tmp_path / f"zoo{suffix}"
    model.save_weights(path, layout="torch")
    arrays = weights.read(path)
    assert {name: a.shape for name, a in arrays.items()} == ZOO
    np.testing.assert_array_equal(arrays["fc.weight"], model.fc.W.data.T)
    weights.write(path, arrays | {"bn.num_batches_tracked": np.array(7)})
    other.load_weights(path, layout="torch")
    assert held(other) == held(model)
    assert other.fc.W.data.flags.c_contiguous
    third = Zoo(wait)
    third.load_state(model.state(layout="torch"), layout="torch")
    assert held(third) == held(model)


# ---------------------------------------------------------------------------------------------------------------------
# Refusals

LINEAR = {"weight": normal(3, 3), "bias": normal(3)}
H, I = 3, 2


def recurrent(G, layers=1, reverse=False, **more):
    """The state of a recurrent module of PyTorch."""
    state = {}
    for i in range(layers):
        for end in ("", "_reverse")[: 1 + reverse]:
            at = f"l{i}{end}"
            state |= {f"weight_ih_{at}": normal(G * H, I if i == 0 else H), f"weight_hh_{at}": normal(G * H, H)}
            state |= {f"bias_ih_{at}": normal(G * H), f"bias_hh_{at}": normal(G * H)}
    return state | more


def without(state, *names):
    return {name: a for name, a in state.items() if name not in names}


ATTENTION = L.MultiHeadAttention(2, 4, rng=0).state(layout="torch")
REFUSED = {
    "two layers": (lambda: L.LSTM(H, I), recurrent(4, 2), "missing: none; not known: weight_ih_l1"),
    "both directions": (lambda: L.GRU(H, I), recurrent(3, 1, True), "not known: weight_ih_l0_reverse"),
    "a projection": (lambda: L.LSTM(H, I), recurrent(4, weight_hr_l0=normal(1, H)), "not known: weight_hr_l0"),
    "other gates": (lambda: L.GRU(H, I), recurrent(4), "GRU: expected bias_ih_l0 and bias_hh_l0 of"),
    "no biases": (lambda: L.RNN(H, I), without(recurrent(1), "bias_ih_l0", "bias_hh_l0"), "missing: bias_ih_l0"),
    "half of the biases": (lambda: L.RNN(H, I), without(recurrent(1), "bias_hh_l0"), "(3,), got (3,) and none"),
    "the other half": (lambda: L.LSTM(H, I), without(recurrent(4), "bias_ih_l0"), "(12,), got none and (12,)"),
    "half of a GRU's": (lambda: L.GRU(H, I), without(recurrent(3), "bias_hh_l0"), "(9,), got (9,) and none"),
    "an extra key": (lambda: L.MultiHeadAttention(2, 4), ATTENTION | {"bias_k": normal(1, 1, 4)}, "not known: bias_k"),
    "separate weights": (
        lambda: L.MultiHeadAttention(2, 4), without(ATTENTION, "in_proj_weight") | {"q_proj_weight": normal(4, 4)},
        "missing: in_proj_weight; not known: q_proj_weight",
    ),
    "our names": (
        lambda: L.Linear(3, in_size=3), {"W": normal(3, 3), "b": normal(3)}, "missing: weight, bias; not known: W, b",
    ),
    "both names": (lambda: L.Linear(3, in_size=3), LINEAR | {"W": normal(3, 3)}, "not known: W"),
    "a bias too many": (lambda: L.Linear(3, True, in_size=3), LINEAR, "not known: bias"),
    "turned": (lambda: L.Linear(3, in_size=2), LINEAR | {"weight": normal(2, 3)}, "expected the shape (2, 3), got (3"),
    "a kernel turned": (
        lambda: L.Deconv2d(3, 2, in_channels=2), LINEAR | {"weight": normal(3, 2, 2, 2)}, "expected the shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", REFUSED)
def test_what_has_no_place_is_refused_by_name(fault, tmp_path):
    make, state, message = REFUSED[fault]
    layer = make()
    before = held(layer)
    np.savez(tmp_path / "w.npz", **state)
    for load in (
        lambda: layer.load_state(state, layout="torch"), lambda: layer.load_weights(tmp_path / "w.npz", layout="torch"),
    ):  # fmt: skip
        with pytest.raises(ValueError) as raised:
            load()
        assert message in str(raised.value)
        assert held(layer) == before


def test_two_arrays_of_one_name_are_refused():
    model = models.Sequential(L.Linear(2, in_size=2))
    vars(model)["0"] = L.Linear(2, in_size=2)
    with pytest.raises(ValueError, match="Sequential: two arrays would have the same name in PyTorch"):
        model.state(layout="torch")


@pytest.mark.parametrize("like", ["paper", "dezero"])
@pytest.mark.parametrize("make", [models.ResNet18, models.ResNet50])
def test_a_resnet_that_is_not_pytorchs_is_refused(make, like):
    model = make(n_classes=2, like=like)
    ours_on(model, normal(1, 3, 8, 8))
    for call in (lambda: model.state(layout="torch"), lambda: model.load_state({}, layout="torch")):
        with pytest.raises(ValueError, match=rf"{make.__name__}: .*make the model with like='torch'"):
            call()


# ---------------------------------------------------------------------------------------------------------------------
# PyTorch itself. For every layer and model that it has too: what we make, its module, what both are called on.


def gelu(x):
    import torch

    return torch.nn.functional.gelu(x, approximate="tanh")


def encoder(nn, width, heads):
    return nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, gelu, batch_first=True, norm_first=True)


def their_gpt(nn):
    """PyTorch's layers, put together as those of `models.GPT`."""
    import torch

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.position = nn.Embedding(5, 4), nn.Embedding(6, 4)
            self.blocks = nn.ModuleList(encoder(nn, 4, 2) for _ in range(2))
            self.norm = nn.LayerNorm(4)

        def forward(self, ids):
            x = self.token(ids) + self.position.weight[: ids.shape[1]]
            mask = torch.full((ids.shape[1],) * 2, -math.inf).triu(1)
            for block in self.blocks:
                x = block(x, src_mask=mask)
            return self.norm(x) @ self.token.weight.T

    return GPT()


def their_mlp(nn):
    class MLP(nn.Module):
        def __init__(self):
            super().__init__()
            self.l0, self.l1 = nn.Linear(3, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.l1(self.l0(x).sigmoid())

    return MLP()


def their_resnet(nn, n_layers):
    """torchvision's network: its names, its strides, its pads."""

    class Block(nn.Module):
        def __init__(self, kernels, channels, stride):
            super().__init__()
            first = channels
            for i, (c, k) in enumerate(kernels, 1):
                step = stride if k == 3 and not hasattr(self, "strided") else 1
                if k == 3:
                    self.strided = True
                setattr(self, f"conv{i}", nn.Conv2d(channels, c, k, step, k // 2, bias=False))
                setattr(self, f"bn{i}", nn.BatchNorm2d(c))
                channels = c
            self.n, self.downsample = len(kernels), None
            if stride > 1 or first != channels:
                self.downsample = nn.Sequential(
                    nn.Conv2d(first, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
                )

        def forward(self, x):
            y = x
            for i in range(1, self.n + 1):
                y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
                y = y.relu() if i < self.n else y
            return (y + (x if self.downsample is None else self.downsample(x))).relu()

    class ResNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            self.maxpool, before = nn.MaxPool2d(3, 2, 1), 64
            for i, n in enumerate(resnet.STAGES[n_layers]):
                c, blocks = 64 * 2**i, []
                kernels = [(c, 1), (c, 3), (4 * c, 1)] if n_layers >= 50 else [(c, 3), (c, 3)]
                for k in range(n):
                    blocks.append(Block(kernels, before, 2 if i and not k else 1))
                    before = kernels[-1][0]
                setattr(self, f"layer{i + 1}", nn.Sequential(*blocks))
            self.fc = nn.Linear(before, 5)

        def forward(self, x):
            x = self.maxpool(self.bn1(self.conv1(x)).relu())
            for i in range(1, 5):
                x = getattr(self, f"layer{i}")(x)
            return self.fc(x.mean((2, 3)))

    return ResNet()


def their_squeezenet(nn):
    import torch

    class Fire(nn.Module):
        def __init__(self, channels, squeezed, expanded):
            super().__init__()
            self.squeeze = nn.Conv2d(channels, squeezed, 1)
            self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
            self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

        def forward(self, x):
            x = self.squeeze(x).relu()
            return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)

    class SqueezeNet(nn.Module):
        def __init__(self):
            super().__init__()
            features, channels = [nn.Conv2d(3, 64, 3, 2), nn.ReLU()], 64
            for i, (squeezed, expanded) in squeezenet.FIRES.items():
                features += [nn.MaxPool2d(3, 2, ceil_mode=True)] * (i in (2, 4, 6))
                features.append(Fire(channels, squeezed, expanded))
                channels = 2 * expanded
            self.features = nn.Sequential(*features)
            self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 5, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))

        def forward(self, x):
            return self.classifier(self.features(x)).flatten(1)

    return SqueezeNet()


def their_vgg(nn):
    class VGG(nn.Module):
        def __init__(self):
            super().__init__()
            features, before = [], 3
            for channels, n in vgg.BLOCKS.values():
                for _ in range(n):
                    features += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
                    before = channels
                features.append(nn.MaxPool2d(2))
            self.features = nn.Sequential(*features)
            self.classifier = nn.Sequential(
                nn.Linear(512, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(),
                nn.Linear(4096, 5),
            )  # fmt: skip

        def forward(self, x):
            return self.classifier(self.features(x).flatten(1))

    return VGG()


def first(module):
    return lambda x: module(x)[0]


PAIRS = {
    "Linear": (lambda: L.Linear(3), lambda nn: nn.Linear(2, 3), normal(4, 2)),
    "Linear without a bias": (lambda: L.Linear(3, True), lambda nn: nn.Linear(2, 3, bias=False), normal(4, 2)),
    "a square Linear": (lambda: L.Linear(3), lambda nn: nn.Linear(3, 3), normal(4, 3)),
    "EmbedID": (lambda: L.EmbedID(5, 3), lambda nn: nn.Embedding(5, 3), IDS),
    "Conv2d": (lambda: L.Conv2d(4, 3, 2, 1), lambda nn: nn.Conv2d(2, 4, 3, 2, 1), normal(2, 2, 6, 5)),
    "Conv2d of groups": (
        lambda: L.Conv2d(4, (3, 2), nobias=True, dilation=2, groups=2),
        lambda nn: nn.Conv2d(2, 4, (3, 2), dilation=2, groups=2, bias=False), normal(2, 2, 6, 5),
    ),
    "Deconv2d": (lambda: L.Deconv2d(4, 3, 2, 1), lambda nn: nn.ConvTranspose2d(2, 4, 3, 2, 1), normal(2, 2, 3, 4)),
    "Deconv2d of groups": (
        lambda: L.Deconv2d(4, 3, dilation=2, groups=2),
        lambda nn: nn.ConvTranspose2d(2, 4, 3, dilation=2, groups=2), normal(2, 2, 3, 4),
    ),
    "BatchNorm": (lambda: L.BatchNorm(eps=1e-5), lambda nn: nn.BatchNorm1d(3), normal(4, 3)),
    "BatchNorm of images": (lambda: L.BatchNorm(eps=1e-5), lambda nn: nn.BatchNorm2d(3), normal(4, 3, 2, 2)),
    "LayerNorm": (lambda: L.LayerNorm(), lambda nn: nn.LayerNorm(3), normal(4, 3)),
    "RNN": (lambda: L.RNN(3), lambda nn: nn.RNN(2, 3, batch_first=True), normal(4, 5, 2)),
    "LSTM": (lambda: L.LSTM(3), lambda nn: nn.LSTM(2, 3, batch_first=True), normal(4, 5, 2)),
    "GRU": (lambda: L.GRU(3), lambda nn: nn.GRU(2, 3, batch_first=True), normal(4, 5, 2)),
    "MultiHeadAttention": (
        lambda: L.MultiHeadAttention(2), lambda nn: nn.MultiheadAttention(4, 2, batch_first=True), normal(2, 3, 4),
    ),
    "TransformerBlock": (lambda: L.TransformerBlock(2), lambda nn: encoder(nn, 4, 2), normal(2, 3, 4)),
    "Sequential": (
        lambda: models.Sequential(L.Conv2d(3, 3), L.BatchNorm(eps=1e-5), F.relu, F.flatten, L.Linear(5)),
        lambda nn: nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5)),
        normal(8, 1, 4, 4),
    ),
    "MLP": (lambda: models.MLP((4, 2)), their_mlp, normal(4, 3)),
    "GPT": (lambda: models.GPT(5, width=4, n_heads=2, context=6), their_gpt, IDS),
    "ResNet18": (
        lambda: models.ResNet18(n_classes=5, like="torch"), lambda nn: their_resnet(nn, 18), normal(2, 3, 40, 40),
    ),
    "ResNet50": (
        lambda: models.ResNet50(n_classes=5, like="torch"), lambda nn: their_resnet(nn, 50), normal(2, 3, 40, 40),
    ),
    "SqueezeNet": (lambda: models.SqueezeNet(n_classes=5), their_squeezenet, normal(2, 3, 31, 31)),
    "VGG16": (lambda: models.VGG16(n_classes=5), their_vgg, normal(2, 3, 32, 32)),
}  # fmt: skip


def theirs_on(module, x):
    """What PyTorch's module gives, whose attention and recurrent layers give more than we do."""
    import torch

    x = torch.from_numpy(x)
    with torch.no_grad():
        y = module(x, x, x) if isinstance(module, torch.nn.MultiheadAttention) else module(x)
    return (y[0] if isinstance(y, tuple) else y).numpy()


def ours_on(layer, x):
    if hasattr(layer, "reset_state"):
        layer.reset_state()
    with tg.test_mode(), tg.no_grad():
        return layer(x).data


def shaken(arrays):
    """Arrays of the same shapes and about the same sizes, no two alike; variances stay above 0."""
    rng = np.random.default_rng(3)
    moved = {name: a + (0.1 * a.std() + 0.01) * rng.standard_normal(a.shape) for name, a in arrays.items()}
    return {name: (np.abs(a) if "var" in name else a).astype(np.float32) for name, a in moved.items()}


@pytest.mark.parametrize("name", PAIRS)
def test_pytorch_computes_the_same_with_our_weights_and_we_with_its(name, tmp_path):
    torch = pytest.importorskip("torch")
    make, module, x = PAIRS[name]
    torch.manual_seed(0)
    theirs = module(torch.nn).eval()
    state = {key: a.numpy() for key, a in theirs.state_dict().items()}
    state |= shaken({key: a for key, a in state.items() if a.dtype.kind == "f"})
    theirs.load_state_dict({key: torch.from_numpy(a) for key, a in state.items()})

    ours = make()
    ours.load_state(theirs.state_dict(), layout="torch")  # Of tensors, without a file.
    expected = theirs_on(theirs, x)
    close = {"rtol": 1e-3, "atol": 1e-5 * max(1, np.abs(expected).max())}
    np.testing.assert_allclose(ours_on(ours, x), expected, **close)
    np.savez(tmp_path / "theirs.npz", **state)
    again = make()
    again.load_weights(tmp_path / "theirs.npz", layout="torch")
    assert held(again) == held(ours)

    ours.load_state(shaken(ours.state()))
    ours.save_weights(tmp_path / "ours.npz", layout="torch")
    arrays = weights.read(tmp_path / "ours.npz")
    counted = {key for key in state if "num_batches" in key}
    assert {key: a.shape for key, a in arrays.items()} == {k: a.shape for k, a in state.items() if k not in counted}
    theirs.load_state_dict({key: torch.from_numpy(a) for key, a in arrays.items()})
    moved = ours_on(ours, x)
    assert np.abs(moved - expected).max() > 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(theirs_on(theirs, x), moved, **close)


@pytest.mark.parametrize("name", PAIRS)
def test_what_is_written_for_pytorch_comes_back(name):
    make, _, x = PAIRS[name]
    layer, other = make(), make()
    ours_on(layer, x)
    layer.load_state(shaken(layer.state()))
    other.load_state(layer.state(layout="torch"), layout="torch")
    assert held(other) == held(layer)


def test_attention_with_a_memory_and_a_mask_is_pytorchs():
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.MultiheadAttention(4, 2, batch_first=True), L.MultiHeadAttention(2, causal=True)
    ours.load_state(theirs.state_dict(), layout="torch")
    x, memory = torch.from_numpy(normal(2, 3, 4)), torch.from_numpy(normal(2, 3, 4) * 2)
    mask = ~torch.ones(3, 3, dtype=torch.bool).tril()
    with torch.no_grad():
        expected = theirs(x, memory, memory, attn_mask=mask)[0].numpy()
    np.testing.assert_allclose(ours(x.numpy(), memory.numpy()).data, expected, rtol=1e-4, atol=1e-6)


def test_pytorch_continues_from_our_state_gate_by_gate():
    torch = pytest.importorskip("torch")
    for kind in ("RNN", "LSTM", "GRU"):
        theirs = getattr(torch.nn, kind)(2, 3, batch_first=True)
        ours = getattr(L, kind)(3)
        ours.load_state(theirs.state_dict(), layout="torch")
        x = normal(4, 6, 2)
        with torch.no_grad():
            expected = theirs(torch.from_numpy(x))[0].numpy()
        np.testing.assert_allclose(np.concatenate([ours(x[:, :2]).data, ours(x[:, 2:]).data], 1), expected, atol=1e-6)
