"""Pieces of HTML that the report of a run and the site share: escaped texts, tables, recipes, pictures."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.files import in_words
from zoo.recipes import KEYS
from zoo.runs.directory import PICTURES

_ROOT = r"(?:file://|path:)?(?:~|[A-Za-z]:)?[/\\]"
_QUOTED_PATH = re.compile(rf"(['\"]){_ROOT}(?:[^'\"/\\<>]+[/\\])+([^'\"/\\<>]*)\1")
_PATH = re.compile(rf"(?<![\w.~:/…-]){_ROOT}(?:[^\s/\\'\"<>]+[/\\])+([^\s/\\'\"<>]*)")


def escape(value: object) -> str:
    """Text for HTML; of a path of this machine only the last name is left. One with spaces has to be in quotes, as
    commands of receipts have it."""
    text = _QUOTED_PATH.sub(lambda found: f"{found[1]}…/{found[2]}{found[1]}", str(value))
    return html.escape(_PATH.sub(lambda found: f"…/{found[1]}", text))


_STEP = re.compile(r"(.+)-(\d{5,})")
Picture = tuple[str, str, str]  # address, alternative text, caption


def figures(pictures: Iterable[Picture], names: Iterable[str]) -> str:
    """Pictures with their captions. Those whose names differ in a number at the end ("sees-00500") are one series
    with a slider, the last of them to begin with; without scripts it stays."""
    groups: dict[str, list[tuple[str, Picture]]] = {}
    for name, picture in zip(names, pictures, strict=True):
        step = _STEP.fullmatch(name)
        groups.setdefault(step[1] + "-" if step else name, []).append((step[2] if step else "", picture))
    return "\n".join(_series(frames) if len(frames) > 1 else figure(*frames[0][1]) for frames in groups.values())


def figure(address: str, alternative: str, caption: str, kind: str = "") -> str:
    """A picture with its caption."""
    kind = f' class="{kind}"' if kind else ""
    image = f'<img src="{html.escape(address)}" alt="{escape(alternative)}">'
    return f"<figure{kind}>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _series(frames: Sequence[tuple[str, Picture]]) -> str:
    last = len(frames) - 1
    shown = "".join(
        f'<div class="frame"{" hidden" * (place != last)} data-step="{int(step)}"><img src="{html.escape(address)}" '
        f'alt="{escape(alternative)}, {int(step):,}"><figcaption>{escape(caption)}</figcaption></div>'
        for place, (step, (address, alternative, caption)) in enumerate(frames)
    )
    slider = f'<input type="range" min="0" max="{last}" value="{last}" aria-label="Step of training">'
    return f'<figure class="series"><div class="slide" hidden>{slider}<output></output></div>{shown}</figure>'


def data_uri(path: Path) -> str:
    """A picture's content as a `data:` address."""
    return f"data:{PICTURES[path.suffix]};base64,{base64.b64encode(path.read_bytes()).decode()}"


def machine(hardware: Mapping[str, Any]) -> str:
    """A receipt's hardware in words."""
    memory = f", {in_words(hardware['memory'])}" if hardware.get("memory") else ""
    features = f" ({', '.join(hardware['features'])})" if hardware.get("features") else ""
    return f"{hardware['processor']}{features}, {hardware['cores']} cores{memory}, {hardware['system']}"


def recipe_tables(recipe: Mapping[str, Any], heading: bool = True) -> str:
    """A recipe of a receipt as HTML: what it sets itself, and folded away the values that are core's."""
    header = ("key", "value", "from", "what it is")
    rows = {True: [], False: []}  # type: dict[bool, list[tuple[str, ...]]]
    for key, entry in recipe["values"].items():
        origin = entry["origin"]
        rows[origin == "core"].append((key, plain(entry["value"]), origin, KEYS.get(key, "")))
    own = f"<h3>Recipe <code>{escape(recipe['name'])}</code></h3>" * heading + table(header, rows[False])
    summary = f"<summary>{len(rows[True])} values that are core's</summary>"
    return f"{own}<details>{summary}{table(header, rows[True])}</details>"


def plain(value: Any) -> str:
    """A recipe's value as a reader writes it: a list with commas, an option per `key = value`."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {plain(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list | tuple):
        return " to ".join(map(plain, value)) if len(value) == 2 else ", ".join(map(plain, value)) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[int] = ()) -> str:
    """A table in HTML that scrolls by itself where the page is narrow; columns in `numeric` to the right."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col"{_side(column, numeric)}>{escape(cell)}</th>' for column, cell in enumerate(header))
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td{_side(column, numeric)}>{escape(cell)}</td>" for column, cell in enumerate(row[1:], start=1))
        + "</tr>"
        for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if header else ""
    kind = ' class="data"' if header else ' class="facts"'
    return f'<div class="table" tabindex="0"><table{kind}>{head}<tbody>{body}</tbody></table></div>'


def _side(column: int, numeric: Sequence[int]) -> str:
    return ' class="number"' if column in numeric else ""
