"""What a person sees of a run: a live line on a terminal, plain lines otherwise."""

from __future__ import annotations

import io

import pytest

from zoo.progress import Reporter, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (89, "89 s"), (90, "2 min"), (600, "10 min"), (5400, "1 h 30 min"), (9900, "2 h 45 min")],
)
def test_durations_read_as_a_person_says_them(seconds, text):
    assert duration(seconds) == text


def test_a_terminal_gets_a_live_line_with_rate_and_losses(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    reporter = Reporter(stream)
    reporter.start("training", 100)
    reporter.advance(50, "loss 0.5  141 images/s")
    reporter.note("a message")
    reporter._live.refresh()
    reporter.stop()
    shown = stream.getvalue()
    assert "training" in shown
    assert "50 %" in shown
    assert "141 images/s" in shown
    assert "a message" in shown


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["a file", "a dumb terminal"])
def test_files_and_dumb_terminals_get_plain_lines(monkeypatch, stream):
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("zoo.progress._PLAIN_SECONDS", 0.0)
    reporter = Reporter(stream)
    reporter.start("training", 100)
    reporter.advance(50, "loss 0.5")
    reporter.stop()
    assert stream.getvalue() == "training  50 %  loss 0.5\n"


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_a_reader_who_goes_away_stops_nothing(monkeypatch, term):
    class Broken(Terminal):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("zoo.progress._PLAIN_SECONDS", 0.0)
    reporter = Reporter(Broken())
    reporter.note("a message")
    reporter.start("training", 100)
    reporter.advance(50, "loss 0.5")
    reporter.note("another")
    reporter.stop()


def test_plain_lines_are_few(monkeypatch):
    stream = io.StringIO()
    reporter = Reporter(stream)
    reporter.start("training", 1000)
    for step in range(1000):
        reporter.advance(step, "loss 0.5")
    assert stream.getvalue() == ""


def test_no_color_is_honoured(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Terminal()
    reporter = Reporter(stream)
    reporter.start("training", 100)
    reporter.advance(50)
    reporter._live.refresh()
    reporter.stop()
    assert "\x1b[3" not in stream.getvalue()


def test_a_row_of_the_history_is_a_line():
    stream = io.StringIO()
    Reporter(stream).row({"epoch": 2, "loss": 0.51234, "validation_loss": 0.6, "validation_accuracy": 0.7838}, 20)
    assert stream.getvalue() == "epoch 2/20  loss 0.5123  validation loss 0.6  validation accuracy 78.38 %\n"


def test_quiet_shows_nothing():
    stream = io.StringIO()
    reporter = Reporter(stream, quiet=True)
    reporter.start("training", 10)
    reporter.note("a message")
    reporter.advance(5)
    reporter.row({"step": 1, "loss": 1.0}, 1)
    reporter.stop()
    assert stream.getvalue() == ""


def test_of_rows_that_come_at_once_the_first_and_the_last_are_shown():
    stream = io.StringIO()
    reporter = Reporter(stream)
    reporter.start("training", 60)
    for epoch in range(1, 61):
        reporter.row({"epoch": epoch, "loss": 0.5}, 60)
    reporter.stop()
    assert stream.getvalue() == "epoch 1/60  loss 0.5\nepoch 60/60  loss 0.5\n"
    reporter.stop()
    assert len(stream.getvalue().splitlines()) == 2
