"""A GGUF file of the default model with the packaged adapter in it, for engines that read GGUF."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

NAMES = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""A layer's matrices in GGUF, and in transformers."""

TURNED = {"attn_q": "llama.attention.head_count", "attn_k": "llama.attention.head_count_kv"}
"""Those whose rows GGUF keeps in another order, and the key that counts their heads."""


def write(packaged: Path, changed: "Mapping[str, torch.Tensor]", target: Path) -> None:
    """Write `packaged` to `target` with the `changed` weights, by transformers' names, in Q8_0.

    In the package's own Q4_1 the adapter would be lost: its changes are far smaller than the steps
    between that format's numbers.
    """
    # Slow imports, and only for optional engines.
    from gguf import GGMLQuantizationType, GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import quantize

    reader = GGUFReader(packaged)
    writer = GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name != "general.architecture":
            inner = field.types[-1] if field.types[0] == GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    for tensor in reader.tensors:
        data, kind = tensor.data, tensor.tensor_type
        _, _, rest = tensor.name.partition(".")
        layer, _, name = rest.removesuffix(".weight").partition(".")
        weight = changed.get(f"model.layers.{layer}.{NAMES.get(name)}.weight")
        if weight is not None:
            if name in TURNED:
                weight = _turned(weight, int(reader.fields[TURNED[name]].contents()))
            kind = GGMLQuantizationType.Q8_0
            data = quantize(weight.float().numpy(), kind)
        writer.add_tensor(tensor.name, data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _turned(weight: "torch.Tensor", heads: int) -> "torch.Tensor":
    """Each head's two halves woven together, as llama.cpp turns neighbours."""
    return weight.view(heads, 2, -1, weight.shape[1]).transpose(1, 2).reshape(weight.shape)
