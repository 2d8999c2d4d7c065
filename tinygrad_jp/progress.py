"""A progress bar for any loop, drawn on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from operator import length_hint
from time import perf_counter
from typing import Generic, TypeVar

T = TypeVar("T")
WIDTH = 20


class progress(Generic[T]):
    """Pass on the items of `iterable` and show how far the loop has come.

    On a terminal one line is redrawn in place: a bar, the count, the rate per second, the time left, and `note`, a
    short text that the loop may set. Elsewhere (a log file, a notebook) the loop is silent, and one line is written at
    its end. `total` defaults to the length of `iterable`, if it has one; `size` says how much an item counts, or 1.

    >>> epoch = progress([3.0, 2.0, 1.0], desc="epoch 1")
    >>> for loss in epoch:
    ...     epoch.note = f"loss {loss:.1f}"
    >>> str(epoch)  # doctest: +ELLIPSIS
    'epoch 1  3/3 100%  .../s  in 0:00  loss 1.0'
    """

    def __init__(
        self, iterable: Iterable[T], total: int | None = None, desc: str = "", *, size: Callable[[T], int] = lambda _: 1
    ) -> None:
        self.iterable, self.desc, self.size, self.note = iterable, desc, size, ""
        self.total = length_hint(iterable) if total is None else total
        self.count, self.seconds = 0, 0.0

    def __iter__(self) -> Iterator[T]:
        stream, start, drawn = sys.stderr, perf_counter(), -1.0
        live = bool(stream and stream.isatty())  # A program without a console has no stderr at all.
        full, empty = "█░" if live and "utf" in stream.encoding.lower() else "#-"
        self.count, self.seconds = 0, 0.0
        try:
            for item in self.iterable:
                if live and self.seconds - drawn >= 0.1:  # Ten times a second: drawing must not slow the loop.
                    drawn = self.seconds
                    done = min(WIDTH, WIDTH * self.count // self.total) if self.total else 0
                    line = self._line(full * done + empty * (WIDTH - done) if self.total else "", running=True)
                    # Line wrap is off while we write: a line wider than the terminal is cut, "\r" finds its beginning.
                    print(f"\r\x1b[?7l{line}\x1b[K\x1b[?7h", end="", file=stream, flush=True)
                yield item
                self.count, self.seconds = self.count + self.size(item), perf_counter() - start
        finally:  # Also where the loop was left by break or by an exception.
            if stream:
                print(f"\r{self}\x1b[K" if live else self, file=stream)

    def __str__(self) -> str:
        return self._line()

    def _line(self, bar: str = "", running: bool = False) -> str:
        rate = self.count / self.seconds if self.seconds else 0.0
        count = f"{self.count:,}"
        if self.total:
            total = f"{self.total:,}"
            count = f"{count:>{len(total)}}/{total} {self.count / self.total:4.0%}"
        left = (self.total - self.count) / rate if running and rate else 0.0
        time = f"{_clock(left)} left" if left > 0 else f"in {_clock(self.seconds)}"
        speed = f"{rate:,.{0 if rate >= 10 else 2}f}/s" if rate else ""
        parts = (self.desc, bar, count, speed, time, self.note)
        return "  ".join(part for part in parts if part)


def _clock(seconds: float) -> str:
    minutes, s = divmod(round(seconds), 60)
    hours, m = divmod(minutes, 60)
    return f"{hours}:{m:02}:{s:02}" if hours else f"{m}:{s:02}"
