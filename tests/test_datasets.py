"""Data sets: indexing, transforms, Digits, and MNIST from good, bad and missing files."""

import gzip
import hashlib
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinygrad_jp import datasets, idx
from tinygrad_jp.datasets import MNIST, ArrayDataset, Dataset, Digits, Scale

NO_DATA = "set TINYGRAD_JP_DATA to the directory of the MNIST files to run this test"


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


# ---- MNIST: small stand-ins for the four files -----------------------------------------------------------------------


def idx_bytes(array):
    """An array of bytes in IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def arrays():
    rng = np.random.default_rng(0)
    for part, n in (("train", 5), ("t10k", 3)):
        yield f"{part}-images-idx3-ubyte", rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        yield f"{part}-labels-idx1-ubyte", rng.integers(0, 10, n, dtype=np.uint8)


ARRAYS = dict(arrays())
CONTENT = {name: idx_bytes(array) for name, array in ARRAYS.items()}
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch, request):
    """No test but those of the real files sees this machine's data, its cache, or the network."""
    if "real" in request.node.name:
        return
    monkeypatch.delenv("TINYGRAD_JP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(idx, "MIRRORS", ())
    monkeypatch.setattr(
        idx, "FILES", {name: (ARRAYS[name].shape, hashlib.sha256(raw).hexdigest()) for name, raw in CONTENT.items()}
    )


def write(folder, zipped=True, **changed):
    """Write the four files into `folder`, those in `changed` with other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in CONTENT.items():
        suffix, packed = (".gz", gzip.compress(raw)) if zipped else ("", raw)
        (folder / f"{name}{suffix}").write_bytes(changed.get(name.replace("-", "_"), packed))
    return folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The directory that TINYGRAD_JP_DATA names."""
    monkeypatch.setenv("TINYGRAD_JP_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def check(dataset, part="train"):
    images, labels = ARRAYS[f"{part}-images-idx3-ubyte"], ARRAYS[f"{part}-labels-idx1-ubyte"]
    assert dataset.data.dtype == np.uint8 and np.array_equal(dataset.data, images[:, np.newaxis])
    assert dataset.label.dtype == np.int64 and np.array_equal(dataset.label, labels)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("below", ["", "mnist"])
def test_mnist_from_a_directory(folder, below, zipped):
    write(folder / below, zipped)
    check(MNIST(), "train")
    check(MNIST(train=False), "t10k")


def test_mnist_examples(folder):
    write(folder)
    dataset = MNIST()
    x, t = dataset[2]
    assert x.shape == (784,) and x.dtype == np.float32 and t == ARRAYS[LABELS][2]
    assert np.array_equal(x, ARRAYS[IMAGES][2].ravel() / np.float32(255))
    xs, _ = dataset[:]
    assert xs.shape == (5, 784) and xs.dtype == np.float32 and np.array_equal(xs[2], x)
    images, _ = MNIST(transform=Scale(255, flatten=False))[:]
    assert images.shape == (5, 1, 28, 28) and 0 <= images.min() < images.max() <= 1
    dataset.data[0] = 0  # The arrays are the user's own.


def test_mnist_labels():
    assert MNIST.labels() == dict(enumerate("0123456789"))


def test_mnist_reads_an_unzipped_file_that_is_named_gz(folder):
    write(folder, train_images_idx3_ubyte=CONTENT[IMAGES])
    check(MNIST())


def test_mnist_from_the_cache(tmp_path):
    write(tmp_path / "cache" / "tinygrad_jp" / "mnist")
    check(MNIST())


def test_mnist_the_default_cache_is_in_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    write(tmp_path / "home" / ".cache" / "tinygrad_jp")
    check(MNIST())


def test_mnist_a_named_directory_without_the_files_is_refused_by_name(folder, tmp_path):
    write(tmp_path / "cache" / "tinygrad_jp")  # Not looked at: the user named another place.
    with pytest.raises(FileNotFoundError) as error:
        MNIST()
    assert str(error.value) == (
        f"MNIST: expected {IMAGES} or {IMAGES}.gz in {folder} (from TINYGRAD_JP_DATA) or {folder / 'mnist'}, "
        "got neither; put the file there, or unset TINYGRAD_JP_DATA to download it"
    )


def refused(folder, **changed):
    write(folder, **changed)
    with pytest.raises(ValueError) as error:
        MNIST()
    message = str(error.value)
    assert message.startswith(f"MNIST: {folder / (IMAGES + '.gz')}: expected ")
    assert message.endswith("; delete this file, or put the original in its place")
    return message


def test_mnist_a_truncated_gzip_is_refused(folder):
    packed = gzip.compress(CONTENT[IMAGES])[:1000]
    assert "expected a complete gzip file, got 1,000 bytes: " in refused(folder, train_images_idx3_ubyte=packed)


def test_mnist_a_gzip_without_its_last_bytes_is_refused(folder):
    packed = gzip.compress(CONTENT[IMAGES])[:-1]
    assert "expected a complete gzip file" in refused(folder, train_images_idx3_ubyte=packed)


def test_mnist_a_damaged_gzip_is_refused(folder):
    packed = bytearray(gzip.compress(CONTENT[IMAGES]))
    packed[-6] ^= 1  # In the checksum of the gzip itself.
    assert "expected a complete gzip file" in refused(folder, train_images_idx3_ubyte=bytes(packed))
    packed = gzip.compress(CONTENT[IMAGES])[:10] + b"\xff" * 1000  # No deflate stream at all.
    assert "expected a complete gzip file" in refused(folder, train_images_idx3_ubyte=packed)


def test_mnist_a_truncated_file_is_refused(folder):
    raw = CONTENT[IMAGES][:-1]
    message = refused(folder, train_images_idx3_ubyte=gzip.compress(raw))
    assert "expected 3,936 bytes unzipped, got 3,935;" in message
    assert "got 0;" in refused(folder, train_images_idx3_ubyte=b"")


def test_mnist_another_file_is_refused(folder):
    message = refused(folder, train_images_idx3_ubyte=gzip.compress(CONTENT[LABELS]))
    assert "expected 3,936 bytes unzipped, got 13;" in message


def test_mnist_one_wrong_bit_is_refused(folder):
    raw = bytearray(CONTENT[IMAGES])
    raw[2000] ^= 1
    digest, wrong = (hashlib.sha256(each).hexdigest()[:16] for each in (CONTENT[IMAGES], raw))
    message = refused(folder, train_images_idx3_ubyte=gzip.compress(raw))
    assert f"expected sha256 {digest}..., got {wrong}...;" in message


def test_mnist_a_gzip_bomb_is_refused_before_it_unfolds(folder, monkeypatch):
    most = []
    read = gzip.GzipFile.read
    monkeypatch.setattr(gzip.GzipFile, "read", lambda self, size=-1: most.append(size) or read(self, size))
    bomb = gzip.compress(CONTENT[IMAGES] + bytes(10_000_000))
    assert "expected 3,936 bytes unzipped, got more;" in refused(folder, train_images_idx3_ubyte=bomb)
    assert most == [3937]


# ---- MNIST: downloads, from a server on this machine -----------------------------------------------------------------


@pytest.fixture
def server(monkeypatch):
    """A mirror: `server.body[path]` is what it answers, `server.length[path]` the length it announces."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            mirror.asked.append(self.path)
            if self.path.startswith("/nonsense/"):
                self.wfile.write(b"this is no HTTP\r\n\r\n")
                return
            body = mirror.body.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(mirror.length.get(self.path, len(body or b""))))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as mirror:
        mirror.asked, mirror.body, mirror.length = [], {}, {}
        for name, raw in CONTENT.items():
            mirror.body[f"/good/{name}.gz"] = gzip.compress(raw)
        mirror.url = f"http://127.0.0.1:{mirror.server_port}"
        monkeypatch.setattr(idx, "MIRRORS", (f"{mirror.url}/good/",))
        thread = threading.Thread(target=mirror.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield mirror
        mirror.shutdown()
        thread.join()


def files(folder):
    """Everything below `folder` but the two directories that are to stay."""
    return sorted(path.name for path in folder.rglob("*") if path.name not in ("tinygrad_jp", "mnist"))


def test_mnist_is_downloaded_once_and_kept(server, tmp_path, capsys):
    check(MNIST())
    cache = tmp_path / "cache" / "tinygrad_jp"
    assert files(cache) == [f"{IMAGES}.gz", f"{LABELS}.gz"]
    err = capsys.readouterr().err
    size = f"{len(server.body[f'/good/{IMAGES}.gz']):,}"
    assert f"{IMAGES}.gz (bytes)  {size}/{size} 100%" in err
    asked = list(server.asked)
    check(MNIST())
    assert server.asked == asked == [f"/good/{IMAGES}.gz", f"/good/{LABELS}.gz"]
    assert capsys.readouterr().err == ""


def test_mnist_the_two_ways_to_the_files_agree(server, tmp_path, monkeypatch):
    downloaded = MNIST(train=False)
    monkeypatch.setenv("TINYGRAD_JP_DATA", str(write(tmp_path / "data", zipped=False)))
    read = MNIST(train=False)
    assert np.array_equal(downloaded.data, read.data) and np.array_equal(downloaded.label, read.label)


def bad(server, kind):
    """Set up a mirror that fails in the way `kind`, and return the pattern of the message that names it."""
    path, good = f"/{kind}/{IMAGES}.gz", server.body[f"/good/{IMAGES}.gz"]
    if kind == "other":
        server.body[path] = gzip.compress(bytes(3936))
        return "expected sha256 "
    if kind == "truncated":
        server.body[path], server.length[path] = good[:1000], len(good)
        return "expected a complete gzip file, got 1,000 bytes|IncompleteRead"
    if kind == "page":
        server.body[path] = b"<html>please log in</html>"
        return "expected 3,936 bytes unzipped, got 26"
    return "this is no HTTP" if kind == "nonsense" else "HTTP Error 404: Not Found"


KINDS = ["other", "truncated", "page", "missing", "nonsense"]


@pytest.mark.parametrize("kind", KINDS)
def test_mnist_a_bad_download_leaves_nothing_and_is_named(kind, server, tmp_path, monkeypatch):
    reason = bad(server, kind)
    mirror = f"{server.url}/{kind}/"
    monkeypatch.setattr(idx, "MIRRORS", (mirror,))
    with pytest.raises(FileNotFoundError, match=f"MNIST: expected {IMAGES} in .*got {mirror}: ({reason})") as error:
        MNIST()
    assert "; put" in str(error.value) and "TINYGRAD_JP_DATA" in str(error.value) and "Digits" in str(error.value)
    assert files(tmp_path / "cache") == []


@pytest.mark.parametrize("kind", KINDS)
def test_mnist_after_a_bad_mirror_the_next_is_tried(kind, server, tmp_path, monkeypatch):
    bad(server, kind)
    monkeypatch.setattr(idx, "MIRRORS", (f"{server.url}/{kind}/", f"{server.url}/good/"))
    server.body[f"/{kind}/{LABELS}.gz"] = server.body[f"/good/{LABELS}.gz"]
    check(MNIST())
    assert files(tmp_path / "cache" / "tinygrad_jp") == [f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_mnist_an_endless_download_is_cut(server, monkeypatch):
    written = []
    monkeypatch.setattr(idx, "progress", lambda chunks, *_, **__: (written.append(len(c)) or c for c in chunks))
    server.body[f"/good/{IMAGES}.gz"] += bytes(5_000_000)
    check(MNIST())  # Zeros after the end of a gzip file are padding, and allowed.
    assert sum(written) < 200_000


def test_mnist_an_interrupted_download_leaves_nothing(server, tmp_path, monkeypatch):
    def interrupted(chunks, *_, **__):
        yield next(chunks)[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr(idx, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        MNIST()
    assert files(tmp_path / "cache") == []


def test_mnist_without_a_network_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(idx, "MIRRORS", ("http://127.0.0.1:1/a/", "http://127.0.0.1:1/b/"))
    with pytest.raises(FileNotFoundError) as error:
        MNIST()
    assert "127.0.0.1:1/a/: " in str(error.value) and "127.0.0.1:1/b/: " in str(error.value)


# ---- MNIST: the real files -------------------------------------------------------------------------------------------


def test_real_mirrors_are_asked_by_https_only():
    assert idx.MIRRORS and all(mirror.startswith("https://") and mirror.endswith("/") for mirror in idx.MIRRORS)


@pytest.mark.skipif(not os.environ.get("TINYGRAD_JP_DATA"), reason=NO_DATA)
@pytest.mark.parametrize("train, n, ones", [(True, 60000, 6742), (False, 10000, 1135)])
def test_real_mnist(train, n, ones):
    dataset = MNIST(train=train)
    assert len(dataset) == n and dataset.data.shape == (n, 1, 28, 28) and dataset.data.dtype == np.uint8
    assert dataset.data.min() == 0 and dataset.data.max() == 255
    assert dataset.label.shape == (n,) and set(dataset.label) == set(range(10))
    assert (dataset.label == 1).sum() == ones
    x, t = dataset[:100]
    assert x.shape == (100, 784) and x.dtype == np.float32 and x.max() == 1 and t.shape == (100,)
