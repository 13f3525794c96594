"""A weight in INT8 groups as Q-APOLLO keeps it (arXiv 2412.05270, section 5): no full-precision copy, updates rounded
stochastically. All arithmetic is in the compute dtype, BF16 on a GPU, as in the paper.

w = (q - z) * s, with q and z in 0 .. 255; a group is 128 neighbours along the input side, the last one of a row is shorter.
"""

import torch
import torch.nn.functional as F
from torch import nn

GROUP = 128


class Int8Matrix(nn.Module):
    """A linear layer without bias. Its gradient reaches `shadow`, a parameter that takes no memory."""

    def __init__(self, outputs, inputs, dtype, device):
        super().__init__()
        self.inputs, self.dtype = inputs, dtype
        groups = -(-inputs // GROUP)
        # The tail of the last group is padding: zeros, which every grid contains.
        self.register_buffer("codes", torch.zeros(outputs, groups, GROUP, dtype=torch.uint8, device=device))
        self.register_buffer("scale", torch.ones(outputs, groups, 1, dtype=dtype, device=device))
        self.register_buffer("zero", torch.zeros(outputs, groups, 1, dtype=torch.uint8, device=device))
        self.shadow = nn.Parameter(torch.zeros(1, dtype=dtype, device=device).expand(outputs, inputs))

    def dequantize(self):
        values = (self.codes.to(self.dtype) - self.zero.to(self.dtype)) * self.scale
        return values.flatten(1)[:, : self.inputs]

    @torch.no_grad()
    def quantize_(self, values, stochastic=True):
        padding = self.codes.shape[1] * GROUP - self.inputs
        grouped = (F.pad(values, (0, padding)) if padding else values).view(self.codes.shape)
        low = grouped.amin(-1, keepdim=True).clamp(max=0)
        high = grouped.amax(-1, keepdim=True).clamp(min=0)
        scale = ((high - low) / 255).clamp(min=1e-8)
        zero = (-low / scale).round().clamp(0, 255)
        codes = grouped / scale
        # Not floor(codes + u): in BF16 that sum would be rounded itself, upwards more often than not.
        codes = codes.floor() + (torch.rand_like(codes) < codes - codes.floor()) if stochastic else codes.round()
        self.codes.copy_((codes + zero).clamp(0, 255))
        self.scale.copy_(scale)
        self.zero.copy_(zero)

    def forward(self, x):
        return Product.apply(x, self.shadow, self)


class Product(torch.autograd.Function):
    """x Wᵀ with W dequantized for each use, forward and backward."""

    @staticmethod
    def forward(ctx, x, shadow, matrix):
        ctx.save_for_backward(x)
        ctx.matrix = matrix
        return F.linear(x, matrix.dequantize())

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        input_gradient = gradient @ ctx.matrix.dequantize()
        return input_gradient, gradient.flatten(0, -2).t() @ x.flatten(0, -2), None
