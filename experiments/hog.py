"""Histograms of oriented gradients, the features of a classical pipeline, in NumPy.

Paper: Dalal and Triggs (2005), Histograms of oriented gradients for human detection: gradients by [-1, 0, 1] without
smoothing, nine unsigned orientations with linear votes, cells, blocks of 2 x 2 cells that overlap, L2-Hys. Pixels vote
for their own cell alone. (OpenCV's HOGDescriptor left its main package with version 5.)
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BINS = 9
CLIP = 0.2  # L2-Hys: normalise, clip, normalise again
AT_ONCE = 2000


def features(images: Array, cell: int) -> Array:
    """Images uint8 [n, size, size, channels] to float32 [n, blocks * blocks * 36]; `cell` is its side in pixels."""
    parts = [_features(images[start : start + AT_ONCE], cell) for start in range(0, len(images), AT_ONCE)]
    return np.concatenate(parts)


def _features(images: Array, cell: int) -> Array:
    magnitude, angle = gradients(images.astype(np.float32))
    histograms = cells(magnitude, angle, cell)
    count = histograms.shape[1] - 1
    corners = [histograms[:, y : y + count, x : x + count] for y in (0, 1) for x in (0, 1)]
    blocks = _unit(np.concatenate(corners, axis=-1))
    return _unit(np.minimum(blocks, CLIP)).reshape(len(images), -1)


def gradients(images: Array) -> tuple[Array, Array]:
    """Magnitude and angle (0..pi, unsigned) of each pixel [n, size, size], of the channel where it is steepest."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    squares = dx**2 + dy**2
    steepest = squares.argmax(axis=-1)[..., None]
    dx, dy, square = (np.take_along_axis(values, steepest, -1)[..., 0] for values in (dx, dy, squares))
    return np.sqrt(square), np.arctan2(dy, dx) % np.float32(np.pi)


def cells(magnitude: Array, angle: Array, cell: int) -> Array:
    """The histogram of each cell, float32 [n, cells, cells, 9]; what is left beyond the last whole cell is unused."""
    count = magnitude.shape[1] // cell
    used = count * cell
    place = angle[:, :used, :used] * (BINS / np.float32(np.pi)) - np.float32(0.5)
    weight = magnitude[:, :used, :used]
    histograms = np.empty((len(magnitude), count, count, BINS), np.float32)
    for number in range(BINS):
        away = np.abs(place - number)
        vote = np.maximum(0, 1 - np.minimum(away, BINS - away)) * weight
        histograms[..., number] = vote.reshape(-1, count, cell, count, cell).sum(axis=(2, 4))
    return histograms


def _unit(blocks: Array) -> Array:
    return blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + np.float32(1e-6))
