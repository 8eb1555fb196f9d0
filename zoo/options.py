"""Reading `Spec.options` in a plugin: each value is checked, and a wrong one is the user's error, not a traceback.

    width = options.number(spec, "width", 1.0, least=0.01, most=4.0)
    init = options.choice(spec, "init", ("he_normal", "glorot_uniform"))
    rescale = options.flag(spec, "rescale", True)

Each raises `zoo.UsageError`, which names the network, the option, what it takes and what was received.
"""

from __future__ import annotations

from zoo.errors import UsageError
from zoo.types import Spec


def number(spec: Spec, option: str, default: float, least: float, most: float) -> float:
    """The value of an option that takes a number from `least` to `most`."""
    value = spec.options.get(option, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise _wrong(spec, option, f"a number from {least} to {most}", value)
    return value


def choice(spec: Spec, option: str, values: tuple[str, ...]) -> str:
    """The value of an option that takes one of `values`, the first of which is its default."""
    value = spec.options.get(option, values[0])
    if value not in values:
        raise _wrong(spec, option, f"one of {', '.join(map(repr, values))}", value)
    return str(value)


def flag(spec: Spec, option: str, default: bool) -> bool:
    """The value of an option that is on or off."""
    value = spec.options.get(option, default)
    if not isinstance(value, bool):
        raise _wrong(spec, option, "true or false", value)
    return value


def _wrong(spec: Spec, option: str, wanted: str, value: object) -> UsageError:
    return UsageError(f"{spec.name}: option {option} must be {wanted}. Received: {value!r}")
