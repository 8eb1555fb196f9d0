"""The conformance suites as pytest classes: a test per check, made of the same list that `zoo check` runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from zoo.cards import Kind
from zoo.registry import Registry
from zoo.testing.checks import Check, Conformance


class _Suite:
    """Tests that share one plugin under test, made when the first of them runs."""

    name: ClassVar[str]
    _kind: ClassVar[Kind]
    _conformance: ClassVar[Conformance | None] = None

    @classmethod
    def conformance(cls) -> Conformance:
        """The checks of this class's plugin; each runs once."""
        if "_conformance" not in vars(cls) or cls._conformance is None:
            cls._conformance = cls._make()
        return cls._conformance

    @classmethod
    def _make(cls) -> Conformance:
        raise NotImplementedError

    @classmethod
    def teardown_class(cls) -> None:
        """Let go of networks and folders."""
        cls._conformance = None


class ArchitectureSuite(_Suite):
    """Conformance tests of an architecture::

        class TestMyNet(ArchitectureSuite):
            name = "my-net"

    `options` are given to every build but the card's: a deep network is tested at a fraction of its width.
    """

    options: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def _make(cls) -> Conformance:
        from zoo.testing import conformance

        return conformance(Registry.discover().find("architecture", cls.name), options=cls.options)


class DatasetSuite(_Suite):
    """Conformance tests of a data set::

        class TestMyData(DatasetSuite):
            name = "my-data"

    `source` is where its data lie (as `--source`), None for where it looks by itself; override it as a
    classmethod to make a few files first. `complete` False says that these are not all images that the card counts.
    """

    complete: ClassVar[bool] = True

    @classmethod
    def source(cls) -> Path | None:
        """Where the data lie."""
        return None

    @classmethod
    def _make(cls) -> Conformance:
        from zoo.testing import conformance

        row = Registry.discover().find("dataset", cls.name)
        return conformance(row, source=cls.source(), complete=cls.complete)


def _test(name: str, what: str) -> Callable[[Any], None]:
    def test(self: _Suite) -> None:
        import pytest

        outcome = self.conformance().outcome(name)
        if outcome.state == "failed":
            pytest.fail(str(outcome), pytrace=False)
        if outcome.state == "skipped":
            pytest.skip(outcome.detail)

    test.__name__ = f"test_{name.replace('-', '_')}"
    test.__doc__ = f"{what}."
    return test


def add_tests(suite: type[_Suite], checks: Sequence[Check]) -> None:
    """Give a suite one test per check."""
    for item in checks:
        test = _test(item.name, item.what)
        setattr(suite, test.__name__, test)
