"""What `copygen bench` does."""

import json
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from copygen.bench import job, limits, measuring, merging
from copygen.bench.measuring import COPYGEN, DEFAULT, GENERATE
from copygen.bench.processes import Run
from copygen.bench.work import Work
from copygen.errors import InvalidInput
from copygen.generation import weights
from copygen.generation.generator import Sampling
from copygen.generation.weights import Origin, Weights
from copygen.services.writing import CANDIDATES_PER_VARIANT
from copygen.settings import Settings

CURVE = (1, 2, 5, 10, 20, 50)
"""Segments of the cost curve."""

LINEAR = 1.1
"""From where on the cost is linear: a candidate takes at most so many times what it takes in the
largest job."""


def bench(
    settings: Settings,
    engines: Sequence[str],
    segments: int,
    variants: int,
    runs: int,
    *,
    curve: bool,
    as_json: bool,
) -> None:
    """Measure the engines, and print their figures as a table or as JSON.

    Raises:
        InvalidInput: an engine is unknown, not installed, or can't have this model.
        WeightsMissing: the model is not here.
        CopygenError: an engine failed.
    """
    names = measuring.check(engines or DEFAULT)
    if settings.generator != "transformer":
        raise InvalidInput(
            "COPYGEN_GENERATOR: bench measures the model on this machine. Set it to transformer.",
            field="COPYGEN_GENERATOR",
        )
    source = weights.resolve(settings.model, settings.cache, settings.model_sha256)
    parts = job.make(source, max(segments, CURVE[-1] if curve else 0), variants)
    reads_gguf = measuring.needs_gguf(names)
    with tempfile.TemporaryDirectory() as folder, _Bars() as bars:
        work = Work(
            engine=COPYGEN,
            number_format=settings.number_format,
            model=settings.model,
            cache=str(settings.cache),
            device=settings.device,
            threads=settings.threads,
            gguf=str(_gguf(settings, source, Path(folder))) if reads_gguf else "",
            sampling=Sampling(),
            parts=parts[:segments],
        )
        found = measuring.measure(names, work, runs, bars.show)
        found_curve = measuring.curve(work, parts, CURVE, bars.show) if curve else []
    output: dict[str, Any] = {
        "job": _about(work, source, variants, runs),
        "results": [measuring.summary(name, found[name]) for name in names],
    }
    if curve:
        output["curve"] = list(map(_point, CURVE, found_curve))
        output["limits"] = _limits(work, source, found_curve[-1])
    if as_json:
        print(json.dumps(output, indent=2))
    else:
        _print(output)


def _gguf(settings: Settings, source: Weights, folder: Path) -> Path:
    """A GGUF file with the model's weights."""
    origin = weights.origin(settings.model)
    if origin is Origin.FILE:
        return weights.locate(settings.model, settings.cache).path
    packaged = weights.installed()
    if origin is not Origin.PACKAGE or packaged is None:
        raise InvalidInput(
            "COPYGEN_MODEL: openvino-genai and llama.cpp read GGUF. Name a GGUF file, or leave "
            "them out.",
            field="COPYGEN_MODEL",
        )
    target = folder / "merged.gguf"
    merging.write(packaged, weights.merged(source.folder, weights.adapter_folder()), target)
    return target


def _about(work: Work, source: Weights, variants: int, runs: int) -> dict[str, Any]:
    parts = work.parts
    return {
        "model": source.name,
        "adapter": weights.ADAPTER if source.is_default else "",
        "segments": len(parts),
        "variants": variants,
        "candidates": job.candidates(parts),
        "candidates_per_variant": CANDIDATES_PER_VARIANT,
        "prompt_tokens": round(_mean([len(part.ids) for part in parts])),
        "sampling": asdict(work.sampling),
        "runs": runs,
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _point(segments: int, run: Run) -> dict[str, Any]:
    return {
        "segments": segments,
        "candidates": run.candidates,
        "seconds": round(run.seconds, 2),
        **run.record(),
    }


def _limits(work: Work, source: Weights, largest: Run) -> dict[str, Any] | None:
    """What this machine allows, and how much of that the largest job reached; None where the model
    is of another shape than what the limits are known for."""
    size = limits.Size.of(source.folder)
    known = (each for each in limits.BYTES if each == largest.number_format)
    number_format = next(known, None)
    if size is None or number_format is None:
        return None
    found = limits.measure(
        size,
        number_format,
        work.device,
        work.threads,
        prompt=_mean([len(part.ids) for part in work.parts]),
        answer=largest.tokens / largest.candidates,
    )
    for limit in (found["memory"], found["arithmetic"]):
        limit["reached"] = round(largest.candidates_per_s / limit["candidates_per_s"], 4)
    return found


def _print(output: dict[str, Any]) -> None:
    console = Console()
    about = output["job"]
    console.print(
        f"{about['candidates']} candidates: {about['segments']} segments x {about['variants']} "
        f"variants x {CANDIDATES_PER_VARIANT}, prompts of {about['prompt_tokens']} tokens, "
        f"{about['model']}.",
        highlight=False,
    )
    table = Table()
    table.add_column("Engine", no_wrap=True)
    for heading in ("Candidates/s", "Tokens/s", "First", "Peak memory", "Computes in"):
        table.add_column(heading)
    for each in output["results"]:
        table.add_row(
            each["engine"],
            f"{each['candidates_per_s']:.2f}",
            f"{each['tokens_per_s']:.0f}",
            f"{each['first_s']:.1f} s",
            f"{each['peak_rss_mib']:.0f} MiB",
            each["number_format"],
        )
    console.print(table)
    for each in output["results"]:
        console.print(f"{each['engine']}: {each['about']}.", highlight=False)
    rates = {each["engine"]: each["candidates_per_s"] for each in output["results"]}
    if COPYGEN in rates and GENERATE in rates:
        times = rates[COPYGEN] / rates[GENERATE]
        console.print(f"copygen is {times:.1f} times as fast as {GENERATE}.", highlight=False)
    if "curve" in output:
        _print_curve(console, output["curve"])
        _print_limits(console, output["limits"])


def _print_curve(console: Console, curve: list[dict[str, Any]]) -> None:
    table = Table("Segments", "Candidates", "Seconds", "Candidates/s")
    for point in curve:
        table.add_row(
            str(point["segments"]),
            str(point["candidates"]),
            f"{point['seconds']:.1f}",
            f"{point['candidates_per_s']:.2f}",
        )
    console.print(table)
    needed = curve[-1]["candidates_per_s"] / LINEAR
    linear = next(point["segments"] for point in curve if point["candidates_per_s"] >= needed)
    console.print(
        f"From {linear} segments on, time grows with their number. Fewer cost more each: the "
        "brief's beginning is read for few, and as the last candidates are finished nothing takes "
        "their places.",
        highlight=False,
    )


def _print_limits(console: Console, found: dict[str, Any] | None) -> None:
    if found is None:
        console.print("What this machine allows can't be told of such a model.")
        return
    memory, arithmetic = found["memory"], found["arithmetic"]
    console.print(
        f"Memory: {memory['bytes_per_step'] / 1e6:.0f} MB of weights a step, at "
        f"{memory['bytes_per_s'] / 1e9:.1f} GB/s, allow {memory['candidates_per_s']:.1f} "
        f"candidates/s in {memory['rows']} rows; {memory['reached']:.0%} of that is reached.\n"
        f"Arithmetic: {arithmetic['operations_per_candidate'] / 1e9:.1f} G operations a "
        f"candidate, at {arithmetic['operations_per_s'] / 1e9:.0f} G/s in "
        f"{found['number_format']}, allow {arithmetic['candidates_per_s']:.1f} candidates/s; "
        f"{arithmetic['reached']:.0%} of that is reached.",
        highlight=False,
    )


class _Bars:
    """Progress on standard error: one bar a run."""

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("candidates"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task: TaskID | None = None

    def __enter__(self) -> "_Bars":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def show(self, doing: str, done: int, wanted: int) -> None:
        """Take over how far it is; 0 begins a new bar."""
        if self._task is None or not done:
            if self._task is not None:
                self._bars.stop_task(self._task)
            self._task = self._bars.add_task(doing, total=wanted)
        self._bars.update(self._task, completed=done)
