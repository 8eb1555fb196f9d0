"""Checkpoints are whole or not used; a damaged one gives way to the older one."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import ZooError
from zoo.training import checkpoints


def save(folder, step, kind="state"):
    return checkpoints.write(folder, kind, step, {"weight": np.full(3, step, np.float32)}, {"step": step})


def test_what_is_written_is_read_back(tmp_path):
    arrays, meta = checkpoints.read(save(tmp_path, 7))
    assert arrays["weight"].tolist() == [7, 7, 7]
    assert meta == {"step": 7}


def test_two_states_are_kept_and_the_best_weights_until_they_are_discarded(tmp_path):
    for step in (1, 20, 300):
        save(tmp_path, step)
        save(tmp_path, step, "best")
    assert len(list(tmp_path.glob("state-*"))) == 2
    assert checkpoints.newest(tmp_path)[1] == {"step": 300}
    assert [checkpoints.read_best(tmp_path, step)["weight"][0] for step in (1, 20, 300)] == [1, 20, 300]
    checkpoints.discard_best(tmp_path, lambda step: step not in (20, 300))
    assert len(list(tmp_path.glob("best-*"))) == 2
    assert checkpoints.size(tmp_path) == sum(path.stat().st_size for path in tmp_path.iterdir())
    with pytest.raises(ZooError, match="after step 1, are no longer"):
        checkpoints.read_best(tmp_path, 1)


def test_a_tampered_checkpoint_is_refused(tmp_path):
    path = save(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ZooError, match="damaged"):
        checkpoints.read(path)


def test_a_damaged_newest_state_gives_way_to_the_one_before(tmp_path, caplog):
    save(tmp_path, 1)
    last = save(tmp_path, 2)
    last.write_bytes(last.read_bytes()[:100])
    assert checkpoints.newest(tmp_path)[1] == {"step": 1}
    assert "damaged" in caplog.text
    assert checkpoints.has_whole_state(tmp_path)


def test_damaged_states_alone_are_none_to_go_on_from(tmp_path):
    assert not checkpoints.has_whole_state(tmp_path)
    state = save(tmp_path, 1)
    assert checkpoints.has_whole_state(tmp_path)
    state.write_bytes(state.read_bytes()[:100])
    assert not checkpoints.has_whole_state(tmp_path)


def test_without_any_checkpoint_there_is_none(tmp_path):
    assert checkpoints.newest(tmp_path / "absent") is None
