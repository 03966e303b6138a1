"""What the cache of model weights holds, and how it is checked and cleared."""

import fcntl
import hashlib
import json
import os
from pathlib import Path

import pytest

from copygen.errors import Conflict, InvalidInput, NotFound
from copygen.generation import cache as caches
from copygen.generation.cache import Entry, Kind, entries, find, remove, verify
from copygen.generation.weights import PACKAGE_SHA256

COMMIT = "5" * 40


def add_conversion(cache: Path, source: str, name: str | None = None) -> Path:
    """A conversion, as far as the cache is concerned."""
    folder = cache / "models" / source[:32]
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights of " + source.encode())
    listed = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    record = {"source": source, "files": listed} | ({"name": name} if name else {})
    (folder / "copygen.json").write_text(json.dumps(record))
    return folder


def add_snapshot(cache: Path, name: str) -> Path:
    """A model as huggingface_hub keeps it: snapshots of links to blobs that are named by hash."""
    folder = cache / "hub" / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (folder / "blobs").mkdir()
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text(COMMIT)
    (cache / "hub" / ".locks" / folder.name).mkdir(parents=True)
    big, small = b"weights of " + name.encode(), b"{}"
    git = hashlib.sha1(b"blob 2\0" + small, usedforsecurity=False).hexdigest()
    contents = {
        "model.safetensors": (hashlib.sha256(big).hexdigest(), big),
        "config.json": (git, small),
    }
    for file, (digest, content) in contents.items():
        (folder / "blobs" / digest).write_bytes(content)
        (snapshot / file).symlink_to(f"../../blobs/{digest}")
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with something of each kind."""
    cache = tmp_path / "cache"
    add_conversion(cache, PACKAGE_SHA256)
    add_conversion(cache, "ab12" + "0" * 60, "writer")
    add_conversion(cache, "ab99" + "0" * 60, "writer")
    add_snapshot(cache, "acme/writer")
    (cache / "models" / ".converting-x").mkdir()
    (cache / "models" / ".lock").touch()
    (cache / "notes.txt").write_text("mine")
    return cache


def test_everything_is_listed_by_name_and_kind(cache: Path) -> None:
    found = [(each.name, each.kind.value, each.source[:4]) for each in entries(cache)]
    assert found == [
        ("SmolLM2-135M-Instruct", "conversion", PACKAGE_SHA256[:4]),
        ("writer", "conversion", "ab12"),
        ("writer", "conversion", "ab99"),
        ("acme/writer", "hub", COMMIT[:4]),
        (".converting-x", "leftover", ""),
        ("notes.txt", "other", ""),
    ]


def test_sizes_are_of_all_files(cache: Path) -> None:
    folder = find(cache, "ab12").path
    before = find(cache, "ab12").size
    (folder / "prepared.safetensors").write_bytes(b"1234")
    assert find(cache, "ab12").size == before + 4


def test_a_cache_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert entries(tmp_path / "none") == []
    with pytest.raises(NotFound, match="holds: nothing"):
        find(tmp_path / "none", "writer")
    assert not (tmp_path / "none").exists()


def test_an_entry_is_found_by_name_or_by_the_start_of_its_hash(cache: Path) -> None:
    assert find(cache, "acme/writer").kind is Kind.HUB
    assert find(cache, "AB12").source.startswith("ab12")
    assert find(cache, ".converting-x").kind is Kind.LEFTOVER
    with pytest.raises(InvalidInput, match=r"several.*ab12.*ab99"):
        find(cache, "writer")


@pytest.mark.parametrize(
    "name", ["", "..", "../..", "/", "ab1", "models", "notes.txt", "../notes.txt", "."]
)
def test_what_is_no_entry_of_ours_is_not_found(cache: Path, name: str) -> None:
    with pytest.raises(NotFound, match="It holds: SmolLM2-135M-Instruct, writer"):
        find(cache, name)


def test_whole_entries_are_intact(cache: Path) -> None:
    assert verify(find(cache, "ab12")) == caches.Findings(1, [], [])
    assert verify(find(cache, "acme/writer")) == caches.Findings(2, [], [])


def test_a_damaged_file_of_a_conversion_is_named(cache: Path) -> None:
    entry = find(cache, "ab12")
    (entry.path / "model.safetensors").write_bytes(b"other weights")
    (damage,) = verify(entry).damage
    assert damage.startswith("model.safetensors has the hash")
    assert verify(entry, hashed=False).damage == []


def test_a_missing_file_is_named_without_hashing(cache: Path) -> None:
    entry = find(cache, "ab12")
    (entry.path / "model.safetensors").unlink()
    assert verify(entry, hashed=False).damage == ["model.safetensors is missing"]


@pytest.mark.parametrize("record", ["", "[]", "{}", '{"files": 1}'])
def test_a_conversion_with_a_broken_record_is_damaged(cache: Path, record: str) -> None:
    entry = find(cache, "ab12")
    (entry.path / "copygen.json").write_text(record)
    (again,) = [each for each in entries(cache) if each.path == entry.path]
    assert verify(again).damage == ["copygen.json is missing or broken"]


def test_files_beside_a_conversion_are_no_damage(cache: Path) -> None:
    entry = find(cache, "ab12")
    (entry.path / "prepared.safetensors").write_bytes(b"1234")
    assert verify(entry) == caches.Findings(1, [], ["prepared.safetensors"])


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_a_damaged_file_of_the_hub_is_named(cache: Path, file: str) -> None:
    entry = find(cache, "acme/writer")
    (entry.path / "snapshots" / COMMIT / file).write_bytes(b"[]")
    (damage,) = verify(entry).damage
    assert file in damage


def test_a_missing_file_of_the_hub_is_named(cache: Path) -> None:
    entry = find(cache, "acme/writer")
    next((entry.path / "blobs").iterdir()).unlink()
    assert len(verify(entry).damage) == 1


@pytest.mark.parametrize("name", ["ab12", "acme/writer", ".converting-x"])
def test_an_entry_is_removed_and_nothing_else(cache: Path, name: str) -> None:
    before = entries(cache)
    entry = find(cache, name)
    remove(entry, cache)
    assert entries(cache) == [each for each in before if each != entry]
    assert not (cache / "hub" / ".locks" / entry.path.name).exists()


def test_what_a_link_leads_to_stays(cache: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    find(cache, "ab12").path.rename(outside)
    (cache / "models" / ("ab12" + "0" * 28)).symlink_to(outside)
    remove(find(cache, "ab12"), cache)
    assert (outside / "model.safetensors").exists()
    with pytest.raises(NotFound):
        find(cache, "ab12")


def test_a_folder_that_leads_out_of_the_cache_is_left_alone(cache: Path, tmp_path: Path) -> None:
    (cache / "models").rename(tmp_path / "outside")
    (cache / "models").symlink_to(tmp_path / "outside")
    entry = find(cache, "ab12")
    with pytest.raises(InvalidInput, match="out of the cache"):
        remove(entry, cache)
    assert (tmp_path / "outside" / entry.path.name).exists()


def test_nothing_is_removed_while_weights_are_converted(cache: Path) -> None:
    entry = find(cache, ".converting-x")
    with (cache / "models" / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Conflict):
            remove(entry, cache)
    assert entry.path.exists()


def test_an_entry_that_may_not_be_removed_is_named(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", os.fspath(path))

    entry: Entry = find(cache, "ab12")
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(InvalidInput, match=r"can't be removed \(Permission denied\)"):
        remove(entry, cache)
