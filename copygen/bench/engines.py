"""One engine at its job, in a process of its own: so memory and start are its alone.

Reads a request as JSON from standard input and writes what was measured as one line of JSON.
"""

import importlib
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from copygen.bench.job import Job
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


def openvino(_: dict[str, Any], __: str) -> tuple[Start, str]:
    """OpenVINO GenAI on the base weights' GGUF, all candidates in one continuous batch."""
    ov: Any = importlib.import_module(MODULES["openvino-genai"])

    scheduler = ov.SchedulerConfig()
    scheduler.enable_prefix_caching = True
    scheduler.cache_size = 1  # GB
    scheduler.max_num_seqs = 64
    pipeline = ov.ContinuousBatchingPipeline(str(_gguf()), scheduler, "CPU")

    def start(job: Job) -> Candidates:
        handles: list[Any] = []
        for place, (text, _) in enumerate(job.prompts):
            for number in range(job.candidates):
                config = ov.GenerationConfig()
                config.do_sample = True
                config.temperature = job.sampling.temperature
                config.top_k = job.sampling.top_k
                config.top_p = 1.0
                config.max_new_tokens = job.sampling.max_tokens
                config.apply_chat_template = False
                config.eos_token_id = 2  # <|im_end|>, in this model's vocabulary
                config.stop_token_ids = {2}
                config.rng_seed = place * 1000 + number
                handles.append(pipeline.add_request(len(handles), text, config))
        while handles:
            pipeline.step()
            for handle in handles:
                if handle.get_status() == ov.GenerationStatus.FINISHED:
                    yield len(handle.read_all()[0].generated_ids)
            handles = [each for each in handles if each.get_status() == ov.GenerationStatus.RUNNING]

    return start, "int4 of the GGUF, as OpenVINO computes it"


def llama_cpp(settings: dict[str, Any], _: str) -> tuple[Start, str]:
    """llama.cpp on the base weights' GGUF, one sequence at a time behind a cached prompt."""
    llama: Any = importlib.import_module(MODULES["llama.cpp"])

    model = llama.Llama(
        str(_gguf()), n_ctx=2048, n_threads=settings["threads"] or None, verbose=False
    )

    def start(job: Job) -> Candidates:
        for place, (text, _) in enumerate(job.prompts):
            for number in range(job.candidates):
                done: Any = model.create_completion(
                    text,
                    temperature=job.sampling.temperature,
                    top_k=job.sampling.top_k,
                    top_p=1.0,
                    min_p=0.0,
                    repeat_penalty=1.0,
                    max_tokens=job.sampling.max_tokens,
                    seed=place * 1000 + number,
                )
                yield done["usage"]["completion_tokens"]

    return start, "Q4_1"


ENGINES: dict[str, Callable[[dict[str, Any], str], tuple[Start, str]]] = {
    "copygen": ours,
    "transformers.generate": generate,
    "openvino-genai": openvino,
    "llama.cpp": llama_cpp,
}

MODULES = {"openvino-genai": "openvino_genai", "llama.cpp": "llama_cpp"}
"""What must be importable for the engines that copygen doesn't depend on."""


def _gguf() -> Path:
    found = weights.installed()
    if found is None:
        raise FileNotFoundError(weights.REQUIREMENT)
    return found


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
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = used / MIB if sys.platform == "darwin" else used * 1024 / MIB
    return {"number_format": number_format, "first_s": first_s, "peak_rss_mib": peak, "jobs": jobs}


if __name__ == "__main__":
    print(json.dumps(run(json.loads(sys.stdin.read()))))
