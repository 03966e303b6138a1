"""Many rows at once: what each one writes is its own."""

import gc
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import torch
from scipy.stats import chi2

from copygen.generation.decoding import HOPELESS_EVERY, ROWS, Decoder
from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.llama import BLOCK, Llama, extracted
from copygen.generation.matrices import (
    FORMATS,
    BFloat16,
    Float32,
    Format,
    Int8,
    activation_limit,
    held,
    quantized,
)
from tests.tiny_models import random_model

LETTERS = "abcdefghijklmnopqrstuvwx"
"""Each a token."""

STOP = frozenset({23})
SHARED = "thebrandsvoice"
SAMPLING = Sampling(temperature=0.7, top_k=8, max_tokens=30)


def encode(prompt: str, shared: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    ids = tuple(map(LETTERS.index, prompt))
    split = min(shared, len(ids) - 1)
    return ids[:split], ids[split:]


def decode(tokens: Sequence[int]) -> str:
    return "".join(LETTERS[token] for token in tokens)


@pytest.fixture(scope="module")
def model() -> Any:
    return random_model(hidden_size=64, intermediate_size=96)


def decoding(model: Any, number_format: Format = "float32", stop: frozenset[int] = STOP) -> Decoder:
    shape, tensors = extracted(model)

    def matrix(name: str) -> Float32 | BFloat16 | Int8:
        weight, bias = tensors[name], tensors.get(f"{name}.bias")
        if number_format == "int8":
            return Int8(*quantized(weight), bias)
        return (Float32 if number_format == "float32" else BFloat16)(weight, bias)

    with torch.inference_mode():
        return Decoder(Llama(shape, tensors, matrix, held(number_format)), encode, decode, stop)


@pytest.fixture
def decoder(model: Any) -> Decoder:
    return decoding(model)


def written(
    decoder: Decoder, requests: Sequence[Request], sampling: Sampling = SAMPLING
) -> dict[tuple[str, int], Candidate]:
    return {
        (request.prompt, request.seed): candidate
        for request, candidate in decoder.write(deque(requests), sampling)
    }


def many(count: int, **changes: Any) -> list[Request]:
    """Requests of seven segments behind the same beginning, of 1 to 37 letters."""
    segments = [("segmnt" * 7)[: 1 + 6 * number] for number in range(7)]
    return [
        Request(SHARED + segments[seed % 7], seed, len(SHARED), **changes) for seed in range(count)
    ]


def test_a_row_ends_at_a_stop_token_or_at_the_longest(decoder: Decoder) -> None:
    candidates = written(decoder, many(40)).values()
    assert {each.complete for each in candidates} == {True, False}
    for each in candidates:
        assert LETTERS[23] not in each.text
        assert each.tokens == len(each.text) + each.complete
        assert each.complete or each.tokens == SAMPLING.max_tokens


def test_the_log_probability_is_the_models(decoder: Decoder, model: Any) -> None:
    for (prompt, _), each in written(decoder, many(9)).items():
        ids = [*map(LETTERS.index, prompt + each.text), *([23] if each.complete else [])]
        with torch.inference_mode():
            found = model(torch.tensor([ids])).logits[0].log_softmax(-1)
        start = len(prompt)
        own = [found[place - 1, ids[place]].item() for place in range(start, len(ids))]
        assert each.logprob == pytest.approx(sum(own) / len(own), abs=1e-3)


def pairs(model: Any, prompt: str, temperature: float, top_k: int) -> torch.Tensor:
    """Exact probabilities of the next two tokens, of shape (24, 24)."""

    def drawn(ids: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            logits = model(ids).logits[:, -1].double()
        least = logits.topk(top_k).values[:, -1:]
        return (logits / temperature).masked_fill(logits < least, -torch.inf).softmax(-1)

    ids = torch.tensor([list(map(LETTERS.index, prompt))])
    second = drawn(torch.cat((ids.expand(24, -1), torch.arange(24)[:, None]), dim=1))
    return drawn(ids)[0][:, None] * second


@pytest.mark.parametrize(
    ("temperature", "top_k", "right"),
    [(0.7, 8, True), (0.75, 8, False), (0.6, 8, False), (0.7, 7, False), (0.7, 9, False)],
)
def test_tokens_are_drawn_from_the_distribution(
    model: Any, temperature: float, top_k: int, right: bool
) -> None:
    """Held to temperature 0.7 and the top 8; others must be told from them."""
    sampling = Sampling(temperature, top_k, max_tokens=2)
    prompt, count = SHARED + "abc", 10_000
    requests = [Request(prompt, seed, len(SHARED)) for seed in range(count)]
    found = torch.zeros(24, 24)
    decoder = decoding(model, stop=frozenset())
    for each in written(decoder, requests, sampling).values():
        one, other = map(LETTERS.index, each.text)
        found[one, other] += 1
    expected = pairs(model, prompt, temperature=0.7, top_k=8) * count
    possible = expected > 0
    assert expected[possible].min() > 5  # Rarer ones would need grouping.
    off = (found - expected)[possible].square() / expected[possible]
    fits = off.sum().item() < chi2.ppf(0.99, len(off) - 1) and not found[~possible].any()
    assert bool(fits) is right


@pytest.mark.parametrize("number_format", FORMATS)
def test_a_text_is_the_same_alone_and_among_all_others(model: Any, number_format: Format) -> None:
    if number_format == "int8" and not activation_limit():
        pytest.skip("no int8 here")
    requests = many(ROWS + 30)
    together = written(decoding(model, number_format), requests)
    assert len(together) == len(requests)
    backwards = decoding(model, number_format)
    assert written(backwards, requests[::-1]) == together
    assert written(backwards, requests[5:]) == dict(
        item for item in together.items() if item[0][1] >= 5
    )
    for request in requests[::4]:
        alone = written(decoding(model, number_format), [request])
        assert alone == {(request.prompt, request.seed): together[request.prompt, request.seed]}


@pytest.mark.parametrize("number_format", FORMATS)
def test_a_text_is_the_same_where_others_come_late_and_are_cut_off(
    model: Any, number_format: Format
) -> None:
    if number_format == "int8" and not activation_limit():
        pytest.skip("no int8 here")
    kept = many(40)
    expected = written(decoding(model, number_format), kept)
    cut_off = [
        Request(SHARED + "xqr" * 15, seed, len(SHARED), hopeless=lambda text: True)
        for seed in range(20)
    ]
    other_brief = [Request("anothervoice" + "seg" * 4, seed, 12) for seed in range(20)]
    requests = deque(
        each for three in zip(cut_off, kept[:20], other_brief, strict=True) for each in three
    )
    late = deque(kept[20:])
    found = {}
    for request, candidate in decoding(model, number_format).write(requests, SAMPLING):
        found[request.prompt, request.seed] = candidate
        if late:
            (requests.append if len(late) % 2 else requests.appendleft)(late.popleft())
    assert {key: found[key] for key in expected} == expected
    assert len(found) == 80
    assert all(found[each.prompt, each.seed].tokens <= HOPELESS_EVERY for each in cut_off)
    alone = written(decoding(model, number_format), other_brief[:3])
    assert alone == {key: found[key] for key in alone}


def test_what_is_added_after_the_last_is_written_too(decoder: Decoder) -> None:
    first, second, third = many(3)
    requests = deque([first])
    stream = decoder.write(requests, SAMPLING)
    assert next(stream)[0] is first
    requests.append(second)
    assert next(stream)[0] is second
    requests.append(third)
    assert [request for request, _ in stream] == [third]
    assert next(stream, None) is None


def test_no_requests_are_no_candidates(decoder: Decoder) -> None:
    assert list(decoder.write(deque(), SAMPLING)) == []


def test_a_hopeless_row_gives_its_place_to_another(model: Any) -> None:
    decoder = decoding(model, stop=frozenset())
    seen: list[tuple[int, int]] = []

    def watching(key: int) -> Callable[[str], bool]:
        def hopeless(text: str) -> bool:
            seen.append((key, len(text)))
            return key == 0

        return hopeless

    requests = [
        Request(SHARED + "seg", seed, len(SHARED), seed, watching(seed))
        for seed in range(BLOCK + 1)
    ]
    stream = decoder.write(deque(requests), SAMPLING)
    request, candidate = next(stream)
    assert request.key == 0
    assert candidate.tokens == HOPELESS_EVERY == len(candidate.text)
    assert not candidate.complete
    rest = {request.key: candidate for request, candidate in stream}
    assert all(each.tokens == SAMPLING.max_tokens for each in rest.values())
    # The one that waited has as many tokens as it needs for a look while the others have twice that.
    assert seen.index((BLOCK, HOPELESS_EVERY)) < seen.index((1, 3 * HOPELESS_EVERY))
    assert {length % HOPELESS_EVERY for _, length in seen} == {0}


def test_closing_a_stream_frees_what_it_held(decoder: Decoder) -> None:
    def hopeless(text: str) -> bool:
        return False

    watched = weakref.ref(hopeless)
    stream: Any = decoder.write(deque(many(50, hopeless=hopeless)), SAMPLING)
    next(stream)
    stream.close()
    del stream, hopeless
    gc.collect()
    assert watched() is None
    assert len(written(decoder, many(3))) == 3


def test_streams_may_be_read_by_turns(decoder: Decoder) -> None:
    expected = written(decoder, many(60))
    streams: list[Iterator[tuple[Request, Candidate]]] = [
        decoder.write(deque(many(60)[start::2]), SAMPLING) for start in (0, 1)
    ]
    found = {}
    while streams:
        for stream in list(streams):
            pair = next(stream, None)
            if pair is None:
                streams.remove(stream)
            else:
                found[pair[0].prompt, pair[0].seed] = pair[1]
    assert found == expected


def test_threads_may_write_and_score_at_once(decoder: Decoder) -> None:
    expected = written(decoder, many(60))
    texts = [encode(text, 0)[1] for text in ("abc", "defghi", "jk")]
    scores = decoder.likelihood(SHARED, texts)
    found: list[object] = [None] * 3

    def work(number: int) -> None:
        if number == 2:
            found[2] = [decoder.likelihood(SHARED, texts) for _ in range(20)]
        else:
            found[number] = written(decoder, many(60)[:: 1 - 2 * number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected, expected, [scores] * 20]


@pytest.mark.parametrize("prompt", ["a", "ab"])
def test_the_shortest_prompts_are_written_after(decoder: Decoder, prompt: str, model: Any) -> None:
    for shared in range(len(prompt) + 1):
        (candidate,) = written(
            decoder, [Request(prompt, 1, shared)], Sampling(top_k=1, max_tokens=1)
        ).values()
        ids = torch.tensor([list(map(LETTERS.index, prompt))])
        with torch.inference_mode():
            best = model(ids).logits[0, -1].argmax().item()
        assert candidate.text == ("" if best == 23 else LETTERS[best])


def test_likelihood_is_the_mean_log_probability(decoder: Decoder, model: Any) -> None:
    texts = ["a", "bcd", "nopqrstuvwabcdefgh" * 2, "e", *(LETTERS[n % 20 :] for n in range(70))]
    encoded = [tuple(map(LETTERS.index, text)) for text in texts]
    scores = decoder.likelihood(SHARED, encoded)
    for ids, score in zip(encoded, scores, strict=True):
        whole = torch.tensor([[*map(LETTERS.index, SHARED), *ids]])
        with torch.inference_mode():
            found = model(whole).logits[0, len(SHARED) - 1 : -1].log_softmax(-1)
        expected = found.gather(1, torch.tensor(ids)[:, None]).mean().item()
        assert score == pytest.approx(expected, abs=1e-3)
    assert decoder.likelihood(SHARED, []) == []


@pytest.mark.parametrize("number_format", FORMATS)
def test_likelihood_hardly_depends_on_what_else_is_scored(
    model: Any, number_format: Format
) -> None:
    if number_format == "int8" and not activation_limit():
        pytest.skip("no int8 here")
    decoder = decoding(model, number_format)
    texts = [tuple(map(LETTERS.index, (LETTERS * 3)[n % 20 : 2 * n + 1])) for n in range(20, 40)]
    together = decoder.likelihood(SHARED, texts)
    alone = [decoder.likelihood(SHARED, [text])[0] for text in texts]
    assert alone == pytest.approx(together, abs=1e-5 if number_format == "float32" else 5e-3)
