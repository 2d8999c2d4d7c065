"""A progress bar for any loop, which is tqdm's."""

import sys
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from math import inf
from operator import length_hint
from typing import Any, Generic, TypeVar
from warnings import catch_warnings, simplefilter

T = TypeVar("T")


class progress(Generic[T]):
    """Pass on the items of `iterable`, and show with tqdm how far the loop has come.

    The bar moves on a terminal, on standard error, and in a notebook. Elsewhere, in a log file for example, the loop is
    silent, and one line is written at its end. `note` is a short text that the loop may set; the bar shows it.

    `total` defaults to the length of `iterable`, if it has one. `size` says how much each item counts, if not 1;
    `total` is then the sum of these.

    >>> epoch = progress([3.0, 2.0, 1.0], desc="epoch 1")
    >>> for loss in epoch:
    ...     epoch.note = f"loss {loss:.1f}"
    """

    hidden = False  # In processes whose terminal is another one's: see `parallel`.

    def __init__(
        self,
        iterable: Iterable[T],
        total: int | None = None,
        desc: str = "",
        *,
        size: Callable[[T], int] | None = None,
    ) -> None:
        self.iterable, self.desc, self.size, self.note = iterable, desc, size, ""
        self.total = length_hint(iterable) if total is None and size is None else total

    def __iter__(self) -> Iterator[T]:
        bar, log = self._bar()
        try:
            for item in self.iterable:
                yield item
                bar.set_postfix_str(self.note, refresh=False)
                bar.update(1 if self.size is None else self.size(item))
        finally:  # Also where the loop was left by break or by an exception.
            bar.set_postfix_str(self.note, refresh=False)
            if log and not bar.disable:
                print(bar, file=log)
            bar.close()

    def _bar(self) -> tuple[Any, Any]:
        """A bar of tqdm, and the stream that gets its last line if the bar itself is not shown."""
        with catch_warnings():
            simplefilter("ignore")  # A notebook without ipywidgets gets a bar of text, which needs no warning.
            from tqdm.auto import tqdm  # type: ignore[import-untyped,unused-ignore]

        settings: dict[str, Any] = {"total": self.total, "desc": self.desc or None, "miniters": 1}
        if self.hidden:
            settings["disable"] = True
        if self.size:
            settings |= {"unit": "", "unit_scale": True}
        if _in_notebook():
            return tqdm(file=sys.stdout, **settings), None
        if sys.stderr and sys.stderr.isatty():  # A program without a console has no stderr at all.
            return tqdm(file=sys.stderr, dynamic_ncols=True, **settings), None
        return tqdm(file=StringIO(), mininterval=inf, **settings), sys.stderr


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and type(shell).__name__ != "TerminalInteractiveShell"
