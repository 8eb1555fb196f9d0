"""Drawing on request: the figures of a finished run again, or of an untrained architecture."""

from __future__ import annotations

from pathlib import Path

from zoo import api
from zoo.errors import ZooError
from zoo.registry import Registry
from zoo.runs import Run, write_figures
from zoo.session import Session
from zoo.types import Figure


class DrawnRun:
    """A finished run as `zoo_visualize` sees it: nothing can be trained or logged."""

    def __init__(self, run: Run) -> None:
        self.directory, self.spec, self.recipe, self.history = (
            run.directory,
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


def draw_run(run: Run, output: Path | None, verbose: bool) -> list[Path]:
    """Draw a finished run's figures into `output` (default: the run's own `figures`)."""
    session, model = api.restore(run, verbose)
    return write_figures(session.figures(model, None, DrawnRun(run)).values(), output or run.directory / "figures")


def draw_architecture(name: str, dataset: str | None, output: Path | None, verbose: bool) -> list[Path]:
    """Draw an untrained architecture into `output` (default: `figures/<name>`)."""
    model, spec = api.build(name, dataset, verbose=verbose)
    session = Session(Registry.discover().get("architecture", name))
    return write_figures(session.figures(model, None, None).values(), output or Path("figures") / spec.name)
