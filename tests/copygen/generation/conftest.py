"""The default model as transformers computes it, to hold the engine against."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from copygen.generation import weights


@dataclass(frozen=True)
class Reference:
    """transformers' model with the packaged adapter, in float32, and its tokenizer."""

    model: Any
    tokenizer: Any

    def ids(self, text: str) -> list[int]:
        found: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return found

    @torch.inference_mode()
    def greedy(self, prompts: Sequence[str], max_tokens: int) -> list[str]:
        """What `generate` writes without sampling; the prompts stand right-aligned in one batch."""
        encoded = [self.ids(prompt) for prompt in prompts]
        longest = max(map(len, encoded))
        ids = torch.tensor([[0] * (longest - len(each)) + each for each in encoded])
        mask = torch.tensor([[0] * (longest - len(each)) + [1] * len(each) for each in encoded])
        written = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            do_sample=False,
            max_new_tokens=max_tokens,
            pad_token_id=self.tokenizer.eos_token_id,
        )
        found: list[str] = self.tokenizer.batch_decode(
            written[:, longest:], skip_special_tokens=True
        )
        return found

    @torch.inference_mode()
    def likelihood(self, prompt: str, text: str) -> float:
        before, ids = self.ids(prompt), self.ids(text)
        logits = self.model(torch.tensor([before + ids])).logits[0, len(before) - 1 : -1]
        return logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).mean().item()


@pytest.fixture(scope="session")
def reference(model_cache: Path) -> Reference:
    folder = weights.resolve("", model_cache).folder
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    merged = weights.merged(folder, Path(weights.__file__).parents[1] / "data" / "adapter")
    model.load_state_dict(merged, strict=False, assign=True)
    return Reference(model.eval(), AutoTokenizer.from_pretrained(folder))
