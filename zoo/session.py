"""A session: one architecture, one data set and the observers in a pluggy manager of their own.

Exactly one implementation of every working hook exists: core's default of a hook is registered only if the
plugin does not implement that hook. The contract of each hook is enforced here, at the boundary.
"""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from traceback import walk_tb
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from zoo import boundary, defaults
from zoo.errors import PluginError, ZooError, nearest
from zoo.hookspecs import HOOKS_OF, REQUIRED, ZooSpecs, hook_names
from zoo.registry import TITLES, Plugin
from zoo.trace import traced
from zoo.types import Data, Examples, Figure, History, Model, RunContext, Source, Spec, View

if TYPE_CHECKING:
    from zoo.recipes import Recipe

T = TypeVar("T")
_log = logging.getLogger("zoo")


def implemented_hooks(plugin: Plugin, implementation: Any) -> set[str]:
    """The hooks that a plugin implements. Raises PluginError for one that is unknown, of another kind of
    plugin, missing, or takes arguments that do not exist."""
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(ZooSpecs)
    allowed, hooks = HOOKS_OF[plugin.kind], set()
    for name in dir(implementation):
        if name.startswith("_") or manager.parse_hookimpl_opts(implementation, name) is None:
            continue
        if name not in hook_names():
            raise PluginError(f"{plugin.title} implements an unknown hook {name}. {nearest(name, allowed)}".rstrip())
        if name not in allowed:
            raise PluginError(
                f"{plugin.title} implements {name}, which is not for {TITLES[plugin.kind]}s. "
                f"Those may implement: {', '.join(sorted(allowed))}"
            )
        known = inspect.signature(getattr(ZooSpecs, name)).parameters
        unknown = [
            argument
            for argument in inspect.signature(getattr(implementation, name)).parameters
            if argument not in known
        ]
        if unknown:
            takes = ", ".join(argument for argument in known if argument != "self")
            raise PluginError(f"{plugin.title}: {name} has no argument {unknown[0]!r}. It may take: {takes}")
        hooks.add(name)
    for hook in REQUIRED[plugin.kind]:
        if hook not in hooks:
            raise PluginError(f"{plugin.title} does not implement {hook}, which every {TITLES[plugin.kind]} must")
    return hooks


class Session:
    """Calls hooks for one run. The data set is loaded at once, the architecture when it is first needed:
    missing data are reported before a framework is imported."""

    def __init__(
        self,
        architecture: Plugin,
        dataset: Plugin | None = None,
        observers: Iterable[Plugin] = (),
        strict: bool = False,
    ) -> None:
        self.architecture = architecture
        self.dataset = dataset
        self.observers = tuple(observers)
        self.strict = strict
        self._loaded = self._warned = False
        self._manager = pluggy.PluginManager("zoo")
        self._manager.add_hookspecs(ZooSpecs)
        self._owners: dict[int, Plugin] = {}
        self._manager.register(defaults.VisualizeDefault())
        if dataset is not None:
            self._register(dataset)

    def _register(self, plugin: Plugin) -> set[str]:
        """Load a plugin, check that its hooks are of its kind, register it; return the hooks that it has."""
        implementation = plugin.load()
        try:
            hooks = implemented_hooks(plugin, implementation)
        except PluginError as error:
            raise PluginError(f"{error}\n{plugin.remedy}") from error
        if id(implementation) in self._owners:
            return hooks  # another name of the same module
        self._manager.register(implementation, name=f"{plugin.kind}:{plugin.name}")
        self._owners[id(implementation)] = plugin
        return hooks

    def load(self) -> None:
        """Import the architecture and the observers, and fill in core's defaults. Called by what needs it."""
        if self._loaded:
            return
        hooks = self._register(self.architecture)
        for default in (defaults.TrainDefault(), defaults.PredictDefault()):
            if default.hook not in hooks:
                self._manager.register(default)
        for observer in filter(self._importable, self.observers):
            self._register(observer)
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise PluginError(str(error)) from error
        self._loaded = True

    def _importable(self, observer: Plugin) -> bool:
        """Whether an observer can be imported; one that can't is logged and left out, it stops no run."""
        try:
            observer.load()
        except PluginError as error:
            if self.strict:
                raise
            _log.warning("%s", error)
            return False
        return True

    def hook(self, name: str, **arguments: Any) -> Any:
        """Call a working hook and nothing else: what it returns is not checked, what it raises comes as it is."""
        self.load()
        return self._invoke(name, arguments)

    def data_hook(self, name: str, **arguments: Any) -> Any:
        """As `hook`, of the data set, whose architecture need not be loaded."""
        return self._invoke(name, arguments)

    def _invoke(self, hook: str, arguments: dict[str, Any]) -> Any:
        (implementation,) = getattr(self._manager.hook, hook).get_hookimpls()
        with traced(hook, self._title(implementation)):
            return getattr(self._manager.hook, hook)(**arguments)

    def _title(self, implementation: Any) -> str:
        owner = self._owners.get(id(implementation.plugin))
        return owner.title if owner else "core"

    # data set -----------------------------------------------------------------------------------------------

    def examples(self, source: Source) -> Examples:
        """Ask the data set to describe itself. Raises its DataError where the data are missing."""
        dataset = self._required_dataset()
        try:
            examples = boundary.checked_examples(self._call("zoo_examples", dataset, source=source))
        except boundary.Broken as error:
            raise self._failed(dataset, "zoo_examples", error) from error
        found = partial(self._passed, dataset, "Examples.iterate", partial(boundary.checked_pass, examples))
        others = partial(self._passed, dataset, "Examples.unlabelled", partial(boundary.checked_unlabelled, examples))
        return replace(examples, iterate=found, unlabelled=others if examples.unlabelled else None)

    def _passed(self, dataset: Plugin, what: str, iterate: Callable[[], Iterator[T]]) -> Iterator[T]:
        """A pass over what a data set gives; its unexpected failure becomes a PluginError that names it."""
        try:
            yield from iterate()
        except (ZooError, OSError):  # a file that can't be read is no fault of the plugin's
            raise
        except (Exception, SystemExit) as error:
            raise self._failed(dataset, what, error) from error

    def fetch(self, cache: Path) -> Path:
        """Download the data set below `cache`."""
        dataset = self._required_dataset()
        if not self._manager.hook.zoo_fetch.get_hookimpls():
            raise ZooError(f"{dataset.name} can't be downloaded by its plugin. See: zoo data info {dataset.name}")
        path = self._call("zoo_fetch", dataset, cache=cache)
        if not isinstance(path, Path):
            raise self._broken(dataset, "zoo_fetch", "a pathlib.Path", path)
        return path

    def _required_dataset(self) -> Plugin:
        if self.dataset is None:
            raise ZooError("This session has no data set")
        return self.dataset

    # architecture -------------------------------------------------------------------------------------------

    def build(self, spec: Spec, precision: str = "float32") -> Model:
        """Build the network under a precision and enforce the contract of `zoo_build`."""
        self.load()
        from zoo import contract

        with contract.building(spec, precision):
            model = self._call("zoo_build", self.architecture, spec=spec)
        try:
            warning = contract.check(model, spec, precision, self.architecture.title, self.architecture.remedy)
        except ZooError:
            raise
        except Exception as error:  # of a property of its model, say
            raise self._failed(self.architecture, "zoo_build", error) from error
        if warning and not self._warned:  # a run builds several times
            self._warned = True
            _log.warning("%s: %s", self.architecture.title, warning)
        return model  # type: ignore[no-any-return]

    @property
    def trains_itself(self) -> bool:
        """Whether the architecture has a `zoo_train` of its own (which may call the default)."""
        self.load()
        return any(id(found.plugin) in self._owners for found in self._manager.hook.zoo_train.get_hookimpls())

    def train(self, model: Model, data: Data, recipe: Recipe, run: RunContext) -> History:
        """Train in place, by the architecture's own `zoo_train` or the engine."""
        self.load()
        history = self._call("zoo_train", self.architecture, model=model, data=data, recipe=recipe, run=run)
        if not isinstance(history, list):
            raise self._broken(self.architecture, "zoo_train", "a zoo.History", history)
        if not history and (run.stopping or getattr(run, "used_the_engine", False)):  # before its first row
            return History()
        try:
            return boundary.checked_history(history)
        except boundary.Broken as error:
            raise self._failed(self.architecture, "zoo_train", error) from error

    def predict(self, model: Model, images: Any) -> Any:
        """Return float32 probabilities [n, classes] of float32 images [n, height, width, channels], 0..255."""
        self.load()
        probabilities = self._call("zoo_predict", self.architecture, model=model, images=images)
        if probabilities is None:
            raise self._broken(self.architecture, "zoo_predict", "probabilities", None)
        return probabilities

    def figures(
        self, model: Model, data: Data | None, run: RunContext | None, view: View | None = None
    ) -> dict[str, Figure]:
        """Collect everyone's figures, core's first; a plugin's replaces core's of the same name."""
        self.load()
        return self._drawn("zoo_visualize", model=model, data=data, run=run, view=view or View())

    def watched(self, model: Model, run: RunContext, step: int) -> dict[str, Figure]:
        """Collect the figures of a network in training, after `step` steps."""
        return self._drawn("zoo_watch", model=model, run=run, step=step)

    def _drawn(self, hook: str, **arguments: Any) -> dict[str, Figure]:
        figures: dict[str, Figure] = {}
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():  # core's first, then the plugins'
            owner = self._owners.get(id(implementation.plugin))
            try:
                with traced(hook, self._title(implementation)):
                    drawn: Any = implementation.function(*[arguments[name] for name in implementation.argnames])
                    for figure in drawn:  # what came before a failure is kept
                        figures[boundary.checked_figure(figure).name] = figure
            except (Exception, SystemExit) as error:
                if owner is None:
                    raise
                if self.strict:
                    raise self._failed(owner, hook, error) from error
                _log.warning("%s failed to draw: %s", owner.title, _said(error))
        return figures

    # observers ----------------------------------------------------------------------------------------------

    def notify(self, hook: str, **arguments: Any) -> None:
        """Call an observer hook on each observer; one that raises is logged and does not stop the run."""
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            owner = self._owners[id(implementation.plugin)]
            try:
                with traced(hook, owner.title):
                    implementation.function(*[arguments[name] for name in implementation.argnames])
            except (Exception, SystemExit) as error:
                if self.strict:
                    raise self._failed(owner, hook, error) from error
                _log.warning("%s raised in %s: %s: %s", owner.title, hook, type(error).__name__, error)

    # ----------------------------------------------------------------------------------------------------------

    def _call(self, hook: str, plugin: Plugin, **arguments: Any) -> Any:
        """Call a working hook. A plugin's unexpected failure becomes a PluginError that names it."""
        try:
            return self._invoke(hook, arguments)
        except ZooError:
            raise
        except (Exception, SystemExit) as error:
            implementation = getattr(self._manager.hook, hook).get_hookimpls()[-1]
            if id(implementation.plugin) not in self._owners and not _came_from(plugin, error):
                raise  # core's own default failed: that is no plugin's fault
            raise self._failed(plugin, hook, error) from error

    def _failed(self, plugin: Plugin, hook: str, error: BaseException) -> PluginError:
        return PluginError(f"{plugin.title} failed in {hook}: {_said(error)}\n{plugin.remedy}")

    def _broken(self, plugin: Plugin, hook: str, wanted: str, received: Any) -> PluginError:
        return PluginError(
            f"{plugin.title}: {hook} must return {wanted}. Received: {type(received).__name__}\n{plugin.remedy}"
        )


def _said(error: BaseException) -> str:
    """An error in words; what is written for people needs no type."""
    return str(error) if isinstance(error, boundary.Broken | ZooError) else f"{type(error).__name__}: {error}"


def _came_from(plugin: Plugin, error: BaseException) -> bool:
    """Whether an error came out of a plugin's code that core called: its network's layers, say."""
    module = sys.modules.get(plugin.value.partition(":")[0].strip())
    place = str(plugin.folder or getattr(module, "__file__", None) or plugin.value)
    frames = (frame.f_code.co_filename for frame, _ in walk_tb(error.__traceback__))
    # TensorFlow rewrites the traceback of what fails as it is traced, and quotes it
    return any(name.startswith(place) for name in frames) or ("in user code" in str(error) and place in str(error))
