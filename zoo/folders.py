"""Where things are kept. Importing this module costs next to nothing: a listing needs it."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder of what can be made or fetched again: `$ZOO_CACHE`, or the user's cache folder."""
    given = os.environ.get("ZOO_CACHE")
    if given:
        return Path(given).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("image-model-zoo", appauthor=False))


def data_roots() -> tuple[Path, ...]:
    """Where data sets are looked for, each in the folder of its name: `$ZOO_DATA`, and the cache."""
    configured = os.environ.get("ZOO_DATA")
    roots = [Path(configured).expanduser()] if configured else []
    return (*roots, cache_folder() / "data")


def holds_something(folder: Path) -> bool:
    """Whether there is a folder, it can be read, and it is not empty."""
    try:
        return any(folder.iterdir())
    except OSError:
        return False
