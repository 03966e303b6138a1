"""The local generator: a causal language model on CPU or CUDA."""

import gc
import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from copygen.errors import CopygenError, GenerationFailed, InvalidInput
from copygen.generation import weights
from copygen.generation.generator import Candidate, Identity, Request, Sampling

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from copygen.generation.matrices import Format
    from copygen.generation.tokenizing import Text

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

ADAPTER_PROMPT = "brief"
CHAT_PROMPT = "chat"

FormatSetting = Literal["auto", "float32", "bfloat16", "int8"]


class _Decoder(Protocol):
    """What `Decoder` and `PlainDecoder` have in common."""

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]: ...

    def likelihood(self, prompt: str, texts: Sequence[tuple[int, ...]]) -> list[float]: ...


@dataclass(frozen=True, slots=True)
class _Engine:
    """What computes: a decoder, and what there is to say of it."""

    decoder: _Decoder
    text: "Text"
    number_format: str
    decoding: str
    context: int | None


class TransformerGenerator:
    """Loads at construction. Safe to share between threads: one computes at a time.

    The default model gets the packaged adapter and the prompt it was trained on; any other one
    gets the chat prompt with examples.
    """

    def __init__(
        self,
        model: str,
        cache: Path,
        device: str = "auto",
        threads: int = 0,
        number_format: FormatSetting = "auto",
        model_sha256: str = "",
    ) -> None:
        """Load the weights that the setting `model` means.

        Raises:
            InvalidInput, WeightsMissing: the model can't be had or isn't one.
            GenerationFailed: there is no memory for it.
        """
        with ThreadPoolExecutor(max_workers=1) as beside, _uncollected():
            # Hashing the files takes one core, importing takes the other.
            resolving = beside.submit(weights.resolve, model, cache, model_sha256)
            # Imported here since it takes seconds, and most commands need no model.
            import torch

            source = resolving.result()
            self._device = _device(device)
            if threads:
                torch.set_num_threads(threads)
            adapter_sha256 = (
                weights.adapter_sha256(weights.adapter_folder()) if source.is_default else ""
            )
            loading = _Loading(source, adapter_sha256, cache, self._device)
            self._engine = _guarded(lambda: loading.engine(number_format))
        self._identity = Identity(
            generator="transformer",
            model=source.name,
            weights_sha256=source.sha256,
            adapter=weights.ADAPTER if adapter_sha256 else "",
            adapter_sha256=adapter_sha256,
            device=self._device,
            number_format=self._engine.number_format,
            threads=torch.get_num_threads(),
            libraries=f"torch {torch.__version__}",
            prompt=ADAPTER_PROMPT if source.is_default else CHAT_PROMPT,
            decoding=self._engine.decoding,
        )

    @property
    def identity(self) -> Identity:
        """What writes."""
        return self._identity

    def write(
        self, requests: deque[Request], sampling: Sampling
    ) -> Iterator[tuple[Request, Candidate]]:
        """A candidate for each request, as they are finished.

        Raises:
            GenerationFailed: a prompt is empty or longer than the model's context, or memory ran out.
        """
        for request in requests:
            self._fits(request.prompt, sampling.max_tokens)
        written = self._engine.decoder.write(requests, sampling)
        while (each := _guarded(lambda: next(written, None))) is not None:
            yield each

    def likelihood(self, prompt: str, texts: Sequence[str]) -> list[float]:
        """Mean natural log-probability of each text's tokens after `prompt`, at temperature 1."""
        text = self._engine.text
        # An empty text has no likelihood: any one token stands for it.
        encoded = [text.ids(each) or (0,) for each in texts]
        return _guarded(lambda: self._engine.decoder.likelihood(prompt, encoded))

    def _fits(self, prompt: str, more: int) -> None:
        if not prompt:
            raise GenerationFailed("The prompt is empty. Give the prompt file some text.")
        context = self._engine.context
        if context is None or len(prompt) + more <= context:
            return  # No token is shorter than a character.
        length = sum(map(len, self._engine.text.encode(prompt, 0))) + more
        if length > context:
            raise GenerationFailed(
                f"The prompt and its answer take {length} tokens; {self._identity.model} reads "
                f"{context}. Shorten the brief: fewer facts, shorter terms."
            )


class _Loading:
    """The ways from weights to an engine."""

    def __init__(
        self, source: weights.Weights, adapter_sha256: str, cache: Path, device: str
    ) -> None:
        self._source = source
        self._adapter_sha256 = adapter_sha256
        self._cache = cache
        self._device = device

    def engine(self, wanted: FormatSetting) -> _Engine:
        """The engine: from weights prepared before, where it can be."""
        from copygen.generation import prepared

        number_format = self._format(wanted)
        if number_format is not None:
            found = self._prepared(number_format)
            if found is not None:
                return found
        model, tokenizer = self._load()
        stop = _stop_tokens(model, tokenizer)
        text = self._text(tokenizer)
        from copygen.generation.llama import Unfit
        from copygen.generation.preparing import Preparing

        try:
            preparing = Preparing(model, text.ids, stop)
        except Unfit as unfit:
            logger.warning(
                "%s is decoded the plain way, which is slower: %s.", self._source.name, unfit
            )
            return self._plain(model, text, stop, str(unfit))
        del model  # Its weights are taken over, and large.
        logger.warning("Preparing %s for this machine, once …", self._source.name)
        if number_format is None:
            choice = preparing.choose()
            number_format = choice.format
            prepared.remember(self._cache, self._key(), choice)
        source = (self._source.name, self._source.sha256)
        preparing.save(self._folder(number_format), source, number_format)
        del preparing
        made = self._prepared(number_format)
        if made is None:
            raise GenerationFailed(f"{self._folder(number_format)} can't be read back.")
        return made

    def _format(self, wanted: FormatSetting) -> "Format | None":
        """The number format; None where it is to be measured yet."""
        from copygen.generation import matrices, prepared

        if wanted == "int8" and (self._device == "cuda" or not matrices.activation_limit()):
            raise InvalidInput(
                "COPYGEN_NUMBER_FORMAT: int8 can't be computed here. Take auto.",
                field="COPYGEN_NUMBER_FORMAT",
            )
        if wanted != "auto":
            return wanted
        # Half the bytes to read for each token, and every such device computes in it.
        return "bfloat16" if self._device == "cuda" else prepared.chosen(self._cache, self._key())

    def _key(self) -> str:
        from copygen.generation import prepared

        return prepared.machine_key(self._source.sha256, self._adapter_sha256)

    def _folder(self, number_format: "Format") -> Path:
        from copygen.generation import prepared

        return prepared.folder_of(
            self._cache, self._source.sha256, self._adapter_sha256, number_format
        )

    def _prepared(self, number_format: "Format") -> _Engine | None:
        from copygen.generation import prepared
        from copygen.generation.decoding import Decoder

        found = prepared.load(self._folder(number_format), number_format, self._device)
        if found is None:
            return None
        llama, stop = found
        text = self._text(None)
        decoder = Decoder(llama, text.encode, text.decode, stop)
        keys = str(llama.held).removeprefix("torch.")
        decoding = f"{self._way()} {prepared.VERSION}, keys in {keys}"
        return _Engine(decoder, text, number_format, decoding, llama.shape.context)

    def _way(self) -> str:
        return "rows of all segments"

    def _text(self, loaded: "PreTrainedTokenizerBase | None") -> "Text":
        from copygen.generation.loading import load_tokenizer
        from copygen.generation.tokenizing import Text

        chat = not self._source.is_default
        if chat and loaded is None:
            loaded = load_tokenizer(self._source.folder)
        return Text(self._source.folder, loaded, chat)

    def _load(self) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
        import torch

        from copygen.generation.loading import load

        model, tokenizer = load(self._source, torch.float32)
        if self._source.is_default:
            adapted = weights.merged(self._source.folder, weights.adapter_folder())
            model.load_state_dict(adapted, strict=False, assign=True)
        return model, tokenizer

    def _plain(
        self, model: "PreTrainedModel", text: "Text", stop: frozenset[int], why: str
    ) -> _Engine:
        import torch

        from copygen.generation.plain import PlainDecoder

        model.to(torch.device(self._device))  # type: ignore[arg-type]
        if self._device == "cuda":
            model.bfloat16()
        decoder = PlainDecoder(model, text.encode, text.decode, stop)
        number_format = str(model.dtype).removeprefix("torch.")
        context = getattr(model.config, "max_position_embeddings", None)
        return _Engine(decoder, text, number_format, f"plain, since {why}", context)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: importing makes millions of objects, all of them to stay,
    and looking through them again and again takes a fifth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _device(device: str) -> str:
    import torch

    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise InvalidInput("COPYGEN_DEVICE: cuda, but there is none here.", field="COPYGEN_DEVICE")
    return "cuda" if available and device != "cpu" else "cpu"


def _stop_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> frozenset[int]:
    configured: Any = getattr(model.generation_config, "eos_token_id", None)
    stop = set(configured if isinstance(configured, list) else [configured])
    stop.add(tokenizer.eos_token_id)
    return frozenset(token for token in stop if token is not None)


def _guarded(work: Callable[[], Result]) -> Result:
    """Run `work`; out of memory, or any other failure of the engine, becomes an error of ours."""
    try:
        return work()
    except CopygenError:
        raise
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            message = (
                "No memory is left for the model. Close other programs, or take a smaller one."
            )
        else:
            message = f"The model broke off ({type(error).__name__})."
        raise GenerationFailed(message) from error
