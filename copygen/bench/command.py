"""What `copygen bench` does."""

import importlib.util
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from copygen.bench.engines import ENGINES, FORMATS, MODULES
from copygen.bench.job import Job, make
from copygen.errors import CopygenError, InvalidInput
from copygen.generation.generator import Sampling
from copygen.generation.transformer import ADAPTER_PROMPT, CHAT_PROMPT
from copygen.settings import Settings

DEFAULT = ("copygen", "transformers.generate")
CURVE = (1, 2, 5, 10, 20, 50)
"""Segments."""

GENERATE_SEGMENTS = 2
"""Of the job, that `generate` is given: it is called for each, so that its rate is the same for all."""

TRIAL_TOKENS = 16
TIMEOUT_S = 1800


def bench(
    settings: Settings,
    engines: list[str],
    segments: int,
    variants: int,
    runs: int,
    *,
    curve: bool,
    as_json: bool,
) -> None:
    """Let each engine do the job, in turn, `runs` times; print each one's best run."""
    chosen = list(dict.fromkeys(engines)) or list(DEFAULT)
    for engine in chosen:
        _check(engine, settings)
    job = make(CHAT_PROMPT if settings.model else ADAPTER_PROMPT, segments, variants)
    number_formats = dict.fromkeys(chosen, "")
    if "transformers.generate" in chosen:
        number_formats["transformers.generate"] = _fastest(settings, job)
    if "copygen" in chosen:
        _tell("preparing copygen, where this is the first start")
        _run(settings, "copygen", "", [replace(job, prompts=job.prompts[:1], candidates=1)])
    measured: dict[str, list[dict[str, Any]]] = {engine: [] for engine in chosen}
    for number in range(runs):
        for engine in chosen:  # In turn, so that a busy minute is nobody's alone.
            _tell(f"run {number + 1} of {runs}: {engine}")
            mine = job
            if engine == "transformers.generate":
                mine = replace(job, prompts=job.prompts[:GENERATE_SEGMENTS])
            found = _run(settings, engine, number_formats[engine], [mine])
            measured[engine].append(found)
            (done,) = found["jobs"]
            _tell(f"  {done['candidates'] / done['seconds']:.2f} candidates a second")
    results = [_result(engine, measured[engine]) for engine in chosen]
    output: dict[str, Any] = {
        "job": {
            "segments": segments,
            "variants": variants,
            "candidates": segments * job.candidates,
            "sampling": asdict(job.sampling),
        },
        "results": results,
    }
    if curve:
        output |= _curve(settings, variants)
    if as_json:
        print(json.dumps(output, indent=2))
    else:
        _print(output)


def _check(engine: str, settings: Settings) -> None:
    """Refuse an engine that can't run, before any time is spent."""
    if engine not in ENGINES:
        raise InvalidInput(
            f"--engine: {engine!r} is unknown. Known: {', '.join(ENGINES)}.", field="engine"
        )
    module = MODULES.get(engine)
    if module is None:
        return
    if importlib.util.find_spec(module) is None:
        package = {"llama_cpp": "llama-cpp-python"}.get(module, engine)
        raise InvalidInput(
            f"--engine: {engine} needs {package}: pip install {package}", field="engine"
        )
    if settings.model:
        raise InvalidInput(
            f"--engine: {engine} is measured with the packaged model alone: unset COPYGEN_MODEL.",
            field="engine",
        )


def _fastest(settings: Settings, job: Job) -> str:
    """The number format that `generate` is fastest in, by a short trial of each."""
    trial = Job(job.prompts[:1], job.candidates, Sampling(max_tokens=TRIAL_TOKENS))
    rates = {}
    for number_format in FORMATS:
        _tell(f"trying transformers.generate in {number_format}")
        try:
            found = _run(settings, "transformers.generate", number_format, [trial, trial])
        except CopygenError:
            if number_format == "float32":
                raise
            continue  # Not every build of torch has it.
        rates[number_format] = found["jobs"][1]["tokens"] / found["jobs"][1]["seconds"]
    return max(rates, key=lambda each: rates[each])


def _run(settings: Settings, engine: str, number_format: str, jobs: list[Job]) -> dict[str, Any]:
    """What an engine measured, in a process of its own."""
    request = {
        "engine": engine,
        "number_format": number_format,
        "jobs": [job.record() for job in jobs],
        "settings": {
            "model": settings.model,
            "cache": str(settings.cache),
            "device": settings.device,
            "threads": settings.threads,
            "number_format": settings.number_format,
        },
        "started": time.time(),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "copygen.bench.engines"],
            input=json.dumps(request),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CopygenError(f"{engine} did not end within {TIMEOUT_S} s.") from error
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise CopygenError(f"{engine} broke off: {last[0]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _result(engine: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The best of an engine's runs, by its candidates a second."""
    rates = [run["jobs"][0]["candidates"] / run["jobs"][0]["seconds"] for run in runs]
    best = runs[rates.index(max(rates))]
    (job,) = best["jobs"]
    return {
        "engine": engine,
        "candidates_per_s": round(max(rates), 2),
        "tokens_per_s": round(job["tokens"] / job["seconds"], 1),
        "first_s": round(min(run["first_s"] for run in runs), 2),
        "peak_rss_mib": round(max(run["peak_rss_mib"] for run in runs)),
        "number_format": best["number_format"],
        "candidates": job["candidates"],
        "runs": [round(rate, 2) for rate in rates],
    }


def _curve(settings: Settings, variants: int) -> dict[str, Any]:
    """What more segments cost, and how far the machine's limits are."""
    from copygen.bench.limits import measure

    _tell(f"the curve: {', '.join(map(str, CURVE))} segments")
    prompt = CHAT_PROMPT if settings.model else ADAPTER_PROMPT
    jobs = [make(prompt, segments, variants) for segments in CURVE]
    found = _run(settings, "copygen", "", jobs)
    if found["number_format"] not in FORMATS:
        raise CopygenError("The model is decoded the plain way: there is no curve of it.")
    limits = measure(settings.model, settings.cache, found["number_format"])
    points = [
        {
            "segments": segments,
            "candidates": job["candidates"],
            "tokens": job["tokens"],
            "seconds": round(job["seconds"], 2),
            "candidates_per_s": round(job["candidates"] / job["seconds"], 2),
            "reading_limit_s": round(job["tokens"] * limits.reading_s, 2),
            "computing_limit_s": round(job["tokens"] * limits.computing_s, 2),
        }
        for segments, job in zip(CURVE, found["jobs"], strict=True)
    ]
    return {"curve": points, "limits": asdict(limits)}


def _print(output: dict[str, Any]) -> None:
    console = Console()
    job = output["job"]
    table = Table(
        *("Engine", "Format", "Candidates/s", "Tokens/s", "First, s", "Memory, MiB"),
        title=f"{job['segments']} segments x {job['variants']} variants, "
        f"{job['candidates']} candidates",
        title_justify="left",
    )
    for each in output["results"]:
        table.add_row(
            each["engine"],
            each["number_format"],
            f"{each['candidates_per_s']:.2f}",
            f"{each['tokens_per_s']:.0f}",
            f"{each['first_s']:.1f}",
            str(each["peak_rss_mib"]),
        )
    console.print(table)
    rates = {each["engine"]: each["candidates_per_s"] for each in output["results"]}
    for engine, rate in rates.items():
        if engine != "copygen" and "copygen" in rates:
            console.print(
                f"copygen writes {rates['copygen'] / rate:.1f} times as fast as {engine}."
            )
    if "curve" not in output:
        return
    table = Table("Segments", "Seconds", "Candidates/s", "Limit: reading, s", "Limit: computing, s")
    for each in output["curve"]:
        keys = ("segments", "seconds", "candidates_per_s", "reading_limit_s", "computing_limit_s")
        table.add_row(*(str(each[key]) for key in keys))
    console.print(table)


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
