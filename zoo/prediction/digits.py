"""A photographed or drawn digit, made into an image as MNIST's are: the `digit` preparation of a data set's card.

MNIST's digits are light on black, fitted into a box of 20 x 20 pixels with their proportions kept, and placed in
28 x 28 so that their centre of mass is in the middle: LeCun, Bottou, Bengio and Haffner (1998), "Gradient-based
learning applied to document recognition", section III.A.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np

from zoo.errors import DataError

Array: TypeAlias = np.ndarray[Any, Any]

SIDE = 28
BOX = 20
_WORKING_SIDE = 400  # pixels, of the longer side: enough for 20, and photographs are quick
_LEAST_CONTRAST = 24  # of 255, between ink and paper; less is noise
_LEAST_PART = 0.02  # of the largest stroke's area; what is smaller is a speck
_STROKE = 0.1  # of the digit's longer side: MNIST's pens are at least about that wide


class NoDigit(DataError):
    """An image in which no digit stands out; the message is the reason alone."""


def normalise(image: Array) -> Array:
    """Make uint8 [h, w, 1 or 3] into uint8 [28, 28, 1] as MNIST has it; one that is so already stays as it is.

    Dark ink on light paper, or light on dark, in any place and size, unevenly lit. Raises NoDigit where nothing
    stands out from the background.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if image.shape[2] == 3 else image[..., 0]
    if _is_normal(grey):
        return np.ascontiguousarray(grey[..., None])
    ink = _cleared(_ink(_smaller(grey)))
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    digit = _as_with_a_pen(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])
    return _centred(_boxed(digit))[..., None]


def _is_normal(grey: Array) -> bool:
    if grey.shape != (SIDE, SIDE) or not grey.any():
        return False
    sides = [np.flatnonzero(grey.any(axis=axis)) for axis in (0, 1)]
    if max(side[-1] - side[0] for side in sides) >= BOX:
        return False
    return all(abs(place - SIDE / 2) <= 0.6 for place in _mass_centre(grey))


def _mass_centre(grey: Array) -> tuple[float, float]:
    """The centre of mass as (row, column), 0 the first."""
    moments = cv2.moments(grey)
    return moments["m01"] / moments["m00"], moments["m10"] / moments["m00"]


def _smaller(grey: Array) -> Array:
    scale = _WORKING_SIDE / max(grey.shape)
    if scale >= 1:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def _ink(grey: Array) -> Array:
    """How much each pixel stands out from the paper around it, uint8 [h, w]: 0 is paper, whatever its brightness."""
    bright = 255 - grey if _is_dark_on_light(grey) else grey
    # wider than any stroke: an opening with it leaves the paper alone, shadows included
    width = max(3, min(grey.shape) // 3) | 1
    padded = cv2.copyMakeBorder(bright, width, width, width, width, cv2.BORDER_REPLICATE)
    hat = cv2.morphologyEx(padded, cv2.MORPH_TOPHAT, np.ones((width, width), np.uint8))
    ink: Array = hat[width:-width, width:-width]
    if int(ink.max()) < _LEAST_CONTRAST:
        raise NoDigit("no digit in it: nothing stands out from the background")
    return ink


def _is_dark_on_light(grey: Array) -> bool:
    """Whether what differs most from the paper is darker. Paper is what the border shows, evenly lit or in a slope."""
    rows, columns = np.indices(grey.shape)
    terms = np.stack([np.ones(grey.shape), rows, columns], axis=-1)
    at_border = (rows == 0) | (columns == 0) | (rows == rows.max()) | (columns == columns.max())
    slope, *_ = np.linalg.lstsq(terms[at_border], grey[at_border].astype(np.float64), rcond=None)
    difference = grey - terms @ slope
    return bool((difference**3).sum() < 0)


def _cleared(ink: Array) -> Array:
    """The ink without paper and specks, scaled to 0..255."""
    threshold, mask = cv2.threshold(ink, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, labels, facts, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = facts[:, cv2.CC_STAT_AREA]
    kept = areas >= _LEAST_PART * areas[1:].max()
    kept[0] = False  # the paper
    strokes = cv2.dilate(kept.astype(np.uint8)[labels], np.ones((3, 3), np.uint8))
    # half the threshold is still the stroke's soft edge; below is paper
    faint, full = threshold / 2, float(np.percentile(ink[mask > 0], 90))
    scale = 255 / max(1.0, full - faint)
    table = np.clip(np.rint((np.arange(256, dtype=np.float32) - faint) * scale), 0, 255).astype(np.uint8)
    return np.asarray(table[ink] * strokes)


def _as_with_a_pen(digit: Array) -> Array:
    """The digit with strokes as thick as MNIST's pens drew them, if they are thinner."""
    mask = np.pad((digit > 127).astype(np.uint8), 1)
    distances = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    ridge = distances[distances >= cv2.dilate(distances, np.ones((3, 3), np.uint8))]
    stroke = 2 * float(np.median(ridge[ridge > 0])) - 1 if (ridge > 0).any() else 1.0
    missing = round(_STROKE * max(digit.shape) - stroke)
    if missing < 1:
        return digit
    padded = np.pad(digit, (missing + 1) // 2)
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (missing + 1, missing + 1))
    return np.asarray(cv2.dilate(padded, pen))


def _boxed(digit: Array) -> Array:
    """The digit with its longer side at 20 pixels, its proportions kept."""
    scale = BOX / max(digit.shape)
    size = (max(1, round(digit.shape[1] * scale)), max(1, round(digit.shape[0] * scale)))
    fitted = cv2.resize(digit, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    return np.asarray(np.rint(fitted * (255.0 / max(1, int(fitted.max())))).astype(np.uint8))


def _centred(fitted: Array) -> Array:
    """The digit in 28 x 28, its centre of mass in the middle, as near as whole pixels come."""
    places = [
        min(max(round(SIDE / 2 - place), 0), SIDE - side)
        for place, side in zip(_mass_centre(fitted), fitted.shape, strict=True)
    ]
    image = np.zeros((SIDE, SIDE), np.uint8)
    image[places[0] : places[0] + fitted.shape[0], places[1] : places[1] + fitted.shape[1]] = fitted
    return image
