"""A plugin-based zoo of image classifiers on TensorFlow/Keras.

`zoo.train("cnn", "mnist")` does what `zoo train cnn mnist` does. Importing this package imports no
framework; plugins need `hookimpl` and the types below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, PluginError, UsageError, ZooError
from zoo.hookspecs import hookimpl
from zoo.types import Data, Example, Examples, Figure, History, Model, Part, RunContext, Source, Spec

if TYPE_CHECKING:
    from zoo.api import build, compare, evaluate, predict, prepare, registry, runs, train, visualize
    from zoo.recipes import Recipe

__version__ = "0.1.0"

_API = ("build", "compare", "evaluate", "predict", "prepare", "registry", "runs", "train", "visualize")

__all__ = [
    "Data",
    "DataError",
    "Example",
    "Examples",
    "Figure",
    "History",
    "Model",
    "Part",
    "PluginError",
    "Recipe",
    "RunContext",
    "Source",
    "Spec",
    "UsageError",
    "ZooError",
    "__version__",
    "build",
    "compare",
    "evaluate",
    "hookimpl",
    "predict",
    "prepare",
    "registry",
    "runs",
    "train",
    "visualize",
]


def __getattr__(name: str) -> Any:
    # the verbs need NumPy and TensorFlow; whoever only lists or writes a plugin does not
    if name in _API:
        import zoo.api

        return getattr(zoo.api, name)
    if name in ("defaults", "recipes"):
        import importlib

        return importlib.import_module(f"zoo.{name}")
    if name == "Recipe":
        from zoo.recipes import Recipe

        return Recipe
    raise AttributeError(f"module 'zoo' has no attribute {name!r}")
