"""The kinds of figures that core draws, in the order in which a reader meets them. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Group = Literal["result", "training", "sees", "network", "context"]


@dataclass(frozen=True)
class Entry:
    """A kind of figure: files are named `name`, or `name` with a hyphen and more ("features-conv1").

    `says` is one line about it, and serves as its alternative text. `needs` says what it can't do without:
    "" nothing, "run" a trained network, "images" the data set's images as well.
    """

    name: str
    group: Group
    says: str
    needs: Literal["", "run", "images"] = ""

    def owns(self, figure: str) -> bool:
        """Whether a figure of this name is of this kind."""
        return belongs(figure, self.name)


CATALOGUE = (
    Entry("curves", "training", "Loss and accuracy as training went on", "run"),
    Entry("confusion", "result", "Which class was taken for which", "run"),
    Entry("classes", "result", "Precision and recall of each class", "run"),
    Entry("reliability", "result", "How far the probabilities can be trusted (ECE)", "run"),
    Entry("predictions", "result", "A hundred held-out images, each with its prediction", "images"),
    Entry("unlabelled", "result", "A hundred images without a label, each with its prediction", "images"),
    Entry("mistakes", "result", "The most confident mistakes", "images"),
    Entry("unsure", "result", "The images that the network was least sure of", "images"),
    Entry("gradcam", "sees", "Where the network looked (Grad-CAM)", "run"),
    Entry("features", "sees", "What each filter of a layer makes of an image"),
    Entry("filters", "sees", "The weights of the first convolution as images"),
    Entry("sees", "sees", "The weights from every pixel to every class, an image per class"),
    Entry("hidden-units", "sees", "The weights of hidden units as images"),
    Entry("embedding", "sees", "Held-out images as the last hidden layer arranges them", "images"),
    Entry("diagram-folded", "network", "The network at a glance, layers folded into stages"),
    Entry("diagram", "network", "The network, layer by layer"),
    Entry("layers", "network", "The table of layers with shapes and parameters"),
    Entry("imagenet", "context", "Winners of ImageNet against one another, as published"),
)


def belongs(figure: str, name: str) -> bool:
    """Whether `name` asks for the figure: by its name, or by the beginning of it up to a hyphen."""
    return figure == name or figure.startswith(f"{name}-")


def entry_of(figure: str) -> Entry | None:
    """The kind of a figure, or None if it is a plugin's own. The longest name counts: "diagram-folded"."""
    return max((entry for entry in CATALOGUE if entry.owns(figure)), key=lambda e: len(e.name), default=None)


def in_order(figures: Iterable[str]) -> list[str]:
    """Figures' names or files in the catalogue's order; those of one kind, and then a plugin's own, by name."""
    places = {entry.name: place for place, entry in enumerate(CATALOGUE)}

    def place(figure: str) -> tuple[int, str]:
        entry = entry_of(figure.rpartition(".")[0] or figure)
        return (places[entry.name] if entry else len(places), figure)

    return sorted(figures, key=place)
