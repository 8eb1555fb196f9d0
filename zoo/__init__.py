"""A plugin-based zoo of image classifiers on TensorFlow/Keras.

`zoo.train("cnn", "mnist")` does what `zoo train cnn mnist` does. Importing this package imports nothing
else: every name below is fetched from its module when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.api import build, compare, evaluate, predict, prepare, train, visualize
    from zoo.errors import DataError, MissingData, PluginError, UsageError, ZooError
    from zoo.hookspecs import hookimpl
    from zoo.listing import find_architectures
    from zoo.recipes import Recipe
    from zoo.registry import Registry
    from zoo.runs.directory import find_runs
    from zoo.types import Data, Example, Examples, Figure, History, Model, Part, RunContext, Source, Spec, View

__version__ = "0.1.0"

_HOMES = {
    "zoo.api": ("build", "compare", "evaluate", "predict", "prepare", "train", "visualize"),
    "zoo.errors": ("DataError", "MissingData", "PluginError", "UsageError", "ZooError"),
    "zoo.hookspecs": ("hookimpl",),
    "zoo.listing": ("find_architectures",),
    "zoo.network.graph": ("Graph", "Node"),
    "zoo.recipes": ("Recipe",),
    "zoo.registry": ("Registry",),
    "zoo.runs.directory": ("find_runs",),
    "zoo.types": [
        "Data",
        "Example",
        "Examples",
        "Figure",
        "History",
        "Model",
        "Part",
        "RunContext",
        "Source",
        "Spec",
        "View",
    ],
}
# old name: (the release that warns, the new name); see zoo/deprecation.py
_DEPRECATED: dict[str, tuple[str, str]] = {}
_MODULES = ("defaults", "errors", "figures", "options", "pretrained", "recipes", "testing", "types")

__all__ = [
    "Data",
    "DataError",
    "Example",
    "Examples",
    "Figure",
    "Graph",
    "History",
    "MissingData",
    "Model",
    "Node",
    "Part",
    "PluginError",
    "Recipe",
    "Registry",
    "RunContext",
    "Source",
    "Spec",
    "UsageError",
    "View",
    "ZooError",
    "__version__",
    "build",
    "compare",
    "evaluate",
    "find_architectures",
    "find_runs",
    "hookimpl",
    "predict",
    "prepare",
    "train",
    "visualize",
]


def __getattr__(name: str) -> Any:
    # the verbs need NumPy and TensorFlow, the hooks pluggy; a listing needs none of them
    from importlib import import_module

    if name in _DEPRECATED:
        import warnings

        from zoo.deprecation import deprecation

        since, name = _DEPRECATED[old := name]
        warnings.warn(deprecation(f"zoo.{old}", since, f"zoo.{name}"), stacklevel=2)
    for module, names in _HOMES.items():
        if name in names:
            return getattr(import_module(module), name)
    if name in _MODULES:
        return import_module(f"zoo.{name}")
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
