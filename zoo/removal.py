"""The line that removes a distribution from this environment, by the tool that made it: pip, pipx or uv."""

from __future__ import annotations

import json
import re
import shlex
import sys
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OWN = "image-model-zoo"


def removal(distribution: str, prefix: Path | None = None, executable: str | None = None) -> str:
    """The command that removes `distribution`, "" if it is the zoo itself: its plugins can only be disabled.

    `prefix` and `executable` are this environment's by default.
    """
    prefix = prefix or Path(sys.prefix)
    python = shlex.quote(executable or sys.executable)
    distribution = re.sub(r"[-_.]+", "-", distribution).lower()  # names are the same in this form, says PyPA
    if distribution == OWN:
        return ""
    if (receipt := prefix / "pipx_metadata.json").is_file():
        main = _pipx_main(receipt)
        return f"pipx uninject {main} {distribution}" if main != distribution else f"pipx uninstall {main}"
    if (receipt := prefix / "uv-receipt.toml").is_file():
        (main, asked), *others = _uv_requirements(receipt).items()
        if main == distribution:
            return f"uv tool uninstall {main}"
        kept = "".join(f" --with {other}" for name, other in others if name != distribution)
        return f"uv tool install --force {asked}{kept}"
    if _made_by_uv(prefix) or (executable is None and find_spec("pip") is None):
        return f"uv pip uninstall --python {python} {distribution}"
    return f"{python} -m pip uninstall {distribution}"


def _pipx_main(receipt: Path) -> str:
    try:
        return str(json.loads(receipt.read_text(encoding="utf-8"))["main_package"]["package"])
    except (OSError, ValueError, KeyError, TypeError):
        return OWN


def _uv_requirements(receipt: Path) -> dict[str, str]:
    """What uv was asked to install, the tool first: by name, as an argument of uv."""
    try:
        requirements = tomllib.loads(receipt.read_text(encoding="utf-8"))["tool"]["requirements"]
        return {str(found["name"]): _uv_argument(found) for found in requirements} or {OWN: OWN}
    except (OSError, ValueError, KeyError, TypeError):
        return {OWN: OWN}


def _uv_argument(requirement: Mapping[str, Any]) -> str:
    extras = ",".join(requirement.get("extras") or ())
    return shlex.quote(f"{requirement['name']}{f'[{extras}]' * bool(extras)}{requirement.get('specifier', '')}")


def _made_by_uv(prefix: Path) -> bool:
    try:
        lines = (prefix / "pyvenv.cfg").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.partition("=")[0].strip() == "uv" for line in lines)
