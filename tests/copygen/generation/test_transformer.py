"""The local generator, with the real model."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from copygen import schemas
from copygen.errors import GenerationFailed, InvalidInput
from copygen.generation import weights
from copygen.generation.generator import Sampling
from copygen.generation.parsing import parse
from copygen.generation.transformer import TransformerGenerator
from copygen.prompts import Prompt
from copygen.resources import data_folder
from copygen.services.writing import variables

ADAPTER = Path(weights.__file__).parents[1] / "data" / "adapter"


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


def test_the_same_seeds_give_the_same_texts(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    seeds = [5, 77, 123_456]
    once = generator.write(prompts[0], seeds, Sampling())
    again = generator.write(prompts[0], seeds, Sampling())
    assert once == again
    assert len({each.text for each in once}) == len(seeds)


def test_most_candidates_are_a_subject_and_a_preview(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    candidates = generator.write(prompts[1], range(32), Sampling())
    well_formed = [each for each in candidates if each.complete and parse(each.text, {})]
    assert len(well_formed) >= 28


def test_greedy_decoding_equals_generate_token_for_token(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    model, tokenizer = generator._model, generator._tokenizer
    for prompt in prompts:
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt").input_ids
        expected = model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=60,
            pad_token_id=0,
        )[0, ids.shape[1] :]
        ours = generator.write(prompt, [1, 2], Sampling(top_k=1, max_tokens=60))
        text = tokenizer.decode(expected, skip_special_tokens=True)
        assert [each.text for each in ours] == [text, text]


def test_likelihood_is_the_mean_log_probability_of_the_tokens(
    generator: TransformerGenerator, prompts: list[str]
) -> None:
    candidates = generator.write(prompts[0], [1, 2, 3], Sampling())
    model, tokenizer = generator._model, generator._tokenizer
    scores = generator.likelihood(prompts[0], [each.text for each in candidates])
    for candidate, score in zip(candidates, scores, strict=True):
        start = tokenizer(prompts[0], add_special_tokens=False).input_ids
        ids = tokenizer(candidate.text, add_special_tokens=False).input_ids
        with torch.inference_mode():
            logits = model(torch.tensor([start + ids])).logits[0, len(start) - 1 : -1]
        logprobs = logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None])
        assert score == pytest.approx(logprobs.mean().item(), abs=1e-3)


# peft still asks by the older name.
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_the_adapter_is_merged_as_peft_merges_it(model_cache: Path) -> None:
    folder = weights.resolve("", model_cache).folder
    ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ours.load_state_dict(weights.merged(folder, ADAPTER), strict=False, assign=True)
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = PeftModel.from_pretrained(base, str(ADAPTER)).merge_and_unload()
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, atol=1e-5, rtol=1e-4)


def test_a_prompt_longer_than_the_context_is_refused(generator: TransformerGenerator) -> None:
    with pytest.raises(GenerationFailed, match="Shorten the brief"):
        generator.write("a word " * 9000, [1], Sampling())


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Path:
    """A folder with a small untrained model, and the default model's tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("small")
    tokenizer = AutoTokenizer.from_pretrained(weights.resolve("", model_cache).folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=1024,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_model_folder_gets_the_chat_prompt_and_no_adapter(
    small_model: Path, model_cache: Path
) -> None:
    other = TransformerGenerator(str(small_model), model_cache, device="cpu")
    assert other.identity.prompt == "chat"
    assert other.identity.adapter == ""
    assert other.identity.model == small_model.name
    (candidate,) = other.write("Hello", [1], Sampling(max_tokens=5))
    assert candidate.tokens == 5
    assert not candidate.complete


def test_an_adapter_for_another_model_is_refused(small_model: Path) -> None:
    with pytest.raises(InvalidInput, match="another model"):
        weights.merged(small_model, ADAPTER)
