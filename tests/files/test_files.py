"""Weights and checkpoints in files: what comes back, and that no fault harms a file, a model or a run."""

import errno
import io
import itertools
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import tracemalloc
import types
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_jp as tg
import tinygrad_jp.layers as L
from tinygrad_jp import models, optimizers, randomness

X = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)


@pytest.fixture(autouse=True)
def seeded():
    """Let the default generator be one of its own, whatever other tests have left."""
    tg.seed(0)


class Net(tg.Model):
    def __init__(self, seed=0):
        self.l1 = L.Linear(3, in_size=4, rng=seed)
        self.drop = L.Dropout(0.5, rng=seed)
        self.bn = L.BatchNorm()
        self.rest = [L.Linear(2, in_size=3, rng=seed)]
        self.bn(np.ones((2, 3), np.float32))

    def forward(self, x):
        return self.rest[0](self.bn(self.drop(self.l1(x))))


def trained(seed=0, steps=3):
    """A model, its optimizer and a generator that have been in use."""
    model = Net(seed)
    optimizer = optimizers.Adam().setup(model)
    for _ in range(steps):
        model.cleargrads()
        (model(X) ** 2).sum().backward()
        optimizer.update()
    return model, optimizer, np.random.default_rng(seed)


def held(model):
    """All that `model` holds, as bytes; None for what still waits."""
    arrays = model._named_arrays().items()
    return {path: p._array is not None and (p.shape, p.dtype, p.data.tobytes()) for path, p in arrays}


def whole(model, optimizer=None, rng=None):
    """All of a run, to compare."""
    state = optimizer.state() if optimizer else {}
    state = {k: {p: a.tobytes() for p, a in v.items()} if isinstance(v, dict) else v for k, v in state.items()}
    generators = [randomness.generator(), model.drop.rng, rng or randomness.generator()]
    return held(model), state, [g.bit_generator.state for g in generators]


def names(folder):
    return sorted(path.name for path in Path(folder).iterdir())


def to_safetensors(arrays, metadata=None):
    head, data = {}, b""
    for name, a in arrays.items():
        assert a.flags.c_contiguous
        kind = {"f": "F", "i": "I", "u": "U", "b": "BOOL"}[a.dtype.kind] + (str(8 * a.itemsize) * (a.dtype != bool))
        offsets = [len(data), len(data) + a.nbytes]
        head[name], data = {"dtype": kind, "shape": list(a.shape), "data_offsets": offsets}, data + a.tobytes()
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


def from_safetensors(content):
    (n,) = struct.unpack("<Q", content[:8])
    arrays, data = {}, content[8 + n :]
    for name, entry in json.loads(content[8 : 8 + n]).items():
        start, end = entry["data_offsets"]
        kind = {"F": "f", "I": "i", "U": "u"}[entry["dtype"][0]] + str(int(entry["dtype"][1:]) // 8)
        arrays[name] = np.frombuffer(data[start:end], kind).reshape(entry["shape"])
    if sum(a.nbytes for a in arrays.values()) != len(data):
        raise ValueError("the sizes do not fit")
    return arrays


@pytest.fixture(autouse=True)
def safetensors(monkeypatch):
    """The package, or, where it is not installed, the same format in a few lines."""
    try:
        import safetensors.numpy  # noqa: F401
    except ImportError:
        module = types.ModuleType("safetensors.numpy")
        module.save, module.load = to_safetensors, from_safetensors
        monkeypatch.setitem(sys.modules, "safetensors", types.ModuleType("safetensors"))
        monkeypatch.setitem(sys.modules, "safetensors.numpy", module)


each_format = pytest.mark.parametrize("suffix", [".npz", ".safetensors"])

# ---- Weights ---------------------------------------------------------------------------------------------------------


@each_format
@pytest.mark.parametrize("kind", [str, Path])
def test_weights_come_back_bit_for_bit(suffix, kind, tmp_path):
    model, other, path = Net(1), Net(2), kind(tmp_path / f"net{suffix}")
    model.save_weights(path)
    assert held(other) != held(model)
    other.load_weights(path)
    assert held(other) == held(model)
    assert names(tmp_path) == [f"net{suffix}"]
    assert all(a.data.flags.writeable and a.data.base is None for a in other.params())


@each_format
def test_parameters_that_wait_take_what_the_file_has(suffix, tmp_path):
    model = models.MLP((3, 2))
    model(X)
    model.save_weights(tmp_path / f"w{suffix}")
    other = models.MLP((3, 2))
    other.load_weights(tmp_path / f"w{suffix}")
    np.testing.assert_array_equal(other(X).data, model(X).data)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, bool, ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3)])
def test_every_dtype_and_shape_comes_back(dtype, shape, tmp_path):
    model, other = tg.Layer(), tg.Layer()
    model.x, other.x = tg.Parameter(np.ones(shape, dtype)), tg.Parameter(None)
    model.save_weights(tmp_path / "x.npz")
    other.load_weights(tmp_path / "x.npz")
    assert held(other) == held(model)


def test_an_npz_file_is_one_that_numpy_reads_and_the_same_for_the_same_weights(tmp_path):
    model = Net()
    for name in ("a.npz", "b.npz"):
        model.save_weights(tmp_path / name)
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert sorted(file.files) == sorted(model.state())
        np.testing.assert_array_equal(file["rest.0.W"], model.rest[0].W.data)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_names_that_savez_would_stumble_over(tmp_path):
    model, other = tg.Layer(), tg.Layer()
    for layer, value in ((model, 1.0), (other, 2.0)):
        layer.file, layer.allow_pickle, layer.重み = (tg.Parameter(np.full(2, value)) for _ in range(3))
        layer.parts = {"a/b": L.Linear(1, in_size=1), "a.b": tg.Parameter(np.full(1, value))}
    model.save_weights(tmp_path / "x.npz")
    other.load_weights(tmp_path / "x.npz")
    assert held(other) == held(model)


def test_files_of_dezero_are_read(tmp_path):
    model = Net(1)
    np.savez_compressed(tmp_path / "d.npz", **{path.replace(".", "/"): a for path, a in model.state().items()})
    other = Net(2)
    other.load_weights(tmp_path / "d.npz")
    assert held(other) == held(model)


def test_a_model_that_waits_is_not_saved(tmp_path):
    (tmp_path / "w.npz").write_bytes(b"old")
    with pytest.raises(RuntimeError, match=r"l0\.W, l1\.W still wait for their data"):
        models.MLP((3, 2)).save_weights(tmp_path / "w.npz")
    assert names(tmp_path) == ["w.npz"] and (tmp_path / "w.npz").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["w", "w.pt", "w.npz.gz", ".npz", "w.NPZ "])
def test_other_suffixes_are_refused(name, tmp_path):
    model = Net()
    for call in (model.save_weights, model.load_weights):
        with pytest.raises(ValueError, match=r"expected a path that ends in \.npz or \.safetensors, got "):
            call(tmp_path / name)
    for call in (tg.save_checkpoint, tg.load_checkpoint):
        with pytest.raises(ValueError, match=r"expected a path that ends in \.npz, got "):
            call(tmp_path / "run.safetensors", model)
    assert names(tmp_path) == []


def test_without_the_package_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    for call in (Net().save_weights, Net().load_weights):
        with pytest.raises(ImportError, match="pip install safetensors"):
            call(tmp_path / "w.safetensors")


def test_an_unknown_layout_is_refused(tmp_path):
    with pytest.raises(ValueError, match="layout: expected None or 'torch', got 'keras'"):
        Net().save_weights(tmp_path / "w.npz", layout="keras")
    for call in (Net().state, lambda layout: Net().load_state({}, layout=layout)):
        with pytest.raises(ValueError, match="layout: expected None or 'torch', got 'keras'"):
            call(layout="keras")
    assert names(tmp_path) == []


# ---- Bad files -------------------------------------------------------------------------------------------------------


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


def archive(entries, compression=zipfile.ZIP_STORED):
    """A zip file of (name, content) pairs."""
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", compression) as out:
        warnings.simplefilter("ignore")  # of names that come twice
        for name, content in entries:
            out.writestr(name, content)
    return file.getvalue()


def entries(arrays, **more):
    return [(f"{name}.npy", a if isinstance(a, bytes) else npy(a)) for name, a in (arrays | more).items()]


def claim(shape, dtype="<f4"):
    """The header of an .npy file of `shape`, and no data."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": False, "shape": shape})
    return file.getvalue()


def lying(content, size):
    """A zip file whose directory gives `size` as that of its first entry."""
    at = content.index(b"PK\1\2") + 24
    return content[:at] + struct.pack("<I", size) + content[at + 4 :]


def marked(content, flag):
    """A zip file with a bit of the flags of its first entry set: 1 is encryption."""
    at = content.index(b"PK\1\2") + 8
    return content[:at] + bytes([content[at] | flag]) + content[at + 1 :]


def changed(path, value):
    return lambda arrays: archive(entries(arrays | {path: value}))


ZEROS = npy(np.zeros(25_000_000, np.float32))  # 100 MB
FAULTS = {
    "missing": (lambda a: archive(entries(a)[1:]), r"missing: l1\.W; not known: none"),
    "extra": (lambda a: archive(entries(a, more=1)), "missing: none; not known: more"),
    "wrong shape": (changed("l1.W", np.ones((4, 4))), r"l1\.W: expected the shape \(4, 3\), got \(4, 4\)"),
    "transposed": (changed("l1.W", np.ones((3, 4))), r"l1\.W: expected the shape \(4, 3\), got \(3, 4\)"),
    "text": (changed("l1.b", np.array(["a", "b", "c"])), r"l1\.b: expected numbers, got dtype <U1"),
    "complex": (changed("l1.b", np.ones(3) * 1j), r"l1\.b\.npy: expected numbers, got dtype complex128"),
    "dates": (changed("l1.b", np.zeros(3, "M8[s]")), r"l1\.b\.npy: expected numbers, got dtype datetime64"),
    "records": (changed("l1.b", np.zeros(3, "f4,f4")), r"l1\.b\.npy: expected numbers"),
    "objects": (changed("l1.b", np.array([print, 1, 2])), "Object arrays cannot be loaded when allow_pickle=False"),
    "no .npy": (lambda a: archive([*entries(a), ("readme", b"just some text")]), "the magic string is not correct"),
    "twice": (lambda a: archive(entries(a) + entries(a)[:1]), r"l1\.W\.npy: an entry that NumPy does not write"),
    "the same twice": (changed("l1/W", np.ones((4, 3))), r"some that mean the same: .*l1/W"),
    "a path outside": (changed("../../l1.W", np.ones(1)), r"not known: \.\./\.\./l1\.W"),
    "an absolute path": (changed("/tmp/evil", np.ones(1)), "not known: /tmp/evil"),
    "much too large": (changed("l1.W", np.ones(10**6)), r"expected the shape \(4, 3\), got \(1000000,\)"),
    "a zipped bomb": (lambda a: archive([("l1.W.npy", ZEROS)], zipfile.ZIP_DEFLATED), "more than 20 times its size"),
    "a lying bomb": (lambda a: lying(archive([("l1.W.npy", ZEROS)], zipfile.ZIP_DEFLATED), 1000), "Bad CRC-32"),
    "another packing": (lambda a: lying(archive([("l1.W.npy", ZEROS)], zipfile.ZIP_BZIP2), 1000), "NumPy does not"),
    "encrypted": (lambda a: marked(archive(entries(a)), 1), "is encrypted"),
    "a claim without data": (changed("l1.W", claim((10**11,))), "."),
    "a claim past all numbers": (changed("l1.W", claim((10**30,))), "."),
    "a claim below zero": (changed("l1.W", claim((-1, 12)) + bytes(48)), "."),
    "a header of code": (changed("l1.W", b"\x93NUMPY\1\0\x10\0__import__('os')\n"), "."),
    "empty": (lambda a: b"", "got 0 bytes that are not one"),
    "no zip": (lambda a: b"weights", "File is not a zip file"),
    "an empty zip": (lambda a: archive([]), r"missing: l1\.W"),
    "one array": (lambda a: npy(np.ones(3)), "File is not a zip file"),
    "a pickle": (lambda a: b"\x80\x04K\x01.", "File is not a zip file"),
    "half": (lambda a: archive(entries(a))[:700], "File is not a zip file"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_file_is_named_and_the_model_stays(fault, tmp_path):
    make, message = FAULTS[fault]
    model, path = Net(), tmp_path / "bad.npz"
    path.write_bytes(make(Net(1).state()))
    before = held(model)
    with pytest.raises(ValueError, match=rf"(?s)bad\.npz: .*{message}"):
        model.load_weights(path)
    assert held(model) == before
    assert names(tmp_path) == ["bad.npz"]


@pytest.mark.parametrize("fault", ["a zipped bomb", "a lying bomb", "another packing", "a claim without data"])
def test_a_bomb_takes_no_memory(fault, tmp_path):
    (tmp_path / "bomb.npz").write_bytes(FAULTS[fault][0](Net().state()))
    model = models.MLP((3, 2))  # It waits, and so would take any shape.
    tracemalloc.start()
    try:
        with pytest.raises(ValueError):
            model.load_weights(tmp_path / "bomb.npz")
        assert tracemalloc.get_traced_memory()[1] < 20e6 or fault == "a claim without data"
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("path, kind", [("none.npz", FileNotFoundError), ("folder.npz", OSError), ("a/b.npz", OSError)])
def test_where_there_is_no_file(path, kind, tmp_path):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(kind, match=Path(path).name):
        Net().load_weights(tmp_path / path)


def refused(path, content, load, loaded, kept):
    """Whether damaged `content` is refused; if so, what was is `kept`, and if not, it is harmless: `loaded`."""
    path.write_bytes(content)
    try:
        load(path)
    except ValueError as error:
        assert path.name in str(error)
        assert kept()
        return True
    assert loaded()
    return False


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


def damage(data, content):
    """Good content with one to three bits flipped, cut, spliced with random bytes, or all of it random."""
    kind = data.draw(st.sampled_from(["flip", "cut", "splice", "random"]))
    if kind == "random":
        return data.draw(st.binary(max_size=400))
    at = data.draw(st.integers(0, len(content) - 1))
    if kind == "cut":
        return content[:at]
    if kind == "splice":
        return content[:at] + data.draw(st.binary(min_size=1, max_size=40)) + content[at:]
    damaged = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, 8 * len(content) - 1), min_size=1, max_size=3)):
        damaged[place // 8] ^= 1 << place % 8
    return bytes(damaged)


fuzz = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(data=st.data())
@pytest.mark.parametrize("name", ["w.npz", "compressed.npz", "w.safetensors"])
def test_damaged_weights_are_refused_or_harmless(data, name, folder):
    good, path, model = Net(1), folder / name, Net()
    if not (source := folder / f"good.{name}").exists():
        good.save_weights(source)
        if name == "compressed.npz":
            np.savez_compressed(source, **good.state())
    before, after, content = held(model), held(good), damage(data, source.read_bytes())

    def harmless():
        if path.suffix == ".npz":
            return held(model) == after
        # Without checksums, the numbers may be any; shapes and dtypes are what they were.
        return all(a[:2] == b[:2] for a, b in zip(held(model).values(), before.values(), strict=True))

    refused(path, content, model.load_weights, harmless, lambda: held(model) == before)


def test_single_bits_of_every_byte_of_an_npz_file(folder):
    """A bit of a small file, flipped: the array that comes back is right, or none does."""
    good, model = tg.Layer(), tg.Layer()
    good.x, model.x = tg.Parameter(np.arange(2.0)), tg.Parameter(np.zeros(2))
    path = folder / "x.npz"
    good.save_weights(path)
    content, before, after, count = path.read_bytes(), held(model), held(good), 0
    for place in range(0, 8 * len(content), 3):
        damaged = bytearray(content)
        damaged[place // 8] ^= 1 << place % 8
        model.x.data = np.zeros(2)
        count += refused(
            path, bytes(damaged), model.load_weights, lambda: held(model) == after, lambda: held(model) == before
        )
    assert count > 0.6 * 8 * len(content) / 3


# ---- Faults while writing --------------------------------------------------------------------------------------------

FULL, DENIED = OSError(errno.ENOSPC, "No space left on device"), PermissionError(errno.EACCES, "Permission denied")
STOPS = {
    "disk full": ("os.fsync", FULL, OSError),
    "interrupted": ("os.fsync", KeyboardInterrupt(), KeyboardInterrupt),
    "out of memory": ("os.fsync", MemoryError(), MemoryError),
    "not to be replaced": ("pathlib.Path.replace", DENIED, PermissionError),
    "no mode": ("pathlib.Path.chmod", DENIED, PermissionError),
    "interrupted at last": ("pathlib.Path.replace", KeyboardInterrupt(), KeyboardInterrupt),
}


def savers(path):
    model, optimizer, rng = trained()
    yield lambda: model.save_weights(path)
    yield lambda: tg.save_checkpoint(path, model, optimizer, generators={"loader": rng})


@pytest.mark.parametrize("stop", STOPS)
@pytest.mark.parametrize("saver", [0, 1])
def test_what_stops_a_save_leaves_the_old_file_whole(stop, saver, tmp_path, monkeypatch):
    place, error, kind = STOPS[stop]
    path = tmp_path / "w.npz"
    path.write_bytes(b"old")
    save = next(itertools.islice(savers(path), saver, None))

    def fail(*args):
        raise error

    monkeypatch.setattr(place, fail)
    with pytest.raises(kind) as raised:
        save()
    assert not isinstance(error, OSError) or ("w.npz" in str(raised.value) and raised.value.errno == error.errno)
    monkeypatch.undo()
    assert names(tmp_path) == ["w.npz"] and path.read_bytes() == b"old"


@pytest.mark.parametrize("path, kind", [("none/w.npz", FileNotFoundError), ("file/w.npz", OSError), ("d.npz", OSError)])
def test_where_no_file_can_be(path, kind, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "d.npz").mkdir()
    with pytest.raises(kind, match=Path(path).name):
        Net().save_weights(tmp_path / path)
    assert names(tmp_path) == ["d.npz", "file"] and names(tmp_path / "d.npz") == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anything")
@pytest.mark.parametrize("mode", ["file", "folder"])
def test_permission_refused(mode, tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(b"old")
    locked = path if mode == "file" else tmp_path
    locked.chmod(0o444 if mode == "file" else 0o555)
    try:
        with pytest.raises(PermissionError, match=r"w\.npz"):
            Net().save_weights(path)
    finally:
        tmp_path.chmod(0o755)
    assert names(tmp_path) == ["w.npz"] and path.read_bytes() == b"old"


CHILD = """
import os, pathlib, resource, signal, sys
import tinygrad_jp as tg
how, path = sys.argv[1:]
def kill(*args):
    os.kill(os.getpid(), signal.SIGKILL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
if how == "disk full" or how == "killed in the middle":
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
if how == "killed in the middle":
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # The kernel kills at the first byte past the limit.
if how == "killed before the disk has it":
    os.fsync = kill
if how == "killed before it is in place":
    os.replace = os.rename = pathlib.Path.replace = kill
model = tg.layers.Linear(1000, in_size=100)
try:
    model.save_weights(path)
except OSError as error:
    sys.exit(error.errno)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and limits")
@pytest.mark.parametrize("how", [
    "disk full", "killed in the middle", "killed before the disk has it", "killed before it is in place",
])  # fmt: skip
def test_a_process_that_dies_while_it_saves(how, tmp_path):
    path, model = tmp_path / "w.npz", L.Linear(1000, in_size=100)
    model.save_weights(path)
    old = path.read_bytes()
    code = subprocess.run([sys.executable, "-c", CHILD, how, str(path)], cwd=Path(tg.__file__).parents[1]).returncode
    ends = {"disk full": errno.EFBIG, "killed in the middle": -signal.SIGXFSZ}
    assert code == ends.get(how, -signal.SIGKILL)
    assert path.read_bytes() == old
    strays = names(tmp_path)[:-1]
    assert len(strays) == how.startswith("killed")
    sizes = [os.path.getsize(tmp_path / stray) for stray in strays]
    assert how != "killed in the middle" or sizes == [100_000]
    model.save_weights(path)
    assert names(tmp_path) == ["w.npz"], "the next save clears up"


def test_saves_at_the_same_time_each_are_whole(tmp_path):
    path, errors = tmp_path / "w.npz", []
    layers = [L.Linear(50, in_size=50, rng=i) for i in range(4)]

    def save(layer):
        try:
            for _ in range(25):
                layer.save_weights(path)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(layer,)) for layer in layers]
    layers[0].save_weights(path)
    for thread in threads:
        thread.start()
    reader, good = L.Linear(50), [held(layer) for layer in layers]
    while any(thread.is_alive() for thread in threads):
        reader.load_weights(path)
        assert held(reader) in good
    assert errors == [] and names(tmp_path) == ["w.npz"]


def test_a_link_stays_and_its_file_is_replaced(tmp_path):
    model, target, link = Net(1), tmp_path / "target.npz", tmp_path / "link.npz"
    target.write_bytes(b"old")
    link.symlink_to("target.npz")
    model.save_weights(link)
    assert link.is_symlink() and not target.is_symlink() and names(tmp_path) == ["link.npz", "target.npz"]
    other = Net(2)
    other.load_weights(target)
    assert held(other) == held(model)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
@pytest.mark.parametrize("before, after", [(None, 0o640), (0o600, 0o600), (0o664, 0o664)])
def test_the_mode_is_that_of_the_old_file_or_what_the_umask_leaves(before, after, tmp_path):
    path = tmp_path / "w.npz"
    if before:
        path.write_bytes(b"old")
        path.chmod(before)
    mask = os.umask(0o027)
    try:
        Net().save_weights(path)
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == after


# ---- Checkpoints -----------------------------------------------------------------------------------------------------

RUN = """
import sys
import numpy as np
import tinygrad_jp as tg
import tinygrad_jp.functions as F, tinygrad_jp.layers as L
from tinygrad_jp import datasets, models, optimizers

do, path = sys.argv[1:]
tg.seed({"stopped": 1, "whole": 1, "resumed": 2}[do])
drop = L.Dropout(rng=int(do == "resumed"))
model = models.Sequential(L.Linear(30), L.BatchNorm(), F.relu, drop, F.dropout, L.Linear(10))
optimizer = optimizers.Adam().setup(model)
loader = tg.DataLoader(datasets.Digits(), batch_size=200)
own = np.random.Generator(np.random.MT19937(3))
first = tg.load_checkpoint(path, model, optimizer, {"loader": loader.rng, "own": own}) if do == "resumed" else 0
for epoch in range(first, 2 if do == "stopped" else 4):
    for x, t in loader:
        loss = F.softmax_cross_entropy(model(x + 0.1 * own.random(x.shape, np.float32)), t)
        model.cleargrads()
        loss.backward()
        optimizer.update()
    if do == "stopped":
        tg.save_checkpoint(path, model, optimizer, step=epoch + 1, generators={"loader": loader.rng, "own": own})
print(loss.item().hex(), *(p.data.tobytes().hex() for p in model._named_arrays().values()))
"""


def test_a_run_stopped_and_resumed_in_a_new_process_is_bit_for_bit_one_that_was_not(tmp_path):
    def run(do):
        command = [sys.executable, "-c", RUN, do, str(tmp_path / "run.npz")]
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(tg.__file__).parents[1])

    stopped, resumed, undisturbed = run("stopped").stdout, run("resumed").stdout, run("whole").stdout
    assert resumed == undisturbed != stopped
    assert names(tmp_path) == ["run.npz"]


def test_what_a_checkpoint_holds(tmp_path):
    model, optimizer, rng = trained()
    tg.save_checkpoint(tmp_path / "run.npz", model, optimizer, step=np.int64(3), generators={"loader": rng})
    with np.load(tmp_path / "run.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(file["model/l1.W"], model.l1.W.data)
        np.testing.assert_array_equal(file["optimizer/m/l1.W"], optimizer.state()["m"]["l1.W"])
        text = json.loads(str(file["structure"]))
    assert text["step"] == 3 and text["optimizer"]["t"] == 3
    assert text["generators"]["loader"] == rng.bit_generator.state
    assert set(text["generators"]) == {"default", "model/drop.rng", "loader"}


@pytest.mark.parametrize("bits", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_generator_goes_on(bits, tmp_path):
    rng, other = (np.random.Generator(getattr(np.random, bits)(i)) for i in range(2))
    model = L.Linear(1, in_size=1)
    tg.save_checkpoint(tmp_path / "run.npz", model, generators={"a": rng})
    assert tg.load_checkpoint(tmp_path / "run.npz", model, generators={"a": other}) == 0
    assert rng.random(5).tolist() == other.random(5).tolist()


def test_what_is_not_asked_for_is_left(tmp_path):
    model, optimizer, rng = trained()
    tg.save_checkpoint(tmp_path / "run.npz", model, optimizer, step=5, generators={"loader": rng})
    other = Net(1)
    assert tg.load_checkpoint(tmp_path / "run.npz", other) == 5
    assert held(other) == held(model)


def test_before_the_first_step_and_with_a_model_that_waits(tmp_path):
    model = models.MLP((3, 2))
    model(X)
    tg.save_checkpoint(tmp_path / "run.npz", model, optimizers.Adam(0.5).setup(model))
    other = models.MLP((3, 2))
    optimizer = optimizers.Adam().setup(other)
    tg.load_checkpoint(tmp_path / "run.npz", other, optimizer)
    assert held(other) == held(model) and optimizer.state() == optimizers.Adam(0.5).setup(model).state()


def test_misuse_is_answered(tmp_path):
    model, path = Net(), tmp_path / "run.npz"
    tg.save_checkpoint(path, model)
    for call in (tg.save_checkpoint, tg.load_checkpoint):
        with pytest.raises(TypeError, match=r"generators: expected names and numpy.random.Generators.*got 'l': int"):
            call(path, model, generators={"l": 3})
        with pytest.raises(TypeError, match="got 'default': Generator"):
            call(path, model, generators={"default": np.random.default_rng()})
        with pytest.raises(RuntimeError, match=r"Adam: .*call setup\(model\) first"):
            call(path, model, optimizers.Adam())
    with pytest.raises(TypeError, match="float"):
        tg.save_checkpoint(path, model, step=0.5)
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        tg.load_checkpoint(tmp_path / "none.npz", model)
    assert tg.load_checkpoint(path, model) == 0


def retold(**parts):
    """A change of the text of a checkpoint: at `a__b` put a value, or drop the entry where the value is ..."""

    def change(arrays):
        text = json.loads(str(arrays["structure"]))
        for place, value in parts.items():
            *way, last = place.split("__")
            node = text
            for key in way:
                node = node[key]
            node.pop(last) if value is ... else node.update({last: value})
        return arrays | {"structure": np.array(json.dumps(text))}

    return change


def without(*gone):
    return lambda arrays: {name: a for name, a in arrays.items() if name not in gone}


def dropped(arrays, path):
    """A checkpoint in which an array is missing, and its name as well."""
    slot = path.rpartition("/")[0].replace("/", "__")
    return retold(**{f"{slot}__{path.rpartition('/')[2]}": ...})(without(path)(arrays))


WRONG = {
    "not a checkpoint": (without("structure"), "expected an entry 'structure', got 'model/l1.W'"),
    "cut text": (lambda a: a | {"structure": np.array(str(a["structure"])[:-20])}, "."),
    "a number for text": (lambda a: a | {"structure": np.array(3.0)}, "."),
    "deep text": (lambda a: a | {"structure": np.array("[" * 100_000)}, "."),
    "a list": (lambda a: {"structure": np.array("[]")}, "expected an entry"),
    "null": (lambda a: {"structure": np.array("null")}, "."),
    "no step": (retold(step=...), "expected an entry 'step'"),
    "a step of text": (retold(step="three"), "."),
    "a model's array gone": (without("model/l1.W"), "model/l1.W"),
    "a model's entry gone": (lambda a: dropped(a, "model/l1.W"), "missing: l1.W"),
    "one too many": (lambda a: a | {"more": np.ones(3)}, "not known: more"),
    "another model": (lambda a: a | {"model/l1.W": np.ones((5, 3))}, "expected the shape"),
    "no model": (lambda a: {"structure": retold(model=...)(a)["structure"]}, "."),
    "a number for a model": (retold(model__more=7), "not known: more"),
    "an optimizer's array gone": (without("optimizer/m/l1.W"), "optimizer/m/l1.W"),
    "an optimizer's entry gone": (lambda a: dropped(a, "optimizer/v/l1.W"), "."),
    "another optimizer": (retold(optimizer__beta1=...), "beta1"),
    "an optimizer's shape": (lambda a: a | {"optimizer/m/l1.W": np.ones((5, 3))}, r"m\.l1\.W|expected"),
    "an optimizer's number": (retold(optimizer__beta2="big"), "."),
    "text for numbers": (lambda a: a | {"optimizer/m/l1.b": np.array(["a"] * 3)}, "."),
    "no generators": (retold(generators=...), "."),
    "no generator": (retold(generators__loader=...), "expected an entry 'loader', got 'default'"),
    "another generator": (retold(generators__loader__bit_generator="SFC64"), "."),
    "half a generator": (retold(generators__loader__state=...), "."),
    "a generator's number": (retold(generators__default__state__state="x"), "."),
}


@pytest.mark.parametrize("fault", WRONG)
@pytest.mark.parametrize("wait", [False, True])
def test_a_checkpoint_that_does_not_fit_changes_nothing(fault, wait, tmp_path):
    change, message = WRONG[fault]
    path = tmp_path / "run.npz"
    model, optimizer, rng = trained(seed=1)
    tg.save_checkpoint(path, model, optimizer, step=3, generators={"loader": rng})
    arrays = change(dict(np.load(path)))
    path.write_bytes(archive(entries(arrays)))
    model, optimizer, rng = trained(seed=2, steps=0 if wait else 2)
    if wait:
        model.l1.W._array = None
    if wait and fault == "another model":
        pytest.skip("a model that waits takes any shape")
    before = whole(model, optimizer, rng)
    with pytest.raises(ValueError, match=rf"(?s)run\.npz: .*{message}"):
        tg.load_checkpoint(path, model, optimizer, {"loader": rng})
    assert whole(model, optimizer, rng) == before


@fuzz
@given(data=st.data())
def test_damaged_checkpoints_are_refused_or_harmless(data, folder):
    path, source = folder / "run.npz", folder / "good.run.npz"
    good, good_optimizer, rng = trained(seed=1, steps=1)
    if not source.exists():
        tg.save_checkpoint(source, good, good_optimizer, generators={"loader": rng})
    after, content = whole(good, good_optimizer, rng), damage(data, source.read_bytes())
    model, optimizer, rng = trained(seed=2, steps=1)
    before = whole(model, optimizer, rng)
    refused(
        path, content, lambda path: tg.load_checkpoint(path, model, optimizer, {"loader": rng}),
        lambda: whole(model, optimizer, rng) == after, lambda: whole(model, optimizer, rng) == before,
    )  # fmt: skip


def test_an_interruption_in_the_middle_changes_nothing(tmp_path, monkeypatch):
    path, (model, optimizer, rng) = tmp_path / "run.npz", trained(seed=1)
    tg.save_checkpoint(path, *trained(seed=2)[:2])
    before, load, calls = whole(model, optimizer, rng), optimizer.load_state, []

    def interrupted(state):
        calls.append(1)
        if len(calls) == 1:
            assert held(model) != before[0], "the model has been loaded"
            optimizer.t = 99
            raise KeyboardInterrupt
        load(state)

    monkeypatch.setattr(optimizer, "load_state", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tg.load_checkpoint(path, model, optimizer)
    assert whole(model, optimizer, rng) == before
