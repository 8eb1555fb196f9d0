"""The receipt of a run, `run.json`: how it is made, and what of it a resumed run must find again."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from zoo import pretrained
from zoo.hardware import describe, kernel_settings, resolve_precision, versions
from zoo.runs.directory import FORMAT
from zoo.types import Data

if TYPE_CHECKING:
    from zoo.runs.pipeline import Prepared


def make(
    prepared: Prepared,
    data: Data,
    started: datetime,
    threads: Mapping[str, int],
    devices: Sequence[str],
) -> dict[str, Any]:
    """The receipt of a run that begins: what was asked, resolved to what, on which images, with which versions."""
    from zoo.training import distribution

    request, resolved = prepared.request, prepared.resolved
    spec, values = asdict(prepared.spec()), resolved.as_dict()
    weights = pretrained.describe(prepared.weights)
    if weights:
        spec["weights"] = values["weights"]["value"] = weights["name"]
    return {
        "format": FORMAT,
        "status": "training",
        "rehearsal": request.rehearse,
        "command": request.command,
        "started": started.isoformat(timespec="seconds"),
        "spec": spec,
        "weights": weights,
        "recipe": {"name": request.recipe, "values": values},
        "dataset": {
            "name": data.name,
            "title": prepared.examples.title or data.name,
            "fingerprint": data.fingerprint,
            "split_hash": data.split_hash,
            "counts": {name: len(part) for name, part in data.parts.items()},
            "notes": list(data.notes),
        },
        "precision": resolve_precision(resolved.recipe, distribution.has_bfloat16()),
        "devices": distribution.describe(devices),
        "threads": dict(threads),
        "environment": kernel_settings(),
        "export": request.export,
        "strict": request.strict,
        "test": request.test,
        "minutes": request.minutes,
        "versions": versions(plugin_versions(prepared)),
        "hardware": describe(),
    }


def plugin_versions(prepared: Prepared) -> Sequence[tuple[str, str]]:
    return [(plugin.distribution, plugin.version) for plugin in (prepared.architecture, prepared.dataset)]


def differences(
    receipt: Mapping[str, Any], prepared: Prepared, threads: Mapping[str, int], devices: Sequence[str]
) -> list[str]:
    """What here is not as it was when the run began and would change its bits, in words."""
    now = versions(plugin_versions(prepared))
    # OpenCV resizes the images: from version to version a last bit may differ
    frameworks = ("zoo", "tensorflow", "keras", "numpy", "opencv-python-headless")
    watched = (*frameworks, prepared.architecture.distribution)
    found = [
        f"{name} was {receipt['versions'].get(name)}, here it is {now.get(name)}"
        for name in dict.fromkeys(watched)
        if receipt["versions"].get(name) != now.get(name)
    ]
    features = describe()["features"]
    if features != receipt["hardware"]["features"]:
        found.append(
            f"the processor had {', '.join(receipt['hardware']['features'])}, here it has {', '.join(features)}"
        )
    if dict(threads) != receipt["threads"]:
        found.append(f"TensorFlow ran with the threads {receipt['threads']}, here it has {dict(threads)}")
    if (settings := kernel_settings()) != (was := receipt.get("environment", {})):
        found.append(f"it ran with {_told(was)} in the environment, here it is {_told(settings)}")
    if list(devices) != receipt["devices"]:
        found.append(f"it ran on {', '.join(receipt['devices'])}, here on {', '.join(devices)}")
    begins, began = pretrained.describe(prepared.weights), receipt.get("weights")
    if begins and began and prepared.resolved.recipe.freeze and begins.get("sha256") != began.get("sha256"):
        found.append(f"the weights {began['name']}, of which a part stays as it is, are another file")
    if platform.machine() != receipt["hardware"]["system"].split()[-1]:
        found.append(f"it ran on {receipt['hardware']['system']}")
    return found


def _told(settings: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items()) or "none of TensorFlow's settings"
