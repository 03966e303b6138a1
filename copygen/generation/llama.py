"""The forward pass of Llama-like models, made for many rows behind one shared beginning.

transformers' model code serves any model and pays for it: its small steps take longer on a CPU than
the matrices do in int8. This one multiplies the queries of all rows with the beginning's keys at
once, keeps the rows' own keys beside it, and takes its matrices in any number format. A test holds
it equal to transformers for each architecture.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F

from copygen.generation.matrices import Matrix

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ARCHITECTURES = frozenset(
    {"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"}
)

BLOCK = 16
"""Rows, and places for the rows' own keys, come in blocks: within one, the libraries' matrix products
give a row the same bits whatever stands beside it. A single row or odd counts take other kernels."""


class Unfit(Exception):
    """The model is none that this forward pass computes; the message says why."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's weights don't say."""

    layers: int
    heads: int
    groups: int
    """Of heads that share their keys and values."""

    size: int
    """Of a head."""

    epsilon: float
    context: int


@dataclass(frozen=True, slots=True)
class Beginning:
    """Keys and values of tokens that many rows share: (layers, 2, rows, groups, length, size)."""

    states: torch.Tensor
    logits: torch.Tensor
    """After the last token, of shape (rows, vocabulary)."""

    @property
    def length(self) -> int:
        """In tokens."""
        return self.states.shape[4]


@dataclass(frozen=True, slots=True)
class Held:
    """Keys of shape (layers, rows, groups, size, places) and values (layers, rows, groups, places,
    size), for steps to look through."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def places(self) -> int:
        """For tokens."""
        return self.keys.shape[4]

    def put(self, rows: slice, states: torch.Tensor) -> None:
        """Let rows begin with keys and values of shape (layers, 2, 1, groups, length, size)."""
        length = states.shape[4]
        self.keys[:, rows, :, :, :length] = states[:, 0].transpose(3, 4)
        self.values[:, rows, :, :length] = states[:, 1]

    def copy(self, other: "Held", source: int, target: int, length: int) -> None:
        """Let row `target` begin as row `source` of another, or of this one."""
        self.keys[:, target, :, :, :length] = other.keys[:, source, :, :, :length]
        self.values[:, target, :, :length] = other.values[:, source, :, :length]


class Llama:
    """A model, ready to compute. All in float32 but the inside of its matrices and of a step's
    attention."""

    def __init__(
        self,
        shape: Shape,
        tensors: Mapping[str, torch.Tensor],
        matrix: Callable[[str], Matrix],
        held: torch.dtype = torch.float32,
    ) -> None:
        """`tensors`: as `extracted` gives them; `matrix` makes those of two dimensions by name;
        `held`: what steps hold keys and values in."""
        self.shape = shape
        self.held = held
        self._embedding = tensors["embedding"]
        self._norm = tensors["norm"]
        self._frequencies = tensors["frequencies"]
        self._head = matrix("head")
        self._layers = [
            _Layer(
                matrix(f"{layer}.attention"),
                matrix(f"{layer}.output"),
                matrix(f"{layer}.gate_up"),
                matrix(f"{layer}.down"),
                tensors[f"{layer}.attention_norm"],
                tensors[f"{layer}.mlp_norm"],
                tensors.get(f"{layer}.query_norm"),
                tensors.get(f"{layer}.key_norm"),
            )
            for layer in range(shape.layers)
        ]

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self._norm.device

    def read(self, ids: torch.Tensor, before: Beginning) -> tuple[torch.Tensor, torch.Tensor]:
        """Read token ids of shape (rows, length) after `before`, which all rows share.

        Gives the last layer's states, (rows, length, width), and the keys and values of the ids
        alone, in a beginning's shape.
        """
        shape, (rows, length) = self.shape, ids.shape
        start = before.length
        states = torch.empty(
            (shape.layers, 2, rows, shape.groups, length, shape.size), device=self.device
        )
        turns = self._turns(torch.arange(start, start + length, device=self.device))
        # Each id sees all that is before and, of its own row, what is not after it.
        seen = torch.ones((length, start + length), dtype=torch.bool, device=self.device).tril(
            start
        )
        hidden = self._embedding[ids.flatten()].float()
        for index, layer in enumerate(self._layers):
            made = self._attending(layer, hidden, turns.repeat(rows, 1))
            queries, keys, values = (
                part.reshape(rows, length, -1, shape.size).transpose(1, 2)
                for part in self._parts(made)
            )
            states[index, 0], states[index, 1] = keys, values
            shared_keys, shared_values = before.states[index].expand(-1, rows, -1, -1, -1)
            keys = torch.cat((shared_keys, keys), dim=2)
            values = torch.cat((shared_values, values), dim=2)
            mixed = F.scaled_dot_product_attention(
                queries, keys, values, attn_mask=seen, scale=1.0, enable_gqa=True
            )
            hidden = self._mixed(layer, hidden, mixed.transpose(1, 2).flatten(0, 1).flatten(1))
        return hidden.view(rows, length, -1), states

    def nothing(self) -> Beginning:
        """The beginning before any token."""
        shape = self.shape
        states = torch.empty((shape.layers, 2, 1, shape.groups, 0, shape.size), device=self.device)
        return Beginning(states, torch.empty((1, 0), device=self.device))

    def begin(self, ids: torch.Tensor, before: Beginning) -> Beginning:
        """Read ids of shape (rows, length) to go on from; `before` is not repeated in it."""
        hidden, states = self.read(ids, before)
        return Beginning(states, self.logits(hidden[:, -1]))

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """Logits of states of shape (count, width): (count, vocabulary)."""
        norm = F.rms_norm(hidden, hidden.shape[-1:], self._norm, self.shape.epsilon)
        return self._head(_blocked(norm))[: len(hidden)]

    def hold(self, rows: int, places: int) -> Held:
        """Room for so many rows' keys and values, `places` tokens each. All zeros: what no token has
        written yet is multiplied too, by weights of zero."""
        shape = (self.shape.layers, rows, self.shape.groups)
        size = self.shape.size
        empty = partial(torch.zeros, dtype=self.held, device=self.device)
        return Held(empty((*shape, size, places)), empty((*shape, places, size)))

    def step(
        self, tokens: torch.Tensor, lengths: torch.Tensor, before: Held, own: Held
    ) -> torch.Tensor:
        """Logits after one more token for each row, of shape (rows, vocabulary).

        `tokens` and `lengths` have shape (rows,), a multiple of `BLOCK`. `before` is what they all
        share, in one row. `lengths` counts what each row has in `own`, which gets the token's too.
        """
        shape, rows, shared = self.shape, len(tokens), before.places
        heads = shape.heads // shape.groups
        turns = self._turns(lengths + shared)
        each = torch.arange(rows, device=self.device)
        places = torch.arange(own.places, device=self.device)
        unseen = torch.zeros((rows, 1, own.places), device=self.device, dtype=self.held)
        unseen.masked_fill_((places > lengths[:, None])[:, None], -torch.inf)
        hidden = self._embedding[tokens].float()
        for index, layer in enumerate(self._layers):
            made = self._attending(layer, hidden, turns).to(self.held)
            queries, keys, values = self._parts(made)
            own_keys, own_values = own.keys[index, :rows], own.values[index, :rows]
            own_keys[each, :, :, lengths] = keys
            own_values[each, :, lengths] = values
            queries = queries.reshape(rows, shape.groups, heads, shape.size)
            by_group = queries.transpose(0, 1).reshape(shape.groups, rows * heads, shape.size)
            scores = torch.bmm(by_group, before.keys[index, 0])
            single = torch.matmul(queries, own_keys).add_(unseen[:, None])
            single = single.transpose(0, 1).flatten(1, 2)
            # In float32 throughout: rounded on the way, its bits depend on the width.
            weights = torch.cat((scores, single), dim=2).softmax(dim=2, dtype=torch.float32)
            weights = weights.to(self.held)
            mixed = torch.bmm(weights[:, :, :shared], before.values[index, 0])
            mixed = mixed.view(shape.groups, rows, heads, shape.size).transpose(0, 1)
            single = weights[:, :, shared:].view(shape.groups, rows, heads, own.places)
            single = torch.matmul(single.transpose(0, 1), own_values)
            hidden = self._mixed(layer, hidden, mixed.float().add(single).flatten(1))
        return self.logits(hidden)

    def _turns(self, positions: torch.Tensor) -> torch.Tensor:
        """Rotary position embedding as complex numbers, of shape (count, size / 2)."""
        angles = positions[:, None].float() * self._frequencies
        return torch.polar(torch.ones_like(angles), angles)

    def _attending(
        self, layer: "_Layer", hidden: torch.Tensor, turns: torch.Tensor
    ) -> torch.Tensor:
        """Queries, keys and values of shape (count, heads + 2 x groups, size), turned to their place."""
        shape = self.shape
        normed = F.rms_norm(hidden, hidden.shape[-1:], layer.attention_norm, shape.epsilon)
        made = layer.attention(_blocked(normed))[: len(hidden)].view(len(hidden), -1, shape.size)
        if layer.query_norm is not None and layer.key_norm is not None:
            queries, keys, _ = self._parts(made)
            queries[:] = F.rms_norm(queries, (shape.size,), layer.query_norm, shape.epsilon)
            keys[:] = F.rms_norm(keys, (shape.size,), layer.key_norm, shape.epsilon)
        pairs = torch.view_as_complex(made.view(len(made), -1, shape.size // 2, 2))
        pairs[:, : -shape.groups] *= turns[:, None]
        return made

    def _parts(self, made: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values."""
        heads, groups = self.shape.heads, self.shape.groups
        return made[:, :heads], made[:, heads:-groups], made[:, -groups:]

    def _mixed(self, layer: "_Layer", hidden: torch.Tensor, mixed: torch.Tensor) -> torch.Tensor:
        """The rest of a layer after its attention."""
        count = len(hidden)
        hidden = hidden + layer.output(_blocked(mixed))[:count]
        normed = F.rms_norm(hidden, hidden.shape[-1:], layer.mlp_norm, self.shape.epsilon)
        gate, up = layer.gate_up(_blocked(normed)).chunk(2, dim=1)
        return hidden.add_(layer.down(F.silu(gate).mul_(up))[:count])


@dataclass(frozen=True, slots=True)
class _Layer:
    attention: Matrix
    output: Matrix
    gate_up: Matrix
    down: Matrix
    attention_norm: torch.Tensor
    mlp_norm: torch.Tensor
    query_norm: torch.Tensor | None
    key_norm: torch.Tensor | None


def _blocked(rows: torch.Tensor) -> torch.Tensor:
    """`rows` with rows of zeros up to a whole block."""
    missing = -len(rows) % BLOCK
    return F.pad(rows, (0, 0, 0, missing)) if missing else rows


def extracted(model: "PreTrainedModel") -> tuple[Shape, dict[str, torch.Tensor]]:
    """What `Llama` needs of a model of transformers: its shape and tensors, matrices among them
    of shape (outputs, inputs) with `NAME.bias` beside them where they have one.

    Raises:
        Unfit: the model computes in another way.
    """
    config: Any = model.config
    architecture = type(model).__name__
    if architecture not in ARCHITECTURES:
        raise Unfit(f"its architecture is {architecture}")
    if getattr(config, "hidden_act", "silu") != "silu":
        raise Unfit(f"its activation is {config.hidden_act}")
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    window = getattr(config, "sliding_window", None)
    if kinds != {"full_attention"} or (window and getattr(config, "use_sliding_window", True)):
        raise Unfit("it has sliding windows")
    core: Any = model.model
    rotary = core.rotary_emb
    if getattr(rotary, "rope_type", "default") not in ("default", "linear", "llama3"):
        raise Unfit(f"its positions are of the kind {rotary.rope_type}")
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    shape = Shape(
        len(core.layers),
        heads,
        config.num_key_value_heads,
        size,
        config.rms_norm_eps,
        config.max_position_embeddings,
    )
    tensors = {
        "embedding": core.embed_tokens.weight,
        "head": model.lm_head.weight,
        "norm": core.norm.weight.float(),
        "frequencies": rotary.inv_freq.float(),
    }
    for index, layer in enumerate(core.layers):
        attention, mlp = layer.self_attn, layer.mlp
        normed = hasattr(attention, "q_norm")
        # The queries carry the softmax's scale: one product less for each key.
        made = [
            _turnable(attention.q_proj, size, 1.0 if normed else size**-0.5),
            _turnable(attention.k_proj, size, 1.0),
            (attention.v_proj.weight, attention.v_proj.bias),
        ]
        tensors |= _named(f"{index}.attention", *made)
        tensors |= _named(f"{index}.output", (attention.o_proj.weight, attention.o_proj.bias))
        gate_up = [(each.weight, each.bias) for each in (mlp.gate_proj, mlp.up_proj)]
        tensors |= _named(f"{index}.gate_up", *gate_up)
        tensors |= _named(f"{index}.down", (mlp.down_proj.weight, mlp.down_proj.bias))
        tensors[f"{index}.attention_norm"] = layer.input_layernorm.weight.float()
        tensors[f"{index}.mlp_norm"] = layer.post_attention_layernorm.weight.float()
        if normed:
            queries, keys = attention.q_norm.weight.float(), attention.k_norm.weight.float()
            tensors[f"{index}.query_norm"] = _paired(queries, size) * size**-0.5
            tensors[f"{index}.key_norm"] = _paired(keys, size)
    return shape, {name: tensor.detach() for name, tensor in tensors.items()}


def _turnable(
    projection: torch.nn.Linear, size: int, scale: float
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight and bias of queries or keys, with the two parts of each turned pair side by side.

    transformers keeps them half a head apart; as neighbours they are one complex number.
    """
    bias = None if projection.bias is None else _paired(projection.bias, size) * scale
    return _paired(projection.weight, size) * scale, bias


def _paired(tensor: torch.Tensor, size: int) -> torch.Tensor:
    """`tensor` with the first and second half of each `size` entries woven together."""
    halves = tensor.view(-1, 2, size // 2, *tensor.shape[1:])
    return halves.transpose(1, 2).reshape(tensor.shape)


def _named(name: str, *parts: tuple[torch.Tensor, torch.Tensor | None]) -> dict[str, torch.Tensor]:
    """The parts stacked into one matrix, and their biases."""
    tensors = {name: torch.cat([weight for weight, _ in parts])}
    if any(bias is not None for _, bias in parts):
        tensors[f"{name}.bias"] = torch.cat(
            [torch.zeros(len(weight)) if bias is None else bias for weight, bias in parts]
        ).float()
    return tensors
