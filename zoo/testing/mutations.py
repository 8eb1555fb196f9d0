"""Mutations of files for `zoo.testing.fuzz`: of bytes, of JSON, and of the members of zip archives and PNGs.

Checksums are put right in some of the mutants, so that more than the check of the checksum is tried.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Any, NamedTuple

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (
    *("0", "-1", "1e309", "-0.5", "9" * 400, "99999999999", "NaN", "Infinity", "null", "true", "{}", "[]"),
    *("9" * 5_000, "[" * 3_000, "{a=" * 3_000),
    *('""', '"x"', "'''", "[[a]]", "\x00", "\x1b[31m", "\ud7ff", "../", "/", "=", "\n", "#"),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 1e308, 10**400, float("nan"), float("inf"), "", "x", "\x1b[31m", "../x", "\ud800"),
    *([], {}, [1], [[]], {"x": 1}, [None], "9" * 5000),
)


class Sample(NamedTuple):
    """A file to begin with: a name, whose suffix says how to mutate it, and its content."""

    name: str
    content: bytes


def mutate(random: Random, samples: Sequence[Sample]) -> Sample:
    """Return a mutant of one of the samples, with the sample's name; a pure function of the generator's state."""
    sample = random.choice(samples)
    suffix = sample.name.rpartition(".")[2]
    inside = {"zip": _zip_members, "npz": _zip_members, "json": _json}.get(suffix)
    if inside is not None and random.random() < 0.6:
        return Sample(sample.name, inside(random, sample.content))
    content = mutate_bytes(random, sample.content, random.choice(samples).content)
    if suffix in ("json", "toml", "csv") and random.random() < 0.7:
        content = _words(random, sample.content)
    if suffix == "png" and random.random() < 0.6:
        content = _with_sums(content)
    return Sample(sample.name, content)


def mutate_bytes(random: Random, content: bytes, other: bytes) -> bytes:
    """Flip bits, edit integers, cut, repeat and insert stretches, splice with another file."""
    data = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 2, 4, 8, 16))):
        at, length = random.randrange(len(data) + 1), random.choice((1, 2, 4, 8, 64, 1024))
        match random.randrange(9):
            case 0 if data:
                data[at % len(data)] ^= 1 << random.randrange(8)
            case 1:
                data[at : at + 1] = random.randbytes(1)
            case 2:
                size = random.choice((1, 2, 4))
                number = (random.choice(_NUMBERS) + random.randrange(-2, 3)) % (1 << 8 * size)
                data[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))
            case 3:
                del data[at : at + length]
            case 4 if len(data) < 1_000_000:
                data[at:at] = data[at : at + length] * random.choice((1, 2, 50))
            case 5:
                data[at:at] = random.randbytes(length)
            case 6:
                del data[at:]
            case 7:
                begin = random.randrange(len(other) + 1)
                data[at : at + length] = other[begin : begin + length]
            case 8:
                data[at:] = other[at:] if random.random() < 0.5 else other[random.randrange(len(other) + 1) :]
    return bytes(data)


def _words(random: Random, content: bytes) -> bytes:
    """Replace a stretch between two words by what a parser may stumble over."""
    text = content.decode("utf-8", "replace")
    for _ in range(random.choice((1, 1, 2, 4))):
        begin = random.randrange(len(text) + 1)
        end = min(len(text), begin + random.choice((0, 1, 3, 8, 20)))
        text = text[:begin] + random.choice(_WORDS) + text[end:]
    return text.encode("utf-8", "surrogatepass")


def _json(random: Random, content: bytes) -> bytes:
    """Replace, remove or repeat a value anywhere in a JSON document."""
    document = json.loads(content)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        owner = document
        while True:
            keys = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
            if not keys:
                break
            key = random.choice(keys)
            if isinstance(owner[key], dict | list) and owner[key] and random.random() < 0.8:
                owner = owner[key]
                continue
            if random.random() < 0.25:
                del owner[key]
            else:
                owner[key] = deepcopy(random.choice(_VALUES))  # it may be changed in turn
            break
    return json.dumps(document).encode()


def _zip_members(random: Random, content: bytes) -> bytes:
    """Write the archive anew with a member mutated, renamed, repeated or left out; its sums are right."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(member, archive.read(member)) for member in archive.infolist()]
    chosen = random.randrange(len(members))
    with zipfile.ZipFile(buffer, "w") as made:
        for index, (member, data) in enumerate(members):
            info = zipfile.ZipInfo(member.filename)
            info.compress_type, info.external_attr = member.compress_type, member.external_attr
            if index == chosen:
                action = random.randrange(6)
                if action == 0:
                    continue
                if action == 1:
                    info.filename = random.choice(("../", "/", "C:\\", "x/", "")) + member.filename + "\x07"
                elif action == 2:
                    made.writestr(zipfile.ZipInfo(f"again/{member.filename}"), data)
                else:
                    data = mutate_bytes(random, data, random.choice(members)[1])
            made.writestr(info, data)
    return buffer.getvalue()


def _with_sums(png: bytes) -> bytes:
    """Put the checksums of a PNG's chunks right, as far as its lengths lead."""
    data, at = bytearray(png), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        data[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(data)
