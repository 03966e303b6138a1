"""Decoding by transformers' own model code."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.plain import ROWS, PlainDecoder
from tests.tiny_models import random_model

LETTERS = "abcdefghijklmnopqrstuvwx"
STOP = frozenset({23})
SAMPLING = Sampling(temperature=0.7, top_k=8, max_tokens=20)


def gpt2() -> Any:
    torch.manual_seed(3)
    config = GPT2Config(
        n_layer=2,
        n_embd=32,
        n_head=2,
        vocab_size=24,
        n_positions=128,
        initializer_range=0.3,
        bos_token_id=None,
        eos_token_id=None,
    )
    return GPT2LMHeadModel(config).eval()


MODELS = {
    "llama": random_model,
    "gpt2": gpt2,
    "sliding window": lambda: random_model("MistralForCausalLM", sliding_window=8),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def model(request: pytest.FixtureRequest) -> Any:
    return request.param()


def encode(prompt: str, shared: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    ids = tuple(map(LETTERS.index, prompt))
    return ids[:shared], ids[shared:]


def decode(tokens: Sequence[int]) -> str:
    return "".join(LETTERS[token] for token in tokens)


def written(
    decoder: PlainDecoder, requests: Sequence[Request], sampling: Sampling = SAMPLING
) -> dict[tuple[str, int], Candidate]:
    return {
        (request.prompt, request.seed): candidate
        for request, candidate in decoder.write(deque(requests), sampling)
    }


@pytest.mark.parametrize("prompt", ["a", "hello", "alongerpromptthanthewindow"])
def test_greedy_decoding_equals_generate(model: Any, prompt: str) -> None:
    decoder = PlainDecoder(model, encode, decode, frozenset())
    ids = torch.tensor([encode(prompt, 0)[1]])
    expected = model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        do_sample=False,
        max_new_tokens=24,
        pad_token_id=0,
    )[0, ids.shape[1] :]
    (candidate,) = written(
        decoder, [Request(prompt, 1, 2)], Sampling(top_k=1, max_tokens=24)
    ).values()
    assert candidate.text == decode(expected.tolist())
    assert (candidate.tokens, candidate.complete) == (24, False)


def test_a_text_is_the_same_alone_and_among_others(model: Any) -> None:
    decoder = PlainDecoder(model, encode, decode, STOP)
    requests = [
        Request(prompt, seed) for prompt in ("hello", "good", "evening") for seed in range(ROWS + 8)
    ]
    together = written(decoder, requests)
    assert len(together) == len(requests)
    assert {each.complete for each in together.values()} == {True, False}
    assert written(decoder, requests[::-1]) == together
    for request in requests[::30]:
        alone = written(decoder, [request])
        assert alone == {(request.prompt, request.seed): together[request.prompt, request.seed]}


def test_what_is_added_meanwhile_is_written_too(model: Any) -> None:
    decoder = PlainDecoder(model, encode, decode, STOP)
    requests = deque([Request("hello", 1)])
    stream = decoder.write(requests, SAMPLING)
    assert next(stream)[0].seed == 1
    requests.append(Request("hello", 2))
    assert [request.seed for request, _ in stream] == [2]


def test_likelihood_is_the_mean_log_probability(model: Any) -> None:
    decoder = PlainDecoder(model, encode, decode, STOP)
    prompt = "thebrand"
    texts = ["a", "bcd", "nopqrstuvwabcdefgh", *(LETTERS[number % 20 :] for number in range(ROWS))]
    scores = decoder.likelihood(prompt, [encode(text, 0)[1] for text in texts])
    for text, score in zip(texts, scores, strict=True):
        ids = encode(prompt + text, 0)[1]
        with torch.inference_mode():
            found = model(torch.tensor([ids])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = found.gather(1, torch.tensor(ids[len(prompt) :])[:, None]).mean().item()
        assert score == pytest.approx(expected, abs=1e-3)
    assert decoder.likelihood(prompt, []) == []
