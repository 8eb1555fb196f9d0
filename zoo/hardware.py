"""What this machine is: processor features, threads, versions. Decided from facts, never by timing."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from zoo.recipes import Recipe

_KERNEL_SETTINGS = (
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_SET_ONEDNN_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_DETERMINISTIC_OPS",
    "TF_XLA_FLAGS",
    "NVIDIA_TF32_OVERRIDE",
)
"""Variables of the environment with which TensorFlow chooses kernels: other kernels round otherwise."""

FRAMEWORKS = (
    "tensorflow",
    "keras",
    "numpy",
    "opencv-python-headless",
    "ai-edge-litert",
    "pluggy",
)
FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "avx_vnni", "asimd", "bf16")


def processor() -> tuple[str, tuple[str, ...]]:
    """The processor's name, and which of the features that change results or speed it has."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine(), ()
    entries = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    stripped = {key.strip(): value.strip() for key, value in entries.items()}
    flags = set((stripped.get("flags") or stripped.get("Features") or "").split())
    return stripped.get("model name", platform.machine()), tuple(f for f in FEATURES if f in flags)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 matrices natively."""
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(processor()[1]))


def has_matrix_unit() -> bool:
    """Whether the processor has a matrix unit for bfloat16 (AMX)."""
    return "amx_bf16" in processor()[1]


def resolve_precision(recipe: Recipe, bfloat16: bool) -> Literal["float32", "bfloat16"]:
    """What the recipe's precision means on a machine that has, or has not, bfloat16."""
    if recipe.precision != "auto":
        return recipe.precision
    return recipe.auto_precision if bfloat16 else "float32"


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def default_threads() -> dict[str, int]:
    """TensorFlow's thread counts: one per core inside an operation, two operations side by side."""
    return {"intra": cores(), "inter": 2}


def memory() -> int:
    """Memory of the machine in bytes, 0 if unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def peak_memory() -> int:
    """The most memory that this process has held, in bytes; 0 if unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if platform.system() == "Darwin" else peak * 1024


def describe() -> dict[str, Any]:
    """The hardware entry of a receipt."""
    name, features = processor()
    return {
        "processor": name,
        "features": list(features),
        "cores": cores(),
        "memory": memory(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def versions(distributions: Iterable[tuple[str, str]] = ()) -> dict[str, str]:
    """The versions entry of a receipt: python, zoo, the plugins' distributions, the frameworks."""
    from importlib.metadata import PackageNotFoundError, version

    import zoo

    found = {"python": platform.python_version(), "zoo": zoo.__version__, **dict(distributions)}
    for name in FRAMEWORKS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue  # a differently packaged build of it: then the receipt can't name its version
    return found


def kernel_settings() -> dict[str, str]:
    """The variables of the environment that choose TensorFlow's kernels, where they are set."""
    return {name: os.environ[name] for name in _KERNEL_SETTINGS if name in os.environ}
