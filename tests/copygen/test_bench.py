"""`copygen bench`: its figures are of real work, and what goes wrong is told."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader
from gguf.quants import dequantize

from copygen import cli
from copygen.bench import job, merging, processes
from copygen.bench.limits import Size
from copygen.bench.measuring import COPYGEN, GENERATE, KINDS, LLAMA_CPP, OPENVINO
from copygen.bench.processes import run
from copygen.bench.work import Work
from copygen.generation import weights
from copygen.generation.generator import Sampling
from tests.tiny_models import write_folder

ENGINE = """
import json, sys, time
work = json.load(sys.stdin)
count = sum(part["count"] for part in work["parts"])
slow = {"copygen": 0.001, "float32": 0.003}.get(work["number_format"] or work["engine"], 0.002)
def tell(**message):
    print(json.dumps(message), flush=True)
if work["number_format"] == "bfloat16":
    tell(unsupported="none here")
    sys.exit()
for number in range(count):
    tell(candidates=number + 1)
result = {"number_format": work["number_format"] or "any", "candidates": count}
tell(result={**result, "tokens": 30 * count, "seconds": slow * count, "peak_rss_mib": 100.0})
"""
"""In place of an engine: it writes at once, and says that it took some milliseconds a candidate.
It knows no bfloat16, and its int8 is faster than its float32."""


@pytest.fixture
def tiny_model(tmp_path: Path) -> str:
    """A folder with a model of a few thousand weights."""
    return str(write_folder(tmp_path / "tiny", max_position_embeddings=8192))


@pytest.fixture
def bench(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    tiny_model: str,
) -> Any:
    """The function that runs `copygen bench …`: exit status, standard output, standard error. By
    default its engines are scripts, and its model is a tiny one."""
    monkeypatch.setenv("COPYGEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")

    def run_bench(
        *arguments: str, engine: str = ENGINE, **environment: str
    ) -> tuple[int, str, str]:
        for name, value in ({"COPYGEN_MODEL": tiny_model} | environment).items():
            monkeypatch.setenv(name, value)
        script = tmp_path / "engine.py"
        script.write_text(engine)
        monkeypatch.setattr(processes, "COMMAND", (sys.executable, str(script)))
        monkeypatch.setattr(sys, "argv", ["copygen", "bench", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run_bench


def work(model: str, cache: Path, engine: str, number_format: str, **changes: Any) -> Work:
    """A job of two segments with three candidates each."""
    parts = job.shortened(job.make(weights.resolve(model, cache), 2, 1), 2, 3)
    made = Work(
        engine, number_format, model, str(cache), "cpu", 0, "", Sampling(max_tokens=8), parts
    )
    return replace(made, **changes)


@pytest.mark.parametrize(("engine", "number_format"), [(COPYGEN, "auto"), (GENERATE, "int8")])
def test_an_engine_writes_what_it_is_asked_for(
    tiny_model: str, tmp_path: Path, engine: str, number_format: str
) -> None:
    told: list[int] = []
    done = run(work(tiny_model, tmp_path / "cache", engine, number_format), told.append)
    assert told == [1, 2, 3, 4, 5, 6]
    assert done.candidates == 6
    assert 6 <= done.tokens <= 6 * 8
    assert 0 < done.seconds < done.first_s + done.seconds
    assert 50 < done.peak_rss_mib < 4000
    assert done.number_format in ("float32", "bfloat16", "int8")


def test_the_json_holds_the_job_and_the_results(bench: Any) -> None:
    status, out, _ = bench("--json", "--segments", "4", "--variants", "2", "--runs", "2")
    assert status == 0
    output = json.loads(out)
    assert set(output) == {"job", "results"}
    assert output["job"]["candidates"] == 4 * 2 * 6
    ours, theirs = output["results"]
    assert (ours["engine"], theirs["engine"]) == (COPYGEN, GENERATE)
    assert len(ours["runs"]) == len(theirs["runs"]) == 2
    assert ours["candidates"] == 48
    # Its rate doesn't depend on the number of segments, and it is slow.
    assert theirs["candidates"] == 2 * 12
    assert theirs["number_format"] == "int8"
    assert theirs["candidates_per_s"] == pytest.approx(500)
    assert theirs["tokens_per_s"] == pytest.approx(30 * 500)
    assert theirs["peak_rss_mib"] == 100
    assert 0 < theirs["first_s"] < 20


def test_the_table_ends_with_how_many_times_as_fast_it_is(bench: Any) -> None:
    engine = ENGINE.replace('or work["engine"]', 'if work["engine"] != "copygen" else "copygen"')
    status, out, err = bench("--segments", "1", "--variants", "1", "--runs", "1", engine=engine)
    assert status == 0
    assert out.endswith("copygen is 2.0 times as fast as transformers.generate.\n")
    assert "6/6 candidates" in err


def test_the_curve_and_the_limits_come_with_it(bench: Any) -> None:
    engine = ENGINE.replace('work["number_format"] or "any"', '"float32"')
    status, out, _ = bench(
        *("--curve", "--json", "--engine", COPYGEN, "--variants", "1", "--runs", "1"), engine=engine
    )
    assert status == 0
    output = json.loads(out)
    assert [point["segments"] for point in output["curve"]] == [1, 2, 5, 10, 20, 50]
    assert output["curve"][-1]["candidates"] == 50 * 6
    for limit in (output["limits"]["memory"], output["limits"]["arithmetic"]):
        assert limit["candidates_per_s"] > 0
        assert limit["reached"] > 0


def test_segments_beyond_the_briefs_are_other_prompts(tiny_model: str, tmp_path: Path) -> None:
    parts = job.make(weights.resolve(tiny_model, tmp_path), 25, 1)
    assert len({part.prompt for part in parts}) == 25
    assert all(part.prompt[: part.shared] == parts[0].prompt[: part.shared] for part in parts)
    assert min(part.shared for part in parts) > 1000
    seeds = [part.seed + number for part in parts for number in range(part.count)]
    assert len(set(seeds)) == 25 * 6


@pytest.mark.parametrize(
    ("engine", "named"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9"),
        ("raise SystemExit('no memory for it')", "exit status 1. Its last words: no memory for it"),
        (
            ENGINE.replace('"candidates": count}', '"candidates": 5}'),
            "wrote 5 candidates and not 6",
        ),
        ("print('{\"result\": {\"candi', end='')", "ended with exit status 0. It said nothing"),
        ('print(\'{"error": "it is Monday"}\')', "copygen: it is Monday"),
    ],
)
def test_an_engine_that_fails_is_told_with_status_1(bench: Any, engine: str, named: str) -> None:
    status, out, err = bench(
        "--engine", COPYGEN, "--segments", "1", "--variants", "1", engine=engine
    )
    assert status == 1
    assert out == ""
    assert named in err


@pytest.mark.parametrize(
    ("arguments", "environment", "named"),
    [
        (["--engine", "vllm"], {}, "'vllm' is unknown. There are: copygen, transformers.generate"),
        (["--engine", OPENVINO], {}, "pip install openvino-genai"),
        (["--segments", "0"], {}, "--segments"),
        (["--runs", "0"], {}, "--runs"),
        ([], {"COPYGEN_MODEL": "./none"}, "COPYGEN_MODEL"),
        (
            [],
            {"COPYGEN_GENERATOR": "openai", "COPYGEN_OPENAI_BASE_URL": "http://localhost:1/v1"},
            "COPYGEN_GENERATOR",
        ),
    ],
)
def test_a_mistake_is_named_with_status_2(
    bench: Any,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    environment: dict[str, str],
    named: str,
) -> None:
    monkeypatch.setitem(KINDS, OPENVINO, replace(KINDS[OPENVINO], module="not_installed"))
    status, out, err = bench(*arguments, **environment)
    assert status == 2
    assert out == ""
    assert named in err


def test_an_engine_that_reads_gguf_needs_one(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, LLAMA_CPP, replace(KINDS[LLAMA_CPP], module="json"))
    status, _, err = bench("--engine", LLAMA_CPP)
    assert status == 2
    assert "Name a GGUF file" in err


def test_where_no_format_can_be_computed_it_says_so(bench: Any) -> None:
    engine = 'print(\'{"unsupported": "no such thing"}\')'
    status, _, err = bench("--engine", GENERATE, engine=engine)
    assert status == 1
    assert "transformers.generate computes in no number format here: no such thing" in err


def test_the_merged_file_holds_the_adapter(model_cache: Path, tmp_path: Path) -> None:
    packaged = weights.installed()
    assert packaged is not None
    source = weights.resolve("", model_cache)
    changed = weights.merged(source.folder, weights.adapter_folder())
    changed = {name: each for name, each in changed.items() if ".layers.7." in name}
    merging.write(packaged, changed, tmp_path / "merged.gguf")
    plain, merged = (
        {each.name: each for each in GGUFReader(path).tensors}
        for path in (packaged, tmp_path / "merged.gguf")
    )
    assert plain.keys() == merged.keys()
    for name, theirs in [("attn_v", "self_attn.v_proj"), ("ffn_down", "mlp.down_proj")]:
        found = values(merged[f"blk.7.{name}.weight"])
        wanted = changed[f"model.layers.7.{theirs}.weight"].float().numpy()
        assert np.abs(found - wanted).max() < np.abs(wanted).max() / 127
    for name in ("attn_q", "attn_k"):  # In an order of their own: still near what they were.
        found, before = (values(each[f"blk.7.{name}.weight"]) for each in (merged, plain))
        assert 0 < np.abs(found - before).max() < np.abs(before).max() / 10


def values(tensor: Any) -> Any:
    """A tensor of a GGUF file, in float32."""
    return dequantize(tensor.data, tensor.tensor_type)


def test_a_models_size_counts_what_a_token_is_multiplied_with(tiny_model: str) -> None:
    size = Size.of(Path(tiny_model))
    assert size is not None
    width, vocabulary = 16, 258
    assert size.weights == width * (4 * width + 3 * 2 * width + vocabulary)
    assert size.operations(prompt=100, answer=10) == 10 * (2 * size.weights + 4 * width * 105)
