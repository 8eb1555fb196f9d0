"""Downloads end with the right file or with a clear error, whatever the server does."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import pty
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import zoo_catsdogs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo import downloads
from zoo.cli import main
from zoo.downloads import download
from zoo.errors import DataError, ZooError
from zoo.progress import Reporter

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `content`; `script` names the faults of the next answers, "whole" when it is empty."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.script: list[str] = []
        self.seen: list[tuple[str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/cats.zip"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.seen.append((self.path, asked))
        fault = self.server.script.pop(0) if self.server.script else "whole"
        getattr(self, f"answer_{fault.partition(' ')[0]}")(int(asked[6:-1]) if asked else 0, fault.partition(" ")[2])
        self.close_connection = True

    def head(self, status: int, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Connection", "close")
        self.end_headers()

    def part(self, begin: int, **headers: str) -> None:
        span = f"bytes {begin}-{len(self.server.content) - 1}/{len(self.server.content)}"
        self.head(
            206 if begin else 200,
            len(self.server.content) - begin,
            **({"Content_Range": span} if begin else {}),
            **headers,
        )

    def answer_whole(self, begin: int, _: str) -> None:
        self.part(begin)
        self.wfile.write(self.server.content[begin:])

    def answer_truncated(self, begin: int, _: str) -> None:
        self.part(begin)
        self.wfile.write(self.server.content[begin : begin + 100_000])

    def answer_stalled(self, begin: int, _: str) -> None:
        self.part(begin)
        self.wfile.write(self.server.content[begin : begin + 50_000])
        self.wfile.flush()
        self.connection.recv(1)  # until the client hangs up

    def answer_silent(self, begin: int, _: str) -> None:
        self.connection.recv(1)

    def answer_dropped(self, begin: int, _: str) -> None:
        self.connection.close()

    def answer_status(self, begin: int, status: str) -> None:
        self.head(int(status), 0)

    def answer_ignores(self, begin: int, _: str) -> None:
        self.head(200, len(self.server.content))
        self.wfile.write(self.server.content)

    def answer_ignores_and_truncates(self, begin: int, _: str) -> None:
        self.head(200, len(self.server.content))
        self.wfile.write(self.server.content[:80_000])

    def answer_misplaced(self, begin: int, _: str) -> None:
        self.head(206, 10, Content_Range=f"bytes 5-14/{len(self.server.content)}")
        self.wfile.write(self.server.content[5:15])

    def answer_says(self, begin: int, length: str) -> None:
        self.head(200, int(length))
        self.wfile.write(self.server.content)

    def answer_endless(self, begin: int, _: str) -> None:
        self.head(200)
        for _ in range(10):
            self.wfile.write(self.server.content)

    def answer_other(self, begin: int, _: str) -> None:
        self.part(begin)
        self.wfile.write(bytes(len(self.server.content) - begin))

    def answer_page(self, begin: int, _: str) -> None:
        page = b"<!DOCTYPE html><html>Please sign in</html>"
        self.head(200, len(page), Content_Type="text/html; charset=utf-8")
        self.wfile.write(page)

    def answer_moved(self, begin: int, where: str) -> None:
        self.head(302, 0, Location=where)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(downloads, "FIRST_WAIT", 0.001)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    made = Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "cats.zip"


def fetch(server: Server, target: Path, **changes: Any) -> Path:
    given = {"sha256": SHA256, "size": len(CONTENT), "reporter": Reporter(quiet=True), **changes}
    return download(server.url, target, **given)


def nothing_else(target: Path) -> bool:
    """Only the file, or nothing, and the lock are left."""
    return {path.name for path in target.parent.iterdir()} <= {target.name, f"{target.name}.lock"}


def test_a_file_is_downloaded_once(server: Server, target: Path) -> None:
    assert fetch(server, target) == target
    assert target.read_bytes() == CONTENT
    assert nothing_else(target)
    fetch(server, target)
    assert server.seen == [("/cats.zip", None)]


def test_a_file_that_was_changed_is_downloaded_again(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(bytes(len(CONTENT)))
    fetch(server, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", ["truncated", "stalled", "silent", "dropped", "status 503", "status 429"])
def test_what_passes_is_tried_again_and_resumed(
    server: Server, target: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault in ("stalled", "silent"):
        monkeypatch.setattr(downloads, "TIMEOUT", 2.0)  # long enough for a busy machine's own pauses
    server.script = [fault, fault]
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert len(server.seen) == 3
    received = {"truncated": 100_000, "stalled": 50_000}.get(fault, 0)
    assert server.seen[-1][1] == (f"bytes={2 * received}-" if received else None)


def test_an_interrupted_download_goes_on_in_a_new_process(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("cats.zip.part").write_bytes(CONTENT[:123_456])
    fetch(server, target)
    assert server.seen == [("/cats.zip", "bytes=123456-")]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("beginning", [bytes(1_000), bytes(len(CONTENT)), bytes(len(CONTENT) + 5)])
def test_a_beginning_of_another_file_is_found_and_replaced(server: Server, target: Path, beginning: bytes) -> None:
    target.parent.mkdir()
    target.with_name("cats.zip.part").write_bytes(beginning)
    fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert nothing_else(target)


@pytest.mark.parametrize("script", [["truncated", "ignores"], ["truncated", "misplaced"], ["truncated", "status 416"]])
def test_a_server_that_does_not_resume_well_is_got_round(server: Server, target: Path, script: list[str]) -> None:
    server.script = script
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_a_server_that_never_gives_the_whole_file_is_given_up(server: Server, target: Path) -> None:
    server.script = ["ignores_and_truncates"] * 50
    with pytest.raises(
        DataError, match=r"ended after 80\.0 kB of 300 kB, 5 times in a row\. 80\.0 kB of 300 kB are kept"
    ):
        fetch(server, target)
    assert len(server.seen) == 6  # the first brought something new
    assert not target.exists()
    server.script = []
    fetch(server, target)
    assert target.read_bytes() == CONTENT


def test_what_was_too_long_counts_as_nothing_kept(server: Server, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("cats.zip.part").write_bytes(bytes(len(CONTENT) + 5))
    server.script = ["ignores_and_truncates"] * 50
    with pytest.raises(DataError, match=r"5 times in a row\. 80\.0 kB of 300 kB are kept"):
        fetch(server, target)


def test_the_waits_grow(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(downloads.time, "sleep", waits.append)
    monkeypatch.setattr(downloads, "FIRST_WAIT", 1.0)
    server.script = ["status 500"] * 9
    with pytest.raises(DataError, match="the server says 500"):
        fetch(server, target)
    assert waits == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("fault", "match"),
    [
        ("page", "answered with a web page"),
        ("status 404", "the server says 404"),
        ("status 403", "the server says 403"),
        ("says 1000", "has 1,000 bytes now; the file that is known has 300,000"),
        ("says 900000000000", "has 900,000,000,000 bytes now"),
        ("endless", "sends more than the 300,000 bytes"),
        ("moved file:///etc/passwd", "is not allowed"),
        ("moved ftp://127.0.0.1/cats.zip", "not safe to follow"),
    ],
)
def test_what_will_not_pass_is_refused_at_once(server: Server, target: Path, fault: str, match: str) -> None:
    server.script = [fault]
    with pytest.raises(DataError, match=match):
        fetch(server, target)
    assert len(server.seen) == 1
    assert not target.exists()


def test_another_file_of_the_same_size_is_not_kept(server: Server, target: Path) -> None:
    server.script = ["other"]
    with pytest.raises(DataError, match=f"its SHA-256 is .*, and should be {SHA256}"):
        fetch(server, target)
    assert nothing_else(target)
    assert not target.exists()


def test_redirects_are_followed_but_not_in_circles(server: Server, target: Path) -> None:
    server.script = ["moved /elsewhere.zip"]
    fetch(server, target)
    assert [path for path, _ in server.seen] == ["/cats.zip", "/elsewhere.zip"]
    target.unlink()
    server.script = ["moved /cats.zip"] * 99
    with pytest.raises(DataError, match="redirect"):
        fetch(server, target)


def test_a_redirect_out_of_encryption_is_refused() -> None:
    request = urllib.request.Request("https://example.org/cats.zip")
    with pytest.raises(DataError, match="not safe to follow"):
        downloads._Redirects().redirect_request(request, None, 302, "", {}, "http://example.org/cats.zip")  # type: ignore[arg-type]


def test_other_protocols_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="Only http and https"):
        download("file:///etc/passwd", tmp_path / "x", sha256=SHA256, size=1, reporter=Reporter(quiet=True))


def test_the_proxy_of_the_environment_is_used(server: Server, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/cats.zip"))
    url = "http://zoo.invalid/cats.zip"
    download(url, target, sha256=SHA256, size=len(CONTENT), reporter=Reporter(quiet=True))
    assert server.seen == [(url, None)]
    assert target.read_bytes() == CONTENT


def test_a_server_that_is_not_there_is_a_clear_error(server: Server, target: Path) -> None:
    url = f"http://127.0.0.1:{server.server_port}/cats.zip"
    server.script = ["dropped"] * 99
    with pytest.raises(DataError, match=r"can't be downloaded: .*5 times in a row\. The same command goes on"):
        download(url, target, sha256=SHA256, size=len(CONTENT), reporter=Reporter(quiet=True))


def test_two_downloads_of_one_file_take_turns(server: Server, target: Path) -> None:
    server.script = ["truncated"]
    threads = [threading.Thread(target=fetch, args=(server, target)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.read_bytes() == CONTENT
    assert len(server.seen) == 2


FAULTS = ["truncated", "dropped", "status 503", "status 404", "status 416", "ignores", "ignores_and_truncates"]
FAULTS += ["misplaced", "says 1000", "endless", "other", "page", "moved /x.zip", "moved ftp://x/x.zip", "whole"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FAULTS), max_size=8), st.binary(max_size=64))
def test_whatever_a_server_did_the_next_download_is_right(
    server: Server, target: Path, faults: list[str], beginning: bytes
) -> None:
    target.unlink(missing_ok=True)
    target.parent.mkdir(exist_ok=True)
    target.with_name("cats.zip.part").write_bytes(beginning)
    server.script = list(faults)
    try:
        fetch(server, target)
    except DataError:
        assert not target.exists()
        server.script = []
        fetch(server, target)
    assert target.read_bytes() == CONTENT
    assert nothing_else(target)


def test_progress_is_shown(server: Server, target: Path) -> None:
    seen: list[tuple[str, int]] = []

    class Watching(Reporter):
        def note(self, text: str) -> None:
            seen.append((text, -1))

        def advance(self, done: int, detail: str = "") -> None:
            seen.append((detail, done))

    server.script = ["truncated"]
    fetch(server, target, reporter=Watching(quiet=True))
    assert ("100 kB of 300 kB", 100_000) in seen
    assert any("Going on in" in text for text, _ in seen)
    assert seen[-1] == ("checking", 300_000)


def test_a_disk_without_room_is_told_before(server: Server, target: Path) -> None:
    with pytest.raises(ZooError, match=r"The download needs 1000000\.0 TB"):
        fetch(server, target, size=10**18)
    assert server.seen == []


def test_a_disk_that_fills_up_is_told_and_the_download_goes_on_later(
    server: Server, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "require_space", lambda *_: None)
    server.content = CONTENT * 10
    facts = {"sha256": hashlib.sha256(server.content).hexdigest(), "size": len(server.content)}
    with pytest.raises(ZooError, match=r"cats\.zip\.part can't be written: the disk is full"):
        fetch(server, small_disk / "cats.zip", **facts)
    assert len(server.seen) == 1
    assert not (small_disk / "cats.zip").exists()
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert fetch(server, small_disk / "cats.zip", **facts).read_bytes() == server.content
    assert server.seen[1][1] is not None  # from where it stopped


def test_a_folder_that_must_not_be_written_is_told(server: Server, unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with pytest.raises(ZooError, match="can't be written: permission denied"):
        fetch(server, unprivileged / "cats.zip")
    assert server.seen == []


# the commands -----------------------------------------------------------------------------------------------------


@pytest.fixture
def pets(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server that has a small archive in place of Microsoft's, and a machine without cats and dogs."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(10):
            pixels = np.random.default_rng(number).integers(0, 255, (90, 120, 3), np.uint8)
            archive.writestr(f"PetImages/{('Cat', 'Dog')[number % 2]}/{number}.jpg", cv2.imencode(".jpg", pixels)[1])
    server.content = buffer.getvalue()
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.setattr(zoo_catsdogs, "DOWNLOAD", f"{server.url.removesuffix('cats.zip')}kagglecatsanddogs_5340.zip")
    monkeypatch.setattr(zoo_catsdogs, "DOWNLOAD_BYTES", len(server.content))
    monkeypatch.setattr(zoo_catsdogs, "DOWNLOAD_SHA256", hashlib.sha256(server.content).hexdigest())
    return server


def test_the_command_downloads_and_then_the_data_set_is_found(
    pets: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "cache" / "data" / "catsdogs" / "kagglecatsanddogs_5340.zip"
    pets.script = ["truncated"]
    assert main(["data", "prepare", "catsdogs", "--download"]) == 0
    assert place.read_bytes() == pets.content
    assert capsys.readouterr().out == f"{place}\n"
    assert main(["data", "prepare", "catsdogs", "--download", "--size", "16"]) == 0
    assert len(pets.seen) == 2  # it is there: nothing more is fetched
    capsys.readouterr()
    assert main(["data", "info", "catsdogs"]) == 0
    shown = capsys.readouterr().out
    assert f"yes: 10 images of 2 classes\n{' ' * 13}in {place}" in shown
    assert "notes      10 photographs; the whole data set has 25,000\n" in shown
    assert "16x16x3-stretch-area: 10 images, 7.8 kB" in shown


def test_without_a_terminal_nothing_is_downloaded_unasked(pets: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "vgg16", "catsdogs"]) == 4
    assert "zoo data prepare catsdogs --download     (825 MB" in capsys.readouterr().err
    process = start(command=["train", "vgg16", "catsdogs"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _, shown = process.communicate(b"y\n", timeout=60)
    assert process.returncode == 4
    assert b"[y/N]" not in shown
    assert b"heavy: []" in shown
    assert pets.seen == []


def test_download_and_source_exclude_each_other(pets: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "prepare", "catsdogs", "--download", "--source", "x.zip"]) == 2
    assert "--download and --source exclude each other" in capsys.readouterr().err
    assert pets.seen == []


PROGRAM = """
import sys, zoo_catsdogs
zoo_catsdogs.DOWNLOAD, zoo_catsdogs.DOWNLOAD_SHA256, size = sys.argv[1:4]
zoo_catsdogs.DOWNLOAD_BYTES = int(size)
from zoo.cli import main
code = main(sys.argv[4:])
print("heavy:", sorted({"tensorflow", "keras", "cv2", "numpy"} & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def start(**streams: Any) -> subprocess.Popen[bytes]:
    """`zoo` in a process of its own, on the small archive."""
    facts = (zoo_catsdogs.DOWNLOAD, zoo_catsdogs.DOWNLOAD_SHA256, str(zoo_catsdogs.DOWNLOAD_BYTES))
    command = streams.pop("command")
    # a shell's background job ignores Ctrl-C, and so would what it starts
    listens = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *facts, *command], preexec_fn=listens, **streams)


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"y\n"])
def test_on_a_terminal_it_asks(pets: Server, answer: bytes) -> None:
    ours, theirs = pty.openpty()
    process = start(command=["train", "vgg16", "catsdogs"], stdin=theirs, stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 10_000)
    assert b"Download catsdogs now (825 MB)?" in shown
    assert pets.seen == []
    os.write(ours, answer)
    if answer != b"y\n":
        assert process.wait(60) == 4
        assert pets.seen == []
    else:
        while not pets.seen:
            time.sleep(0.01)
            assert process.poll() is None
        process.kill()
    process.communicate()
    os.close(ours)


def test_ctrl_c_keeps_what_has_come_and_says_how_to_go_on(
    pets: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = tmp_path / "cache" / "data" / "catsdogs" / "kagglecatsanddogs_5340.zip.part"
    pets.script = ["stalled"] * 2
    process = start(command=["data", "prepare", "catsdogs", "--download"], stderr=subprocess.PIPE)
    while not (part.exists() and part.stat().st_size == 50_000):
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, shown = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"go on with: zoo data prepare catsdogs --download" in shown
    assert part.stat().st_size == 50_000
    assert main(["train", "vgg16", "catsdogs"]) == 4
    assert "catsdogs: a download that was interrupted; --download goes on with it" in capsys.readouterr().err
    assert main(["data", "prepare", "catsdogs", "--download"]) == 0
    assert "bytes=50000-" in [asked for _, asked in pets.seen]
