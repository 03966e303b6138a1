"""One engine at its job, in a process of its own: so memory and start are its alone.

Reads a request as JSON from standard input and writes what was measured as one line of JSON.
"""

import contextlib
import json
import os
import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from copygen.bench.job import Job
from copygen.bench.peers import LlamaCpp, OpenVino
from copygen.generation import weights
from copygen.generation.generator import Request

Candidates = Iterator[int]
"""Tokens of each candidate, its end among them, as it is finished."""

Start = Callable[[Job], Candidates]

MIB = 1 << 20
FORMATS = ("float32", "bfloat16", "int8")


def ours(settings: dict[str, Any], _: str) -> tuple[Start, str]:
    """copygen's own generator."""
    from copygen.generation.transformer import TransformerGenerator

    generator = TransformerGenerator(
        settings["model"],
        Path(settings["cache"]),
        settings["device"],
        settings["threads"],
        settings["number_format"],
    )

    def start(job: Job) -> Candidates:
        requests = deque(
            Request(text, place * 1000 + number, shared, place)
            for place, (text, shared) in enumerate(job.prompts)
            for number in range(job.candidates)
        )
        for _, candidate in generator.write(requests, job.sampling):
            yield candidate.tokens

    return start, generator.identity.number_format


def generate(settings: dict[str, Any], number_format: str) -> tuple[Start, str]:
    """transformers' own `generate`, called for each segment, with the same weights."""
    import torch

    from copygen.generation.loading import load

    if settings["threads"]:
        torch.set_num_threads(settings["threads"])
    source = weights.resolve(settings["model"], Path(settings["cache"]))
    loaded, tokenizer = load(source, torch.float32)
    model: Any = loaded
    if source.is_default:
        adapted = weights.merged(source.folder, weights.adapter_folder())
        model.load_state_dict(adapted, strict=False, assign=True)
    if number_format == "bfloat16":
        model = model.bfloat16()
    if number_format == "int8":
        quantize: Any = torch.ao.quantization.quantize_dynamic
        model = quantize(model, {torch.nn.Linear}, dtype=torch.qint8)
    end = tokenizer.eos_token_id

    def start(job: Job) -> Candidates:
        for text, _ in job.prompts:
            ids: Any = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
            with torch.inference_mode():
                written = model.generate(
                    input_ids=ids,
                    attention_mask=torch.ones_like(ids),
                    do_sample=True,
                    temperature=job.sampling.temperature,
                    top_k=job.sampling.top_k,
                    top_p=1.0,
                    max_new_tokens=job.sampling.max_tokens,
                    num_return_sequences=job.candidates,
                    pad_token_id=end,
                )
            for row in written[:, ids.shape[1] :].tolist():
                yield row.index(end) + 1 if end in row else len(row)

    return start, number_format


def peer(kind: type[OpenVino] | type[LlamaCpp], settings: dict[str, Any]) -> tuple[Start, str]:
    """An engine that reads the base weights' GGUF file."""
    found = weights.installed()
    if found is None:
        raise FileNotFoundError(weights.REQUIREMENT)
    folder = weights.resolve("", Path(settings["cache"])).folder
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    engine = kind(
        str(found),
        lambda text: tokenizer.encode(text, add_special_tokens=False).ids,
        settings["threads"] or os.cpu_count() or 1,
    )
    return engine.write, kind.number_format


ENGINES: dict[str, Callable[[dict[str, Any], str], tuple[Start, str]]] = {
    "copygen": ours,
    "transformers.generate": generate,
    "openvino-genai": lambda settings, _: peer(OpenVino, settings),
    "llama.cpp": lambda settings, _: peer(LlamaCpp, settings),
}

MODULES = {"openvino-genai": "openvino_genai", "llama.cpp": "llama_cpp"}
"""What must be importable for the engines that copygen doesn't depend on."""


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Load the engine of a request, and do its jobs."""
    start, number_format = ENGINES[request["engine"]](request["settings"], request["number_format"])
    jobs = []
    first_s = None
    for record in request["jobs"]:
        began = time.perf_counter()
        candidates = tokens = 0
        for count in start(Job.of(record)):
            # By the clock on the wall: the process started before its own one ran.
            first_s = first_s or time.time() - request["started"]
            candidates, tokens = candidates + 1, tokens + count
        seconds = time.perf_counter() - began
        jobs.append({"candidates": candidates, "tokens": tokens, "seconds": seconds})
    return {
        "number_format": number_format,
        "first_s": first_s,
        "peak_rss_mib": _peak_rss() / MIB,
        "jobs": jobs,
    }


def _peak_rss() -> int:
    """The most memory that this process had resident, in bytes."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):  # Unlike rusage's, not that of whoever started it.
                return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.stdin.read()))))
