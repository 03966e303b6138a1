"""The local generator, with the real model."""

import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from copygen import schemas
from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation import matrices, weights
from copygen.generation.generator import Candidate, Request, Sampling
from copygen.generation.parsing import parse
from copygen.generation.plain import PlainDecoder
from copygen.generation.tokenizing import Text
from copygen.generation.transformer import TransformerGenerator
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services.writing import variables
from tests.copygen.generation.conftest import Reference
from tests.tiny_models import TOKENS, write_folder

ADAPTER = Path(weights.__file__).parents[1] / "data" / "adapter"
GREEDY = Sampling(top_k=1, max_tokens=24)


@pytest.fixture(scope="module")
def prompts() -> list[str]:
    """The example's prompt for each of its segments."""
    examples = data_folder("examples")
    brief = schemas.load(schemas.Brief, examples / "briefs" / "autumn-knitwear.yaml")
    brand = schemas.load(schemas.Brand, examples / "brands" / "harrow-and-pine.yaml")
    prompt = Prompt.load(data_folder("prompts"), "brief")
    return [
        prompt.render(variables(prompt, brand, brief, segment, seed))
        for seed, segment in enumerate(brief.segments)
    ]


@pytest.fixture(scope="module")
def exact(model_cache: Path) -> TransformerGenerator:
    """The default model in float32."""
    return TransformerGenerator("", model_cache, device="cpu", number_format="float32")


def written(
    generator: TransformerGenerator, requests: Sequence[Request], sampling: Sampling | None = None
) -> dict[tuple[str, int], Candidate]:
    return {
        (request.prompt, request.seed): candidate
        for request, candidate in generator.write(deque(requests), sampling or Sampling())
    }


PRODUCTS = ["rye bread", "wool scarf", "night train", "garden tools", "piano lessons"]
NEWS = ["is back", "costs less", "comes in blue", "ends on Sunday", "is out now"]


def short_prompts() -> list[Request]:
    """Fifty prompts of many lengths, behind the beginning that they share."""
    shared = "Brand: Fenwick. Warm and plain.\nProduct: "
    return [
        Request(f"{shared}{product}\nNews: The {product} {news}\nKind: {kind}\n", 0, len(shared))
        for product in PRODUCTS
        for news in NEWS
        for kind in ("promotional", "informational")
    ]


def test_greedy_decoding_equals_generate_token_for_token(
    exact: TransformerGenerator, reference: Reference
) -> None:
    requests = short_prompts()
    assert len({request.prompt for request in requests}) == 50
    expected = reference.greedy([request.prompt for request in requests], GREEDY.max_tokens)
    found = written(exact, requests, GREEDY)
    assert [found[request.prompt, 0].text for request in requests] == expected
    assert len(set(expected)) > 25


def test_plain_greedy_decoding_equals_generate_too(reference: Reference) -> None:
    tokenizer = reference.tokenizer
    decoder = PlainDecoder(
        reference.model,
        lambda prompt, shared: ((), tuple(reference.ids(prompt))),
        lambda tokens: tokenizer.decode(list(tokens), skip_special_tokens=True),
        frozenset({tokenizer.eos_token_id}),
    )
    requests = short_prompts()[::25]
    sampling = Sampling(top_k=1, max_tokens=12)
    found = [candidate.text for _, candidate in decoder.write(deque(requests), sampling)]
    assert found == reference.greedy([request.prompt for request in requests], 12)


def test_a_text_is_the_same_alone_and_among_all_others(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    """In the number format of this machine."""
    shared = len(prompts[0].partition("\nTo: ")[0])
    watched = [Request(prompt, seed, shared) for seed, prompt in enumerate(prompts)]
    others = [
        Request(f"{prompts[0]}{'More. ' * (seed % 9)}\n", seed, shared, hopeless=hopeless)
        for seed, hopeless in enumerate([lambda text: len(text) > 40, lambda text: False] * 25)
    ]
    waiting = [Request(short_prompts()[seed].prompt, seed, 20) for seed in range(4)]
    requests = deque([*others[:9], watched[0], *waiting, *others[9:40], *watched[1:]])
    late = deque(others[40:])
    found = {}
    for request, candidate in generator.write(requests, Sampling()):
        found[request.prompt, request.seed] = candidate
        if late:
            requests.append(late.popleft())
    for request in (*watched, waiting[1]):
        key = (request.prompt, request.seed)
        assert written(generator, [request]) == {key: found[key]}


def test_the_same_seeds_give_the_same_texts(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    requests = [Request(prompts[0], seed) for seed in (5, 77, 123_456)]
    once = written(generator, requests)
    assert once == written(generator, requests)
    assert len({each.text for each in once.values()}) == 3


def test_most_candidates_are_a_subject_and_a_preview(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    candidates = written(generator, [Request(prompts[1], seed) for seed in range(32)]).values()
    well_formed = [each for each in candidates if each.complete and parse(each.text, {})]
    assert len(well_formed) >= 28


def test_likelihood_is_the_mean_log_probability_of_the_tokens(
    exact: TransformerGenerator, reference: Reference
) -> None:
    prompt = short_prompts()[0].prompt
    texts = ["The rye is back", "Fridays only", "x", "A second loaf for £3.50 — until Sunday 😀"]
    scores = exact.likelihood(prompt, texts)
    expected = [reference.likelihood(prompt, text) for text in texts]
    assert scores == pytest.approx(expected, abs=1e-3)


def test_an_empty_text_has_some_likelihood(generator: TransformerGenerator) -> None:
    empty, other = generator.likelihood("Brand: Fenwick", ["", "Fridays only"])
    assert empty < 0
    assert other == pytest.approx(
        generator.likelihood("Brand: Fenwick", ["Fridays only"])[0], abs=0.02
    )
    assert generator.likelihood("Brand: Fenwick", []) == []


# peft still asks by the older name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_adapter_is_merged_as_peft_merges_it(model_cache: Path, reference: Reference) -> None:
    folder = weights.resolve("", model_cache).folder
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, str(ADAPTER)).merge_and_unload()
    ours = reference.model.state_dict()
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours[name], tensor, atol=1e-5, rtol=1e-4)


def test_a_prompt_longer_than_the_context_is_refused(generator: TransformerGenerator) -> None:
    requests = [Request("Hello", 1), Request("a word " * 9000, 1)]
    with pytest.raises(GenerationFailed, match="Shorten the brief"):
        next(iter(generator.write(deque(requests), Sampling())))


@pytest.mark.parametrize("prompt", ["", "a"])
def test_the_shortest_prompts_end_in_a_text_or_in_a_message(
    generator: TransformerGenerator, prompt: str
) -> None:
    if prompt:
        (candidate,) = written(generator, [Request(prompt, 1, 5)], Sampling(max_tokens=5)).values()
        assert candidate.tokens > 0
    else:
        with pytest.raises(GenerationFailed, match="prompt is empty"):
            written(generator, [Request(prompt, 1)])
    assert len(written(generator, [Request("Hello", 1)], Sampling(max_tokens=5))) == 1


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "No memory is left"),
        (RuntimeError("DefaultCPUAllocator: not enough memory: you tried"), "No memory is left"),
        (RuntimeError("secret copy"), r"^The model broke off \(RuntimeError\)\.$"),
    ],
)
def test_what_breaks_is_told_and_the_next_one_goes_on(
    generator: TransformerGenerator,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    def broken(*_: object) -> Any:
        raise error

    requests = [Request("Hello", seed) for seed in range(3)]
    with monkeypatch.context() as patch:
        patch.setattr("copygen.generation.llama.Llama.step", broken)
        patch.setattr("copygen.generation.llama.Llama.read", broken)
        with pytest.raises(GenerationFailed, match=message):
            written(generator, requests)
        with pytest.raises(GenerationFailed, match=message):
            generator.likelihood("A prompt", ["a text"])
    assert len(written(generator, requests, Sampling(max_tokens=5))) == 3


def test_int8_is_refused_where_it_cant_be_computed(
    model_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrices, "activation_limit", lambda: None)
    with pytest.raises(InvalidInput, match="COPYGEN_NUMBER_FORMAT") as caught:
        TransformerGenerator("", model_cache, device="cpu", number_format="int8")
    assert caught.value.field == "COPYGEN_NUMBER_FORMAT"


def test_int8_is_not_chosen_where_it_cant_be_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("copygen.generation.preparing.activation_limit", lambda: None)
    folder = write_folder(tmp_path / "small")
    made = TransformerGenerator(str(folder), tmp_path / "cache", device="cpu")
    assert made.identity.number_format in ("float32", "bfloat16")


def test_a_model_folder_gets_the_chat_prompt_and_no_adapter(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "small")
    other = TransformerGenerator(str(folder), tmp_path / "cache", device="cpu")
    assert other.identity.prompt == "chat"
    assert other.identity.adapter == ""
    assert other.identity.model == folder.name
    assert other.identity.decoding.startswith("rows of all segments")
    (candidate,) = written(other, [Request("Hello", 1)], Sampling(max_tokens=5)).values()
    assert candidate.tokens == 5
    assert not candidate.complete


def test_another_architecture_is_decoded_the_plain_way(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_folder(tmp_path / "gpt2")
    shape = GPT2Config(
        n_layer=1,
        n_embd=16,
        n_head=2,
        n_positions=64,
        vocab_size=len(TOKENS),
        bos_token_id=None,
        eos_token_id=len(TOKENS) - 1,
    )
    GPT2LMHeadModel(shape).save_pretrained(folder)
    with caplog.at_level(logging.WARNING):
        made = TransformerGenerator(str(folder), tmp_path / "cache", device="cpu")
    (record,) = [each for each in caplog.records if each.name.startswith("copygen")]
    assert "plain way" in record.getMessage()
    assert "GPT2LMHeadModel" in record.getMessage()
    assert made.identity.decoding == "plain, since its architecture is GPT2LMHeadModel"
    assert made.identity.number_format == "float32"
    found = written(made, [Request("Hello", seed) for seed in range(3)], Sampling(max_tokens=5))
    assert len(found) == 3
    assert all(0 < each.tokens <= 5 for each in found.values())
    assert made.likelihood("Hello", ["one", ""])[0] < 0
    with pytest.raises(GenerationFailed, match="prompt is empty"):
        written(made, [Request("", 1)])
    with pytest.raises(GenerationFailed, match="Shorten the brief"):
        written(made, [Request("word " * 20, 1)])


def test_an_adapter_for_another_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="another model"):
        weights.merged(write_folder(tmp_path / "small"), ADAPTER)


def test_a_prompt_is_split_at_the_characters_that_are_shared(model_cache: Path) -> None:
    folder = weights.resolve("", model_cache).folder
    text = Text(folder, None, chat=False)
    prompt = "Brand: Fenwick. Wärme 😀 and more\nProduct: rye"
    whole = sum(text.encode(prompt, 0), ())
    assert list(whole) == AutoTokenizer.from_pretrained(folder)(prompt).input_ids
    for shared in range(len(prompt) + 5):
        before, own = text.encode(prompt, shared)
        assert before + own == whole
        assert own
    assert text.encode("", 3) == ((), ())
