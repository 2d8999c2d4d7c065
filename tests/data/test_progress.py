"""The progress bar: what it passes on, and what it writes where."""

import io
import re
import sys

import pytest

from tinygrad_jp import progress


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def __init__(self, encoding="utf-8"):
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self):
        return self._encoding

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""

    class Clock:
        now = 0.0

    monkeypatch.setattr(sys.modules[progress.__module__], "perf_counter", lambda: Clock.now)
    return Clock


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes standard error a terminal; to be called in the test, since pytest sets stderr before it."""

    def switch(encoding="utf-8"):
        stream = Terminal(encoding)
        monkeypatch.setattr(sys, "stderr", stream)
        return stream

    return switch


def frames(stream):
    """The lines that were drawn one over the other, without their control sequences."""
    return [re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", frame) for frame in stream.getvalue().split("\r")[1:]]


def test_passes_on_every_item_in_order(capsys):
    assert list(progress("abc")) == ["a", "b", "c"]
    assert list(progress(iter(range(1000)))) == list(range(1000))
    assert list(progress([])) == []


def test_off_a_terminal_only_one_plain_line_at_the_end(capsys):
    loop = progress(range(1200), desc="epoch 1")
    for i in loop:
        loop.note = f"loss {i}"
        assert capsys.readouterr().err == ""
    out, err = capsys.readouterr()
    assert re.fullmatch(r"epoch 1  1,200/1,200 100%  [\d,.]+/s  in 0:00  loss 1199\n", err)
    assert out == ""


def test_on_a_terminal_one_line_is_redrawn(terminal, clock):
    stream = terminal()
    loop = progress(range(10), desc="epoch 1")
    for i in loop:
        clock.now += 0.5
        loop.note = f"loss {i}"
    drawn = frames(stream)
    assert drawn[0] == "epoch 1  ░░░░░░░░░░░░░░░░░░░░   0/10   0%  in 0:00"
    assert drawn[5] == "epoch 1  ██████████░░░░░░░░░░   5/10  50%  2.00/s  0:02 left  loss 4"
    assert drawn[-1] == "epoch 1  10/10 100%  2.00/s  in 0:05  loss 9\n"
    assert len(drawn) == 11
    assert stream.getvalue().count("\n") == 1


def test_drawing_is_limited_to_ten_times_a_second(terminal, clock):
    stream = terminal()
    for _ in progress(range(10_000)):
        clock.now += 1e-4
    assert 10 <= len(frames(stream)) <= 12


def test_line_wrap_is_switched_on_again(terminal, clock):
    stream = terminal()
    for _ in progress(range(3), desc="d" * 500):
        clock.now += 1
    written = stream.getvalue()
    assert written.count("\x1b[?7l") == written.count("\x1b[?7h") == 3
    assert written.rindex("\x1b[?7h") > written.rindex("\x1b[?7l")


def test_a_terminal_without_unicode_gets_an_ascii_bar(terminal, clock):
    stream = terminal("ascii")
    for _ in progress(range(2)):
        clock.now += 1
    assert "##########----------" in stream.getvalue()
    stream.getvalue().encode("ascii")


@pytest.mark.parametrize("total, first", [(None, "7"), (0, "7"), (14, " 7/14  50%"), (5, "7/5 140%")])
def test_total_unknown_or_wrong(total, first, clock, capsys):
    loop = progress((i for i in range(7)), total)
    for _ in loop:
        clock.now += 1
    assert str(loop) == f"{first}  1.00/s  in 0:07"


def test_a_bar_is_never_longer_than_full(terminal, clock):
    stream = terminal()
    for _ in progress(range(7), total=2):
        clock.now += 1
    assert max(frame.count("█") for frame in frames(stream)) == 20


def test_items_may_count_differently(clock, capsys):
    loop = progress([b"abc", b"defgh"], total=8, size=len)
    for _ in loop:
        clock.now += 1
    assert str(loop) == "8/8 100%  4.00/s  in 0:02"


@pytest.mark.parametrize("seconds, text", [(0.4, "0:00"), (59.6, "1:00"), (61, "1:01"), (3600, "1:00:00")])
def test_time(seconds, text, clock, capsys):
    loop = progress([0])
    for _ in loop:
        clock.now += seconds
    assert str(loop).endswith(f"in {text}")


@pytest.mark.parametrize("seconds, text", [(100, "0.01/s"), (0.1, "10/s"), (1e-5, "100,000/s")])
def test_rate(seconds, text, clock, capsys):
    loop = progress([0])
    for _ in loop:
        clock.now += seconds
    assert f"  {text}  " in str(loop)


def test_a_loop_left_early_ends_its_line(terminal, clock):
    stream = terminal()
    for i in progress(range(10)):
        clock.now += 1
        if i == 3:
            break
    assert frames(stream)[-1] == " 3/10  30%  1.00/s  in 0:03\n"


def test_an_exception_in_the_loop_ends_the_line_and_passes_through(capsys):
    with pytest.raises(ZeroDivisionError):
        for i in progress(range(10)):
            1 / (2 - i)
    assert capsys.readouterr().err.startswith(" 2/10  20%")


def test_may_be_walked_again_from_zero(capsys):
    loop = progress(range(3))
    assert [list(loop), list(loop)] == [[0, 1, 2], [0, 1, 2]]
    assert loop.count == 3


def test_a_program_without_stderr_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr().out == ""
