"""Data sets: indexing, transforms, the sets that are computed or come along, texts, and the archives of CIFAR."""

import codecs
import copy
import gzip
import hashlib
import io
import os
import pickle
import struct
import subprocess
import sys
import tarfile

import numpy as np
import pytest

import tinygrad_jp as tg
from tinygrad_jp import datasets
from tinygrad_jp.datasets import (
    CIFAR10,
    CIFAR100,
    ArrayDataset,
    Dataset,
    Digits,
    FashionMNIST,
    Scale,
    Shakespeare,
    SinCurve,
    Spiral,
    TwoMoons,
    cifar,
)

# ---- Dataset ---------------------------------------------------------------------------------------------------------


class Plain(Dataset):
    """Example i is (i, i squared); a list rather than an array where `kind` says so."""

    kind = staticmethod(np.asarray)

    def prepare(self):
        self.data, self.label = self.kind(range(6)), self.kind([i**2 for i in range(6)])


class Listed(Plain):
    kind = list


@pytest.mark.parametrize("make", [Plain, Listed])
@pytest.mark.parametrize("index", [
    slice(None), slice(1, 5, 2), slice(None, None, -1), slice(-2, None), slice(2, 2), [4, 0, 4], [-1], [],
    np.array([3, 1]), np.arange(6) % 2 == 0,
])  # fmt: skip
def test_a_selection_is_a_batch(make, index):
    x, t = make()[index]
    assert np.array_equal(x, np.arange(6)[index])
    assert np.array_equal(t, np.arange(6)[index] ** 2)


@pytest.mark.parametrize("make", [Plain, Listed])
@pytest.mark.parametrize("index", [0, 5, -1, -6, np.int64(3), np.array(3)])
def test_an_index_is_one_example(make, index):
    x, t = make()[index]
    assert np.ndim(x) == 0 and x == np.arange(6)[index] and t == x**2


@pytest.mark.parametrize("make", [Plain, Listed])
def test_an_index_out_of_range_is_refused(make):
    for index in (6, -7):
        with pytest.raises(IndexError, match=f"{make.__name__}: expected an index from -6 to 5, got {index}"):
            make()[index]
    with pytest.raises(IndexError):
        make()[[0, 6]]
    with pytest.raises(IndexError):
        make()["0"]


def test_a_data_set_is_iterable():
    assert [(int(x), int(t)) for x, t in Plain()] == [(i, i**2) for i in range(6)]


@pytest.mark.parametrize("make", [Plain, Listed])
def test_transforms_act_on_single_examples_and_on_batches_alike(make):
    dataset = make(transform=lambda x: np.array([x, -x]), target_transform=lambda t: t + 1)
    x, t = dataset[2]
    assert x.tolist() == [2, -2] and t == 5
    x, t = dataset[1:3]
    assert x.tolist() == [[1, -1], [2, -2]] and t.tolist() == [2, 5]


def test_a_batched_transform_is_called_once():
    calls = []

    class Half:
        batched = True

        def __call__(self, x):
            calls.append(np.shape(x))
            return x / 2

    dataset = Plain(transform=Half(), target_transform=Half())
    x, t = dataset[1:4]
    assert calls == [(3,), (3,)]
    assert x.tolist() == [0.5, 1, 1.5] and t.tolist() == [0.5, 2, 4.5]


def test_without_labels_t_is_none():
    dataset = ArrayDataset(np.eye(3))
    assert dataset[0][1] is None and dataset[:2][1] is None
    dataset = ArrayDataset(np.eye(3), target_transform=lambda t: t + 1)
    assert dataset[0][1] is None and dataset[:2][1] is None


def test_a_subclass_that_overrides_getitem_makes_batches_of_its_own_examples():
    class Big(Dataset):
        def __len__(self):
            return 1000

        def __getitem__(self, index):
            return np.full(2, index), index

    x, t = Big().batch(np.array([7, 999]))
    assert x.tolist() == [[7, 7], [999, 999]] and t.tolist() == [7, 999]


def test_a_subclass_that_overrides_getitem_is_asked_even_if_its_data_is_an_array():
    class Shifted(Plain):
        def __getitem__(self, index):
            x, t = super().__getitem__(index)
            return x + 100, t

    x, t = Shifted().batch(np.array([1, 2]))
    assert x.tolist() == [101, 102] and t.tolist() == [1, 4]


def test_subclasses_receive_what_was_asked_for():
    dataset = Plain(train=False, transform=abs, target_transform=round)
    assert dataset.train is False and dataset.transform is abs and dataset.target_transform is round


def test_a_subclass_without_data_is_told_what_to_do():
    class Forgetful(Dataset):
        pass

    for use in (len, list, lambda dataset: dataset[0], lambda dataset: dataset[:2]):
        with pytest.raises(TypeError, match=r"Forgetful: expected data, got None; set self.data in prepare\(\)"):
            use(Forgetful())


def test_array_data_set():
    data, label = np.arange(6.0).reshape(3, 2), [1, 0, 1]
    dataset = ArrayDataset(data, label, transform=lambda x: x + 1)
    assert len(dataset) == 3 and dataset.data is data
    assert dataset[1][0].tolist() == [3, 4] and dataset[1][1] == 0
    with pytest.raises(ValueError, match="ArrayDataset: expected one label per example, got 3 examples and 2 labels"):
        ArrayDataset(data, [1, 0])


@pytest.mark.parametrize("dtype", ["u1", "<i8", ">i8", "<f4", ">f4", "<f8", ">f8", "<f2", ">f2", "?"])
def test_data_of_every_dtype_is_taken_as_it_is(dtype):
    data, label = np.arange(12).reshape(6, 2).astype(dtype), np.arange(6).astype(dtype)
    dataset = ArrayDataset(data, label)
    assert dataset.data is data and dataset.label is label
    for index in (2, slice(1, 4), [3, 0], slice(0, 0), np.zeros(6, bool)):
        x, t = dataset[index]
        assert {a.dtype.newbyteorder("=") for a in (x, t)} == {data.dtype.newbyteorder("=")}
        assert np.array_equal(x, data[index]) and np.array_equal(t, label[index])


@pytest.mark.parametrize("whole", [slice(None), [], slice(0, 0)])
@pytest.mark.parametrize("make", [lambda: ArrayDataset([], []), lambda: ArrayDataset(np.empty((0, 3)), np.empty(0))])
def test_an_empty_data_set_gives_empty_batches_and_says_that_it_is_empty(make, whole):
    x, t = make()[whole]
    assert len(x) == len(t) == len(list(make())) == 0
    for index in (0, -1):
        message = f"ArrayDataset: expected a data set with examples, not an empty one, got {index}"
        with pytest.raises(IndexError, match=message):
            make()[index]


@pytest.mark.parametrize("which", ["data", "label"])
@pytest.mark.parametrize(("bad", "message"), [
    (3.0, r"expected an array with an axis of examples, got 3.0; write \[3.0\]"),
    (np.array(3), r"expected an array with an axis of examples, got 3; write \[3\]"),
    ([[1], [1, 2]], r"expected examples of one shape, got \(1,\), \(2,\); crop or pad them first"),
    ([1, [1, 2]], r"expected examples of one shape, got \(\), \(2,\); crop or pad them first"),
])  # fmt: skip
def test_data_and_labels_that_are_no_arrays_of_examples_are_refused(which, bad, message):
    with pytest.raises(ValueError, match=f"^ArrayDataset: {message}"):
        ArrayDataset(**({"data": [1, 2], "label": [3, 4]} | {which: bad}))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 3, 4, 5), (0, 3, 4, 5)])
def test_scale(shape, dtype):
    x = np.ones(shape, dtype)
    kept = x.copy()
    y = Scale(4)(x)
    assert y.dtype == np.float32 and y.shape == (*shape[:-3], 60) and (y == 0.25).all()
    assert Scale(4, flatten=False)(x).shape == shape
    assert np.array_equal(x, kept)


# ---- Digits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("train, n", [(True, 1437), (False, 360)])
def test_digits(train, n):
    dataset = Digits(train=train)
    assert len(dataset) == n
    assert dataset.data.shape == (n, 1, 8, 8) and dataset.data.dtype == np.uint8
    assert dataset.data.min() == 0 and dataset.data.max() == 16
    assert dataset.label.shape == (n,) and dataset.label.dtype == np.int64
    assert set(dataset.label) == set(range(10))
    x, t = dataset[:]
    assert x.shape == (n, 64) and x.dtype == np.float32 and x.min() == 0 and x.max() == 1
    assert np.array_equal(t, dataset.label)
    one, _ = dataset[7]
    assert one.dtype == np.float32 and np.array_equal(one, x[7])


def test_digits_as_raw_and_as_scaled_images():
    x, _ = Digits(transform=None)[0]
    assert x.shape == (1, 8, 8) and x.dtype == np.uint8
    y, _ = Digits(transform=Scale(16, flatten=False))[0]
    assert y.shape == (1, 8, 8) and np.array_equal(y, (x / 16).astype(np.float32))


def test_digits_can_be_told_apart():
    """The nearest class mean is right on 85 % or more: labels belong to their images, in both parts."""
    (x, t), (x_test, t_test) = Digits(train=True)[:], Digits(train=False)[:]
    means = np.stack([x[t == digit].mean(axis=0) for digit in range(10)])
    nearest = ((x_test[:, np.newaxis] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == t_test).mean() > 0.85


def test_digits_are_the_original_shuffled_as_documented():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    order = np.random.default_rng(0).permutation(1797)
    parts = Digits(train=True), Digits(train=False)
    assert np.array_equal(np.concatenate([part.data for part in parts])[:, 0], source.images[order])
    assert np.array_equal(np.concatenate([part.label for part in parts]), source.target[order])


def test_digits_are_small():
    assert os.path.getsize(os.path.join(os.path.dirname(datasets.__file__), "digits.npz")) <= 60_000


def test_importing_loads_no_network_code():
    code = "import sys, tinygrad_jp.datasets; sys.exit('urllib.request' in sys.modules or 'http' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_batched_transform_that_loses_examples_is_refused():
    """Pictures without an axis of channels look like one picture with many channels."""
    dataset = ArrayDataset(np.zeros((5, 8, 8)), transform=tg.transforms.Flatten())
    with pytest.raises(ValueError, match=r"Flatten: expected a batch of 5, got shape \(320,\) from \(5, 8, 8\)"):
        dataset[:]


# ---- sets that are computed ------------------------------------------------------------------------------------------

TOYS = [Spiral, TwoMoons, SinCurve]


@pytest.mark.parametrize("make, shape, dtype", [
    (Spiral, (300, 2), np.int64), (TwoMoons, (200, 2), np.int64), (SinCurve, (999, 1), np.float32),
])  # fmt: skip
def test_computed_sets(make, shape, dtype):
    tg.seed(None)
    before = np.random.get_state()[1].copy()
    train, again, test = make(), make(train=True), make(train=False)
    assert train.data.shape == shape and train.data.dtype == np.float32
    assert len(train.label) == len(train) and train.label.dtype == dtype
    assert not np.array_equal(train.data, test.data)
    follows = make is not TwoMoons  # DeZero's sets use NumPy's global state.
    assert np.array_equal(train.data, again.data) and np.array_equal(train.label, again.label) or make is SinCurve
    assert np.array_equal(np.random.get_state()[1], before) != follows


@pytest.mark.parametrize("make", TOYS)
def test_the_seed_of_a_computed_set(make):
    data = [make(rng=rng).data for rng in (0, 1, np.int64(1), np.random.default_rng(3))]
    assert np.array_equal(data[1], data[2])
    assert not np.array_equal(data[0], data[1]) and not np.array_equal(data[1], data[3])
    drawn = [(tg.seed(5), make(rng=None).data)[1] for _ in range(2)]
    assert np.array_equal(*drawn) and not np.array_equal(drawn[0], make(rng=None).data)


@pytest.mark.parametrize("make", TOYS)
def test_a_computed_set_has_transforms(make):
    x, t = make(True, lambda x: x * 0, lambda t: t * 0 + 7)[3]
    assert not x.any() and t == 7


def test_spiral_lies_on_three_arms():
    x, t = Spiral()[:]
    radius = np.hypot(*x.T)
    angle = np.arctan2(x[:, 0], x[:, 1])
    off = np.angle(np.exp(1j * (angle - 4 * t - 4 * radius)))[radius > 0]
    assert radius.max() == pytest.approx(0.99) and np.bincount(t).tolist() == [100] * 3
    assert abs(off).max() < 1 and 0.15 < off.std() < 0.25
    assert (np.diff(t) != 0).sum() > 100, "shuffled"


@pytest.mark.parametrize("n, counts", [(2, [1, 1]), (5, [3, 2]), (100, [50, 50])])
def test_two_moons_are_half_circles(n, counts):
    x, t = TwoMoons(n=n, noise=0)[:]
    assert np.bincount(t).tolist() == counts
    centre = np.stack([t, t / 2], axis=1)
    np.testing.assert_allclose(np.hypot(*(x - centre).T), 1, rtol=1e-6)
    assert ((x - centre)[:, 1] * (1 - 2 * t) >= -1e-6).all()


@pytest.mark.parametrize("wrong", [{"n": 1}, {"n": 0}, {"noise": -1}])
def test_two_moons_refuses(wrong):
    with pytest.raises(ValueError, match="TwoMoons: expected n >= 2 and noise >= 0, got n="):
        TwoMoons(**wrong)


def test_sin_curve_is_a_sine_to_learn_and_a_cosine_to_test():
    train, test = SinCurve(), SinCurve(train=False)
    angle = np.linspace(0, 2 * np.pi, 1000)
    noise = train.data[:, 0] - np.sin(angle[:-1])
    assert 0.04 < abs(noise).max() <= 0.0501 and abs(noise.mean()) < 0.005
    np.testing.assert_allclose(test.label[:, 0], np.cos(angle[1:]), atol=1e-6)
    for dataset in (train, test):
        assert np.array_equal(dataset.data[1:], dataset.label[:-1])


# ---- Shakespeare -----------------------------------------------------------------------------------------------------

TEXT = "To be, or not to be: that is the question.\n" * 10


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.mark.parametrize("length", [1, 5, 42])
def test_windows_of_a_text(text, length):
    train, test = Shakespeare(path=text, length=length), Shakespeare(train=False, path=str(text), length=length)
    assert train.text == TEXT[:387] and test.text == TEXT[387:] and train.chars == test.chars
    assert train.chars == "".join(sorted(set(TEXT)))
    for dataset in (train, test):
        assert len(dataset) == len(dataset.text) - length
        x, t = dataset[:]
        assert x.shape == t.shape == (len(dataset), length) and x.dtype == t.dtype == np.int64
        for i in (0, len(dataset) // 2, len(dataset) - 1):
            x, t = dataset[i]
            assert dataset.decode(x) == dataset.text[i : i + length]
            assert dataset.decode(t) == dataset.text[i + 1 : i + 1 + length]


def test_a_text_is_encoded_and_decoded(text):
    dataset = Shakespeare(path=text)
    ids = dataset.encode("to be\n")
    assert ids.dtype == np.int64 and dataset.decode(ids) == dataset.decode(ids.tolist()) == "to be\n"
    assert dataset.decode([]) == "" and dataset.encode("").shape == (0,)
    assert dataset.encode(dataset.chars).tolist() == list(range(len(dataset.chars)))
    with pytest.raises(ValueError, match="encode: expected characters of the text, got '#é'"):
        dataset.encode("é to #")
    for wrong in ([-1], [0, len(dataset.chars)]):
        with pytest.raises(ValueError, match=f"decode: expected ids from 0 to {len(dataset.chars) - 1}, got "):
            dataset.decode(wrong)


def test_a_text_may_be_in_any_script(tmp_path):
    (tmp_path / "text").write_text("吾輩は猫である。名前はまだ無い。" * 3, encoding="utf-8")
    dataset = Shakespeare(path=tmp_path / "text", length=4)
    assert dataset.decode(dataset[0][1]) == "輩は猫で"


@pytest.mark.parametrize("length", [0, -1, 43, 1000])
def test_a_window_longer_than_the_text_is_refused(text, length):
    with pytest.raises(ValueError, match=f"Shakespeare: expected 1 <= length < 43, .* got {length}; give a longer"):
        Shakespeare(train=False, path=text, length=length)


def test_windows_take_no_memory(text):
    dataset = Shakespeare(path=text, length=40)
    assert np.shares_memory(dataset.data, dataset.ids) and np.shares_memory(dataset.label, dataset.ids)
    assert len(pickle.dumps(dataset)) < 5000
    assert copy.deepcopy(dataset).decode(dataset[3][0]) == TEXT[3:43]


def test_a_text_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        Shakespeare(path=tmp_path / "nowhere.txt")


# ---- CIFAR: small stand-ins for the archives -------------------------------------------------------------------------

PIXELS = 3 * 32 * 32


def batch(n, seed=0, classes=10, **changed):
    """What the pickle of one member holds, for n images."""
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 256, (n, PIXELS), dtype=np.uint8)
    labels = {name: rng.integers(0, k, n).tolist() for name, k in
              {"labels": classes, "fine_labels": 100, "coarse_labels": 20}.items()}  # fmt: skip
    content = {"data": data, **labels, "batch_label": b"batch 1", "filenames": [b"a.png"] * n} | changed
    return {key.encode(): value for key, value in content.items()}


def tar_gz(members):
    """A tar.gz of ``{name: bytes}``; a TarInfo in place of bytes is written as it is."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members.items():
            info = content if isinstance(content, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = 0 if info is content else len(content)
            tar.addfile(info, None if info is content else io.BytesIO(content))
    return packed.getvalue()


SMALL = {True: {"in/a": 3, "in/b": 2}, False: {"in/test": 2}}
BATCHES = {"in/b": batch(2, 1), "in/test": batch(2, 2), "in/a": batch(3, 3)}  # In another order than is asked for.
PICKLES = {name: pickle.dumps(content, 2) for name, content in BATCHES.items()}


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """A function that writes an archive, whose checksum is then the one that is expected."""

    def write(packed, kind=CIFAR10):
        folder = tmp_path / "data"
        folder.mkdir()
        monkeypatch.setenv("TINYGRAD_JP_DATA", str(folder))
        monkeypatch.setattr(kind, "members", SMALL)
        monkeypatch.setattr(kind, "sha256", hashlib.sha256(packed).hexdigest())
        (folder / kind.archive).write_bytes(packed)

    return write


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize("kind, settings, key", [
    (CIFAR10, {}, b"labels"), (CIFAR100, {}, b"fine_labels"), (CIFAR100, {"label_type": "coarse"}, b"coarse_labels"),
])  # fmt: skip
def test_cifar(archive, kind, settings, key, protocol):
    archive(tar_gz({name: pickle.dumps(content, protocol) for name, content in BATCHES.items()}), kind)
    for train, names in ((True, ["in/a", "in/b"]), (False, ["in/test"])):
        dataset = kind(train, **settings)
        assert dataset.data.dtype == np.uint8 and dataset.label.dtype == np.int64
        expected = np.concatenate([BATCHES[name][b"data"] for name in names])
        assert np.array_equal(dataset.data, expected.reshape(-1, 3, 32, 32))
        assert dataset.label.tolist() == [label for name in names for label in BATCHES[name][key]]
        x, _ = dataset[:]
        assert x.shape == dataset.data.shape and x.dtype == np.float32 and 0 <= x.min() < x.max() <= 1
        dataset.data[0] = 0  # The arrays are the user's own.


def test_cifar_reads_what_python_2_wrote():
    """The opcodes of its protocol 2: bytes where Python 3 writes str."""

    def text(s):
        return b"U" + bytes([len(s)]) + s

    dtype = b"cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|") + b"NNNJ\xff\xff\xff\xff" * 1
    dtype += b"J\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    array += b"(K\x01K\x02K\x03\x86" + dtype + b"\x89" + text(b"abcdef") + b"tb"
    content = cifar.unpickle(io.BytesIO(b"\x80\x02}" + text(b"data") + array + b"s."))
    assert content[b"data"].tolist() == [[97, 98, 99], [100, 101, 102]] and content[b"data"].dtype == np.uint8


class Call:
    """Pickled, a call of `function`."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


HOSTILE = {
    "a shell": (pickle.dumps(Call(os.system, "exit 1")), "(posix|nt).system"),
    "eval": (pickle.dumps(Call(eval, "1 + 1"), 2), "__builtin__.eval"),
    "getattr": (pickle.dumps([Call(getattr, np.ndarray, "tofile")]), "builtins.getattr"),
    "a file": (pickle.dumps(Call(np.fromfile, "/etc/passwd")), "numpy.*fromfile"),
    "a copyreg": (pickle.dumps(np.random.default_rng(0)), "numpy.random"),
    "a codec": (pickle.dumps(Call(codecs.decode, b"x", "zlib")), "_codecs.decode"),
    "a dotted name": (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "numpy.ndarray.tofile"),
    "an extension": (b"\x80\x02\x82\x01.", "unregistered extension code 1"),
    "a persistent id": (b"Pabc\n.", "persistent"),
}  # fmt: skip


@pytest.mark.parametrize("packed, name", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_that_asks_for_anything_else_is_refused(archive, packed, name):
    with pytest.raises(ValueError, match=name):
        cifar.unpickle(io.BytesIO(packed))
    archive(tar_gz(PICKLES | {"in/a": packed}))
    with pytest.raises(
        ValueError, match=f"CIFAR10: .*{CIFAR10.archive}: .*{name}.*; delete this file, or put the orig"
    ):
        CIFAR10()
    assert len(CIFAR10(train=False)) == 2, "only what is asked for is read"


@pytest.mark.parametrize("packed", [
    pickle.dumps(Call(np.ndarray, (1 << 50,))),
    pickle.dumps(np.zeros(3)).replace(b"ndarray", b"dtype"),
    b"", b"\x80\x02", b"garbage", b"\x80\x02}U\x04data", b"\x80\x63.", b"R.", b"\x80\x04\x95" + b"\xff" * 8,
    b"\x8e" + struct.pack("<Q", 1 << 60) + b".",
])  # fmt: skip
def test_a_damaged_pickle_is_a_value_error(packed):
    with pytest.raises(ValueError):
        cifar.unpickle(io.BytesIO(packed))


def test_an_array_is_never_larger_than_its_bytes():
    """The function that reconstructs arrays would make one of any shape; the stand-in makes an empty one."""
    huge = Call(np._core.multiarray._reconstruct, np.ndarray, (1 << 40,), b"b")
    assert cifar.unpickle(io.BytesIO(pickle.dumps(huge, 4))).size == 0


@pytest.mark.parametrize("changed, message", [
    ({"in/a": pickle.dumps([1, 2])}, r"in/a: expected images of shape \(3, 3072\)"),
    ({"in/a": pickle.dumps(batch(2))}, r"in/a: expected images of shape \(3, 3072\)"),
    ({"in/a": pickle.dumps(batch(3, data=np.zeros((3, PIXELS)).astype(np.int8)))}, "in/a: .* dtype uint8"),
    ({"in/a": pickle.dumps(batch(3, data=[b"abc"] * 3))}, "in/a: .* dtype uint8"),
    ({"in/a": pickle.dumps(batch(3, labels=[1, 2]))}, r"in/a: expected 3 labels in 0\.\.9"),
    ({"in/a": pickle.dumps(batch(3, labels=[1, 2, 10]))}, r"in/a: expected 3 labels in 0\.\.9"),
    ({"in/a": pickle.dumps(batch(3, labels=[1, 2, -1]))}, r"in/a: expected 3 labels in 0\.\.9"),
    ({"in/a": pickle.dumps(batch(3, labels=[1, 2, True]))}, r"in/a: expected 3 labels in 0\.\.9"),
    ({"in/a": pickle.dumps(batch(3, labels=None))}, r"in/a: expected 3 labels in 0\.\.9"),
    ({"in/a": pickle.dumps(batch(3, filenames=[b"x" * 20_000]))}, "in/a: expected a file of at most 19,516 bytes, got"),
    ({"in/b": None}, "expected a member in/b, got none"),
    ({"in/b": None, "../in/b": PICKLES["in/b"]}, "expected a member in/b, got none"),
])  # fmt: skip
def test_a_member_that_is_something_else_is_refused(archive, changed, message, tmp_path):
    archive(tar_gz({name: content for name, content in (PICKLES | changed).items() if content is not None}))
    with pytest.raises(ValueError, match=f"CIFAR10: .*: {message}"):
        CIFAR10()
    assert [path.name for path in tmp_path.rglob("*")] == ["data", CIFAR10.archive], "nothing written"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_file_is_refused(archive, kind):
    info = tarfile.TarInfo("in/a")
    info.type, info.linkname = kind, "/etc/passwd"
    archive(tar_gz(PICKLES | {"in/a": info}))
    with pytest.raises(ValueError, match="in/a: expected a file of at most"):
        CIFAR10()


@pytest.mark.parametrize("damage", [
    lambda packed: packed[:-200], lambda packed: packed[:1000], lambda packed: packed[:20], lambda packed: b"",
    lambda packed: packed[:10] + b"\xff" * 1000, lambda packed: b"<html>please log in</html>",
    lambda packed: gzip.compress(b"no tar at all"), lambda packed: gzip.compress(gzip.decompress(packed)[:9000]),
])  # fmt: skip
def test_a_damaged_archive_is_refused(archive, damage):
    archive(damage(tar_gz(PICKLES)))
    with pytest.raises(ValueError, match=r"CIFAR10: .*; delete this file, or put the original in its place"):
        CIFAR10()


def test_another_archive_is_refused_before_it_is_read(archive, tmp_path):
    archive(tar_gz(PICKLES))
    (tmp_path / "data" / CIFAR10.archive).write_bytes(tar_gz(PICKLES | {"in/a": HOSTILE["a shell"][0]}))
    with pytest.raises(ValueError, match=r"expected sha256 \w{16}\.\.\., got "):
        CIFAR10()


@pytest.mark.parametrize("name", ["in/z", "in/a"])
def test_an_archive_that_unfolds_without_end_is_refused(archive, monkeypatch, name):
    monkeypatch.setattr(cifar, "LIMIT", 100_000)
    archive(tar_gz({name: bytes(10_000_000), **{each: PICKLES[each] for each in PICKLES if each != name}}))
    with pytest.raises(ValueError, match=r"expected (at most 100,000 bytes, got more|a file of at most 19,516 bytes)"):
        CIFAR10()


def test_a_header_that_unfolds_without_end_is_refused(archive, monkeypatch):
    """A long name is read into memory before the member that has it can be looked at."""
    monkeypatch.setattr(cifar, "LIMIT", 100_000)
    archive(tar_gz({"x" * 5_000_000: b"", **PICKLES}))
    with pytest.raises(ValueError, match="expected at most 100,000 bytes, got more"):
        CIFAR10()


@pytest.mark.parametrize("label_type", ["rough", "", None, "FINE"])
def test_an_unknown_type_of_label_is_refused(label_type):
    for use in (CIFAR100.labels, lambda label_type: CIFAR100(label_type=label_type)):
        with pytest.raises(ValueError, match=f"CIFAR100: expected label_type 'fine' or 'coarse', got {label_type!r}"):
            use(label_type)


@pytest.mark.parametrize("names, n, some", [
    (FashionMNIST.labels(), 10, {0: "T-shirt/top", 5: "Sandal", 9: "Ankle boot"}),
    (CIFAR10.labels(), 10, {0: "airplane", 3: "cat", 9: "truck"}),
    (CIFAR100.labels(), 100, {0: "apple", 41: "lawn mower", 70: "rose", 99: "worm"}),
    (CIFAR100.labels("coarse"), 20, {0: "aquatic mammals", 14: "people", 19: "vehicles 2"}),
])  # fmt: skip
def test_names_of_classes(names, n, some):
    assert list(names) == list(range(n)) and len(set(names.values())) == n
    assert {i: names[i] for i in some} == some


def test_names_of_classes_are_sorted_as_published():
    for names in (CIFAR10.labels(), CIFAR100.labels(), CIFAR100.labels("coarse")):
        assert list(names.values()) == sorted(names.values())
