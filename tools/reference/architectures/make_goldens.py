#!/usr/bin/env python3
"""Writes tests/goldens/llama_forward_backward_<name> for each architecture: logits, loss and gradients of tiny models.

    make_goldens.py [FOLDER]      needs PyTorch (Debian: python3-torch); model.py computes in binary64 from binary32 weights
"""
import json
import pathlib
import struct
import sys

try:
    import torch
except ImportError as error:
    raise SystemExit(f"make_goldens.py: {sys.executable} cannot import PyTorch ({error}): install it (Debian: python3-torch), or use a Python that has it")

import model

BATCH, SEQUENCE = 2, 12
BASE = {
    "vocab_size": 29, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 4,
    "num_key_value_heads": 2, "hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": False,
}
CASES = {
    # Frequencies on both sides of the ramp and on it; the old key with the old word for the kind.
    "llama3_rope": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "head_dim": 8, "rope_theta": 100.0,
        "rope_scaling": {"type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 24}},
    # The key of transformers 5.
    "yarn": {
        "architectures": ["MistralForCausalLM"], "model_type": "mistral", "head_dim": 12, "sliding_window": None, "num_hidden_layers": 1,
        "rope_parameters": {
            "rope_type": "yarn", "rope_theta": 50.0, "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 4.0, "beta_slow": 0.5}},
    # Biases at queries, keys and values; tied.
    "qwen2": {
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "head_dim": 4, "rope_theta": 1000000.0, "tie_word_embeddings": True,
        "num_hidden_layers": 2, "use_sliding_window": False, "sliding_window": 8, "max_window_layers": 0},
    # Head norms, heads that together are wider than the model.
    "qwen3": {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 10, "rope_theta": 1000000.0, "attention_bias": False,
        "num_hidden_layers": 2},
    # Every bias, and linear scaling.
    "biases": {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "head_dim": 6, "attention_bias": True, "mlp_bias": True,
        "rope_scaling": {"rope_type": "linear", "factor": 3.0}},
}


def write_safetensors(path, tensors):
    kinds = {torch.float32: ("F32", "<f"), torch.int64: ("I64", "<q")}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        kind, code = kinds[tensor.dtype]
        values = tensor.flatten().tolist()
        raw = struct.pack(f"<{len(values)}{code[1]}", *values)
        header[name] = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(folder, name, config):
    generator = torch.Generator().manual_seed(sum(map(ord, name)))

    def random(shape, scale):
        return torch.randn(shape, generator=generator, dtype=torch.float64) * scale

    weights = {}
    for parameter, shape in model.shapes(config).items():
        values = 1 + random(shape, 0.3) if "norm" in parameter else random(shape, 0.5 if parameter.endswith("bias") else 0.3)
        weights[parameter] = values.float().double().requires_grad_()
    tokens = torch.randint(config["vocab_size"], (BATCH, SEQUENCE), generator=generator)
    labels = torch.randint(config["vocab_size"], (BATCH, SEQUENCE), generator=generator)
    labels[0, 3] = labels[1, -1] = -100
    outputs = model.logits(config, weights, tokens)
    loss = torch.nn.functional.cross_entropy(outputs.view(-1, config["vocab_size"]), labels.view(-1), ignore_index=-100)
    loss.backward()

    target = folder / f"llama_forward_backward_{name}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    manifest = {"case": target.name, "made_by": "tools/reference/architectures/make_goldens.py", "torch": torch.__version__, "dtype": "float64, stored as float32"}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    write_safetensors(target / "model.safetensors", {k: v.detach().float() for k, v in weights.items()})
    results = {"input_ids": tokens, "labels": labels, "logits": outputs.detach().float(), "loss": loss.detach().float().view(1)}
    results.update({"grad/" + k: v.grad.float() for k, v in weights.items()})
    write_safetensors(target / "reference.safetensors", results)
    print(f"{name}: {sum(v.numel() for v in weights.values())} parameters, loss {loss.item():.6f}")


def main():
    torch.set_num_threads(1)
    root = pathlib.Path(__file__).resolve().parents[3]
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "tests/goldens"
    for name, extra in CASES.items():
        make(folder, name, {**BASE, **extra})


if __name__ == "__main__":
    main()
