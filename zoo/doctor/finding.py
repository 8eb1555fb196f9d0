"""A finding: one line of what `zoo doctor` says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Section = Literal["environment", "plugins", "cache", "data", "runs"]
State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """What was found in a section. "wrong" needs to be mended, a "note" is worth knowing; `mend` is the command that
    mends it, or goes on, and "" if there is none."""

    section: Section
    state: State
    what: str
    mend: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return asdict(self)
