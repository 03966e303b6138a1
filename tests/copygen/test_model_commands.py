"""`copygen models`, as a user runs it."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from copygen import cli
from copygen.composition import make_writer
from copygen.errors import WeightsMissing
from copygen.generation import weights
from copygen.generation.transformer import TransformerGenerator
from copygen.settings import Settings
from tests.tiny_models import write_folder, write_gguf

COMMIT = "5" * 40
HUB_MODEL = "acme/writer"


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


class Machine:
    """A home and a cache of a test's own, and the commands in them."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.cache = folder / "cache"
        self._monkeypatch, self._capsys = monkeypatch, capsys
        for name in [name for name in os.environ if name.startswith("COPYGEN_")]:
            monkeypatch.delenv(name)
        self.set("COPYGEN_HOME", str(folder / "home"))
        self.set("COPYGEN_CACHE", str(self.cache))
        self.set("COLUMNS", "80")

    def set(self, name: str, value: str) -> None:
        """Set an environment variable of the commands."""
        self._monkeypatch.setenv(name, value)

    def run(self, *arguments: str, model: str = "") -> Done:
        """Run `copygen models …` in this process."""
        self.set("COPYGEN_MODEL", model)
        self._monkeypatch.setattr(sys, "argv", ["copygen", "models", *arguments])
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Done(int(ended.value.code or 0), *self._capsys.readouterr())

    def run_apart(self, *arguments: str, model: str = "") -> Done:
        """Run `copygen models …` in a process of its own: it reads the settings of libraries anew.
        The last line of standard error says whether it imported torch."""
        self.set("COPYGEN_MODEL", model)
        code = (
            "import sys\n"
            "from copygen.__main__ import main\n"
            "try:\n    main()\n"
            "finally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
        )
        command = [sys.executable, "-c", code, "models", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Machine:
    """A fresh one."""
    return Machine(tmp_path, monkeypatch, capsys)


def test_alone_it_shows_the_model_and_the_cache(
    machine: Machine, generator: TransformerGenerator
) -> None:
    shown = machine.run()
    assert shown.returncode == 0
    assert weights.PACKAGE_SHA256 in shown.stdout
    assert shown.stdout.endswith("empty.\n")
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
    assert machine.run("list").stdout == shown.stdout
    model = json.loads(machine.run("--json").stdout)["model"]
    identity = generator.identity
    assert (model["name"], model["sha256"]) == (identity.model, identity.weights_sha256)
    assert model["adapter"] == {"name": identity.adapter, "sha256": identity.adapter_sha256}
    assert model["prompt"] == identity.prompt
    assert (model["converted"], model["problem"]) == (False, None)
    assert not machine.cache.exists()


def test_a_file_of_ones_own_is_pulled_listed_verified_and_removed(
    machine: Machine, tmp_path: Path
) -> None:
    path = str(write_gguf(tmp_path / "tiny.gguf"))
    assert machine.run("pull", model=path).returncode == 0
    listed = json.loads(machine.run("list", "--json", model=path).stdout)
    (entry,) = listed["cache"]["entries"]
    assert listed["model"]["converted"]
    assert listed["model"]["adapter"] is None
    assert (entry["name"], entry["kind"], entry["state"]) == ("tiny", "conversion", "in use")
    assert entry["source"] == listed["model"]["sha256"]
    (other,) = json.loads(machine.run("list", "--json").stdout)["cache"]["entries"]
    assert other["state"] == "unused"

    verified = machine.run("verify", model=path)
    assert verified.returncode == 0
    assert f"COPYGEN_MODEL_SHA256={listed['model']['sha256']}" in verified.stdout
    assert "intact   tiny in the cache: 5 files" in verified.stdout
    weights_file = Path(entry["path"]) / "model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-1] + b"\1")
    damaged = machine.run("verify", "tiny", model=path)
    assert damaged.returncode == 1
    assert "BROKEN   tiny in the cache: model.safetensors has the hash" in damaged.stdout
    assert f"copygen models remove {entry['source'][:12]}" in damaged.stdout
    weights_file.unlink()
    assert "model.safetensors is missing" in machine.run("verify").stdout
    (broken,) = json.loads(machine.run("list", "--json").stdout)["cache"]["entries"]
    assert broken["state"] == "files missing"

    removed = machine.run("remove", entry["source"][:4], model=path)
    assert removed.returncode == 0
    assert "the next start converts it again" in removed.stderr
    assert not Path(entry["path"]).exists()


@pytest.mark.parametrize("arguments", [("list",), ("verify",), ("remove", "--unused")])
def test_looking_after_models_imports_no_torch(
    machine: Machine, arguments: tuple[str, ...]
) -> None:
    done = machine.run_apart(*arguments)
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == "False"


def test_what_is_unused_is_removed_together(machine: Machine, tmp_path: Path) -> None:
    used, unused = (
        machine.cache / "models" / digest[:32] for digest in (weights.PACKAGE_SHA256, "a" * 64)
    )
    leftover = machine.cache / "models" / ".converting-x"
    for folder in (used, unused, leftover):
        folder.mkdir(parents=True)
    (used / "copygen.json").write_text(json.dumps({"source": weights.PACKAGE_SHA256, "files": {}}))
    (machine.cache / "notes.txt").write_text("mine")
    assert machine.run("remove").returncode == 2
    assert machine.run("remove", "x", "--unused").returncode == 2
    unclear = machine.run("remove", "--unused", model=str(tmp_path / "none.gguf"))
    assert unclear.returncode == 2
    assert "none.gguf is not there" in unclear.stderr
    assert unused.exists()
    assert machine.run("remove", "--unused").returncode == 0
    assert used.exists()
    assert not unused.exists()
    assert not leftover.exists()
    assert (machine.cache / "notes.txt").exists()


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("COPYGEN_MODEL", "./none", "is not there"),
        ("COPYGEN_MODEL", "acme/writer", "copygen models pull"),
        ("COPYGEN_MODEL_SHA256", "a" * 64, "COPYGEN_MODEL_SHA256"),
    ],
)
def test_a_model_that_can_not_be_had_is_shown_and_fails_verification(
    machine: Machine, setting: str, value: str, named: str
) -> None:
    machine.set(setting, value)
    model = value if setting == "COPYGEN_MODEL" else ""
    listed = machine.run("list", "--json", model=model)
    assert listed.returncode == 0
    assert named in json.loads(listed.stdout)["model"]["problem"]
    verified = machine.run("verify", model=model)
    assert verified.returncode == 1
    assert "BROKEN" in verified.stdout
    assert named in verified.stdout


def test_weights_with_another_hash_are_not_loaded(settings: Settings) -> None:
    pinned = settings.model_copy(update={"cache": Settings.load().cache, "model_sha256": "a" * 64})
    with pytest.raises(WeightsMissing, match=f"and not {'a' * 16}…"):
        make_writer(pinned)


def test_a_hash_that_is_none_is_refused(machine: Machine) -> None:
    machine.set("COPYGEN_MODEL_SHA256", "abc")
    done = machine.run()
    assert done.returncode == 2
    assert "COPYGEN_MODEL_SHA256: 64 hexadecimal digits" in done.stderr


def git_sha1(content: bytes) -> str:
    """A file's name in git."""
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[str]:
    """A server that answers as the hub does, with one model; its URL."""
    folder = write_folder(tmp_path / "on-the-hub")
    (folder / "code.py").write_text("raise SystemExit")
    (folder / "original").mkdir()
    (folder / "original" / "model.safetensors").write_bytes(b"again")
    contents = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }

    def listing() -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        for name, content in contents.items():
            about = {"type": "file", "path": name, "size": len(content), "oid": git_sha1(content)}
            if name.endswith(".safetensors"):
                digest = hashlib.sha256(content).hexdigest()
                about["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 1}
            found.append(about)
        return found

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            head = {"Content-Type": "application/json", "X-Repo-Commit": COMMIT}
            status, body = 200, b"{}"
            if path == f"/api/models/{HUB_MODEL}/revision/main":
                body = json.dumps({"id": HUB_MODEL, "sha": COMMIT}).encode()
            elif path == f"/api/models/{HUB_MODEL}/tree/{COMMIT}":
                body = json.dumps(listing()).encode()
            elif path.startswith(f"/{HUB_MODEL}/resolve/{COMMIT}/"):
                name = path.split(f"/{COMMIT}/")[1]
                body = contents[name]
                digest = git_sha1(body)
                if name.endswith(".safetensors"):
                    digest = hashlib.sha256(body).hexdigest()
                    head["X-Linked-Etag"] = f'"{digest}"'
                    head["X-Linked-Size"] = str(len(body))
                head["ETag"] = f'"{digest}"'
            else:
                status, head["X-Error-Code"] = 404, "RepoNotFound"
            self.send_response(status)
            for key, value in head.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_model_of_the_hub_is_fetched_once_and_checked_by_its_hashes(
    machine: Machine, hub: str
) -> None:
    machine.set("HF_ENDPOINT", hub)
    machine.set("HF_HUB_OFFLINE", "0")
    missing = machine.run_apart("pull", model="acme/none")
    assert missing.returncode == 2
    assert "acme/none" in missing.stderr
    pulled = machine.run_apart("pull", model=HUB_MODEL)
    assert pulled.returncode == 0, pulled.stderr
    snapshot = machine.cache / "hub" / "models--acme--writer" / "snapshots" / COMMIT
    assert {path.name for path in snapshot.iterdir()} == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json",
    }  # fmt: skip

    machine.set("HF_HUB_OFFLINE", "1")
    assert machine.run_apart("pull", model=HUB_MODEL).returncode == 0
    listed = json.loads(machine.run_apart("list", "--json", model=HUB_MODEL).stdout)
    entries = {each["name"]: each for each in listed["cache"]["entries"]}
    assert entries[HUB_MODEL]["state"] == "in use"
    assert listed["model"]["origin"] == "hub"
    assert (
        "acme/writer in the cache: 5 files" in machine.run_apart("verify", model=HUB_MODEL).stdout
    )
    blob = (snapshot / "tokenizer.json").resolve()
    blob.chmod(0o600)
    blob.write_bytes(b"{}")
    assert machine.run_apart("verify", HUB_MODEL, model=HUB_MODEL).returncode == 1
    removed = machine.run_apart("remove", HUB_MODEL, model=HUB_MODEL)
    assert "the next start fetches it again" in removed.stderr
    assert not snapshot.exists()


def test_a_download_that_was_cut_off_is_not_taken_for_the_model(machine: Machine, hub: str) -> None:
    machine.set("HF_ENDPOINT", hub)
    machine.set("HF_HUB_OFFLINE", "0")
    machine.run_apart("pull", model=HUB_MODEL)
    snapshot = machine.cache / "hub" / "models--acme--writer" / "snapshots" / COMMIT
    (snapshot / "tokenizer.json").unlink()
    machine.set("HF_HUB_OFFLINE", "1")
    listed = json.loads(machine.run_apart("list", "--json", model=HUB_MODEL).stdout)
    assert "copygen models pull" in listed["model"]["problem"]
    machine.set("HF_HUB_OFFLINE", "0")
    assert machine.run_apart("pull", model=HUB_MODEL).returncode == 0
    assert (snapshot / "tokenizer.json").exists()


def test_a_folder_needs_no_cache(machine: Machine, tmp_path: Path) -> None:
    folder = str(write_folder(tmp_path / "mine"))
    assert machine.run("pull", model=folder).returncode == 0
    verified = machine.run("verify", "mine", model=folder)
    assert verified.returncode == 0
    assert "COPYGEN_MODEL_SHA256=" in verified.stdout
    assert not machine.cache.exists()
    shutil.rmtree(folder)
    assert machine.run("verify", model=folder).returncode == 1
