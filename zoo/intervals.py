"""Intervals of accuracies: Wilson's of one count, and the prediction interval of one more run.

Importing this module imports little: listings do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Interval = tuple[float, float]

SPREAD = 0.0015
"""The standard deviation over seeds that is assumed of fewer than three runs: 0.15 points."""


def wilson(correct: int, count: int, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share (0..1); all of 0..1 if nothing was counted.

    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    if count == 0:
        return 0.0, 1.0
    z = _normal(confidence)
    share, scale = correct / count, 1 + z * z / count
    centre = (share + z * z / (2 * count)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    # at 0 and 1 the bound is exact, but for rounding
    low = 0.0 if correct == 0 else max(0.0, centre - half)
    high = 1.0 if correct == count else min(1.0, centre + half)
    return low, high


def spread(shares: Sequence[float]) -> float | None:
    """The standard deviation of shares over the seeds that they are of; None for one."""
    if len(shares) < 2:
        return None
    mean = sum(shares) / len(shares)
    return math.sqrt(sum((share - mean) ** 2 for share in shares) / (len(shares) - 1))


def median(values: Sequence[float]) -> float:
    """The median of one value or more."""
    ordered, middle = sorted(values), len(values) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def prediction_interval(shares: Sequence[float], count: int, confidence: float = 0.95) -> Interval:
    """Where the accuracy of one more fair run is expected, from those of `shares` (0..1) on the same `count` images.

    With n runs of standard deviation s, and w half of Wilson's 95 % interval of the mean count, it is mean ± h:

    - three runs or more: h² = (t s)² (1 + 1/n) + w², t Student's with n - 1 degrees of freedom. The first term is that
      of one more draw from a normal distribution whose mean and spread are known from n draws alone: Hahn and Meeker
      (1991), "Statistical Intervals", section 4.7. The second allows for what the seeds can't show: another
      machine's rounding may turn images that all of them had alike.
    - fewer tell no spread: h² = ((z S)² + w²) (1 + 1/n), z the normal's quantile, S = SPREAD, or s of two runs if
      that is larger. The binomial error is the most that luck with single images can add: images j that a share q_j
      of all runs has right give the variance sum q_j (1 - q_j) / N² <= p (1 - p) / N, to each of the runs and to
      the new one.

    So of three runs or more a fair one lies within at least as often as `confidence` says: about 95 % of the time where
    the runs themselves differ most, up to 99 % where luck with single images does. Of fewer it does so only where
    networks of other seeds differ by no more than SPREAD; where their standard deviation is 0.5 points, 82 % of the
    time (one run) and 90 % (two).
    """
    from statistics import fmean, stdev

    runs, mean = len(shares), fmean(shares)
    low, high = wilson(round(mean * count), count, confidence)
    binomial, more = (high - low) / 2, math.sqrt(1 + 1 / runs)
    if runs >= 3:
        half = math.hypot(student(runs - 1, confidence) * stdev(shares) * more, binomial)
    else:
        spread = max(SPREAD, stdev(shares) if runs == 2 else 0.0)
        half = more * math.hypot(_normal(confidence) * spread, binomial)
    return max(0.0, mean - half), min(1.0, mean + half)


def _normal(confidence: float) -> float:
    """The quantile of the standard normal distribution: |Z| is below it with the probability `confidence`."""
    from statistics import NormalDist  # slow to import, and listings need no interval

    return NormalDist().inv_cdf((1 + confidence) / 2)


def student(freedom: int, confidence: float = 0.95) -> float:
    """Student's t of `freedom` degrees of freedom (1 or more): |T| is below it with the probability `confidence`."""
    low, high = 0.0, math.pi / 2  # of the angle atan(t / sqrt(freedom)), in which the probability rises steadily
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _below(middle, freedom) < confidence else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def _below(angle: float, freedom: int) -> float:
    """P(|T| < t) for t = sqrt(freedom) tan(angle): Abramowitz and Stegun (1964), 26.7.3 and 26.7.4."""
    odd = freedom % 2
    term = total = math.cos(angle) if odd else 1.0
    for number in range(2 + odd, freedom - 1, 2):
        term *= (number - 1) / number * math.cos(angle) ** 2
        total += term
    if not odd:
        return math.sin(angle) * total
    return 2 / math.pi * (angle + (math.sin(angle) * total if freedom > 1 else 0.0))
