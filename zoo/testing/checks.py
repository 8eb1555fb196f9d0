"""What a check is, and how checks of one plugin are run: each at most once, those that it needs first.

A check is a function of a subject that returns if all is well, raises `Fails` with what was found, or
`Skips` with the reason why it says nothing about this plugin.
"""

from __future__ import annotations

import os
import re
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import click

State = Literal["ok", "failed", "skipped"]
_TRACED = "in user code:"
"""So begins the message of what is raised while TensorFlow traces a function; it quotes the lines of code, and ends
with the message as it was raised."""


class Fails(Exception):
    """The plugin is wrong; the message says what was found, `remedy` how to mend it where the check's does not fit."""

    def __init__(self, found: str, remedy: str = "") -> None:
        super().__init__(found)
        self.remedy = remedy


class Skips(Exception):
    """The check does not apply to this plugin; the message says why."""


@dataclass(frozen=True)
class Check:
    """`name` is what people see; `what` is true of a right plugin; `remedy` says how to mend a wrong one."""

    name: str
    what: str
    remedy: str
    run: Callable[[Any], None]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a check found: `detail` is the failure or the reason for skipping it, `remedy` how to mend a failure.

    `cause` is the first check that failed or was skipped of those that this one hangs on; then it was not run.
    """

    check: Check
    state: State
    detail: str = ""
    seconds: float = 0.0
    remedy: str = ""
    cause: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The outcome as JSON has it."""
        facts = {"name": self.check.name, "what": self.check.what, "state": self.state}
        return facts | {"detail": self.detail, "remedy": self.remedy, "seconds": round(self.seconds, 2)}

    def __str__(self) -> str:
        return f"{self.check.name}: {self.detail}\nA right plugin: {self.check.what}.\nRemedy: {self.remedy}"


def check(name: str, what: str, remedy: str, needs: tuple[str, ...] = ()) -> Callable[[Callable[[Any], None]], Check]:
    """Make a `Check` of a function of a subject."""
    return lambda run: Check(name, what, remedy, run, needs)


class Conformance:
    """The checks of one plugin, run when asked for; `subject` is what they share."""

    def __init__(self, subject: Any, checks: Sequence[Check]) -> None:
        self.subject = subject
        self.checks = {check.name: check for check in checks}
        self._outcomes: dict[str, Outcome] = {}

    def outcome(self, name: str) -> Outcome:
        """Run a check, unless it has been run, after those that it needs."""
        if name not in self._outcomes:
            self._outcomes[name] = self._run(self.checks[name])
        return self._outcomes[name]

    def outcomes(self) -> Iterator[Outcome]:
        """Run every check, in order."""
        return (self.outcome(name) for name in self.checks)

    def _run(self, check: Check) -> Outcome:
        for needed in check.needs:
            before = self.outcome(needed)
            if before.state != "ok":
                said = "failed" if before.state == "failed" else "was skipped"
                detail = before.detail if before.cause else f"not checked, because {needed} {said}"
                return Outcome(check, "skipped", detail, cause=before.cause or needed)
        began = time.monotonic()
        state: State = "ok"
        detail = remedy = ""
        try:
            check.run(self.subject)
        except Fails as found:
            state, detail, remedy = "failed", str(found), found.remedy or check.remedy
        except Skips as reason:
            state, detail = "skipped", str(reason)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a plugin may raise anything: that is a finding)
            failure = raised(error, check.remedy)
            state, detail, remedy = "failed", str(failure), failure.remedy
        return Outcome(check, state, detail, time.monotonic() - began, remedy)


def raised(error: BaseException, remedy: str, when: str = "") -> Fails:
    """What a plugin raised, with the line of its code if there is one: that is where to look first."""
    line = where(error)
    if line:
        typo = isinstance(error, AttributeError | ImportError | NameError)
        remedy = "mend that line" if typo else f"look at that line; if it is right, {remedy}"
    return Fails(f"{when}{describe(error)}{line}", remedy)


def describe(error: BaseException) -> str:
    """An error in a line or a few."""
    text = f"{type(error).__name__}: {click.unstyle(str(error))}"  # Keras prints in bold
    if _TRACED in text:
        text = re.split(r'File "[^\n]*\n[^\n]*\n', text)[-1]
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[:4])[:600]


def where(error: BaseException) -> str:
    """The innermost line of code that is not the zoo's, Python's or a framework's, " (path, line 5)"; "" for none."""
    if error.__cause__ is not None and (found := where(error.__cause__)):
        return found
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if _TRACED in str(error):
        lines = re.findall(r'File "(.+)", line (\d+)', str(error))
    for file, number in reversed(lines):
        path = Path(file)
        python = path.is_relative_to(Path(os.__file__).parent) and "site-packages" not in path.parts
        if path.is_file() and not python and not any(path.is_relative_to(folder) for folder in _frameworks()):
            return f" ({path}, line {number})"
    return ""


@cache
def _frameworks() -> list[Path]:
    """Their folders, and the zoo's."""
    found = [find_spec(name) for name in ("zoo", "tensorflow", "keras", "numpy", "pluggy", "cv2")]
    return [Path(spec.origin).parent for spec in found if spec and spec.origin]
