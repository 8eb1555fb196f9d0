"""Fashion-MNIST from its four IDX files, gzipped or not, in a folder that the user gives.

Xiao, Rasul and Vollgraf (2017), Fashion-MNIST: a novel image dataset, arXiv:1708.07747.
"""

import gzip

import numpy as np

from zoo import Example, Examples, MissingData, hookimpl

CLASS_NAMES = (
    *("T-shirt/top", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
PARTS = {"train": "train", "test": "t10k"}


@hookimpl
def zoo_examples(source):
    places = [source.given] if source.given else [root / "fashion-mnist" for root in source.roots]
    found = next((files for place in places if (files := [*place.glob("*-ubyte*")])), [])
    files = {path.name.removesuffix(".gz"): path for path in found}
    wanted = [f"{part}-{what}-ubyte" for part in PARTS.values() for what in ("images-idx3", "labels-idx1")]
    if missing := [name for name in wanted if name not in files]:
        looked = ", ".join(map(str, places))
        raise MissingData(f"fashion-mnist: {missing[0]} is missing. Looked in: {looked}. Say where: --source FOLDER")
    arrays = {part: [read_idx(files[name]) for name in wanted if name.startswith(PARTS[part])] for part in PARTS}

    def iterate():
        for part, (images, labels) in arrays.items():
            for index, (image, label) in enumerate(zip(images, labels.tolist(), strict=True)):
                yield Example(f"{part}/{index:05}", label, part, image)

    states = {name: files[name].stat() for name in wanted}
    signature = " ".join(f"{files[name]} {state.st_size} {state.st_mtime_ns}" for name, state in states.items())
    return Examples(CLASS_NAMES, iterate, signature, sum(len(labels) for _, labels in arrays.values()))


def read_idx(path):
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
