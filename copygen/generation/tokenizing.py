"""From prompts to token ids and back, without transformers where its templates aren't needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import Tokenizer

from copygen.errors import InvalidInput

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Tokens = tuple[int, ...]


class Text:
    """A model's tokenizer, and its chat template where it is to be used."""

    def __init__(self, folder: Path, loaded: "PreTrainedTokenizerBase | None", chat: bool) -> None:
        """Take the tokenizer in `folder`, or the `loaded` one, which `chat` needs.

        Raises:
            InvalidInput: the model has no fast tokenizer.
        """
        backend: Any = getattr(loaded, "backend_tokenizer", None)
        if backend is None and (folder / "tokenizer.json").is_file():
            backend = Tokenizer.from_file(str(folder / "tokenizer.json"))
        if backend is None:
            raise InvalidInput(
                f"COPYGEN_MODEL: {folder} has no tokenizer.json. Take a model that has one.",
                field="COPYGEN_MODEL",
            )
        self._tokenizer: Tokenizer = backend
        self._template: Any = loaded if chat and loaded and loaded.chat_template else None

    def encode(self, prompt: str, shared: int) -> tuple[Tokens, Tokens]:
        """Token ids of `prompt`, split at the last token that ends in its first `shared` characters.

        The second part is empty only where the prompt is.
        """
        text, before = prompt, 0
        if self._template is not None:
            chat = [{"role": "user", "content": prompt}]
            text = self._template.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=True
            )
            before = max(text.find(prompt[:shared]), 0)
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        ids = tuple(encoded.ids)
        ends = [end for _, end in encoded.offsets]
        split = sum(end <= before + shared for end in ends) if shared else 0
        split = min(split, len(ids) - 1) if ids else 0
        return ids[:split], ids[split:]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of token ids, without special tokens."""
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def ids(self, text: str) -> Tokens:
        """Token ids of a text by itself."""
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids)
