"""The generator that asks servers, against real ones."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from copygen import schemas
from copygen.errors import GenerationFailed
from copygen.generation import weights
from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.openai import OpenAIGenerator
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services.writing import variables

START_S = 120
STOP_S = 10


@contextmanager
def running(folder: Path, *command: str) -> Iterator[str]:
    """The server that `command` starts, once it answers; its base URL. `PORT` in it is a free one.

    Its output goes to a file in `folder`.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    url = f"http://127.0.0.1:{port}/v1"
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *(port if each == "PORT" else each for each in command)],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_S
        while not answers(f"{url}/models"):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def prompt() -> str:
    """The chat prompt of the example's first segment."""
    examples = data_folder("examples")
    brief = schemas.load(schemas.Brief, examples / "briefs" / "autumn-knitwear.yaml")
    brand = schemas.load(schemas.Brand, examples / "brands" / "harrow-and-pine.yaml")
    chat = Prompt.load(data_folder("prompts"), "chat")
    return chat.render(variables(chat, brand, brief, brief.segments[0], 0))


def write(generator: OpenAIGenerator, seeds: range, sampling: Sampling) -> dict[int, Candidate]:
    """Candidates for the example's prompt, by seed."""
    text = prompt()
    requests = deque(Request(text, seed) for seed in seeds)
    return {request.seed: found for request, found in generator.write(requests, sampling)}


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A folder with a small untrained model, and the default model's tokenizer and chat template."""
    folder = tmp_path_factory.mktemp("small")
    tokenizer = AutoTokenizer.from_pretrained(weights.resolve("", model_cache).folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    model = LlamaForCausalLM(config)
    model.generation_config.do_sample = True
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def transformers_serve(
    small_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """`transformers serve` with the small model; its base URL."""
    folder = tmp_path_factory.mktemp("transformers-serve")
    # The command itself would first ask whether there is a newer version.
    code = "from transformers.cli.transformers import app; app()"
    serve = ("-c", code, "serve", str(small_model), "--device", "cpu")
    with running(folder, *serve, "--host", "127.0.0.1", "--port", "PORT") as url:
        yield url


def test_transformers_serve_writes(transformers_serve: str, small_model: Path) -> None:
    generator = OpenAIGenerator([transformers_serve], str(small_model), concurrency=3)
    written = write(generator, range(1, 7), Sampling(max_tokens=12))
    assert sorted(written) == list(range(1, 7))
    assert len({candidate.text for candidate in written.values()}) == 6
    assert all(candidate.tokens == 12 for candidate in written.values())
    assert not any(candidate.complete for candidate in written.values())


def test_a_model_that_transformers_serve_lacks_is_named(transformers_serve: str) -> None:
    generator = OpenAIGenerator([transformers_serve], "another-model")
    with pytest.raises(GenerationFailed, match="COPYGEN_OPENAI_MODEL is 'another-model'"):
        write(generator, range(1), Sampling())


@pytest.fixture(scope="module")
def llama_cpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The llama.cpp server with the default model; its base URL."""
    path = weights.installed()
    assert path is not None
    folder = tmp_path_factory.mktemp("llama-cpp")
    serve = ("-m", "llama_cpp.server", "--model", str(path), "--n_ctx", "2048")
    with running(folder, *serve, "--host", "127.0.0.1", "--port", "PORT") as url:
        yield url


@pytest.mark.slow
def test_the_llama_cpp_server_writes(llama_cpp: str) -> None:
    generator = OpenAIGenerator([llama_cpp], "SmolLM2", concurrency=2)
    written = write(generator, range(1, 7), Sampling())
    assert sorted(written) == list(range(1, 7))
    # Without its adapter the model seldom keeps to the form, but it speaks of the brief.
    texts = {candidate.text for candidate in written.values()}
    assert len(texts) == 6
    assert any("Harrow" in text for text in texts)
    assert all(1 <= candidate.tokens <= 80 for candidate in written.values())
    assert {candidate.complete for candidate in written.values()} == {True, False}


@pytest.mark.slow
def test_a_prompt_longer_than_the_context_of_llama_cpp_is_named(llama_cpp: str) -> None:
    generator = OpenAIGenerator([llama_cpp], "SmolLM2")
    requests = deque([Request("a word " * 3000, 1)])
    with pytest.raises(GenerationFailed, match="Shorten the brief"):
        list(generator.write(requests, Sampling()))
