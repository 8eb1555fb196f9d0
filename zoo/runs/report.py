"""`report.html`: a finished run on one page that needs nothing else, to open, to print and to send.

Pictures are inlined, nothing is fetched, and no path of the machine is in it. Importing this module imports no
framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any, get_args

from zoo.errors import UsageError
from zoo.figures.catalogue import Group, entry_of
from zoo.files import atomic_write
from zoo.markup import data_uri, escape, figures, machine, recipe_tables, table
from zoo.progress import duration
from zoo.results import chapter
from zoo.runs.directory import Run, captions_of
from zoo.words import amount, are

NAME = "report.html"


def write(run: Run) -> Path:
    """Write a finished run's report into its directory and return its path. Raises UsageError for any other run."""
    if run.status != "finished":
        raise UsageError(
            f"Only a finished run has a report. Received: {run.id}, {run.status}. "
            f"Go on with it: zoo train --resume {run.quoted}"
        )
    path = run.directory / NAME
    atomic_write(path, page(run))
    return path


def page(run: Run) -> str:
    """The report as HTML."""
    receipt, metrics = run.receipt, run.metrics or {}
    grouped = group_figures(run.directory / "figures")
    template = Template((files("zoo") / "templates" / "report.html").read_text(encoding="utf-8"))
    sections = [
        ("Curves", _figures(grouped["training"])),
        ("What it gets wrong", _mistakes(metrics) + _figures(grouped["result"])),
        ("What it sees", _figures(grouped["sees"])),
        ("The network", _network(grouped["network"])),
        ("Among others", _figures(grouped["context"])),
        ("The receipt", _receipt(run)),
    ]
    body = "".join(
        f'<section id="{_anchor(title)}"><h2>{title}</h2>{text}</section>' for title, text in sections if text
    )
    links = "".join(f'<a href="#{_anchor(title)}">{title}</a>' for title, text in sections if text)
    return template.substitute(
        title=escape(run.title),
        heading=escape(f"{run.spec.title} on {run.dataset}"),
        kicker=escape(f"recipe {receipt['recipe']['name']} · {receipt['started'][:10]} · run {run.id.split('-')[-1]}"),
        rehearsal='<p class="stamp" role="note">REHEARSAL on generated images</p>' * bool(receipt["rehearsal"]),
        verdict=_verdict(run, metrics),
        links=links,
        body=body,
        version=escape(receipt["versions"]["zoo"]),
    )


def group_figures(folder: Path) -> dict[Group, list[tuple[Path, str]]]:
    """The figures of a folder with their captions, by their group in `zoo.figures.CATALOGUE`.

    A figure that the catalogue does not have, a plugin's own, shows what the network sees.
    """
    grouped: dict[Group, list[tuple[Path, str]]] = {group: [] for group in get_args(Group)}
    for name, caption in captions_of(folder).items():
        if (folder / name).is_file():
            entry = entry_of(name.rpartition(".")[0])
            grouped[entry.group if entry else "sees"].append((folder / name, caption))
    return grouped


def says(path: Path, caption: str) -> str:
    """A figure's alternative text: the catalogue's line about its kind, or its caption."""
    entry = entry_of(path.stem)
    return entry.says if entry else caption


# the verdict ----------------------------------------------------------------------------------------------------


def _verdict(run: Run, metrics: Mapping[str, Any]) -> str:
    receipt = run.receipt
    spec = run.spec
    known = [
        ("parameters", f"{receipt['parameters']:,}" if "parameters" in receipt else ""),
        ("input", f"{spec.height} x {spec.width} x {spec.channels}"),
        ("trained for", duration(receipt["seconds"]) if receipt.get("seconds") else ""),
        ("precision", receipt["precision"]),
        ("seed", spec.seed),
    ]
    chips = "".join(f"<div><dt>{label}</dt><dd>{escape(value)}</dd></div>" for label, value in known if value != "")
    facts = f'<dl class="chips">{chips}</dl>'
    if receipt["rehearsal"] or "accuracy" not in metrics:
        return (
            '<p class="big">no accuracy</p><p>A rehearsal runs every step on generated images: it shows that the '
            f"whole path works on this machine, and says nothing about how good the network is.</p>{facts}"
        )
    accuracy, (low, high) = metrics["accuracy"], metrics["interval"]
    count, wrong = metrics["count"], metrics["count"] - metrics["correct"]
    printed = chapter.experiment(spec.name, receipt["dataset"]["name"])
    flipped = metrics.get("without_flip_average")
    aside = f" Without averaging over the mirror image: {_percent(flipped['accuracy'])}." if flipped else ""
    return (
        f'<p class="big">{100 * accuracy:.2f}<small> %</small></p>'
        f"<p>of {amount(count, escape(metrics['part']) + ' image')} {are(count)} classified correctly "
        f"({metrics['correct']:,}; {wrong:,} {are(wrong)} not). "
        f"95&nbsp;% interval (Wilson): <b>{100 * low:.2f} to {100 * high:.2f}&nbsp;%</b>.{aside}"
        f"{_baseline(metrics)}</p>"
        f"{_scale(accuracy, low, high, printed)}{_against(accuracy, low, high, printed)}{facts}"
    )


def _baseline(metrics: Mapping[str, Any]) -> str:
    """What naming the most frequent class alone would give."""
    classes = metrics.get("classes")
    if not classes:
        return ""
    most = max(classes, key=lambda entry: entry["count"])
    share = most["count"] / metrics["count"]
    return f" Always to say “{escape(most['name'])}”, the most frequent class, is right for {_percent(share)}."


def _against(accuracy: float, low: float, high: float, printed: chapter.Experiment | None) -> str:
    if printed is None:
        return ""
    points = 100 * (accuracy - printed.accuracy)
    if low <= printed.accuracy <= high:
        said = "it lies inside the interval, so the two can't be told apart"
    else:
        said = f"this run is {abs(points):.2f} points {'above' if points > 0 else 'below'} it, outside its interval"
    other = "" if printed.part == "test" else f" (of its {printed.part} images)"
    return f"<p>The chapter printed <b>{_percent(printed.accuracy)}</b>{other}: {said}.</p>"


def _scale(accuracy: float, low: float, high: float, printed: chapter.Experiment | None) -> str:
    """The result and its interval on a line, with the chapter's figure where there is one (SVG)."""
    values = [low, high] + ([printed.accuracy] if printed else [])
    margin = max(max(values) - min(values), 0.002) * 0.25
    least, most = max(min(values) - margin, 0.0), min(max(values) + margin, 1.0)

    def x(share: float) -> float:
        return round(20 + 560 * (share - least) / (most - least), 1)

    mark = ""
    if printed:
        at = x(printed.accuracy)
        side = "end" if at > 440 else "start" if at < 160 else "middle"
        mark = (
            f'<path class="printed" d="M{at} 20V52"/>'
            f'<text x="{at}" y="14" text-anchor="{side}">the chapter {_percent(printed.accuracy)}</text>'
        )
    said = f"Accuracy {_percent(accuracy)}, interval {_percent(low)} to {_percent(high)}"
    ends = f'<text x="20" y="72">{_percent(least)}</text><text x="580" y="72" text-anchor="end">{_percent(most)}</text>'
    return (
        f'<svg class="scale" viewBox="0 0 600 78" role="img" aria-label="{said}"><path class="axis" d="M20 52H580"/>'
        f'<rect class="interval" x="{x(low)}" y="30" width="{max(x(high) - x(low), 2):.1f}" height="12" rx="6"/>'
        f'<circle class="result" cx="{x(accuracy)}" cy="36" r="8"/>{mark}{ends}</svg>'
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f} %"


# sections -------------------------------------------------------------------------------------------------------


def _figures(found: Sequence[tuple[Path, str]]) -> str:
    return figures(
        ((data_uri(path), says(path, caption), caption) for path, caption in found), (path.stem for path, _ in found)
    )


def _network(found: Sequence[tuple[Path, str]]) -> str:
    """The network's stages; its layers one by one, which can take many pages, are folded away."""
    stages = [one for one in found if one[0].stem == "diagram-folded"]
    layers = [one for one in found if one not in stages]
    if not stages or not layers:
        return _figures(found)
    return f"{_figures(stages)}<details><summary>Layer by layer</summary>{_figures(layers)}</details>"


def _mistakes(metrics: Mapping[str, Any]) -> str:
    if "confusion" not in metrics:
        return ""
    classes, confusion = metrics["classes"], metrics["confusion"]
    names = [entry["name"] for entry in classes]
    mixed = sorted(
        (
            (count, truth, taken)
            for truth, row in enumerate(confusion)
            for taken, count in enumerate(row)
            if truth != taken
        ),
        reverse=True,
    )
    worst = [
        f"{names[truth]} taken for {names[taken]} ({amount(count, 'time')})"
        for count, truth, taken in mixed[:3]
        if count
    ]
    said = f"<p>Most often: {escape('; '.join(worst))}.</p>" if worst else "<p>Not one mistake.</p>"
    shown = sorted(classes, key=lambda entry: entry["recall"] if entry["recall"] is not None else 2)[:20]
    rows = [
        (entry["name"], f"{entry['count']:,}", _share(entry["recall"]), _interval(entry), _share(entry["precision"]))
        for entry in shown
    ]
    left = f"<p>The {len(shown)} hardest of {len(classes)} classes.</p>" if len(shown) < len(classes) else ""
    header = ("class", "images", "recognised (recall)", "95 % interval", "right when named (precision)")
    return said + left + table(header, rows, numeric=(1, 2, 3, 4))


def _share(value: float | None) -> str:
    return "-" if value is None else _percent(value)


def _interval(entry: Mapping[str, Any]) -> str:
    low, high = entry["recall_interval"]
    return f"{100 * low:.2f} to {100 * high:.2f}" if entry["count"] else "-"


def _receipt(run: Run) -> str:
    receipt = run.receipt
    dataset, hardware = receipt["dataset"], receipt["hardware"]
    counts = ", ".join(f"{count:,} {name}" for name, count in dataset["counts"].items() if count)
    rows = [
        ("network", f"{run.spec.title}, for {len(run.spec.class_names):,} classes"),
        ("images", f"{dataset['name']}: {counts}"),
        *(("", note) for note in dataset["notes"]),
        ("fingerprint of the images", dataset["fingerprint"]),
        ("hash of the split", dataset["split_hash"]),
        ("started", receipt["started"]),
        ("wall time", duration(receipt["seconds"]) if receipt.get("seconds") else "-"),
        ("hardware", machine(hardware)),
        ("precision", receipt["precision"]),
        ("threads", "{intra} inside an operation, {inter} operations side by side".format(**receipt["threads"])),
        ("versions", ", ".join(f"{name} {version}" for name, version in receipt["versions"].items())),
        *(("not exact", difference) for difference in receipt.get("inexact", [])),
    ]
    command = f"<pre><code>{escape(receipt['command'])}</code></pre>"
    return f"<p>The command that gives this run again:</p>{command}{table((), rows)}{recipe_tables(receipt['recipe'])}"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
