"""Every hook of the zoo, typed, in one file: what it is given, what it returns, who answers, when it fires.

A plugin marks its implementation with `zoo.hookimpl` and may take fewer arguments than are listed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pluggy

from zoo.cards import Kind
from zoo.types import Data, Examples, Figures, History, Model, RunContext, Source, Spec, View

if TYPE_CHECKING:
    import click

    from zoo.recipes import Recipe

hookspec = pluggy.HookspecMarker("zoo")
hookimpl = pluggy.HookimplMarker("zoo")


class ZooSpecs:
    """The hooks. Working hooks (`firstresult`) have exactly one implementation in a session."""

    @hookspec(firstresult=True)
    def zoo_build(self, spec: Spec) -> Model:
        """Build a network. Required of every architecture; fires for training, evaluation and export.

        Given `spec`, return a callable model from float32 RGB or grey images
        [batch, height, width, channels] in 0..255 to float32 logits [batch, classes]; whatever scaling it
        wants is a layer inside it. Pure in `spec`: it creates its variables at once, reads no global state
        and sets no dtype (core sets the Keras dtype policy around the call).

        Arguments:
            spec: what to build for: name, height, width, channels, class names, options, weights and seed; frozen.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def zoo_train(self, model: Model, data: Data, recipe: Recipe, run: RunContext) -> History:
        """Train `model` in place and return the history. Default: the zoo's engine, `zoo.defaults.train`.

        Fires once per run, also when it resumes: begin with `run.restore()`.

        Arguments:
            model: what `zoo_build` returned, under the run's precision.
            data: the images and labels of the parts `train`, `validation` and `test`; uint8, decoded.
            recipe: the resolved recipe; each key has a value.
            run: restores and keeps checkpoints, takes rows of the history and figures, says when to stop.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def zoo_predict(self, model: Model, images: Any) -> Any:
        """Return float32 probabilities [n, classes].

        Default: forward pass and softmax, `zoo.defaults.predict`. Written in TensorFlow operations it is
        exported as it is; otherwise prediction needs the full model. Fires in every evaluation, and during export.

        Arguments:
            model: the trained network, in float32.
            images: float32 [n, height, width, channels], 0..255; `n` is unknown while it is exported.
        """
        raise NotImplementedError

    @hookspec
    def zoo_visualize(self, model: Model, data: Data | None, run: RunContext | None, view: View) -> Figures:
        """Return figures. Everyone is asked, core first; a plugin's figure replaces core's of the same name.

        Fires when a run has finished, and on `zoo visualize`.

        Arguments:
            model: the network, in float32; trained if there is a run.
            data: the images of the run; None for an untrained network, and where they are not at hand.
            run: the run that trained it; None for an untrained network.
            view: what the reader asked for.
        """
        raise NotImplementedError

    @hookspec
    def zoo_watch(self, model: Model, run: RunContext, step: int) -> Figures:
        """Return figures of a network that is being trained; they are kept at once. Name them by the step.

        Fires when the zoo's engine has measured epochs 1, 2, 5, 10, 20, 50, ... An own `zoo_train` calls
        `run.figure` as it likes.

        Arguments:
            model: the network in float32, with the weights of that moment.
            run: the run in progress.
            step: how many steps are done.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def zoo_examples(self, source: Source) -> Examples:
        """Describe a data set: its classes and an iterable of examples; decode nothing.

        Required of every data set. Raise `zoo.MissingData` if the data are nowhere to be found: say where
        you looked and what to do. Fires before any framework is imported.

        Arguments:
            source: where the data may be: `given` by the user with `--source`, or else in one of `roots`.
        """
        raise NotImplementedError

    @hookspec(firstresult=True)
    def zoo_fetch(self, cache: Path) -> Path:
        """Download the data set below `cache`, where `zoo_examples` looks for it, and return where it is.

        Fires only when the user asked for it (`zoo data prepare NAME --download`, or a yes on a terminal).
        `zoo.downloads.download(url, target, sha256=..., size=...)` resumes, checks and retries.

        Arguments:
            cache: the folder to download below; it exists.
        """
        raise NotImplementedError

    @hookspec
    def zoo_run_started(self, run: RunContext) -> None:
        """Observers: a run begins or resumes. The network is built, nothing is trained yet.

        Arguments:
            run: the run that begins.
        """

    @hookspec
    def zoo_evaluated(self, run: RunContext, step: int, metrics: dict[str, float]) -> None:
        """Observers: a row was added to the history; with the engine, after each epoch.

        Arguments:
            run: the run in progress.
            step: how many steps are done.
            metrics: the row: "epoch", "loss", "accuracy" (0..1), "validation_accuracy", ...; a copy.
        """

    @hookspec
    def zoo_run_finished(self, run: RunContext) -> None:
        """Observers: the run has ended well; metrics, model and figures are written.

        Of a run that is killed while they are told, they are told again when it is resumed.

        Arguments:
            run: the finished run; `run.directory` holds all of it.
        """

    @hookspec
    def zoo_commands(self, group: click.Group) -> None:
        """Plugins of the group `zoo.plugins`: add commands to `zoo`.

        Fires for `zoo --help`, and for a command that is not the zoo's own.

        Arguments:
            group: an empty click group; each command added to it becomes one of `zoo`.
        """


ARCHITECTURE_HOOKS = frozenset({"zoo_build", "zoo_train", "zoo_predict", "zoo_visualize", "zoo_watch"})
DATASET_HOOKS = frozenset({"zoo_examples", "zoo_fetch", "zoo_visualize"})
OBSERVER_HOOKS = frozenset({"zoo_visualize", "zoo_run_started", "zoo_evaluated", "zoo_run_finished", "zoo_commands"})
HOOKS_OF: Mapping[Kind, frozenset[str]] = MappingProxyType(
    {"architecture": ARCHITECTURE_HOOKS, "dataset": DATASET_HOOKS, "plugin": OBSERVER_HOOKS}
)
REQUIRED: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {"architecture": ("zoo_build",), "dataset": ("zoo_examples",), "plugin": ()}
)


def hook_names() -> list[str]:
    """The names of all hooks, in the order of this file."""
    return [name for name in vars(ZooSpecs) if name.startswith("zoo_")]
