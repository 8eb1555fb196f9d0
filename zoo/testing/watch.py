"""Watching what code does to its process: output, network, and global state."""

from __future__ import annotations

import importlib
import io
import os
import random
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any

_NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request")


class NetworkUsed(OSError):
    """Something tried to reach the network while that was forbidden."""


class _Guard:
    """An audit hook, which Python never removes: it acts only while it is armed."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.armed = True
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.armed and event in _NETWORK:
            address = next((a for a in arguments if isinstance(a, str | tuple)), "")
            self.tried.append(f"{event} {address}")
            raise NetworkUsed("The network is not to be used here")


@contextmanager
def offline() -> Iterator[list[str]]:
    """Forbid the network; yields what was tried, whether or not the code swallowed the refusal."""
    guard = _Guard()
    try:
        yield guard.tried
    finally:
        guard.armed = False


def global_state() -> dict[str, Any]:
    """What a plugin must leave as it is: random states, Keras' and TensorFlow's settings, the environment."""
    state: dict[str, Any] = {
        "Python's random state": random.getstate(),
        "the environment variables": dict(os.environ),
        "the working directory": os.getcwd(),  # noqa: PTH109 (a removed directory is no Path)
        "the list of warning filters": len(warnings.filters),
    }
    if numpy := sys.modules.get("numpy"):
        state["NumPy's random state"] = _numpy_state(numpy)
        state["NumPy's error handling"] = numpy.geterr()
    if keras := sys.modules.get("keras"):
        state["Keras' dtype policy"] = keras.config.dtype_policy().name
        state["Keras' image data format"] = keras.config.image_data_format()
        state["Keras' floatx"] = keras.config.floatx()
    if tensorflow := sys.modules.get("tensorflow"):
        state["TensorFlow's eager mode of functions"] = tensorflow.config.functions_run_eagerly()
    return state


def _numpy_state(numpy: Any) -> tuple[Any, ...]:
    name, keys, *rest = numpy.random.get_state()
    return (name, keys.tobytes(), *rest)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What differs, in words."""
    return [name for name in before if before[name] != after[name]]


@contextmanager
def restored(before: Mapping[str, Any]) -> Iterator[None]:
    """Put back afterwards what other checks would trip over."""
    try:
        yield
    finally:
        random.setstate(before["Python's random state"])
        if "NumPy's random state" in before:
            numpy: Any = sys.modules["numpy"]
            name, keys, *rest = before["NumPy's random state"]
            numpy.random.set_state((name, numpy.frombuffer(keys, numpy.uint32), *rest))
        os.environ.clear()
        os.environ.update(before["the environment variables"])
        os.chdir(before["the working directory"])
        if "Keras' dtype policy" in before:
            keras: Any = sys.modules["keras"]
            keras.config.set_dtype_policy(before["Keras' dtype policy"])
            keras.config.set_image_data_format(before["Keras' image data format"])
            keras.config.set_floatx(before["Keras' floatx"])
        if "TensorFlow's eager mode of functions" in before:
            sys.modules["tensorflow"].config.run_functions_eagerly(before["TensorFlow's eager mode of functions"])


@dataclass
class Imported:
    """What an import did besides defining things."""

    output: str = ""
    network: list[str] = field(default_factory=list)
    state: list[str] = field(default_factory=list)


def fresh_import(module: str) -> Imported:
    """Import a module and its package as for the first time, watched; what was imported before stays.

    What it has imported by then stays imported: what its dependencies do is not the plugin's fault.
    """
    package = module.partition(".")[0]
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if name.partition(".")[0] == package}
    seen = Imported()
    out, err = io.StringIO(), io.StringIO()
    with restored(global_state()):
        _neutral()
        try:
            with (
                offline() as tried,
                redirect_stdout(out),
                redirect_stderr(err),
                warnings.catch_warnings(record=True) as warned,
            ):
                seen.network = tried
                warnings.simplefilter("ignore")
                for shown in (UserWarning, FutureWarning, RuntimeWarning):  # by default, to a user
                    warnings.simplefilter("always", shown)
                state = global_state()
                with suppress(NetworkUsed):
                    importlib.import_module(module)
                seen.state = changed(state, global_state())
        finally:
            for name in [name for name in sys.modules if name.partition(".")[0] == package]:
                del sys.modules[name]
            sys.modules.update(before)
    said = [str(warning.message) for warning in warned]
    seen.output = "\n".join([out.getvalue(), err.getvalue(), *said]).strip()
    return seen


def _neutral() -> None:
    """Settings that no plugin would make: what was imported before may have made its own already."""
    random.seed(os.urandom(8))
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(int.from_bytes(os.urandom(4)))
    if keras := sys.modules.get("keras"):
        keras.config.set_dtype_policy("float32")
        keras.config.set_floatx("float32")
        keras.config.set_image_data_format("channels_last")
