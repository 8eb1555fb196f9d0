"""What a run got right and wrong, image by image: the grid of predictions, mistakes, the least sure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo.figures.gallery import Picture, gallery
from zoo.figures.scene import Answers, Scene
from zoo.types import Figure

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PREDICTED, SHOWN, WORST = 1000, 100, 24


def predictions(scene: Scene) -> Iterator[Figure]:
    """The chapter's grid: of 1,000 held-out images 100 are shown, each titled "cat, prob=0.97"."""
    found = _with_images(scene)
    if found is None:
        return
    answers, rows = found
    chosen = _sample(len(answers), scene)
    shown = chosen[:SHOWN]
    pictures = [_picture(scene, answers, rows, index) for index in shown]
    content = gallery(
        pictures,
        10,
        f"{scene.title}: {len(shown)} predictions",
        size=1.0,
        font=7.5,
        rehearsal=scene.rehearsal,
    )
    if scene.rehearsal:
        caption = "A rehearsal: generated images and what an untrained network says of them. It means nothing."
    else:
        right, wrong = int(answers.correct[chosen].sum()), int((~answers.correct[shown]).sum())
        caption = (
            f"Of {len(chosen):,} held-out images, drawn at random, {right:,} were predicted right; here are the first "
            f"{len(shown)}. Each title is the predicted class and its probability. Framed in orange-red, with the "
            f"title in bold, are the {wrong} that are wrong: look for what they have in common."
        )
    yield Figure("predictions", content, "png", caption)


def unlabelled(scene: Scene) -> Iterator[Figure]:
    """The chapter's own grid, where a data set has images without labels (Kaggle's test folder)."""
    from zoo.network.inspection import probabilities_of

    if scene.data is None or scene.data.unlabelled is None or scene.run is None or scene.rehearsal:
        return
    images, _ = scene.data.unlabelled(SHOWN)
    if not len(images):
        return
    found = probabilities_of(scene.model, images)
    if scene.run.recipe.flip_average:  # what `zoo predict` says of them
        found = (found + probabilities_of(scene.model, images[:, :, ::-1])) / 2
    guesses = found.argmax(axis=1)
    titles = [_title(scene.class_names[guess], row[guess]) for guess, row in zip(guesses, found, strict=True)]
    pictures = [Picture(image, (title,)) for image, title in zip(images, titles, strict=True)]
    content = gallery(pictures, 10, f"{scene.title}: {len(images)} images without a label", size=1.0, font=7.5)
    caption = (
        f"The first {len(images)} images that came without a label, with the predicted class and its probability. "
        "Nobody has said which are right: look for yourself."
    )
    yield Figure("unlabelled", content, "png", caption)


def mistakes(scene: Scene) -> Iterator[Figure]:
    """The wrong predictions of the greatest probability."""
    found = _with_images(scene)
    if found is None or scene.rehearsal:
        return
    answers, rows = found
    (wrong,) = (~answers.correct).nonzero()
    order = wrong[(-answers.probabilities[wrong]).argsort(kind="stable")][:WORST]
    if not len(order):
        return
    pictures = [_picture(scene, answers, rows, index, truth=True, framed=False) for index in order]
    content = gallery(pictures, 6, f"{scene.title}: the most confident mistakes", size=1.5, font=8.5)
    sure = int((answers.probabilities[wrong] >= 0.9).sum())
    caption = (
        f"The {len(order)} most confident of {len(wrong):,} mistakes on {len(answers):,} held-out images; {sure:,} "
        f"were made with a probability of 0.90 or more. Above each: what was predicted, and what it is. "
        f"Some labels may be wrong themselves; others show what the network has not learned."
    )
    yield Figure("mistakes", content, "png", caption)


def unsure(scene: Scene) -> Iterator[Figure]:
    """The predictions of the least probability, right or wrong."""
    found = _with_images(scene)
    if found is None or scene.rehearsal:
        return
    answers, rows = found
    order = answers.probabilities.argsort(kind="stable")[:WORST]
    pictures = [_picture(scene, answers, rows, index, truth=True) for index in order]
    content = gallery(pictures, 6, f"{scene.title}: where it was least sure", size=1.5, font=8.5)
    right = int(answers.correct[order].sum())
    caption = (
        f"The {len(order)} of {len(answers):,} held-out images with the least probable predictions, "
        f"{answers.probabilities[order[0]]:.2f} to {answers.probabilities[order[-1]]:.2f}; chance alone would give "
        f"{1 / len(scene.class_names):.2f}. {right} of them are right all the same; the others are framed."
    )
    yield Figure("unsure", content, "png", caption)


def _with_images(scene: Scene) -> tuple[Answers, Array] | None:
    answers = scene.answers
    if answers is None or answers.rows is None or not len(answers):
        return None
    return answers, answers.rows


def _sample(count: int, scene: Scene) -> Array:
    """Places of at most `PREDICTED` images in a random order that the run's seed decides."""
    import numpy as np

    seed = scene.spec.seed if scene.spec else 0
    return np.random.default_rng(seed).permutation(count)[:PREDICTED]


def _title(name: str, probability: float) -> str:
    """As the chapter writes it: "cat, prob=0.97"; a gallery shortens the name alone."""
    return f"{name}, prob={probability:.2f}"


def _picture(
    scene: Scene, answers: Answers, rows: Array, index: int, truth: bool = False, framed: bool = True
) -> Picture:
    assert scene.held_out is not None  # noqa: S101
    names = scene.class_names
    right = bool(answers.correct[index])
    lines = [_title(names[answers.guesses[index]], answers.probabilities[index])]
    if truth:
        lines.append("right" if right else f"is {names[answers.truths[index]]}")
    marked = framed and not right and not scene.rehearsal
    return Picture(scene.held_out.take([rows[index]])[0], tuple(lines), marked)
