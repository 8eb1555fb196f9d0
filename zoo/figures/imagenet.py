"""Winners of ImageNet against one another: accuracy, multiply-adds and parameters as their papers report them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from zoo import style
from zoo.figures.scene import Scene
from zoo.types import Figure


class Network(NamedTuple):
    """A published network: top-1 accuracy of a single crop on ImageNet's validation images in %, multiply-adds of
    one image in billions, parameters in millions; `source` says where all three stand, `win` what it won."""

    name: str
    year: int
    family: str
    top1: float
    multiply_adds: float
    parameters: float
    source: str
    win: str = ""


HOWARD = "Howard et al. (2017), MobileNets, arXiv:1704.04861, tables 8 and 9"
ZOPH = "Zoph et al. (2018), Learning transferable architectures, arXiv:1707.07012, table 2"
TAN = "Tan and Le (2019), EfficientNet, arXiv:1905.11946, table 2"

NETWORKS = (
    Network("AlexNet", 2012, "plain", 57.2, 0.72, 60, HOWARD, "won 2012"),
    Network("VGG-16", 2014, "plain", 71.5, 15.3, 138, HOWARD, "second in 2014"),
    Network("GoogLeNet", 2014, "inception", 69.8, 1.55, 6.8, HOWARD, "won 2014"),
    Network("Inception-v2", 2015, "inception", 74.8, 1.94, 11.2, ZOPH),
    Network("Inception-v3", 2015, "inception", 78.8, 5.7, 24, TAN, "second in 2015"),
    Network("Inception-v4", 2016, "inception", 80.0, 13, 48, TAN),
    Network("Inception-ResNet-v2", 2016, "inception", 80.1, 13, 56, TAN),
    Network("ResNet-50", 2015, "residual", 76.0, 4.1, 26, TAN),
    Network("ResNet-152", 2015, "residual", 77.8, 11, 60, TAN, "won 2015"),
    Network("ResNeXt-101", 2016, "residual", 80.9, 32, 84, TAN, "second in 2016"),
    Network("MobileNet", 2017, "separable", 70.6, 0.569, 4.2, HOWARD),
    Network("Xception", 2016, "separable", 79.0, 8.4, 23, TAN),
)
_FAMILIES = {
    "plain": ("layers in a row", style.PALETTE["black"]),
    "inception": ("inception modules", style.PALETTE["blue"]),
    "residual": ("shortcuts", style.PALETTE["vermillion"]),
    "separable": ("separable convolutions", style.PALETTE["green"]),
}
# where a name stands, in points from the middle of its disc: none may cover another
_BESIDE = {
    "AlexNet": (26, -4, "left"),
    "VGG-16": (0, -47, "center"),
    "GoogLeNet": (13, -3, "left"),
    "Inception-v2": (-15, 5, "right"),
    "Inception-v3": (-17, 2, "right"),
    "Inception-v4": (21, -14, "left"),
    "Inception-ResNet-v2": (0, 27, "center"),
    "ResNet-50": (17, -10, "left"),
    "ResNet-152": (22, -19, "left"),
    "ResNeXt-101": (0, 36, "center"),
    "MobileNet": (-2, 13, "center"),
    "Xception": (12, 19, "right"),
}


def imagenet(scene: Scene) -> Iterator[Figure]:
    """The chapter's comparison: top-1 accuracy of a single crop against multiply-adds, the area for parameters."""
    del scene
    yield published()


def published() -> Figure:
    """The figure itself; it depends on nothing but `NETWORKS`."""
    with style.styled():
        figure = style.canvas(8.6, 6.4)
        style.headline(figure, "ImageNet: accuracy against cost, as published")
        axes = figure.subplots()
        axes.set_xscale("log")
        for family, (label, colour) in _FAMILIES.items():
            members = [network for network in NETWORKS if network.family == family]
            areas = [_area(network.parameters) for network in members]
            where = [network.multiply_adds for network in members], [network.top1 for network in members]
            axes.scatter(*where, s=areas, color=style.tint(colour, 0.55), edgecolors=colour, linewidths=1.3, alpha=0.75)
            axes.scatter([], [], s=70, color=style.tint(colour, 0.55), edgecolors=colour, label=label)
        for network in NETWORKS:
            _name(axes, network)
        _scales(axes)
        _sizes(axes)
        content = style.to_svg(figure)
    best = max(NETWORKS, key=lambda network: network.top1)
    cheapest = min((n for n in NETWORKS if n.top1 >= 70), key=lambda network: network.multiply_adds)
    vgg = next(network for network in NETWORKS if network.name == "VGG-16")
    sources = "; ".join(dict.fromkeys(network.source for network in NETWORKS))
    caption = (
        f"Top-1 accuracy of one network and one crop per image on ImageNet's 50,000 validation images; up is better, "
        f"left is cheaper, small discs have few parameters. From AlexNet (2012) to {best.name} accuracy rose by "
        f"{best.top1 - NETWORKS[0].top1:.1f} points. {cheapest.name} takes "
        f"{vgg.multiply_adds / cheapest.multiply_adds:.0f} times fewer multiply-adds than {vgg.name} and is "
        f"{vgg.top1 - cheapest.top1:.1f} points behind. Published figures, not measured here: {sources}."
    )
    return Figure("imagenet", content, "svg", caption)


def _area(millions: float) -> float:
    """The area of a disc in square points."""
    return 17 * millions


def _name(axes: Any, network: Network) -> None:
    x, y, align = _BESIDE[network.name]
    text = f"{network.name} ({network.year})" + (f"\n{network.win}" if network.win else "")
    colour = style.shade(_FAMILIES[network.family][1])
    place = (network.multiply_adds, network.top1)
    words = {"ha": align, "va": "center", "fontsize": 9, "color": colour, "linespacing": 1.1}
    axes.annotate(text, place, (x, y), textcoords="offset points", **words)


def _scales(axes: Any) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

    axes.set_xlim(0.38, 60)
    axes.set_ylim(54, 86)
    axes.xaxis.set_major_locator(FixedLocator([0.5, 1, 2, 5, 10, 20, 50]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=" %"))
    axes.set_xlabel("multiply-adds for one image, billions (logarithmic)")
    axes.set_ylabel("top-1 accuracy, single crop")


def _sizes(axes: Any) -> None:
    """A legend of families, and one of sizes: how large a disc is for so many parameters."""
    families = axes.legend(loc="lower right", title="built of", alignment="left", labelspacing=0.7)
    axes.add_artist(families)
    marks = [axes.scatter([], [], s=_area(size), color="none", edgecolors=style.MID) for size in (5, 25, 100)]
    names = ["5 million", "25 million", "100 million parameters"]
    width = math.sqrt(_area(100)) / 9
    options = {"alignment": "left", "labelspacing": 3, "handletextpad": width / 2, "borderpad": 1.2}
    axes.legend(marks, names, loc="lower center", bbox_to_anchor=(0.5, 0.0), title="area", **options)
