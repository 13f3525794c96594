"""Update rules that act on one parameter as soon as its gradient is complete: APOLLO-Mini for the INT8 matrices, AdamW for
the rest. Written from arXiv 2412.05270, algorithm 1 with rank 1; nothing waits for the host."""

import math

import torch

BETA1, BETA2, EPSILON, SCALE, GAP = 0.9, 0.999, 1e-6, 128, 200


def correction(step):
    return math.sqrt(1 - BETA2**step) / (1 - BETA1**step)


class ApolloMini:
    def __init__(self, matrix, index, rate):
        outputs, inputs = matrix.shadow.shape
        device = matrix.codes.device
        self.matrix, self.index, self.rate, self.step = matrix, index, rate, 0
        self.rows = outputs >= inputs
        self.first, self.second = (torch.zeros(max(outputs, inputs), device=device) for _ in range(2))
        self.norm = torch.zeros((), device=device)
        self.generator = torch.Generator(device=device)

    def projection(self, gradient):
        self.generator.manual_seed(1_000_003 * self.index + self.step // GAP)
        length = gradient.shape[1 if self.rows else 0]
        return torch.randn(length, generator=self.generator, device=gradient.device).to(gradient.dtype)

    @torch.no_grad()
    def __call__(self, gradient):
        p = self.projection(gradient)
        r = (gradient @ p if self.rows else p @ gradient).float()
        self.step += 1
        self.first.mul_(BETA1).add_(r, alpha=1 - BETA1)
        self.second.mul_(BETA2).addcmul_(r, r, value=1 - BETA2)
        direction = self.first / (self.second.sqrt() + EPSILON)
        factor = direction.norm() / (r.norm() + 1e-8)
        size = factor * gradient.norm().float()
        limit = (size / (self.norm + 1e-8)).clamp(min=1.01) / 1.01
        limit = torch.where(self.norm > 0, limit, torch.ones_like(limit))
        self.norm = size / limit
        step = self.rate * correction(self.step) * math.sqrt(SCALE) * factor / limit
        self.matrix.quantize_(self.matrix.dequantize() - step.to(gradient.dtype) * gradient)


class AdamW:
    """Moments in the parameter's dtype, as torch.optim.AdamW keeps them; no weight decay."""

    def __init__(self, parameter, rate):
        self.parameter, self.rate, self.step = parameter, rate, 0
        self.first, self.second = torch.zeros_like(parameter), torch.zeros_like(parameter)

    @torch.no_grad()
    def __call__(self, gradient):
        self.step += 1
        self.first.mul_(BETA1).add_(gradient, alpha=1 - BETA1)
        self.second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
        bias = math.sqrt(1 - BETA2**self.step)
        self.parameter.addcdiv_(self.first, self.second.sqrt().add_(EPSILON * bias), value=-self.rate * correction(self.step))


def release(parameter, update):
    """Runs the update when the gradient is complete and frees it: one gradient exists at a time."""

    def hook(owner):
        update(owner.grad)
        owner.grad = None

    if hasattr(parameter, "register_post_accumulate_grad_hook"):
        parameter.register_post_accumulate_grad_hook(hook)
        return None
    return lambda: hook(parameter)
