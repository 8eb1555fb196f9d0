"""Which engine answers for a network: LiteRT, without TensorFlow, or the network itself with its weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError
from zoo.files import atomic_write
from zoo.hardware import default_threads
from zoo.prediction.cold import has_litert, read_spec
from zoo.prediction.imagenet import Published
from zoo.progress import Reporter
from zoo.runs import seal
from zoo.runs.directory import Run

if TYPE_CHECKING:
    import numpy as np

    from zoo.prediction.packaged import Packaged
    from zoo.session import Session
    from zoo.types import Model


def predictor(
    network: Run | Packaged | Published, engine: str, quiet: bool = False, verbose: bool = False
) -> Callable[[np.ndarray[Any, Any]], Any] | None:
    """What predicts with `engine` ("auto", "litert" or "tensorflow"); None is LiteRT, for which the network is
    exported where it was not yet."""
    if isinstance(network, Published) and not network.is_made:
        Reporter(quiet=quiet).note(f"Building {network.id} with its published weights, once ...")
        network.make(verbose)
    read_spec(network.model_directory)
    is_sealed = not isinstance(network, Run) or seal.is_sealed(network, seal.LITERT)
    if engine != "tensorflow" and not (is_sealed and has_litert(network.model_directory)):
        if not isinstance(network, Run):
            raise ZooError(f"{network.id} comes without model.tflite. Try: --engine tensorflow")
        Reporter(quiet=quiet).note("This run has no LiteRT file yet; exporting it once ...")
        network.require_finished()
        if reason := _export(network, verbose):
            if engine == "litert":
                raise ZooError(f"The run {network.id} can't be exported to LiteRT: {reason}")
            Reporter(quiet=quiet).note(f"It can't be exported, and TensorFlow answers: {reason}")
            engine = "tensorflow"
    elif engine != "tensorflow" and isinstance(network, Run):
        seal.require(network, seal.LITERT)
    return _full(network, verbose) if engine == "tensorflow" else None


def restore(network: Run | Packaged | Published, verbose: bool) -> tuple[Session, Model]:
    """A session for a finished run, a packaged or a published network, and its network with its weights."""
    from zoo.runs import pipeline
    from zoo.session import Session

    session = Session(network.architecture() if isinstance(network, Run) else network.plugin)
    threads = network.receipt["threads"] if isinstance(network, Run) else default_threads()
    pipeline.start_frameworks(threads, verbose)
    from zoo.runs.finish import rebuild

    return session, network.build() if isinstance(network, Published) else rebuild(network, session)


def _full(network: Run | Packaged | Published, verbose: bool) -> Callable[[np.ndarray[Any, Any]], Any]:
    """The network itself in TensorFlow: uint8 [n, height, width, channels] to float32 probabilities [n, classes]."""
    session, model = restore(network, verbose)
    import numpy as np

    from zoo.runs import evaluation

    flip = read_spec(network.model_directory)["flip_average"]
    predictions = evaluation.predictor(session.predict, model, flip_average=flip)
    return lambda images: np.asarray(predictions(images.astype(np.float32)))


def _export(run: Run, verbose: bool) -> str:
    """Export a finished run that was trained with `--no-export`; return why it has no LiteRT file, "" if it has."""
    session, model = restore(run, verbose)
    from zoo.runs.finish import export_on_samples, random_images  # it imports TensorFlow, which is quiet by now

    try:
        exported = export_on_samples(run, session, model, random_images(run.spec))
        path = run.model_directory / "spec.json"
        content = json.loads(path.read_text(encoding="utf-8")) | {"export": exported}
        atomic_write(path, json.dumps(content, indent=1) + "\n")
        seal.renew(run)
    except ZooError as error:  # a folder that can't be written
        return str(error)
    return "" if exported["tflite"]["status"] == "ok" else str(exported["tflite"]["reason"])
