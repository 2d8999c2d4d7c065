"""The files of data sets: found and checked; downloaded from good, bad and broken servers."""

import gzip
import hashlib
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from tinygrad_jp.datasets import CIFAR10, CIFAR100, MNIST, FashionMNIST, Scale, Shakespeare, downloads, text

NO_DATA = "set TINYGRAD_JP_DATA to the directory of the MNIST files to run this test"


# ---- MNIST: small stand-ins for the four files -----------------------------------------------------------------------


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def zipped(content):
    return gzip.compress(content, mtime=0)


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
    """No test but those of the real files sees this machine's data, its cache, or the network; none really waits."""
    if "real" in request.node.name:
        return
    monkeypatch.delenv("TINYGRAD_JP_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(downloads, "sleep", lambda seconds: None)
    files = {name: (ARRAYS[name].shape, sha256(raw)) for name, raw in CONTENT.items()}
    monkeypatch.setattr(MNIST, "files", files)
    files = {f"{name}.gz": (ARRAYS[name].shape, sha256(zipped(raw))) for name, raw in CONTENT.items()}
    monkeypatch.setattr(FashionMNIST, "files", files)
    for kind in (MNIST, FashionMNIST, CIFAR10, Shakespeare):
        monkeypatch.setattr(kind, "mirrors", ())


def write(folder, form=".gz", **changed):
    """Write the four files into `folder`, those in `changed` with other bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, raw in CONTENT.items():
        content = changed.get(name.replace("-", "_"), zipped(raw) if form else raw)
        (folder / f"{name}{form}").write_bytes(content)
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


@pytest.mark.parametrize("form", [".gz", ""])
@pytest.mark.parametrize("below", ["", "mnist"])
def test_mnist_from_a_directory(folder, below, form):
    write(folder / below, form)
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


def test_fashion_mnist_has_a_directory_of_its_own(folder):
    """Its files have the names of MNIST's, which may lie in the directory itself."""
    write(folder, train_images_idx3_ubyte=b"of MNIST")
    with pytest.raises(FileNotFoundError) as error:
        FashionMNIST()
    assert str(error.value) == (
        f"FashionMNIST: expected {IMAGES}.gz in {folder / 'fashion-mnist'} (from TINYGRAD_JP_DATA), got no such file; "
        "put the file there, or unset TINYGRAD_JP_DATA to download it"
    )
    write(folder / "fashion-mnist")
    check(FashionMNIST())
    check(FashionMNIST(train=False), "t10k")
    assert FashionMNIST()[0][0].shape == (784,)


def test_fashion_mnist_zipped_otherwise_is_refused(folder):
    """Its checksums are those of the zipped files."""
    write(folder / "fashion-mnist", train_images_idx3_ubyte=gzip.compress(CONTENT[IMAGES], mtime=1))
    with pytest.raises(ValueError, match=r"FashionMNIST: .*expected sha256 \w{16}\.\.\., got "):
        FashionMNIST()


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


# ---- downloads, from a server on this machine ------------------------------------------------------------------------

BODY = bytes(range(256)) * 1000


@pytest.fixture
def server(monkeypatch):
    """A server: `body[path]` is what it answers, or a list of what it answers in turn; a number is a status.

    `length[path]` is the length that it announces, or None for none; `moved[path]` is where it sends one to.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            here.asked.append(self.path)
            body = here.body.get(self.path, 404)
            if isinstance(body, list):
                body = body.pop(0)
            if body == "nonsense":
                self.wfile.write(b"this is no HTTP\r\n\r\n")
                return
            if self.path in here.moved:
                self.send_response(302)
                self.send_header("Location", here.moved[self.path])
                body = b""
            else:
                self.send_response(body if isinstance(body, int) else 200)
                body = b"" if isinstance(body, int) else body
            if (length := here.length.get(self.path, len(body))) is not None:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as here:
        here.asked, here.body, here.length, here.moved = [], {"/good/file": BODY}, {}, {}
        here.body |= {f"/good/{name}.gz": zipped(raw) for name, raw in CONTENT.items()}
        here.url = f"http://127.0.0.1:{here.server_port}"
        for kind in (MNIST, FashionMNIST):
            monkeypatch.setattr(kind, "mirrors", (f"{here.url}/good/",))
        thread = threading.Thread(target=here.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield here
        here.shutdown()
        thread.join()


@pytest.fixture
def waits(monkeypatch):
    """The seconds that would have been waited."""
    seconds = []
    monkeypatch.setattr(downloads, "sleep", seconds.append)
    return seconds


def read(path):
    with path.open("rb") as file:
        downloads.verify(file, sha256(BODY))
        return file.read()


def load(server, *mirrors):
    """Ask for a file from those mirrors, known by the first part of their path."""
    return downloads.load(
        read,
        "file",
        of="Numbers",
        folders=["numbers"],
        mirrors=[f"{server.url}/{mirror}/" for mirror in mirrors],
        limit=len(BODY),
    )


def files(folder):
    """Everything below `folder` but the directories that are to stay."""
    return sorted(path.name for path in folder.rglob("*") if path.name not in ("tinygrad_jp", "mnist", "numbers"))


def test_a_file_is_downloaded_once_and_kept(server, tmp_path, capsys, waits):
    assert load(server, "good") == BODY
    assert files(tmp_path / "cache") == ["file"]
    assert "file (bytes): 100%|##########| 256k/256k [" in capsys.readouterr().err
    assert load(server, "good") == BODY
    assert server.asked == ["/good/file"] and capsys.readouterr().err == "" and sum(waits) == 0


def test_mnist_is_downloaded_once_and_kept(server, tmp_path):
    for _ in range(2):
        check(MNIST())
        assert server.asked == [f"/good/{IMAGES}.gz", f"/good/{LABELS}.gz"]
        assert files(tmp_path / "cache") == [f"{IMAGES}.gz", f"{LABELS}.gz"]


def test_mnist_and_fashion_mnist_do_not_meet(server, tmp_path):
    check(MNIST())
    check(FashionMNIST())
    assert files(tmp_path / "cache" / "tinygrad_jp" / "fashion-mnist") == [f"{IMAGES}.gz", f"{LABELS}.gz"]
    assert len(server.asked) == 4


def test_mnist_the_two_ways_to_the_files_agree(server, tmp_path, monkeypatch):
    downloaded = MNIST(train=False)
    monkeypatch.setenv("TINYGRAD_JP_DATA", str(write(tmp_path / "data", form="")))
    found = MNIST(train=False)
    assert np.array_equal(downloaded.data, found.data) and np.array_equal(downloaded.label, found.label)


def test_shakespeare_is_downloaded(server, monkeypatch):
    server.body["/good/input.txt"] = b"First Citizen:\n" * 20
    monkeypatch.setattr(text, "SHA256", sha256(server.body["/good/input.txt"]))
    monkeypatch.setattr(Shakespeare, "mirrors", (f"{server.url}/good/",))
    assert Shakespeare(length=10).text == "First Citizen:\n" * 18
    server.body["/good/input.txt"] = 404
    assert Shakespeare(length=10).text[:14] == "First Citizen:"


# What a server does, what the message says of it, and whether it is asked again.
FAULTS = {
    "other": (bytes(len(BODY)), r"expected sha256 \w{16}\.\.\., got \w{16}\.\.\.", False),
    "page": (b"<html>please log in</html>", r"expected sha256 \w{16}\.\.\., got", False),
    "empty": (b"", r"expected sha256 \w{16}\.\.\., got", False),
    "longer": (BODY + b"!", "expected at most 256,000 bytes, got more", False),
    "endless": (BODY * 20, "expected at most 256,000 bytes, got more", False),
    "missing": (404, "HTTP Error 404: Not Found", False),
    "forbidden": (403, "HTTP Error 403: Forbidden", False),
    "busy": (503, "HTTP Error 503: Service Unavailable", True),
    "many": (429, "HTTP Error 429: Too Many Requests", True),
    "nonsense": ("nonsense", "this is no HTTP", True),
    "truncated": (BODY[:1000], "expected 256,000 bytes, got 1,000: the connection was cut", True),
    "silent": (BODY[:1000], "expected sha256", False),
    "file": (302, r"HTTP Error 302: .*file:///etc/passwd", False),
    "ftp": (302, r"HTTP Error 302: redirected from http to ftp://127.0.0.1/file, which is refused", False),
    "loop": (302, "HTTP Error 302: .*infinite loop", False),
}


def fault(server, kind):
    """Make the server do so, and return the pattern of the message, and how often it is asked."""
    body, message, again = FAULTS[kind]
    path = f"/{kind}/file"
    server.body[path] = body
    server.length |= {"/truncated/file": len(BODY), "/silent/file": None}
    moved = {"/file/file": "file:///etc/passwd", "/ftp/file": "ftp://127.0.0.1/file", "/loop/file": "/loop/file"}
    server.moved |= moved
    return message, 3 if again else 1


@pytest.mark.parametrize("kind", FAULTS)
def test_a_bad_download_leaves_nothing_and_is_named(kind, server, tmp_path, waits):
    message, times = fault(server, kind)
    remedy = r"; put file there, or into numbers/ of .*TINYGRAD_JP_DATA, .*datasets\.Digits"
    with pytest.raises(FileNotFoundError) as error:
        load(server, kind)
    assert re.match(
        f"Numbers: expected file in .*got {server.url}/{kind}/: {message}.*{remedy}", str(error.value), re.S
    )
    assert files(tmp_path / "cache") == []
    assert waits == [0, 1, 3][:times]
    assert kind == "loop" or server.asked == [f"/{kind}/file"] * times


@pytest.mark.parametrize("kind", FAULTS)
def test_after_a_bad_mirror_the_next_is_tried(kind, server, tmp_path, waits):
    fault(server, kind)
    assert load(server, kind, "good") == BODY
    assert files(tmp_path / "cache") == ["file"] and waits == [0]


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if FAULTS[kind][2]])
def test_what_passes_is_asked_again(kind, server, tmp_path, waits):
    fault(server, kind)
    server.body[f"/{kind}/file"] = [FAULTS[kind][0], FAULTS[kind][0], BODY]
    assert load(server, "missing", kind) == BODY
    assert waits == [0, 1, 3] and server.asked == ["/missing/file", *[f"/{kind}/file"] * 3]
    assert files(tmp_path / "cache") == ["file"]


def test_without_a_length_the_checksum_decides(server, capsys):
    server.length["/good/file"] = None
    assert load(server, "good") == BODY
    assert re.match(r"file \(bytes\): 256k \[", capsys.readouterr().err)


@pytest.mark.parametrize("to", ["/good/file", "//{host}/good/file", "{url}/good/file"])
def test_a_redirect_of_the_same_scheme_is_followed(server, to):
    server.moved["/old/file"] = to.format(url=server.url, host=server.url.removeprefix("http://"))
    assert load(server, "old") == BODY


@pytest.mark.parametrize("scheme, url, allowed", [
    ("http", "http://host/a", True), ("http", "https://host/a", True), ("https", "https://host/a", True),
    ("https", "http://host/a", False), ("https", "ftp://host/a", False), ("http", "ftp://host/a", False),
    ("https", "file:///a", False), ("http", "file:///a", False), ("https", "/a", False), ("https", "httpsx://a", False),
])  # fmt: skip
def test_a_redirect_may_add_encryption_but_not_take_it_away(scheme, url, allowed):
    assert downloads._is_allowed(scheme, url) is allowed


def test_an_endless_download_is_cut(server, monkeypatch):
    written = []
    monkeypatch.setattr(downloads, "progress", lambda chunks, *_, **__: (written.append(len(c)) or c for c in chunks))
    fault(server, "endless")
    with pytest.raises(FileNotFoundError):
        load(server, "endless")
    assert sum(written) <= len(BODY)


def test_an_interrupted_download_leaves_nothing(server, tmp_path, monkeypatch):
    def interrupted(chunks, *_, **__):
        yield next(chunks)[:100]
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "progress", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load(server, "good")
    assert files(tmp_path / "cache") == []


def test_without_a_network_the_remedy_is_named(monkeypatch, waits):
    monkeypatch.setattr(MNIST, "mirrors", ("http://127.0.0.1:1/a/", "http://127.0.0.1:1/b/"))
    with pytest.raises(FileNotFoundError) as error:
        MNIST()
    assert "127.0.0.1:1/a/: " in str(error.value) and "127.0.0.1:1/b/: " in str(error.value)
    assert "; put train-images-idx3-ubyte.gz there, or into mnist/ of a directory" in str(error.value)
    assert waits == [0, 1, 3]


def test_the_cache_is_not_touched_where_a_directory_is_named(server, folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Numbers: expected file in .*numbers .*, got no such file; put the"):
        load(server, "good")
    assert server.asked == [] and not (tmp_path / "cache").exists()


def test_two_processes_at_once_both_succeed(server, tmp_path):
    """Both ask before either has its answer, and each finds a whole file."""
    both = threading.Barrier(2)
    answer = server.RequestHandlerClass.do_GET
    server.RequestHandlerClass.do_GET = lambda handler: (both.wait(60), answer(handler))
    code = (
        "import hashlib, sys; from tinygrad_jp.datasets import downloads\n"
        "content = downloads.load(lambda path: path.read_bytes(), 'file', of='Numbers', folders=['numbers'],\n"
        f"                         mirrors=['{server.url}/good/'], limit={len(BODY)})\n"
        f"sys.exit(hashlib.sha256(content).hexdigest() != '{sha256(BODY)}')"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert server.asked == ["/good/file"] * 2
    assert files(tmp_path / "cache") == ["file"] and load(server) == BODY


# ---- the real files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [MNIST, FashionMNIST, CIFAR10, CIFAR100, Shakespeare])
def test_real_mirrors_are_asked_by_https_first(kind):
    assert kind.mirrors[0].startswith("https://")
    assert all(re.fullmatch(r"https?://[\w./~-]+/", mirror) for mirror in kind.mirrors)


def test_real_checksums_are_whole_and_of_one_file_each():
    digests = [digest for kind in (MNIST, FashionMNIST) for _, digest in kind.files.values()]
    digests += [CIFAR10.sha256, CIFAR100.sha256, text.SHA256]
    assert len(set(digests)) == 11 and all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


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
