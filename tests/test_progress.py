"""How far long work is: what is said where there is no terminal, where there is one, and where nobody asks."""

import io
import sys

import pytest

from jaxchemo import _progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is put forward by hand."""
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    return now


def test_a_long_run_says_every_tenth_in_a_pipe(clock, capsys):
    with _progress.bar(True, 1000, "fv") as show:
        show(0, "compiling")
        show(0, "compiling")
        for done in range(1, 1001):
            clock[0] += 0.1
            show(done, f"step {done}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "fv: compiling" and lines[1] == "fv: 10%  step 100" and lines[-1] == "fv: 100%  step 1000"
    assert len(lines) == 11


def test_a_run_that_ends_at_once_says_no_more_than_that_it_is_compiled(clock, capsys):
    with _progress.bar("two blobs", 1000, "fv") as show:
        show(0)
        show(0, "compiling")
        for done in range(1, 1001):
            clock[0] += 1e-4
            show(done)
    assert capsys.readouterr().err == "two blobs: compiling\n"


def test_the_first_line_of_a_slow_run_does_not_wait_for_a_tenth_of_lines(clock, capsys):
    """Between two lines there are seconds, also where the work comes in bursts."""
    with _progress.bar(True, 10, "fv") as show:
        for done in range(1, 11):
            clock[0] += 1.1
            show(done)
    assert capsys.readouterr().err.splitlines() == [f"fv: {n}0%" for n in (2, 4, 6, 8, 10)]


def test_nothing_is_said_where_nothing_is_wanted(clock, capsys):
    with _progress.bar(False, 10, "fv") as show:
        clock[0] += 100
        show(0, "compiling")
        show(10)
    assert capsys.readouterr() == ("", "")


def test_each_stage_is_one_line_without_rich_too(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with _progress.stages("study") as report:
        report("growth rates")
        report("runs")
    assert capsys.readouterr().err == "study: growth rates\nstudy: runs\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("total", "there"), [(4, "1/4"), (None, "compiling")])
def test_a_terminal_gets_a_bar(total, there, monkeypatch):
    pytest.importorskip("rich")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    with _progress.bar(True, total, "fv") as show:
        show(1, "compiling")
    drawn = terminal.getvalue()
    assert "\x1b[" in drawn and "fv" in drawn and there in drawn and "compiling" in drawn
