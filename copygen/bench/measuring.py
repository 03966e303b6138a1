"""Measuring engines in turn, at the same job."""

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from copygen.bench import job
from copygen.bench.processes import Run, run
from copygen.bench.work import Part, Unsupported, Work
from copygen.errors import CopygenError, InvalidInput

COPYGEN, GENERATE, CACHED, OPENVINO, LLAMA_CPP = (
    "copygen",
    "transformers.generate",
    "transformers.generate-cached",
    "openvino-genai",
    "llama.cpp",
)
DEFAULT = (COPYGEN, GENERATE)


@dataclass(frozen=True, slots=True)
class Kind:
    """How an engine is measured."""

    about: str

    formats: tuple[str, ...] = ("",)
    """Number formats to try; empty: its own choice."""

    trial: int = 8
    """Candidates of the first segment that are written before it counts: to find the fastest format,
    and so that files are in the system's cache."""

    segments: int | None = None
    """How many segments it writes at most: where one takes long, and as long as any other."""

    module: str = ""
    """What it needs installed, where it is optional."""

    requirement: str = ""


KINDS = {
    COPYGEN: Kind("all segments in one stream"),
    GENERATE: Kind(
        "model.generate, once per segment",
        ("float32", "bfloat16", "int8"),
        12,
        segments=2,
    ),
    CACHED: Kind(
        "model.generate, once per segment, behind a cache of its prompt",
        ("float32", "bfloat16", "int8"),
        24,
        segments=5,
    ),
    OPENVINO: Kind(
        "continuous batching, prefix caching",
        ("u8", "f16", "bf16"),
        48,
        module="openvino_genai",
        requirement="openvino-genai",
    ),
    LLAMA_CPP: Kind(
        "sequences in one batch, shared prompt cells",
        module="llama_cpp",
        requirement="llama-cpp-python",
    ),
}

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how many candidates are finished, and how many are wanted."""


def check(engines: Sequence[str]) -> list[str]:
    """The engines, each once.

    Raises:
        InvalidInput: one is unknown, or what it needs is not installed.
    """
    for name in engines:
        if name not in KINDS:
            raise InvalidInput(
                f"--engine: {name!r} is unknown. There are: {', '.join(KINDS)}.", field="engine"
            )
        kind = KINDS[name]
        if kind.module and importlib.util.find_spec(kind.module) is None:
            raise InvalidInput(
                f"--engine: {name} needs the package {kind.requirement}, which is not installed. "
                f"Install it: pip install {kind.requirement}",
                field="engine",
            )
    return list(dict.fromkeys(engines))


def needs_gguf(engines: Sequence[str]) -> bool:
    """Whether one of the engines reads a GGUF file."""
    return any(KINDS[name].module for name in engines)


def measure(
    engines: Sequence[str], work: Work, runs: int, progress: Progress
) -> dict[str, list[Run]]:
    """Each engine's runs, the engines alternating: what disturbs one disturbs the others too.

    `work` holds the whole job; its engine is set here, and its number format where it is not ours.

    Raises:
        CopygenError: an engine failed.
    """
    ready = {name: _tried(_work_of(name, work), progress) for name in engines}
    found: dict[str, list[Run]] = {name: [] for name in engines}
    for number in range(1, runs + 1):
        for name in engines:
            doing = f"{name}, run {number} of {runs}" if runs > 1 else name
            found[name].append(_run(ready[name], doing, progress))
    return found


def _work_of(name: str, work: Work) -> Work:
    limit = KINDS[name].segments or len(work.parts)
    return replace(work, engine=name, parts=work.parts[:limit])


def _tried(work: Work, progress: Progress) -> Work:
    """The work, in the format that writes a trial fastest."""
    kind = KINDS[work.engine]
    formats = kind.formats if work.engine != COPYGEN else (work.number_format,)
    fastest: tuple[float, Work] | None = None
    why = ""
    for each in formats:
        chosen = replace(work, number_format=each)
        trial = replace(chosen, parts=job.shortened(work.parts, 1, kind.trial))
        try:
            tried = _run(trial, f"{work.engine}, trying {each or 'it'}", progress)
        except Unsupported as unsupported:
            why = str(unsupported)
            continue
        if fastest is None or tried.candidates_per_s > fastest[0]:
            fastest = tried.candidates_per_s, chosen
    if fastest is None:
        raise CopygenError(f"{work.engine} computes in no number format here: {why}.")
    return fastest[1]


def _run(work: Work, doing: str, progress: Progress) -> Run:
    wanted = job.candidates(work.parts)
    progress(doing, 0, wanted)
    return run(work, lambda count: progress(doing, count, wanted))


def curve(
    work: Work, parts: Sequence[Part], counts: Sequence[int], progress: Progress
) -> list[Run]:
    """A run of ours for each count of segments, with as many of the parts."""
    return [
        _run(
            replace(work, engine=COPYGEN, parts=parts[:count]),
            f"{COPYGEN}, {count} segments",
            progress,
        )
        for count in counts
    ]


def summary(name: str, runs: Sequence[Run]) -> dict[str, Any]:
    """An engine's figures: the fastest run's rates, the shortest wait for the first candidate, the
    highest peak of memory. What disturbs a run only makes it slower."""
    best = max(runs, key=lambda each: each.candidates_per_s)
    return {
        "engine": name,
        **best.record(),
        "first_s": min(each.record()["first_s"] for each in runs),
        "peak_rss_mib": max(each.peak_rss_mib for each in runs),
        "number_format": best.number_format,
        "candidates": best.candidates,
        "tokens": best.tokens,
        "about": KINDS[name].about,
        "runs": [each.record() for each in runs],
    }
