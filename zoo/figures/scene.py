"""What there is to draw from: the network, the run, its held-out images and what it said of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo.network.graph import Graph, from_model
from zoo.types import Data, Model, Part, Photo, RunContext, Spec, View

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PREDICTIONS = "predictions.csv"


@dataclass(frozen=True)
class Answers:
    """What a network said of held-out images: int64 [n] truths and guesses, the guesses' float64 probabilities [n].

    `rows` int64 [n] are places in the held-out part, None where the images are not at hand.
    """

    truths: Array
    guesses: Array
    probabilities: Array
    rows: Array | None

    @property
    def correct(self) -> Array:
        """Whether each guess is right, bool [n]."""
        right: Array = self.truths == self.guesses
        return right

    def __len__(self) -> int:
        return len(self.truths)


@dataclass(frozen=True)
class Scene:
    """One network and all that its figures are drawn from; what is costly is computed once, when first needed."""

    model: Model
    data: Data | None
    run: RunContext | None
    view: View

    @property
    def spec(self) -> Spec | None:
        """What the network was built for, if that is known."""
        return self.run.spec if self.run else self.view.spec

    @property
    def rehearsal(self) -> bool:
        """Whether what is drawn is to be stamped."""
        return bool(self.run and self.run.rehearsal)

    @property
    def title(self) -> str:
        """ "vgg16 on catsdogs, quick", or "vgg16, untrained"."""
        if self.run:
            return self.run.title
        name = self.spec.title if self.spec else str(getattr(self.model, "name", "network"))
        return f"{name}, untrained"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, () if unknown."""
        return self.spec.class_names if self.spec else ()

    @cached_property
    def graph(self) -> Graph:
        """The layers."""
        return from_model(self.model, self.spec)

    @property
    def held_out(self) -> Part | None:
        """The part that the result is of: test, or validation where there is no test part."""
        if self.data is None:
            return None
        part = self.data.test if len(self.data.test) else self.data.validation
        return part if len(part) else None

    @cached_property
    def answers(self) -> Answers | None:
        """What the run said of its held-out images (`predictions.csv`); a rehearsal's are computed here."""
        if self.run is None:
            return None
        if self.rehearsal:
            return self._rehearsed()
        path = self.run.directory / PREDICTIONS
        return self._stored() if path.exists() else None

    def _stored(self) -> Answers:
        import numpy as np

        from zoo.errors import ZooError
        from zoo.runs.evaluation import read_predictions

        assert self.run is not None  # noqa: S101
        stored = read_predictions(self.run.directory / PREDICTIONS)
        index = {name: number for number, name in enumerate(self.class_names)}
        try:
            truths, guesses = (np.array([index[n] for n in names]) for names in (stored.truths, stored.predictions))
        except KeyError as error:
            raise ZooError(f"{PREDICTIONS} names a class {error} that this network does not have") from error
        rows = None
        if self.held_out is not None:
            places = {key: row for row, key in enumerate(self.held_out.keys)}
            if set(stored.keys) <= places.keys():
                rows = np.array([places[key] for key in stored.keys])
        return Answers(truths, guesses, np.array(stored.probabilities), rows)

    def _rehearsed(self) -> Answers | None:
        import numpy as np

        from zoo.network.inspection import probabilities_of

        part = self.held_out
        if part is None:
            return None
        probabilities = probabilities_of(self.model, part.take())
        guesses = probabilities.argmax(axis=1)
        return Answers(np.asarray(part.labels[:]), guesses, probabilities.max(axis=1), np.arange(len(part)))

    @cached_property
    def photos(self) -> tuple[Photo, ...]:
        """The pictures to look at: the reader's own, or else the first held-out image."""
        if self.view.photos or self.held_out is None:
            return self.view.photos
        pixels = self.held_out.take([0])[0]
        return (Photo(self.held_out.keys[0], pixels, pixels),)
