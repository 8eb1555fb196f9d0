"""`ZOO_TRACE=1`: a line on standard error for each hook call, with its plugin and the time that it took."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def traced(hook: str, owner: str) -> Iterator[None]:
    """Around a hook call. Calls within it print their lines first."""
    if os.environ.get("ZOO_TRACE", "0") in ("", "0"):
        yield
        return
    began = time.perf_counter()
    raised = ""
    try:
        yield
    except BaseException as error:
        raised = f"  raised {type(error).__name__}"
        raise
    finally:
        print(f"zoo: {hook:<16} {time.perf_counter() - began:9.3f} s  {owner}{raised}", file=sys.stderr)
