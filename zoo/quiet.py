"""Keep what the frameworks print off the terminal, unless it explains a failure or was asked for (`-v`).

TensorFlow, its converter and LiteRT write to the file descriptors from C++, before and beside any level that
they can be told. So the descriptors lead to a temporary file while they do.
"""

from __future__ import annotations

import io
import os
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO

from zoo.errors import ZooError

_STDOUT, _STDERR = 1, 2
_FRAMEWORKS = ("tensorflow", "keras", "absl", "ai_edge_litert", "tf_keras", "ml_dtypes", "google")


@contextmanager
def frameworks(verbose: bool = False) -> Iterator[None]:
    """Hold back everything that is written to file descriptors 1 and 2 while the body runs.

    It is dropped, or, if the body raises, replayed to standard error. Python's own `sys.stderr` still leads
    to where it led, so that messages and the warnings of other people's code are seen; only warnings that
    point into a framework are held back. With `verbose`, nothing is. Blocks may be nested; the descriptors
    belong to the whole process, so other threads are silent as well.
    """
    if verbose:
        yield
        return
    with ExitStack() as stack:
        held = stack.enter_context(tempfile.TemporaryFile())
        terminal = _redirect(stack, _STDERR, held.fileno())
        stack.enter_context(_python_stderr_to(terminal))
        _redirect(stack, _STDOUT, held.fileno())
        stack.enter_context(_framework_warnings_to(held))
        try:
            yield
        except Exception:
            held.seek(0)
            # not through `sys.stderr`: what was held back are bytes, of any encoding
            _write_all(terminal, held.read())
            raise


def import_tensorflow(verbose: bool = False) -> None:
    """Import TensorFlow and Keras without a word, and set them to report errors as exceptions alone.

    A log level that the user set (`TF_CPP_MIN_LOG_LEVEL`) is left as it is. Raises ZooError if another
    Keras backend is in use, or the import fails; then what the frameworks printed is shown.
    """
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = "tensorflow"  # it wins over ~/.keras/keras.json
    try:
        with frameworks(verbose), _no_sockets():
            import keras
            import tensorflow as tf
    except ImportError as error:
        raise ZooError(
            f"TensorFlow can't be imported: {error}\nInstall it again: pip install --force-reinstall tensorflow keras"
        ) from error
    if keras.backend.backend() != "tensorflow":
        raise ZooError(
            f"zoo needs Keras on TensorFlow. Received: Keras on {keras.backend.backend()}. "
            "Import zoo before keras, or set KERAS_BACKEND=tensorflow"
        )
    if not verbose:
        import absl.logging

        tf.get_logger().setLevel("ERROR")
        absl.logging.set_verbosity(absl.logging.ERROR)


@contextmanager
def _no_sockets() -> Iterator[None]:
    """TensorFlow imports urllib3, which opens a socket to see whether there is IPv6; let it suppose so instead."""
    before = socket.has_ipv6
    socket.has_ipv6 = False
    try:
        yield
    finally:
        socket.has_ipv6 = before
        if "urllib3.util.connection" in sys.modules:
            sys.modules["urllib3.util.connection"].HAS_IPV6 = before  # type: ignore[attr-defined]


def _redirect(stack: ExitStack, descriptor: int, target: int) -> int | None:
    """Let `descriptor` lead to `target` until the stack unwinds; return a copy of what it led to before."""
    try:
        before = os.dup(descriptor)
    except OSError:  # it is closed, as in a daemon
        return None
    stack.callback(os.close, before)
    _flush()
    os.dup2(target, descriptor)
    stack.callback(os.dup2, before, descriptor)
    stack.callback(_flush)
    return before


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        # None in a windowed interpreter
        if stream is not None and not stream.closed:
            stream.flush()


@contextmanager
def _python_stderr_to(descriptor: int | None) -> Iterator[None]:
    """Let `sys.stderr`, if it writes to file descriptor 2, write to another one."""
    stream = sys.stderr
    if descriptor is None or not _leads_to(stream, _STDERR):
        yield
        return
    with open(os.dup(descriptor), "w", buffering=1, encoding=stream.encoding, errors=stream.errors) as substitute:  # noqa: PTH123
        sys.stderr = substitute
        try:
            yield
        finally:
            if sys.stderr is substitute:
                sys.stderr = stream


def _leads_to(stream: TextIO | None, descriptor: int) -> bool:
    try:
        return stream is not None and stream.fileno() == descriptor
    except (OSError, ValueError, io.UnsupportedOperation):
        return False


@contextmanager
def _framework_warnings_to(held: Any) -> Iterator[None]:
    """Write warnings that point into a framework's files to `held`; show all others as before."""
    before = warnings.showwarning

    def show(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if set(_FRAMEWORKS) & set(filename.replace("\\", "/").split("/")):
            held.write(warnings.formatwarning(message, category, filename, lineno, line).encode())
            held.flush()
        else:
            before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before


def _write_all(descriptor: int | None, content: bytes) -> None:
    while content and descriptor is not None:
        content = content[os.write(descriptor, content) :]
