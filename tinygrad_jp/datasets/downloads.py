"""The files of data sets: found on disk or downloaded. A file is complete and checked, or it is not used."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep
from typing import Any, TypeVar

from tinygrad_jp.counting import counted
from tinygrad_jp.progress import progress

__all__ = ["Bounded", "load", "unzipped", "verify"]

T = TypeVar("T")
WAITS = (1, 3)  # Seconds before the second round of the mirrors, and before the third.


class Bounded:
    """A stream that raises ValueError after `limit` bytes: a longer one is not the original, or is a gzip bomb."""

    def __init__(self, stream: Any, limit: int) -> None:
        self.stream, self.limit, self.count = stream, limit, 0

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, or all that remain."""
        most = self.limit - self.count + 1  # One byte too many is enough to refuse a file.
        chunk: bytes = self.stream.read(most if size < 0 else min(size, most))
        self.count += len(chunk)
        if self.count > self.limit:
            raise ValueError(f"expected at most {counted(self.limit, 'byte')}, got more")
        return chunk


def verify(file: Any, sha256: str) -> None:
    """Raise ValueError unless the whole `file` has this sha256. Afterwards, the file is at its beginning."""
    from hashlib import file_digest

    file.seek(0)
    if (found := file_digest(file, "sha256").hexdigest()) != sha256:
        raise ValueError(f"expected sha256 {sha256[:16]}..., got {found[:16]}...")
    file.seek(0)


def unzipped(path: Path, size: int) -> bytes:
    """Return the content of `path`, unzipped if it is in gzip format. Raise ValueError unless it has `size` bytes."""
    import gzip
    import zlib

    with path.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if zipped else path.open("rb") as stream:
            content: bytes = stream.read(size + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        found = counted(path.stat().st_size, "byte")
        raise ValueError(f"expected a complete gzip file, got {found}: {error}") from None
    if len(content) != size:
        got = "more" if len(content) > size else f"{len(content):,}"
        raise ValueError(f"expected {counted(size, 'byte')} unzipped, got {got}")
    return content


def root() -> Path:
    """The directory of all data sets."""
    given = os.environ.get("TINYGRAD_JP_DATA")
    return Path(given or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "tinygrad_jp")).expanduser()


def plain_file(url: str, name: str) -> Path:
    """The file `name` in `root`, downloaded from `url` if it is not there."""
    from tempfile import TemporaryDirectory

    path = root() / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=path.parent, prefix=".download-") as temporary:
            part = Path(temporary, name)
            _fetch(url, part, 10**9)
            part.replace(path)
    return path


def load(
    read: Callable[[Path], T],
    name: str,
    *,
    of: str,
    folders: Sequence[str],
    mirrors: Sequence[str],
    limit: int,
    others: Sequence[str] = (),
) -> T:
    """Return ``read(path)`` for the file `name` of the data set `of`, which is found on disk or downloaded.

    The file may be called `name` or one of `others`. It is looked for in `folders` of the directory in the environment
    variable TINYGRAD_JP_DATA or, if that is not set, of the cache. A download (`limit` bytes at most) goes to the last
    of these folders. `read` raises ValueError for a file that is not the original.
    """
    given = os.environ.get("TINYGRAD_JP_DATA")
    names, places = (*others, name), [root() / folder for folder in folders]
    for path in (place / each for place in places for each in names):
        if path.is_file():
            try:
                return read(path)
            except ValueError as error:
                raise ValueError(f"{of}: {path}: {error}; delete this file, or put the original in its place") from None
    if not given:
        return _download(read, name, of, places[-1], mirrors, limit)
    first, *rest = places
    where = " or ".join([f"{first} (from TINYGRAD_JP_DATA)", *map(str, rest)])
    raise FileNotFoundError(
        f"{of}: expected {' or '.join(names)} in {where}, got {'neither' if others or rest else 'no such file'}; "
        "put the file there, or unset TINYGRAD_JP_DATA to download it"
    )


def _download(read: Callable[[Path], T], name: str, of: str, folder: Path, mirrors: Sequence[str], limit: int) -> T:
    """Download the file `name` into `folder`, and return ``read(path)``."""
    from http.client import HTTPException
    from tempfile import TemporaryDirectory

    failures, left = {}, list(mirrors)
    folder.mkdir(parents=True, exist_ok=True)
    # On the same disk as its destination, so that the last step is an atomic rename. It is removed in any case.
    with TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
        part = Path(temporary, name)
        for wait in (0, *WAITS):
            if left:
                sleep(wait)
            for mirror in left.copy():
                try:
                    _fetch(mirror + name, part, limit)
                    value = read(part)
                except (OSError, HTTPException, ValueError) as error:
                    failures[mirror] = f"{mirror}: {error}"
                    if not _is_temporary(error):
                        left.remove(mirror)
                else:
                    part.replace(folder / name)
                    return value
    raise FileNotFoundError(
        f"{of}: expected {name} in {folder} or from a mirror, got {'; '.join(failures.values())}; "
        f"put {name} there, or into {folder.name}/ of a directory that you name in TINYGRAD_JP_DATA, "
        "or take datasets.Digits, which is on disk"
    )


def _is_temporary(error: Exception) -> bool:
    """Whether it is worth asking the same server again: it was busy, or the connection was cut."""
    code = getattr(error, "code", None)  # Of an HTTPError.
    return code in (408, 429) or code >= 500 if code else not isinstance(error, ValueError)


def _is_allowed(scheme: str, url: str) -> bool:
    """Whether an answer by `scheme` may redirect to `url`: encryption may be gained, not lost; no files, no ftp."""
    return url.startswith(("https:", "http:") if scheme == "http" else "https:")


def _fetch(url: str, path: Path, limit: int) -> None:
    """Write the whole answer of `url` to `path`. Raises ValueError if it exceeds `limit` bytes."""
    from urllib.error import HTTPError
    from urllib.request import HTTPRedirectHandler, build_opener

    class Redirects(HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            if not _is_allowed(req.type, newurl):
                raise HTTPError(newurl, code, f"redirected from {req.type} to {newurl}, which is refused", headers, fp)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    with build_opener(Redirects).open(url, timeout=30) as reply, path.open("wb") as out:
        total, body = reply.length, Bounded(reply, limit)
        chunks = iter(lambda: body.read(1 << 16), b"")
        for chunk in progress(chunks, total, f"{path.name} (bytes)", size=len):
            out.write(chunk)
        if total is not None and body.count < total:
            raise ConnectionError(f"expected {counted(total, 'byte')}, got {body.count:,}: the connection was cut")
