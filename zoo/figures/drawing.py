"""Drawing on request: the figures of a finished run again, or of an untrained architecture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo import api
from zoo.errors import DataError, PluginError, UsageError, ZooError, nearest
from zoo.files import atomic_write
from zoo.progress import Reporter
from zoo.registry import Registry
from zoo.runs.directory import Run, write_figures
from zoo.session import Session
from zoo.types import Data, Figure, Model, RunContext, View

GRAPH = "graph.json"


@dataclass(frozen=True)
class Wishes:
    """What a reader asked for: names of figures, layers, files to look at, and places."""

    only: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    images: tuple[Path, ...] = ()
    source: Path | None = None
    output: Path | None = None


class DrawnRun:
    """A finished run as `zoo_visualize` sees it: nothing can be trained or logged."""

    def __init__(self, run: Run) -> None:
        self.directory, self.title, self.spec, self.recipe, self.history = (
            run.directory,
            run.title,
            run.spec,
            run.resolved.recipe,
            run.history,
        )
        self.rehearsal = bool(run.receipt["rehearsal"])
        self.stopping = False

    def restore(self) -> None:
        """A finished run has no state to go on from."""

    def checkpoint(self, step: int, state: object) -> None:
        raise ZooError("A finished run takes no checkpoint")

    def log(self, step: int, **metrics: float) -> None:
        raise ZooError("A finished run takes no log")

    def figure(self, figure: Figure) -> None:
        write_figures([figure], self.directory / "figures")


def draw(
    session: Session, model: Model, data: Data | None, run: RunContext | None, view: View, folder: Path
) -> list[Path]:
    """Write everyone's figures, as far as the reader wants them, and the layer graph (`graph.json`) into `folder`.

    Raises UsageError for a figure that nobody has.
    """
    from zoo.network.graph import from_model

    drawn = session.figures(model, data, run, view)
    wanted = [figure for figure in drawn.values() if view.wants(figure.name)]
    _require_drawn(view, wanted, run)
    atomic_write(folder / GRAPH, from_model(model, view.spec).to_json())
    return write_figures(wanted, folder)


def _require_drawn(view: View, figures: list[Figure], run: RunContext | None) -> None:
    from zoo.figures import CATALOGUE, entry_of

    for name in view.only:
        if any(View(only=(name,)).wants(figure.name) for figure in figures):
            continue
        entry = entry_of(name)
        if entry is None:
            known = [entry.name for entry in CATALOGUE]
            raise UsageError(f"There is no figure {name!r}. {nearest(name, known)}There are: {', '.join(known)}")
        if entry.needs and run is None:
            raise UsageError(f"The figure {name!r} needs a run, not an architecture. Train one: zoo train ARCH DATASET")
        lacks = "without the data set's images" if entry.needs == "images" else "of this network and run"
        raise UsageError(f"There is nothing to draw for {name!r} {lacks}: {entry.says}")


def draw_run(run: Run, wishes: Wishes, quiet: bool, verbose: bool) -> list[Path]:
    """Draw a finished run's figures into its own `figures`, or where the reader wants them."""
    from zoo.figures import photos
    from zoo.prediction.cold import read_spec
    from zoo.runs import pipeline

    spec, recipe = run.spec, run.resolved.recipe
    reporter = Reporter(quiet=quiet)
    prepare = read_spec(run.model_directory).get("prepare", "")
    chosen = photos.load(wishes.images, spec, recipe.resize, recipe.interpolation, prepare)
    if chosen and not _needs_images(wishes.only):
        session, data = Session(run.architecture()), None
    else:
        session, data = _images_of(run, wishes.source, reporter)
    if data is None and not chosen:
        chosen = photos.default(spec, recipe.resize, recipe.interpolation, trained=True)
    pipeline.start_frameworks(run.receipt["threads"], verbose)
    from zoo.runs.finish import rebuild

    view = View(spec, chosen, wishes.layers, wishes.only)
    folder = wishes.output or run.directory / "figures"
    return draw(session, rebuild(run, session), data, DrawnRun(run), view, folder)


def _needs_images(only: tuple[str, ...]) -> bool:
    """Whether some of the figures, where their pictures are given, need the data set's images; a plugin's may."""
    from zoo.figures import entry_of

    return not only or any(entry is None or entry.needs == "images" for entry in map(entry_of, only))


def draw_without_data(run: Run, pictures: tuple[Path, ...], folder: Path) -> list[Path]:
    """Draw into `folder` what a finished run's network makes of pictures, and all that needs no image of its data set.

    Without `pictures` it is shown those of `zoo.figures.photos.default`, which may be passed on. Raises UsageError if
    there are none.
    """
    from zoo.figures import photos
    from zoo.runs import pipeline

    spec, recipe = run.spec, run.resolved.recipe
    chosen = photos.load(pictures, spec, recipe.resize, recipe.interpolation) or photos.default(
        spec, recipe.resize, recipe.interpolation, trained=True
    )
    if not chosen:
        raise UsageError(
            "There is no free photograph to show the network. Give one of yours (--image PATH), "
            "or install the one of scikit-image: pip install scikit-image"
        )
    session = Session(run.architecture())
    pipeline.start_frameworks(run.receipt["threads"])
    from zoo.runs.finish import rebuild

    view = View(spec, chosen)
    return draw(session, rebuild(run, session), None, DrawnRun(run), view, folder)


def _images_of(run: Run, source: Path | None, reporter: Reporter) -> tuple[Session, Data | None]:
    """The run's session with its images; without them, and a note why, if they are not at hand."""
    from zoo.runs.pipeline import Prepared
    from zoo.runs.request import request_of, unplaced

    receipt = run.receipt
    dataset, architecture = receipt["dataset"]["name"], run.architecture()
    if missing := unplaced(run, source, "visualize"):
        reporter.note(f"Figures that need images are left out: {missing}")
        return Session(architecture), None
    try:
        prepared = Prepared(request_of(run, source), run.resolved)
        data = prepared.data(reporter)
    except (DataError, PluginError, UsageError) as error:
        if source is not None:
            raise
        reporter.note(f"Figures that need images of {dataset} are left out: {error}")
        return Session(architecture), None
    if data.split_hash != receipt["dataset"]["split_hash"]:
        reporter.note(f"Figures that need images are left out: those of {dataset} here are not those of the run")
        return prepared.session, None
    return prepared.session, data


def draw_architecture(name: str, dataset: str | None, wishes: Wishes, quiet: bool, verbose: bool) -> list[Path]:
    """Draw an untrained architecture into `figures/<name>`, or where the reader wants it."""
    from zoo.figures import photos
    from zoo.recipes import Recipe

    reporter = Reporter(quiet=quiet)
    reporter.note("Building the network ...")
    model, spec = api.build(name, dataset, verbose=verbose)
    recipe = Recipe(image_size=spec.height)
    chosen = photos.load(wishes.images, spec, recipe.resize, recipe.interpolation) or photos.default(
        spec, recipe.resize, recipe.interpolation
    )
    view = View(spec, chosen, wishes.layers, wishes.only)
    session = Session(Registry.discover().get("architecture", name))
    return draw(session, model, None, None, view, wishes.output or Path("figures") / spec.name)
