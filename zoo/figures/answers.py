"""What a run got right and wrong, image by image: the grid of predictions, mistakes, the least sure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo.figures.gallery import Picture, gallery
from zoo.figures.scene import Answers, Scene
from zoo.types import Figure
from zoo.words import amount, are, were

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
        f"{scene.title}: {amount(len(shown), 'prediction')}",
        size=1.0,
        font=7.5,
        rehearsal=scene.rehearsal,
    )
    if scene.rehearsal:
        caption = "A rehearsal: generated images and what an untrained network says of them. It means nothing."
    else:
        caption = _predictions_caption(answers.correct[chosen], answers.correct[shown])
    yield Figure("predictions", content, "png", caption)


def _predictions_caption(drawn: Array, shown: Array) -> str:
    """Of images drawn at random and of those shown, bool [n] each: whether the prediction is right."""
    right, wrong = int(drawn.sum()), int((~shown).sum())
    if len(drawn) == 1:
        return (
            f"The only held-out image was predicted {'right' if right else 'wrong'}. Its title is the predicted class "
            f"and its probability."
        )
    some = len(shown) < len(drawn)
    told = "all" if right == len(drawn) else f"{right:,}" if right else "none"
    text = (
        f"Of {len(drawn):,} held-out images{', drawn at random,' * some} {told} {were(right or 1)} predicted right; "
        f"{f'here are the first {len(shown)}' if some else 'all are shown'}. Each title is the predicted class and its "
        f"probability. "
    )
    if not wrong:
        return text + "None of these is wrong."
    framed = "Framed in orange-red, with the title in bold,"
    if wrong == 1:
        return text + f"{framed} is the one that is wrong."
    return text + f"{framed} are the {wrong} that are wrong: look for what they have in common."


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
    content = gallery(
        pictures, 10, f"{scene.title}: {amount(len(images), 'image')} without a label", size=1.0, font=7.5
    )
    which = f"The first {len(images)} images" if len(images) == SHOWN else f"The {amount(len(images), 'image')}"
    open_question = "whether it is" if len(images) == 1 else "which are"
    caption = (
        f"{which} that came without a label, with the predicted class and its probability. "
        f"Nobody has said {open_question} right: look for yourself."
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
    title = "its only mistake" if len(wrong) == 1 else "the most confident mistakes"
    content = gallery(pictures, 6, f"{scene.title}: {title}", size=1.5, font=8.5)
    yield Figure("mistakes", content, "png", _mistakes_caption(answers.probabilities[wrong], len(answers)))


def _mistakes_caption(probabilities: Array, count: int) -> str:
    """`probabilities` are those of all mistakes, `count` is the number of images."""
    images = amount(count, "held-out image")
    if len(probabilities) == 1:
        return (
            f"The only mistake on {images}, made with a probability of {probabilities[0]:.2f}. Above it: what was "
            f"predicted, and what it is. The label may be wrong itself, or there is something to learn yet."
        )
    sure = int((probabilities >= 0.9).sum())
    if len(probabilities) > WORST:
        text = f"The {WORST} most confident of {len(probabilities):,} mistakes on {images}"
    else:
        text = f"All {len(probabilities)} mistakes on {images}, the most confident first"
    return text + (
        f"; {f'{sure:,}' if sure else 'none'} {were(sure or 1)} made with a probability of 0.90 or more. Above each: "
        f"what was predicted, and what it is. Some labels may be wrong themselves; others show what the network has "
        f"not learned."
    )


def unsure(scene: Scene) -> Iterator[Figure]:
    """The predictions of the least probability, right or wrong."""
    found = _with_images(scene)
    if found is None or scene.rehearsal:
        return
    answers, rows = found
    order = answers.probabilities.argsort(kind="stable")[:WORST]
    pictures = [_picture(scene, answers, rows, index, truth=True) for index in order]
    content = gallery(pictures, 6, f"{scene.title}: where it was least sure", size=1.5, font=8.5)
    chance = 1 / len(scene.class_names)
    caption = _unsure_caption(answers.probabilities[order], answers.correct[order], len(answers), chance)
    yield Figure("unsure", content, "png", caption)


def _unsure_caption(probabilities: Array, correct: Array, count: int, chance: float) -> str:
    """Of the images shown, the least sure first: float and bool [n]; `count` is the number of all images."""
    shown, right = len(correct), int(correct.sum())
    alone = f"chance alone would give {chance:.2f}"
    if count == 1:
        return (
            f"The only held-out image and its prediction, of a probability of {probabilities[0]:.2f}; {alone}. "
            f"It is {'right' if right else 'wrong'}."
        )
    if shown < count:
        which = f"The {shown} of {count:,} held-out images with the least probable predictions"
    else:
        which = f"All {count} held-out images, the least probable predictions first"
    text = f"{which}, {probabilities[0]:.2f} to {probabilities[-1]:.2f}; {alone}. "
    if right == shown:
        return text + "All of them are right."
    if not right:
        return text + "None of them is right: all are framed."
    others = "the others are" if shown - right > 1 else "the other is"
    return text + f"{right} of them {are(right)} right all the same; {others} framed."


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
    """As the chapter writes it: "cat, prob=0.97"; a gallery breaks it between the two where the name is long."""
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
