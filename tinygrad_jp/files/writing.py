"""Files that are written whole or not at all."""

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path  # Late, when a file is written: importing it takes longer than this whole room.

Pathlike = str | os.PathLike[str]


def write_whole(path: Pathlike, content: bytes) -> None:
    """Write `content` to `path`, or leave what is there: a new file takes its place once it is complete.

    If `path` is a link, the file it points to is replaced. The mode of the file is kept. Raises an OSError that names
    `path` if the file cannot be written.
    """
    from pathlib import Path

    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
            raise PermissionError(errno.EACCES, "expected a path where a file may be written")
        _sweep(target)
        part = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
        try:
            with part.open("xb") as file:
                with suppress(OSError):  # Some network disks have no locks.
                    _lock(file, wait=True)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
                if os.name == "nt":
                    file.close()  # Windows cannot move an open file.
                if target.exists():
                    part.chmod(target.stat().st_mode & 0o7777)
                part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = f"{error.strerror}; the file needs a writable folder"
        raise OSError(error.errno, reason, str(path)) from error


def _sweep(target: "Path") -> None:
    """Remove what killed processes left of their saves to `target`, and nothing of saves in progress."""
    from glob import escape

    for part in target.parent.glob(f".{escape(target.name)}.*.part"):
        with suppress(OSError):
            with part.open("rb") as file:
                _lock(file, wait=False)
                left = os.fstat(file.fileno()).st_size  # An empty one may be about to be locked.
            if left:
                part.unlink()


def _lock(file: Any, wait: bool) -> None:
    """Mark `file` as in use while it is open; raise OSError if it is in use. Windows never removes an open file."""
    with suppress(ImportError):
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
