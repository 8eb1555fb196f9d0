"""Files of a run may come from strangers: they give what their shape says, or an error that names them."""

from __future__ import annotations

import io
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.errors import ZooError
from zoo.runs.directory import Run
from zoo.stored import count, number, optional, read_arrays, read_json, text

SHAPE = {"name": text, "size": count, "share": optional(number), "parts": {...: count}, "keys": [text]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def written(folder: Path, content: Any) -> Path:
    path = folder / "x.json"
    path.write_text(json.dumps(content))
    return path


def test_what_is_of_its_shape_is_read(tmp_path: Path) -> None:
    content = {"name": "a", "size": 3, "share": None, "parts": {"b": 0}, "keys": ["c"], "more": [{"d": 1.5}]}
    assert read_json(written(tmp_path, content), SHAPE) == content
    assert read_json(written(tmp_path, {}), SHAPE) == {}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ({"name": 3}, "name"),
        ({"size": -1}, "size"),
        ({"size": True}, "size"),
        ({"share": 1e300}, "share"),
        ({"share": float("nan")}, "share"),
        ({"parts": []}, "parts"),
        ({"parts": {"b": "x"}}, r"parts\.b"),
        ({"keys": "c"}, "keys"),
        ({"keys": ["c", None]}, "keys"),
    ],
)
def test_what_is_not_names_the_file_and_the_entry(tmp_path: Path, content: Any, where: str) -> None:
    with pytest.raises(ZooError, match=rf"x\.json: {where} is not what the zoo writes there. Received: "):
        read_json(written(tmp_path, content), SHAPE)


def test_a_missing_entry_is_an_error_when_it_is_needed(tmp_path: Path) -> None:
    stored = read_json(written(tmp_path, {"parts": {}}), SHAPE)
    assert stored.get("name") is None
    for owner, key in ((stored, "name"), (stored["parts"], "test")):
        with pytest.raises(ZooError, match=rf"x\.json lacks '{key}'"):
            owner[key]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 9_999 + b"}"])
def test_what_is_no_json_object_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(ZooError, match=r"x\.json"):
        read_json(tmp_path / "x.json")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["format", "status", "spec", "recipe", "dataset", "rehearsal"]), JSON))
def test_any_receipt_is_read_or_refused(tmp_path: Path, receipt: dict[str, Any]) -> None:
    (tmp_path / "run.json").write_text(json.dumps(receipt))
    run = Run(tmp_path)
    for name in ("receipt", "status", "spec", "resolved", "title"):
        with suppress(ZooError):
            assert isinstance(getattr(run, name), object)


# arrays -----------------------------------------------------------------------------------------------------------


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_arrays_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(npz(a=np.arange(3), b=np.float32(2)))
    arrays = read_arrays(tmp_path / "x.npz", "The weights")
    assert {name: array.tolist() for name, array in arrays.items()} == {"a": [0, 1, 2], "b": 2.0}


def bomb() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(10_000_000))
    return buffer.getvalue()


def claims(shape: str) -> bytes:
    """An array whose header claims another shape than it has."""
    whole = npz(a=np.arange(3))
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        content = archive.read("a.npy")
    claimed = content.replace(b"(3,), }" + b" " * len(shape), f"{shape}, }}".encode() + b" " * 4)
    assert len(claimed) == len(content)
    assert claimed != content
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", claimed)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a zip"),
        (b"PK", "not a zip"),
        (npz(a=np.arange(9))[:-40], "not a zip"),
        (npz(a=np.array([{}], object)), "allow_pickle"),
        (bomb(), "compressed"),
        (claims("(10**15,)"), "malformed|literal|header|shape"),
        (claims("(1 << 60,)"), "malformed|literal|header|shape"),
        (claims("(999999999999999,)"), "."),
    ],
)
def test_what_are_no_arrays_is_an_error(content: bytes, match: str) -> None:
    with pytest.raises(ZooError, match=rf"The weights can't be read: .*({match})"):
        read_arrays(io.BytesIO(content), "The weights")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_mutated_arrays_are_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(npz(a=np.arange(6, dtype=np.float32).reshape(2, 3), b=np.zeros(2, np.uint8)))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(ZooError):
        read_arrays(io.BytesIO(bytes(content)), "The weights")
