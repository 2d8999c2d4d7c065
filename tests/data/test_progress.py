"""The progress bar: what it passes on, and what it shows where."""

import io
import os
import subprocess
import sys
import textwrap

import pytest

from tinygrad_jp import progress

pytest.importorskip("tqdm")


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
    """A clock that the test sets, for tqdm."""
    import tqdm.std

    class Clock:
        now = 0.0

    monkeypatch.setattr(tqdm.std, "time", lambda: Clock.now)
    return Clock


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes standard error a terminal; to be called in the test, since pytest sets stderr before it."""

    def switch(encoding="utf-8"):
        stream = Terminal(encoding)
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("COLUMNS", "80")
        return stream

    return switch


def frames(stream):
    """The lines that were drawn one over the other."""
    return [frame.rstrip() for frame in stream.getvalue().split("\r")[1:]]


def test_passes_on_every_item_in_order(capsys):
    assert list(progress("abc")) == ["a", "b", "c"]
    assert list(progress(iter(range(1000)))) == list(range(1000))
    assert list(progress([])) == []


def test_off_a_terminal_only_one_plain_line_at_the_end(clock, capsys):
    loop = progress(range(1200), desc="epoch 1")
    for i in loop:
        clock.now += 1
        loop.note = f"loss {i}"
        assert capsys.readouterr().err == ""
    out, err = capsys.readouterr()
    assert err == "epoch 1: 100%|##########| 1200/1200 [20:00<00:00,  1.00it/s, loss 1199]\n"
    assert out == ""


def test_on_a_terminal_one_line_is_redrawn(terminal, clock):
    stream = terminal()
    loop = progress(range(10), desc="epoch 1")
    for i in loop:
        clock.now += 0.5
        loop.note = f"loss {i}"
    drawn = frames(stream)
    assert drawn[0].startswith("epoch 1:   0%|  ") and "| 0/10 [" in drawn[0]
    assert drawn[5].startswith("epoch 1:  50%|██") and drawn[5].endswith("| 5/10 [00:02<00:02,  2.00it/s, loss 4]")
    assert drawn[-1].startswith("epoch 1: 100%|██") and drawn[-1].endswith("| 10/10 [00:05<00:00,  2.00it/s, loss 9]")
    assert stream.getvalue().count("\n") == 1


def test_drawing_is_limited_to_ten_times_a_second(terminal, clock):
    stream = terminal()
    for _ in progress(range(10_000)):
        clock.now += 1e-4
    assert 10 <= len(frames(stream)) <= 12


def test_a_loop_that_becomes_slow_is_drawn_as_often(terminal, clock):
    stream = terminal()
    for i in progress(range(100_010)):
        clock.now += 1e-5 if i < 100_000 else 1
    assert sum("| 10000" in frame or "| 100010" in frame for frame in frames(stream)) >= 9


def test_a_terminal_without_unicode_gets_an_ascii_bar(terminal, clock):
    stream = terminal("ascii")
    for _ in progress(range(2)):
        clock.now += 1
    assert "100%|####" in stream.getvalue()
    stream.getvalue().encode("ascii")


@pytest.mark.parametrize(
    "total, shown", [(None, "7it"), (0, "7it"), (14, " 50%|#####     | 7/14"), (5, "7it")], ids=str
)
def test_total_unknown_or_wrong(total, shown, clock, capsys):
    for _ in progress((i for i in range(7)), total):
        clock.now += 1
    assert capsys.readouterr().err.startswith(f"{shown} [00:07")


@pytest.mark.parametrize("total, shown", [(None, "2.00"), (2000, "  0%|          | 2.00/2.00k")])
def test_items_may_count_differently(total, shown, clock, capsys):
    for _ in progress([b"", b"ab", b"", b""], total, size=len):
        clock.now += 1
    line = capsys.readouterr().err
    assert line.startswith(f"{shown} [00:04") and " 2.00s/]" in line


def test_a_loop_left_early_ends_its_line(terminal, clock):
    stream = terminal()
    loop = progress(range(10))
    for i in loop:
        clock.now += 1
        loop.note = f"loss {i}"
        if i == 3:
            break
    assert frames(stream)[-1].endswith("| 3/10 [00:04<00:09,  1.33s/it, loss 3]")
    assert stream.getvalue().endswith("\n")


def test_an_exception_in_the_loop_ends_the_line_and_passes_through(capsys):
    with pytest.raises(ZeroDivisionError):
        for i in progress(range(10)):
            1 / (2 - i)
    assert capsys.readouterr().err.startswith(" 20%|##        | 2/10 [")


def test_may_be_walked_again_from_zero(capsys):
    loop = progress(range(3))
    assert [list(loop), list(loop)] == [[0, 1, 2], [0, 1, 2]]
    assert capsys.readouterr().err.count("| 3/3 [") == 2


def test_a_program_without_stderr_is_silent(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr().out == ""


def test_a_bar_that_tqdm_was_told_to_hide_is_hidden():
    code = "from tinygrad_jp import progress; print(*progress('abc'))"
    env = {**os.environ, "TQDM_DISABLE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("a b c\n", "")


NOTEBOOK = """
import sys, types
{before}
sys.modules["ipykernel.zmqshell"] = types.ModuleType("ipykernel.zmqshell")  # By this tqdm knows a notebook.
IPython = sys.modules.get("IPython") or sys.modules.setdefault("IPython", types.ModuleType("IPython"))
IPython.get_ipython = lambda: type("{shell}", (), {{}})()
from tinygrad_jp import progress
loop = progress(range(3), desc="epoch 1")
for i in loop:
    loop.note = f"loss {{i}}"
"""


def notebook(before="", shell="ZMQInteractiveShell"):
    code = textwrap.dedent(NOTEBOOK.format(before=before, shell=shell))
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    return run.stdout.decode(), run.stderr.decode()


def test_a_notebook_without_widgets_shows_a_bar_of_text_and_no_warning():
    out, err = notebook("sys.modules['ipywidgets'] = sys.modules['IPython.html'] = None")
    assert "\repoch 1:   0%|" in out
    assert ", loss 2]" in out.split("\r")[-1] and out.endswith("\n")
    assert err == ""  # Which a notebook shows on red.


def test_a_notebook_with_widgets_shows_one():
    pytest.importorskip("ipywidgets")
    out, err = notebook("import IPython")
    assert "epoch 1" in out and "\r" not in out
    assert err == ""


def test_ipython_on_a_log_file_does_not_flood_it():
    out, err = notebook(shell="TerminalInteractiveShell")
    assert out == ""
    assert err.count("\r") == 0 and err.count("\n") == 1
