"""The models of images, against what their papers count; and the summary of a model."""

import copy
import functools
import pickle
import re

import numpy as np
import pytest

import tinygrad_jp as tg
import tinygrad_jp.functions as F
import tinygrad_jp.layers as L
from tinygrad_jp import Parameter, gradient_check, models
from tinygrad_jp.datasets import downloads
from tinygrad_jp.layers import convolution, linear
from tinygrad_jp.models import resnet, squeezenet

SMALL = {"ResNet18": lambda: models.ResNet18(n_classes=5, rng=0), "SqueezeNet": lambda: models.SqueezeNet(rng=0)}
DEZERO18 = functools.partial(models.ResNet18, like="dezero")
small = pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)

VGG_CONVS = [f"conv{block}_{i}" for block, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)]


def images(n=2, size=32, dtype=np.float32):
    return np.random.default_rng(1).standard_normal((n, 3, size, size)).astype(dtype)


@pytest.fixture
def weightless(monkeypatch):
    """Weights that are zero and take no memory: for who counts them only."""

    def zeros(init, shape, dtype=np.float32, rng=None):
        return np.broadcast_to(np.zeros((), dtype), shape)

    for module in (convolution, linear):
        monkeypatch.setattr(module, "initialize", zeros)


def seen(model, x=None):
    """The model, its sizes known."""
    with tg.no_grad(), tg.test_mode():
        model(images(1) if x is None else x)
    return model


def in_float64(model, x):
    """The model, all that it holds in float64."""
    for path, value in seen(model, x).state().items():
        model._named_arrays()[path].data = value.astype(float)
    return model


def count(model):
    return sum(p.size for p in model.params())


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (models.ResNet18, 11_689_512),
        (models.ResNet50, 25_557_032),
        (models.ResNet101, 44_549_160),
        (models.ResNet152, 60_192_808),
        (lambda: models.ResNet(34), 21_797_672),
        (models.SqueezeNet, 1_235_496),
        # The first fully connected layer sees 7 by 7 pixels of an image of 224 by 224, and one of an image of 32.
        (models.VGG16, 138_357_544 - (7 * 7 - 1) * 512 * 4096),
    ],
)
def test_models_have_as_many_parameters_as_is_known(model, parameters, weightless):
    assert count(seen(model())) == parameters


def test_parameters_have_dezeros_names():
    paths = list(models.VGG16(n_classes=3).named_params())
    assert paths == [f"{name}.{p}" for name in [*VGG_CONVS, "fc6", "fc7", "fc8"] for p in "Wb"]
    blocks = {"res2": 3, "res3": 4, "res4": 6, "res5": 3}
    names = [f"{s}.{b}" for s, n in blocks.items() for b in ("a", *(f"b{i}" for i in range(1, n)))]
    steps = {name: 4 if name.endswith("a") else 3 for name in names}
    expected = [("", 1), *((f"{name}.", n) for name, n in steps.items())]
    pairs = [f"{at}{layer}" for at, n in expected for i in range(1, n + 1) for layer in (f"conv{i}.W", f"bn{i}.gamma")]
    assert [p for p in models.ResNet50().named_params() if "beta" not in p] == [*pairs, "fc6.W", "fc6.b"]


def test_a_stage_and_a_fire_module_say_what_they_are():
    x = np.ones((1, 8, 4, 4), np.float32)
    stage, fire = resnet.Stage(2, 4, 2, True, 0), squeezenet.Fire(2, 8, 0)
    stage(x), fire(x)
    assert repr(stage).split("\n") == [
        "Stage: 768 parameters",
        "  a  Block: 448",
        "    conv1  Conv2d(8, 4, 1, stride=2): 32",
        "    bn1  BatchNorm(4): 8",
        "    conv2  Conv2d(4, 4, 3, pad=1): 144",
        "    bn2  BatchNorm(4): 8",
        "    conv3  Conv2d(4, 16, 1): 64",
        "    bn3  BatchNorm(16): 32",
        "    conv4  Conv2d(8, 16, 1, stride=2): 128",
        "    bn4  BatchNorm(16): 32",
        "  b1  Block: 320",
        "    conv1  Conv2d(16, 4, 1): 64",
        "    bn1  BatchNorm(4): 8",
        "    conv2  Conv2d(4, 4, 3, pad=1): 144",
        "    bn2  BatchNorm(4): 8",
        "    conv3  Conv2d(4, 16, 1): 64",
        "    bn3  BatchNorm(16): 32",
    ]
    assert repr(fire).split("\n") == [
        "Fire: 194 parameters",
        "  squeeze  Conv2d(8, 2, 1): 18",
        "  expand1  Conv2d(2, 8, 1): 24",
        "  expand3  Conv2d(2, 8, 3, pad=1): 152",
    ]


@pytest.mark.parametrize(
    ("module", "y"),
    [
        (resnet.Stage(2, 2, 2, True, 0), (2, 8, 2, 2)),
        (resnet.Stage(2, 2, 1, True, 0), (2, 8, 3, 3)),
        (resnet.Stage(1, 2, 1, False, 0), (2, 2, 3, 3)),
        (resnet.Stage(1, 4, 2, False, 0), (2, 4, 2, 2)),
        (squeezenet.Fire(2, 3, 0), (2, 6, 3, 3)),
    ],
)
@pytest.mark.parametrize("train", [True, False])
def test_blocks_have_shapes_and_derivatives(module, y, train):
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    with tg.using_config("train", train):
        assert in_float64(module, x)(x).shape == y
        assert gradient_check(lambda x: module(x), x, order=2)


def test_a_block_adds_to_what_it_is_given():
    x = np.random.default_rng(0).standard_normal((2, 2, 3, 3))
    block = in_float64(resnet.Block(((2, 3), (2, 3)), 1, False, 0), x)
    h = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
    np.testing.assert_allclose(block(x).data, np.maximum(h.data + x, 0))


@pytest.mark.parametrize("make", [*SMALL.values(), lambda: models.VGG16(n_classes=5, rng=0)], ids=[*SMALL, "VGG16"])
def test_a_step_reaches_every_parameter(make):
    model = make()
    F.softmax_cross_entropy(model(images()), [0, 3]).backward()
    assert all(np.any(p.grad.data) for path, p in model.named_params().items())


def test_dezeros_bias_before_a_normalization_is_taken_over(tmp_path):
    model, other = (seen(models.ResNet18(n_classes=5, like="dezero", rng=0)) for _ in range(2))
    other.conv1.b = Parameter(np.linspace(-1, 1, 64, dtype=np.float32))
    np.savez(tmp_path / "dezero.npz", **{path.replace(".", "/"): a for path, a in other.state().items()})
    for load in (lambda: model.load_state(other.state()), lambda: model.load_weights(tmp_path / "dezero.npz")):
        model.bn1.avg_mean.data += 1
        load()
        with tg.test_mode():
            np.testing.assert_allclose(model(images()).data, other(images()).data, rtol=1e-4, atol=1e-5)


def dezeros_resnet(arrays, x):
    """DeZero's ResNet, as its source has it, from the arrays in a file of its weights."""

    def step(i, x, stride, pad, at):
        x = F.conv2d(x, arrays[f"{at}conv{i}/W"], arrays.get(f"{at}conv{i}/b"), stride, pad)
        bn = [arrays[f"{at}bn{i}/{name}"] for name in ("gamma", "beta", "avg_mean", "avg_var")]
        return F.batch_norm(x, *bn, 0.9, 2e-5)

    x = F.pooling(F.relu(step(1, x, 2, 3, "")), 3, 2)  # No pad.
    for stage, n in zip(range(2, 6), (3, 4, 6, 3), strict=True):
        for at in [f"res{stage}/a/", *(f"res{stage}/b{i}/" for i in range(1, n))]:
            stride = 2 if stage > 2 and at.endswith("a/") else 1
            y = F.relu(step(1, x, stride, 0, at))  # The 1×1 convolution halves the image.
            y = step(3, F.relu(step(2, y, 1, 1, at)), 1, 0, at)
            x = F.relu(y + (step(4, x, stride, 0, at) if at.endswith("a/") else x))
    return F.linear(x.mean(axis=(2, 3)), arrays["fc6/W"], arrays["fc6/b"])


def test_dezeros_weights_give_what_dezero_computes(tmp_path):
    model, rng = models.ResNet50(n_classes=5, like="dezero", rng=0), np.random.default_rng(0)
    arrays = {path.replace(".", "/"): a for path, a in seen(model).state().items()}
    noisy = ("gamma", "avg_var", "beta", "avg_mean")
    arrays |= {k: a + rng.uniform(0, 0.2, a.shape).astype(a.dtype) for k, a in arrays.items() if k.endswith(noisy)}
    arrays["conv1/b"] = rng.standard_normal(64).astype(np.float32)
    np.savez(tmp_path / "resnet50.npz", **arrays)
    x = images(2, 64)
    with tg.test_mode(), tg.no_grad():
        expected = dezeros_resnet(arrays, x).data
        model.load_weights(tmp_path / "resnet50.npz")
        np.testing.assert_allclose(model(x).data, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
        model.save_weights(tmp_path / "again.npz")
        again = models.ResNet50(n_classes=5, like="dezero")
        again.load_weights(tmp_path / "again.npz")
        np.testing.assert_array_equal(again(x).data, model(x).data)


@pytest.mark.parametrize("like", ["paper", "torch"])
def test_dezeros_weights_are_refused_by_another_network(like):
    model = models.ResNet18(n_classes=5, like=like)
    with pytest.raises(ValueError, match=r"ResNet18: weights with a conv1\.b are DeZero's.*like='dezero'"):
        model.load_state({"conv1.b": np.zeros(64)})
    with pytest.raises(ValueError, match="expected like to be one of paper, dezero, torch, got 'keras'"):
        models.ResNet18(like="keras")


@pytest.mark.parametrize(("like", "side"), [("paper", 56), ("dezero", 55), ("torch", 56)])
def test_what_the_pooling_leaves_of_an_image(like, side, weightless):
    table = models.summary(models.ResNet18(like=like), images(1, 224))
    assert re.search(rf"^  res2 .*\(1, 64, {side}, {side}\)", table, re.M)


@small
def test_one_image_gives_the_same_alone_and_in_a_batch(make):
    model, x = make(), images(3)
    model(x)
    with tg.test_mode():
        y, again = model(x).data, model(x).data
        alone = np.concatenate([model(x[i : i + 1]).data for i in range(3)])
    np.testing.assert_array_equal(y, again)
    np.testing.assert_allclose(alone, y, rtol=1e-4, atol=1e-5)
    assert len(np.unique(y[:, 0])) == 3


@small
def test_one_seed_makes_a_model(make):
    a, b = (seen(make()).params() for _ in range(2))
    assert all(np.array_equal(p.data, q.data) for p, q in zip(a, b, strict=True))
    alike = {p.data.ravel()[:4].tobytes() for p in a if p.name == "W"}
    assert len(alike) == sum(p.name == "W" for p in a)


@small
def test_copies_and_states_of_a_model_compute_the_same(make):
    model, fresh, x = make(), make(), images()
    copies = [copy.deepcopy(model)]
    with tg.test_mode():
        y = model(x).data
        copies += [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
        fresh.load_state(model.state())
        for other in (*copies, fresh):
            np.testing.assert_array_equal(other(x).data, y)


@pytest.mark.parametrize(
    ("make", "size"),
    [(models.SqueezeNet, 31), (models.VGG16, 32), (models.ResNet18, 1), (models.ResNet50, 1), (DEZERO18, 5)],
)
def test_images_of_any_size_that_is_large_enough(make, size, weightless):
    assert seen(make(n_classes=3), images(1, size)).forward(images(2, size)).shape == (2, 3)
    model = make()
    for x in (np.ones((1, 3, 40, size - 1), np.float32), np.ones((3, 40, 40), np.float32)):
        message = f": expected x of shape (N, C, H, W) with sides of at least {size}, got {x.shape}; resize"
        with pytest.raises(ValueError, match=re.escape(type(model).__name__ + message)):
            model(x)
    assert all(p.data is None for p in model.params() if p.name == "W")


@pytest.mark.parametrize("make", [models.VGG16, models.ResNet50])
def test_the_weights_that_dezero_offers(make, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_JP_DATA", str(tmp_path))
    monkeypatch.setattr(downloads, "_fetch", lambda url, path, limit: fetched.append(url) or trained.save_weights(path))
    like = {} if make is models.VGG16 else {"like": "dezero"}
    trained, fetched = seen(make(n_classes=2, rng=1, **like), images(1, 32)), []
    for _ in range(2):
        model = make(pretrained=True, n_classes=2)
        with tg.test_mode():
            np.testing.assert_array_equal(model(images(1, 32)).data, trained(images(1, 32)).data)
    assert [url.rpartition("/")[2] for url in fetched] == [f"{make.__name__.lower()}.npz"]


@pytest.mark.parametrize("make", [models.ResNet18, models.SqueezeNet])
def test_weights_that_dezero_does_not_offer(make):
    with pytest.raises(ValueError, match=rf"{make.__name__}: .* DeZero has no weights of it; .* load_weights\(path\)"):
        make(pretrained=True)


def test_a_depth_that_no_paper_has():
    with pytest.raises(ValueError, match="ResNet: expected n_layers to be one of 18, 34, 50, 101, 152, got 20"):
        models.ResNet(20)


# ---------------------------------------------------------------------------------------------------------------------
# Preprocessing


def test_an_image_is_turned_to_bgr_and_centered():
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    x = models.VGG16.preprocess(image, size=(4, 2))
    assert (x.shape, x.dtype) == ((3, 2, 4), np.float32)
    np.testing.assert_allclose(x[0], image[..., 2] - 103.939, rtol=1e-6)
    np.testing.assert_allclose(x[2], image[..., 0] - 123.68, rtol=1e-6)
    assert models.VGG16.preprocess(image, None, np.float64).dtype == np.float64
    assert image.max() == 23


def test_a_pillow_image_is_resized():
    from PIL import Image

    image = Image.fromarray(np.full((5, 7), 200, np.uint8))
    x = models.VGG16.preprocess(image, size=(4, 2))
    np.testing.assert_allclose(x[:, 0, 0], 200 - np.array([103.939, 116.779, 123.68]), rtol=1e-5)
    assert (x.shape, models.VGG16.preprocess(image, size=None).shape) == ((3, 2, 4), (3, 5, 7))


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        ((8, 9, 3), (224, 224), "expected an image of shape (224, 224, 3), got (8, 9, 3)"),
        ((8, 9, 3), (8, 9), "expected an image of shape (9, 8, 3), got (8, 9, 3)"),
        ((3, 8, 9), None, "expected an image of shape (H, W, 3), got (3, 8, 9)"),
    ],
)
def test_an_array_of_another_shape_is_refused(shape, size, message):
    with pytest.raises(ValueError, match=re.escape(f"VGG16.preprocess: {message}")):
        models.VGG16.preprocess(np.ones(shape), size)


# ---------------------------------------------------------------------------------------------------------------------
# Summary


class Net(models.Model):
    """All that a summary may meet: lists, a shared layer, a state, a Parameter of its own, several outputs."""

    def __init__(self):
        self.blocks = [models.Sequential(L.Conv2d(2, 3, rng=0), L.BatchNorm(), L.Dropout(0.9)), L.Linear(2, rng=0)]
        self.tied = self.blocks[1]
        self.scale = Parameter(np.ones(2))
        self.h = None

    def forward(self, x):
        x = F.flatten(self.blocks[0](x))
        self.h = self.tied(self.tied(x)) * self.scale
        return self.h, x.data.tolist()


SUMMARY = """
layer                     output        parameters  bytes
Net                       (1, 2), list          32    136
  blocks.0  Sequential    (1, 2, 1, 1)          24     96
    l0  Conv2d(1, 2, 3)   (1, 2, 1, 1)          20     80
    l1  BatchNorm(2)      (1, 2, 1, 1)           4     16
    l2  Dropout(0.9)      (1, 2, 1, 1)           0      0
  blocks.1  Linear(2, 2)  (1, 2)                 6     24
  blocks.1  Linear(2, 2)  (1, 2)                 –      –
  scale  Parameter        (2,)                   2     16
"""


def test_a_summary_lists_every_call_and_counts_once():
    assert tg.models.summary(Net(), np.ones((1, 1, 3, 3), np.float32)) == SUMMARY.strip()
    assert count(seen(Net(), np.ones((1, 1, 3, 3), np.float32))) == 32


SUMMARIZED = {
    "GPT": lambda: (models.GPT(11, 2, 8, 2, 6, rng=0), np.zeros((2, 5), int)),
    "net": lambda: (Net(), np.ones((1, 1, 3, 3), np.float32)),
    "ResNet": lambda: (models.ResNet18(), images(1, 64)),
    "transformer": lambda: (L.TransformerBlock(2, 8), np.ones((2, 3, 8), np.float32)),
    "LSTM": lambda: (models.Sequential(L.LSTM(4), L.Linear(2)), np.ones((2, 3), np.float32)),
}


@pytest.mark.parametrize("name", SUMMARIZED)
def test_the_lines_below_a_layer_add_up_to_its_own(name):
    model, x = SUMMARIZED[name]()
    rows = [re.split(r"\s{2,}", line.lstrip()) for line in models.summary(model, x).split("\n")[1:]]
    depths = [(len(line) - len(line.lstrip())) // 2 for line in models.summary(model, x).split("\n")[1:]]
    for column in (-2, -1):
        numbers = [int(row[column].replace(",", "").replace("–", "0")) for row in rows]
        for i, depth in enumerate(depths):
            end = next((k for k in range(i + 1, len(depths)) if depths[k] <= depth), len(depths))
            below = [numbers[k] for k in range(i + 1, end) if depths[k] == depth + 1]
            assert not below or sum(below) == numbers[i], rows[i]
    assert numbers[0] == sum(p.nbytes for p in model.params())


def test_a_summary_changes_nothing_but_what_waited():
    model, x = Net(), np.ones((1, 1, 3, 3), np.float32)
    attributes = [list(vars(layer)) for _, layer in model.layers_by_path()]
    models.summary(model, x)
    assert [list(vars(layer)) for _, layer in model.layers_by_path()] == attributes
    assert model.h is None
    assert model.state()["blocks.0.l1.avg_mean"].tolist() == [0, 0]
    assert model.tied.W.creator is None
    assert model(x)[0].creator is not None
    with pytest.raises(ValueError, match="Conv2d: expected x"):
        models.summary(model, np.ones(3))
    assert [list(vars(layer)) for _, layer in model.layers_by_path()] == attributes


@pytest.mark.parametrize(
    ("make", "sides"),
    [
        (models.ResNet18, {"conv1": 112, "res2": 56, "res3": 28, "res4": 14, "res5": 7}),
        (
            models.SqueezeNet,
            {"conv1": 111, "fire2": 55, "fire3": 55, "fire4": 27, "fire5": 27, "fire6": 13, "conv10": 13},
        ),
    ],
)
def test_images_shrink_as_in_the_papers(make, sides, weightless):
    table = models.summary(make(), images(1, 224))
    found = re.findall(r"^  (\w+)  .+\(1, \d+, (\d+), \d+\)", table, re.M)
    assert sides.items() <= {name: int(side) for name, side in found}.items()


def test_a_summary_of_a_large_model(weightless):
    lines = models.summary(models.ResNet50(), images(1)).split("\n")
    assert len(lines) == 1 + 1 + 4 + 16 + (53 + 53) + 1
    assert re.split(r"\s{2,}", lines[1]) == ["ResNet50", "(1, 1000)", "25,557,032", "102,228,128"]
