"""The hook reference, generated from `zoo/hookspecs.py`."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass

from zoo.hookspecs import HOOKS_OF, REQUIRED, ZooSpecs, hook_names
from zoo.registry import GROUPS

PREFACE = """# Every hook

<!-- generated from zoo/hookspecs.py by `python -m zoo.reference`; a test fails when it is out of date -->

A plugin marks a function with `@zoo.hookimpl`, and takes the arguments that it needs, by name, in any order.
"""


@dataclass(frozen=True)
class HookReference:
    """One hook: its signature, what it is for, its arguments with their meaning, and who may implement it."""

    name: str
    signature: str
    text: str
    arguments: dict[str, str]
    groups: tuple[str, ...]
    required: bool


def hook_references() -> list[HookReference]:
    """Every hook, in the order of `zoo/hookspecs.py`."""
    return [_reference(name) for name in hook_names()]


def _reference(name: str) -> HookReference:
    function = getattr(ZooSpecs, name)
    signature = inspect.signature(function)
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name != "self"]
    shown = ", ".join(f"{parameter.name}: {parameter.annotation}" for parameter in parameters)
    text, _, described = inspect.cleandoc(function.__doc__ or "").partition("\nArguments:\n")
    meanings = re.findall(r"^(\w+): (.*(?:\n .*)*)", textwrap.dedent(described), re.MULTILINE)
    groups = tuple(group for group, kind in GROUPS.items() if name in HOOKS_OF[kind])
    return HookReference(
        name=name,
        signature=f"{name}({shown}) -> {signature.return_annotation}",
        text=text.strip(),
        arguments={argument: " ".join(meaning.split()) for argument, meaning in meanings},
        groups=groups,
        required=any(name in hooks for hooks in REQUIRED.values()),
    )


def hooks_markdown() -> str:
    """The page."""
    return "\n".join([PREFACE, *(_section(hook) for hook in hook_references())])


def _section(hook: HookReference) -> str:
    groups = ", ".join(f"`{group}`" for group in hook.groups)
    lines = [f"## {hook.name}", "", f"`{hook.signature}`", "", f"For {groups}{'; required' * hook.required}.", ""]
    lines += [hook.text, ""]
    lines += [f"- `{argument}`: {meaning}" for argument, meaning in hook.arguments.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(hooks_markdown(), end="")
