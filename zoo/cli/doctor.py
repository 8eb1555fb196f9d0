"""`zoo doctor`: what is wrong with the installation, the cache, the data and the runs, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from zoo.cli.text import print_json
from zoo.files import printable

if TYPE_CHECKING:
    from zoo.doctor import Finding

_MARKS = {"ok": "ok", "note": "note", "wrong": "WRONG"}


@click.command(
    "doctor",
    epilog="""\b
Examples:
  zoo doctor                   the installation, the cache and the data sets
  zoo doctor runs/first        and a run: are its files those that it wrote?
  zoo doctor runs              and all runs of a folder, unfinished ones too
  zoo doctor last --json

\b
Exit codes: 0 nothing is wrong, 1 something is, 2 PATH names no run.
""",
)
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(context: click.Context, path: str | None, as_json: bool) -> None:
    """Look for what is wrong, and name the command that mends it.

    It looks at the environment (interpreter, packages, OpenCV), the plugins, the cache, the data sets, and at the
    run or the folder of runs that PATH names: SHA-256 of weights and checkpoints, and runs that are not finished.
    Nothing is changed, and TensorFlow is not loaded.
    """
    from zoo.doctor import diagnose

    found = list(diagnose(path))
    wrong = sum(finding.state == "wrong" for finding in found)
    if as_json:
        print_json({"wrong": wrong, "findings": [finding.as_dict() for finding in found]})
    else:
        click.echo(screen(found))
    if wrong:
        context.exit(1)


def screen(found: Sequence[Finding]) -> str:
    """The findings as a terminal shows them, by section, and a last line that counts them."""
    lines: list[str] = []
    section = ""
    for finding in found:
        if finding.section != section:
            section = finding.section
            lines.append(section)
        lines.append(f"  {_MARKS[finding.state]:<5}  {_one_line(finding.what)}")
        if finding.mend:
            lines.append(f"         {'mend: ' if finding.state == 'wrong' else ''}{_one_line(finding.mend)}")
    wrong = sum(finding.state == "wrong" for finding in found)
    lines += ["", "Nothing is wrong." if not wrong else f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong."]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return printable(text).replace("\n", " ")
