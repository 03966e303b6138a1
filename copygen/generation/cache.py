"""What the cache of model weights holds: conversions, models of the hub, and what is left over."""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from copygen.errors import Conflict, InvalidInput, NotFound
from copygen.generation import conversion, files, hub, weights

SHORTEST_PREFIX = 4
"""Digits of a hash that name an entry, at least."""

_CONVERSION = re.compile(r"[0-9a-f]{32}")
_BLOB = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_LOCKS = ".locks"
_HUB_OWN = (_LOCKS, "CACHEDIR.TAG")


class Kind(StrEnum):
    """What an entry of the cache is."""

    CONVERSION = "conversion"
    PREPARED = "prepared"
    HUB = "hub"
    LEFTOVER = "leftover"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in the cache."""

    name: str
    kind: Kind
    """A leftover is of a conversion that was cut off, or one that is being made. Other things are
    not copygen's: they are shown, and never removed."""

    path: Path
    size: int
    """In bytes, of all its files."""

    source: str
    """SHA-256 of the file it was converted from, or the hub's commit; may be empty."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What verifying an entry found: how many files have their recorded hash, what is damaged or
    missing, and the names of files without a recorded hash."""

    intact: int
    damage: list[str]
    unrecorded: list[str]


def entries(cache: Path) -> list[Entry]:
    """All that the cache holds, by kind and name. Nothing is hashed."""
    found = [
        *(_model_entry(path) for path in _inside(cache / conversion.FOLDER)),
        *(_prepared_entry(path) for path in _inside(cache / conversion.PREPARED)),
        *(_hub_entry(path) for path in _inside(cache / hub.FOLDER)),
        *(
            _entry(path, path.name, Kind.OTHER)
            for path in _inside(cache)
            if path.name not in (conversion.FOLDER, conversion.PREPARED, hub.FOLDER)
        ),
    ]
    return sorted((each for each in found if each), key=lambda each: (each.kind, each.name))


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InvalidInput(
            f"COPYGEN_CACHE: {folder} can't be read ({error.strerror}).", field="COPYGEN_CACHE"
        ) from error


def _entry(path: Path, name: str, kind: Kind, source: str = "") -> Entry:
    return Entry(name, kind, path, _size(path), source)


def _size(path: Path) -> int:
    """Bytes of a file, or of all files under a folder, as far as they can be read; a link counts
    for itself."""
    try:
        if path.is_symlink() or not path.is_dir():
            return path.lstat().st_size
        return sum(_size(each) for each in path.iterdir())
    except OSError:  # Not ours to read, or gone meanwhile: an unfinished folder comes and goes.
        return 0


def _model_entry(path: Path) -> Entry | None:
    if path.name == conversion.LOCK:
        return None
    if path.name.startswith(conversion.UNFINISHED):
        return _entry(path, path.name, Kind.LEFTOVER)
    if not path.is_dir() or not _CONVERSION.fullmatch(path.name):
        return _entry(path, f"{conversion.FOLDER}/{path.name}", Kind.OTHER)
    record = _record(path)
    source = str(record.get("source", path.name))
    packaged = source == weights.PACKAGE_SHA256
    name = record.get("name") or (weights.DEFAULT_NAME if packaged else path.name)
    return _entry(path, str(name), Kind.CONVERSION, source)


def _prepared_entry(path: Path) -> Entry | None:
    if path.name.lstrip(".").startswith(conversion.CHOICES):
        return None
    if path.name.startswith(conversion.UNFINISHED):
        return _entry(path, path.name, Kind.LEFTOVER)
    record = _record(path)
    if not record:
        return _entry(path, f"{conversion.PREPARED}/{path.name}", Kind.OTHER)
    name = f"{record.get('name', '')}@{path.name[33:]}"  # After 32 digits of the hash: what it is.
    return _entry(path, name, Kind.PREPARED, str(record.get("source", "")))


def _record(folder: Path) -> dict[str, Any]:
    try:
        record = json.loads((folder / conversion.RECORD).read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _hub_entry(path: Path) -> Entry | None:
    if path.name in _HUB_OWN:
        return None
    kind, _, name = path.name.partition("--")
    if kind != "models" or not path.is_dir():
        return _entry(path, f"{hub.FOLDER}/{path.name}", Kind.OTHER)
    try:
        commit = (path / "refs" / "main").read_text().strip()
    except (OSError, ValueError):
        commit = ""
    return _entry(path, name.replace("--", "/"), Kind.HUB, commit)


def find(cache: Path, name: str) -> Entry:
    """The entry that `name` means: by its name, or by the first digits of its source.

    Raises:
        NotFound: there is none; the message says what there is.
        InvalidInput: there are several.
    """
    ours = [each for each in entries(cache) if each.kind is not Kind.OTHER]
    found = [each for each in ours if each.name == name]
    if not found and len(name) >= SHORTEST_PREFIX:
        found = [
            each
            for each in ours
            if each.source.startswith(name.lower()) and each.kind is not Kind.PREPARED
        ]
    if not found:
        held = ", ".join(each.name for each in ours) or "nothing"
        raise NotFound(f"The cache has no {name!r}. It holds: {held}.")
    if len(found) > 1:
        several = ", ".join(f"{each.source[:16]} ({each.name})" for each in found)
        raise InvalidInput(f"{name!r} means several. Name one by its hash: {several}.")
    return found[0]


def verify(entry: Entry, *, hashed: bool = True) -> Findings:
    """Compare an entry's files with the hashes that are recorded of them; where not `hashed`, only
    see that they are there."""
    intact, damage, unrecorded = 0, [], []
    recorded = _recorded(entry)
    if recorded is None:
        return Findings(0, [f"{conversion.RECORD} is missing or broken"], [])
    for path, digest in sorted(recorded.items()):
        name = path.relative_to(entry.path).as_posix()
        try:
            if not path.is_file():
                damage.append(f"{name} is missing")
            elif not digest:
                unrecorded.append(name)
            elif hashed and (found := _digest(path, like=digest)) != digest:
                damage.append(f"{name} has the hash {found[:16]}… and not {digest[:16]}…")
            else:
                intact += 1
        except OSError as error:
            damage.append(f"{name} can't be read ({error.strerror})")
    return Findings(intact, damage, unrecorded)


def _recorded(entry: Entry) -> dict[Path, str] | None:
    """Each file of an entry with the hash it should have, or "" where none is recorded."""
    if entry.kind in (Kind.CONVERSION, Kind.PREPARED):
        listed = _record(entry.path).get("files")
        if not isinstance(listed, dict):
            return None
        others = {path.name for path in entry.path.iterdir()} - {conversion.RECORD, *listed}
        return {
            entry.path / name: digest
            for name, digest in {**listed, **dict.fromkeys(others, "")}.items()
        }
    if entry.kind is Kind.HUB:
        return {
            path: _blob(path)
            for path in (entry.path / "snapshots").rglob("*")
            if path.is_symlink() or not path.is_dir()
        }
    return {}


def _blob(path: Path) -> str:
    """The hash of a file of the hub: a link to a blob that is named by it."""
    name = path.readlink().name if path.is_symlink() else ""
    return name if _BLOB.fullmatch(name) else ""


def _digest(path: Path, like: str) -> str:
    if len(like) == 64:
        return files.sha256(path)
    # As git hashes a file: the hub names its small files by that.
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def remove(entry: Entry, cache: Path) -> None:
    """Remove an entry. Links are removed, and what they lead to stays.

    Raises:
        Conflict: a conversion is being made right now.
        InvalidInput: it leads out of the cache, or the system refuses.
    """
    if not entry.path.parent.resolve().is_relative_to(cache.resolve()):
        raise InvalidInput(
            f"{entry.path} leads out of the cache ({entry.path.parent.resolve()}). Remove it "
            "yourself.",
            field="name",
        )
    with conversion.locked(cache, wait=False) as held:
        if not held:
            raise Conflict("Another process converts weights right now. Wait until it is done.")
        locks = entry.path.parent / _LOCKS / entry.path.name
        try:
            for path in (entry.path, locks):
                if path.is_symlink():
                    path.unlink()
                elif path.is_dir():
                    shutil.rmtree(path)
        except OSError as error:
            raise InvalidInput(
                f"{error.filename or entry.path} can't be removed ({error.strerror}).", field="name"
            ) from error
