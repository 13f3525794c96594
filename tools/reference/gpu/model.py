"""LLaMA in the conventions of Hugging Face: RMSNorm, rotate-half RoPE, SwiGLU, causal attention; INT8 matrices."""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from int8 import Int8Matrix

# hidden, intermediate, layers, heads, vocabulary: those of `qapollo presets`
PRESETS = {
    "demo": (128, 352, 4, 4, 320),
    "130m": (768, 2048, 12, 12, 32000),
    "350m": (1024, 2736, 24, 16, 32000),
    "1b": (2048, 5461, 24, 32, 32000),
    "7b": (4096, 11008, 32, 32, 32000),
}
MATRICES = {
    "q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
}
DTYPES = {"U8": torch.uint8, "BF16": torch.bfloat16, "F32": torch.float32}


class RmsNorm(nn.Module):
    def __init__(self, size, dtype, device):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size, dtype=dtype, device=device))

    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype) * self.weight


def rotate(x, cosine, sine):
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat((-second, first), -1) * sine


def attend(q, k, v):
    if hasattr(F, "scaled_dot_product_attention"):
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    hidden = torch.ones(q.shape[2], q.shape[2], dtype=torch.bool, device=q.device).triu(1)
    scores = (q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])).float().masked_fill(hidden, float("-inf"))
    return scores.softmax(-1).to(q.dtype) @ v


class Layer(nn.Module):
    def __init__(self, hidden, intermediate, heads, dtype, device):
        super().__init__()
        self.heads = heads
        self.input_norm, self.post_norm = (RmsNorm(hidden, dtype, device) for _ in range(2))
        self.q, self.k, self.v, self.o = (Int8Matrix(hidden, hidden, dtype, device) for _ in range(4))
        self.gate, self.up = (Int8Matrix(intermediate, hidden, dtype, device) for _ in range(2))
        self.down = Int8Matrix(hidden, intermediate, dtype, device)

    def forward(self, x, cosine, sine):
        batch, length, hidden = x.shape
        normed = self.input_norm(x)
        q, k, v = (w(normed).view(batch, length, self.heads, -1).transpose(1, 2) for w in (self.q, self.k, self.v))
        mixed = attend(rotate(q, cosine, sine), rotate(k, cosine, sine), v)
        x = x + self.o(mixed.transpose(1, 2).reshape(batch, length, hidden))
        normed = self.post_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Llama(nn.Module):
    def __init__(self, shape, length, dtype, device, recompute):
        super().__init__()
        hidden, intermediate, layers, heads, vocabulary = shape
        self.recompute = recompute
        self.embedding = nn.Embedding(vocabulary, hidden, dtype=dtype, device=device)
        self.layers = nn.ModuleList(Layer(hidden, intermediate, heads, dtype, device) for _ in range(layers))
        self.norm = RmsNorm(hidden, dtype, device)
        self.head = nn.Linear(hidden, vocabulary, bias=False, dtype=dtype, device=device)
        dimension = hidden // heads
        angle = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, dimension, 2) / dimension)
        angle = torch.cat((angle, angle), -1).to(device)
        self.register_buffer("cosine", angle.cos().to(dtype))
        self.register_buffer("sine", angle.sin().to(dtype))

    def forward(self, tokens, labels):
        x = self.embedding(tokens)
        for layer in self.layers:
            if self.recompute:
                x = checkpoint(layer, x, self.cosine, self.sine, use_reentrant=False)
            else:
                x = layer(x, self.cosine, self.sine)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1).float(), labels.flatten())

    @torch.no_grad()
    def initialize(self):
        for table in (self.embedding, self.head):
            table.weight.normal_(0, 0.02)
        for module in self.modules():
            if isinstance(module, Int8Matrix):
                values = torch.empty(module.shadow.shape, dtype=module.dtype, device=module.codes.device)
                module.quantize_(values.normal_(0, 0.02), stochastic=False)

    @torch.no_grad()
    def load(self, folder):
        """A checkpoint of qapollo: INT8 codes as they are stored."""
        tensors = read_safetensors(Path(folder) / "model.safetensors")
        self.embedding.weight.copy_(tensors["model.embed_tokens.weight"])
        self.head.weight.copy_(tensors["lm_head.weight"])
        self.norm.weight.copy_(tensors["model.norm.weight"])
        for index, layer in enumerate(self.layers):
            prefix = f"model.layers.{index}."
            layer.input_norm.weight.copy_(tensors[prefix + "input_layernorm.weight"])
            layer.post_norm.weight.copy_(tensors[prefix + "post_attention_layernorm.weight"])
            for name, stored in MATRICES.items():
                matrix, key = getattr(layer, name), prefix + stored + ".weight"
                codes = tensors[key]
                matrix.zero.copy_(tensors[key + "_zero"].unsqueeze(-1))
                matrix.scale.copy_(tensors[key + "_scale"].unsqueeze(-1))
                padded = matrix.zero.expand(matrix.codes.shape).flatten(1).clone()
                padded[:, : codes.shape[1]] = codes
                matrix.codes.copy_(padded.view(matrix.codes.shape))


def read_safetensors(path):
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(bytes(data[8:start]))
    header.pop("__metadata__", None)
    return {
        name: torch.frombuffer(
            data, dtype=DTYPES[entry["dtype"]], offset=start + entry["data_offsets"][0], count=math.prod(entry["shape"])
        ).view(entry["shape"])
        for name, entry in header.items()
    }
