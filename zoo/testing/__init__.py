"""Tools that test plugins, and the zoo: the conformance suite, for pytest and `zoo check`, and a fuzzer.

from zoo.testing import ArchitectureSuite

class TestMyNet(ArchitectureSuite):
    name = "my-net"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.testing.checks import Check, Conformance, Fails, Outcome, Skips
    from zoo.testing.kit import ArchitectureSuite, DatasetSuite, checks_of, conformance

_HOMES = {
    "zoo.testing.checks": ("Check", "Conformance", "Fails", "Outcome", "Skips"),
    "zoo.testing.kit": ("ArchitectureSuite", "DatasetSuite", "checks_of", "conformance"),
}
__all__ = [
    "ArchitectureSuite",
    "Check",
    "Conformance",
    "DatasetSuite",
    "Fails",
    "Outcome",
    "Skips",
    "checks_of",
    "conformance",
]


def __getattr__(name: str) -> Any:
    # the fuzzer's workers need none of the suite
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module 'zoo.testing' has no attribute {name!r}")
