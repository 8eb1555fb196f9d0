"""The frameworks' chatter: held back while all goes well, shown when it explains a failure or was asked for."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

SPEAK = "import os; os.write(2, b'chatter\\n'); os.write(1, b'babble\\n')"


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    cleared = {key: value for key, value in os.environ.items() if not key.startswith(("TF_", "KERAS_"))}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        env={**cleared, **environment},
    )


def test_what_is_written_to_the_descriptors_is_dropped_and_the_streams_work_afterwards():
    done = run(f"""
        import sys
        from zoo import quiet
        print("before")
        with quiet.frameworks():
            {SPEAK}
        print("after")
        print("note", file=sys.stderr)
    """)
    assert (done.stdout, done.stderr) == ("before\nafter\n", "note\n")


def test_a_failure_shows_what_was_held_back():
    done = run(f"""
        from zoo import quiet
        try:
            with quiet.frameworks():
                {SPEAK}
                raise ValueError
        except ValueError:
            pass
    """)
    assert (done.stdout, done.stderr) == ("", "chatter\nbabble\n")


def test_a_failure_that_the_body_handles_shows_nothing():
    done = run(f"""
        from zoo import quiet
        with quiet.frameworks():
            try:
                with quiet.frameworks():
                    {SPEAK}
                    raise ValueError
            except ValueError:
                pass
    """)
    assert (done.stdout, done.stderr) == ("", "")


def test_verbose_holds_nothing_back():
    done = run(f"""
        from zoo import quiet
        with quiet.frameworks(verbose=True):
            {SPEAK}
    """)
    assert (done.stdout, done.stderr) == ("babble\n", "chatter\n")


def test_warnings_of_other_peoples_code_are_seen_and_a_frameworks_own_are_not():
    done = run("""
        import warnings
        from zoo import quiet
        with quiet.frameworks():
            warnings.warn("mine")
            warnings.warn_explicit("theirs", UserWarning, "/site-packages/keras/src/layer.py", 1)
        warnings.warn_explicit("later", UserWarning, "/site-packages/keras/src/layer.py", 1)
    """)
    assert "mine" in done.stderr
    assert "theirs" not in done.stderr
    assert "later" in done.stderr


def test_closed_descriptors_are_no_failure():
    done = run("""
        import os, sys
        from zoo import quiet
        os.close(2)
        with quiet.frameworks():
            pass
        print("done")
    """)
    assert done.stdout == "done\n"


def test_tensorflow_is_silent_when_imported_and_later():
    """Import, device discovery, tracing, conversion: on each of them TensorFlow 2.21 speaks by itself."""
    done = run(
        """
        import sys
        from zoo import quiet
        quiet.import_tensorflow()
        import keras, numpy as np, tensorflow as tf
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
        function = tf.function(model).get_concrete_function(tf.TensorSpec([None, 8, 8, 1], tf.float32))
        function(tf.zeros([1, 8, 8, 1]))
        tf.config.list_physical_devices()
        try:
            tf.reshape(tf.zeros([4]), [3])
        except tf.errors.InvalidArgumentError:
            print(keras.backend.backend())
        """,
        KERAS_BACKEND="jax",
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "tensorflow\n", "")
