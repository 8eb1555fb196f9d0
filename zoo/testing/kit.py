"""The conformance suite: what every plugin must do, a check each; for `zoo check` and for pytest.

from zoo.testing import ArchitectureSuite

class TestMyNet(ArchitectureSuite):
    name = "my-net"
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo.cards import Kind
from zoo.registry import Plugin
from zoo.testing.architecture import BUILDING
from zoo.testing.checks import Check, Conformance
from zoo.testing.dataset import DATA
from zoo.testing.examples import DatasetSubject
from zoo.testing.plugin import GENERAL, Subject
from zoo.testing.suites import ArchitectureSuite, DatasetSuite, add_tests
from zoo.testing.training import TRAINING
from zoo.testing.trial import TrainedSubject

__all__ = ["ArchitectureSuite", "DatasetSuite", "checks_of", "conformance"]


def checks_of(kind: Kind) -> tuple[Check, ...]:
    """The checks of a kind of plugin, in order."""
    return {"architecture": (*GENERAL, *BUILDING, *TRAINING), "dataset": (*GENERAL, *DATA), "plugin": GENERAL}[kind]


def conformance(
    plugin: Plugin,
    *,
    options: Mapping[str, Any] | None = None,
    source: Path | None = None,
    complete: bool = True,
) -> Conformance:
    """The checks of one plugin: `options` for an architecture; `source` and `complete` for a data set."""
    subject: Subject
    if plugin.kind == "architecture":
        subject = TrainedSubject(plugin, options)
    elif plugin.kind == "dataset":
        subject = DatasetSubject(plugin, source, complete)
    else:
        subject = Subject(plugin)
    return Conformance(subject, checks_of(plugin.kind))


add_tests(ArchitectureSuite, checks_of("architecture"))
add_tests(DatasetSuite, checks_of("dataset"))
