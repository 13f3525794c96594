"""A LLaMA in plain PyTorch, trained on random tokens: the yardstick for the CPU device.

Prints one JSON line: tokens per second (median over the timed steps) and peak resident memory. The model and the update
rules are those of the program: RMSNorm, rotate-half RoPE, SwiGLU, causal attention, AdamW or APOLLO-Mini
(arXiv 2412.05270), binary32 throughout.
"""

import argparse
import json
import math
import resource
import statistics
import sys
import time

try:
    import torch
except ImportError as error:
    raise SystemExit(f"llama.py: {sys.executable} cannot import PyTorch ({error}): install it (Debian: python3-torch), or use a Python that has it")
import torch.nn.functional as F
from torch import nn

PRESETS = {
    "demo": (128, 352, 4, 4, 320),
    "9m": (128, 352, 4, 4, 32000),
    "20m": (256, 688, 4, 4, 32000),
}


class RmsNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.weight


def rotate(x, cosine, sine):
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat((-second, first), -1) * sine


class Layer(nn.Module):
    def __init__(self, hidden, intermediate, heads):
        super().__init__()
        self.heads = heads
        self.input_norm, self.post_norm = RmsNorm(hidden), RmsNorm(hidden)
        self.q, self.k, self.v, self.o = (nn.Linear(hidden, hidden, bias=False) for _ in range(4))
        self.gate, self.up = (nn.Linear(hidden, intermediate, bias=False) for _ in range(2))
        self.down = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x, cosine, sine, mask):
        batch, length, hidden = x.shape
        normed = self.input_norm(x)
        q, k, v = (w(normed).view(batch, length, self.heads, -1).transpose(1, 2) for w in (self.q, self.k, self.v))
        q, k = rotate(q, cosine, sine), rotate(k, cosine, sine)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1]) + mask
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, hidden)
        x = x + self.o(mixed)
        normed = self.post_norm(x)
        return x + self.down(F.silu(self.gate(normed)) * self.up(normed))


class Llama(nn.Module):
    def __init__(self, hidden, intermediate, layers, heads, vocabulary, length):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.layers = nn.ModuleList(Layer(hidden, intermediate, heads) for _ in range(layers))
        self.norm = RmsNorm(hidden)
        self.head = nn.Linear(hidden, vocabulary, bias=False)
        dimension = hidden // heads
        frequency = 10000.0 ** (-torch.arange(0, dimension, 2) / dimension)
        angle = torch.arange(length)[:, None] * frequency
        angle = torch.cat((angle, angle), -1)
        self.register_buffer("cosine", angle.cos())
        self.register_buffer("sine", angle.sin())
        self.register_buffer("mask", torch.full((length, length), float("-inf")).triu(1))

    def forward(self, tokens, labels):
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine, self.mask)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), labels.flatten())


class ApolloMini:
    """Rank-1 APOLLO with tensor-wise scaling for the matrices of the layers, AdamW for the rest."""

    def __init__(self, model, rate):
        matrices = [p for layer in model.layers for p in layer.parameters() if p.dim() == 2]
        known = {id(p) for p in matrices}
        self.rest = torch.optim.AdamW([p for p in model.parameters() if id(p) not in known], lr=rate, weight_decay=0)
        self.rate, self.step_count = rate, 0
        self.state = [(p, torch.zeros(max(p.shape)), torch.zeros(max(p.shape)), [None]) for p in matrices]

    @torch.no_grad()
    def step(self):
        self.rest.step()
        self.step_count += 1
        correction = math.sqrt(1 - 0.999**self.step_count) / (1 - 0.9**self.step_count)
        for index, (p, m, v, norm) in enumerate(self.state):
            g = p.grad
            generator = torch.Generator().manual_seed(1000 * index + self.step_count // 200)
            projection = torch.randn(min(p.shape), generator=generator)
            r = g @ projection if p.shape[0] >= p.shape[1] else projection @ g
            m.mul_(0.9).add_(r, alpha=0.1)
            v.mul_(0.999).addcmul_(r, r, value=0.001)
            direction = m / (v.sqrt() + 1e-6)
            factor = direction.norm() / (r.norm() + 1e-8)
            size = factor * g.norm()
            limit = 1.0 if norm[0] is None else max(size / (norm[0] + 1e-8), 1.01) / 1.01
            norm[0] = size / limit
            p.add_(g, alpha=-float(self.rate * correction * math.sqrt(128) * factor / limit))

    def zero_grad(self):
        self.rest.zero_grad(set_to_none=True)
        for p, *_ in self.state:
            p.grad = None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", choices=PRESETS, default="demo")
    parser.add_argument("--optimizer", choices=("adamw", "apollo-mini"), default="apollo-mini")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=256)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    hidden, intermediate, layers, heads, vocabulary = PRESETS[options.model]
    model = Llama(hidden, intermediate, layers, heads, vocabulary, options.seq_len)
    if options.optimizer == "adamw":
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.001, weight_decay=0)
    else:
        optimizer = ApolloMini(model, 0.01)

    times = []
    for step in range(options.steps + 2):
        start = time.perf_counter()
        tokens = torch.randint(0, vocabulary, (options.batch_size, options.seq_len + 1))
        optimizer.zero_grad()
        loss = model(tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous())
        loss.backward()
        optimizer.step()
        loss.item()
        if step >= 2:
            times.append(time.perf_counter() - start)
    rate = options.batch_size * options.seq_len / statistics.median(times)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"tokensPerSecond": round(rate, 1), "peakBytes": peak}))


if __name__ == "__main__":
    main()
