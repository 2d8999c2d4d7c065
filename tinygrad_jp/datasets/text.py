"""Text for predicting the next character."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from tinygrad_jp.datasets.dataset import Dataset, Transform
from tinygrad_jp.datasets.downloads import load, verify

__all__ = ["Shakespeare"]

SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"


class Shakespeare(Dataset):
    """Windows of a text as numbers: x is int64 ``(length,)``, and t the same window one character later.

    The text is "tiny Shakespeare", 40,000 lines from the plays (1,115,394 characters, 65 different ones), or the UTF-8
    file at `path`. The first 90 % are for training, the rest for testing. Every position starts a window, so
    N = len(text) - length. `text` is the part for training or testing, `ids` the same as numbers, and `chars` the
    characters of the whole text, sorted: number i stands for ``chars[i]``.

    The file input.txt is read from ``shakespeare/`` in the directory in the environment variable TINYGRAD_JP_DATA. If
    that is not set, it is downloaded (1 MB) like the files of `MNIST`, and checked by its sha256.

    Raises ValueError if the text is shorter than a window; `encode` does for a character that is not in the text.

    Source: https://github.com/karpathy/char-rnn (A. Karpathy, 2015). Licence: Shakespeare's works are public domain.
    In the DeZero book (Koki Saito, 2020) the class is `Shakespear`, has windows of one character, and no test set.

    >>> dataset = Shakespeare(path="plays.txt", length=100)  # doctest: +SKIP
    >>> x, t = dataset[0]  # doctest: +SKIP
    >>> dataset.decode(x[1:]) == dataset.decode(t[:-1])  # doctest: +SKIP
    True
    """

    mirrors = ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/",)

    def __init__(
        self,
        train: bool = True,
        transform: Transform = None,
        target_transform: Transform = None,
        *,
        path: str | os.PathLike[str] | None = None,
        length: int = 64,
    ) -> None:
        self.path, self.length = path, length
        super().__init__(train, transform, target_transform)

    def prepare(self) -> None:
        """Read the text and number its characters."""
        whole = self._read()
        self.chars = "".join(sorted(set(whole)))
        self.char_to_id = {char: i for i, char in enumerate(self.chars)}
        cut = len(whole) * 9 // 10
        self.text = whole[:cut] if self.train else whole[cut:]
        self.ids = self.encode(self.text)
        if not 1 <= self.length < len(self.ids):
            raise ValueError(
                f"{type(self).__name__}: expected 1 <= length < {len(self.ids)}, the characters of this part, "
                f"got {self.length}; give a longer text"
            )

    @property
    def data(self) -> Any:
        """All windows, as a view: they overlap, and copies would take `length` times the memory of `ids`."""
        return sliding_window_view(self.ids[:-1], self.length)

    @property
    def label(self) -> Any:
        """All windows, one character later."""
        return sliding_window_view(self.ids[1:], self.length)

    def _read(self) -> str:
        if self.path is not None:
            return Path(self.path).read_text(encoding="utf-8")
        of = type(self).__name__
        return load(_original, "input.txt", of=of, folders=["shakespeare"], mirrors=self.mirrors, limit=2_000_000)

    def encode(self, text: str) -> NDArray[np.int64]:
        """Return the numbers of the characters of `text`: ``(len(text),)``."""
        if unknown := set(text) - self.char_to_id.keys():
            raise ValueError(f"encode: expected characters of the text, got {''.join(sorted(unknown))!r}")
        return np.array([self.char_to_id[char] for char in text], np.int64)

    def decode(self, ids: ArrayLike) -> str:
        """Return the text whose numbers are `ids`."""
        numbers = np.ravel(ids)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self.chars):
            last, got = len(self.chars) - 1, f"{numbers.min()} to {numbers.max()}"
            raise ValueError(
                f"decode: expected ids from 0 to {last}, got {got}; ids are those of this text's characters"
            )
        return "".join(self.chars[i] for i in numbers)


class Shakespear(Dataset):
    """The same text as in DeZero: each example is one character and the next one, as numbers, of the whole text.

    `char_to_id` and `id_to_char` number the characters in the order in which they first occur.
    """

    def prepare(self) -> None:
        text = Shakespeare(length=1)._read()
        self.char_to_id = {char: i for i, char in enumerate(dict.fromkeys(text))}
        self.id_to_char = dict(enumerate(self.char_to_id))
        ids = np.array([self.char_to_id[char] for char in text])
        self.data, self.label = ids[:-1], ids[1:]


def _original(path: Path) -> str:
    with path.open("rb") as file:
        verify(file, SHA256)
        return file.read().decode()
