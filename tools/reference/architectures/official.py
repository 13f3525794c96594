#!/usr/bin/env python3
"""Writes tests/goldens/llama_forward_backward_official_<name>: logits, loss and gradients of tiny models, computed by the modelling
code of Hugging Face's transformers itself.

    official.py TRANSFORMERS [FOLDER]     TRANSFORMERS: a checkout of transformers 5 (its src/transformers is read, nothing is copied)

Needs PyTorch alone (Debian 12: python3-torch 1.13), which is older than transformers asks for. So only five files of the checkout are
run, unchanged: the four modelling files and modeling_rope_utils.py. What they import beside them is stood in for here; nothing of that
computes anything but the causal mask. Everything is binary32, attention is transformers' own eager_attention_forward.
Each case is also compared with model.py, which states the same models in binary64.
"""
import importlib.util
import json
import pathlib
import sys
import types

import torch

import model
from make_goldens import write_safetensors

CLASSES = {
    "llama": ("modeling_llama", "LlamaForCausalLM"), "mistral": ("modeling_mistral", "MistralForCausalLM"),
    "qwen2": ("modeling_qwen2", "Qwen2ForCausalLM"), "qwen3": ("modeling_qwen3", "Qwen3ForCausalLM"),
}
BASE = {"hidden_act": "silu", "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "num_hidden_layers": 1}


def shape(kind, vocabulary, hidden, inner, heads, groups, dim, **more):
    return {
        **BASE, "architectures": [CLASSES[kind][1]], "model_type": kind, "vocab_size": vocabulary, "hidden_size": hidden,
        "intermediate_size": inner, "num_attention_heads": heads, "num_key_value_heads": groups, "head_dim": dim, **more}


# Name -> (sequence length, configuration).
CASES = {
    "llama": (13, shape("llama", 31, 15, 23, 5, 5, 6, rope_theta=10000.0, attention_bias=False, mlp_bias=False, num_hidden_layers=2)),
    "llama_tied": (7, shape("llama", 29, 18, 26, 3, 1, 4, rope_theta=500.0, tie_word_embeddings=True, attention_bias=False, mlp_bias=False)),
    "llama_llama3": (19, shape(
        "llama", 23, 14, 22, 7, 1, 10, rope_theta=100.0, attention_bias=False, mlp_bias=False,
        rope_scaling={"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 24})),
    "llama_yarn": (17, shape(
        "llama", 23, 14, 18, 2, 2, 14, rope_theta=50.0, attention_bias=False, mlp_bias=False,
        rope_scaling={"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "beta_fast": 4.0, "beta_slow": 0.5})),
    "llama_linear_biases": (11, shape(
        "llama", 27, 12, 21, 4, 2, 6, rope_theta=10000.0, attention_bias=True, mlp_bias=True, rope_scaling={"rope_type": "linear", "factor": 3.0})),
    "mistral": (13, shape("mistral", 25, 18, 27, 6, 3, 8, rope_theta=1000000.0, sliding_window=None, num_hidden_layers=2)),
    "mistral_window": (9, shape("mistral", 25, 10, 17, 5, 1, 4, rope_theta=10000.0, sliding_window=9)),
    "qwen2": (12, shape(
        "qwen2", 33, 16, 25, 4, 2, 4, rope_theta=1000000.0, tie_word_embeddings=True, use_sliding_window=False, sliding_window=None, num_hidden_layers=2)),
    "qwen2_yarn": (15, shape(
        "qwen2", 21, 18, 19, 3, 3, 6, use_sliding_window=False, sliding_window=None,
        rope_parameters={"rope_type": "yarn", "rope_theta": 70.0, "factor": 2.0, "original_max_position_embeddings": 32, "beta_fast": 8.0, "beta_slow": 1.0})),
    "qwen3": (13, shape("qwen3", 27, 14, 23, 6, 2, 8, rope_theta=1000000.0, attention_bias=False, num_hidden_layers=2)),
    "qwen3_biases": (10, shape("qwen3", 19, 12, 17, 3, 3, 10, rope_theta=300.0, attention_bias=True, tie_word_embeddings=True)),
}


def same(item, *_, **__):
    return item


def decorator(*_, **__):
    return same


class Subscripted:
    """Stands for what is only used in annotations."""

    def __class_getitem__(cls, _):
        return cls


class Output(types.SimpleNamespace):
    """Stands for the classes of outputs, in which what is not given is None."""

    def __getattr__(self, _):
        return None


class Model(torch.nn.Module):
    """Stands for PreTrainedModel: no loading, saving or initialization."""

    def __init__(self, config):
        super().__init__()
        self.config = config

    def post_init(self):
        pass


class Attentions:
    """Every model takes its file's own eager_attention_forward."""

    @staticmethod
    def get_interface(_, eager):
        return eager


def causal_mask(config, inputs_embeds, **_):
    """[1, 1, n, n], 0 where a token is seen. The lengths here are within every sliding window, so that there is but one mask."""
    n = inputs_embeds.shape[1]
    assert getattr(config, "sliding_window", None) is None or config.sliding_window >= n
    return torch.full((n, n), torch.finfo(inputs_embeds.dtype).min, dtype=inputs_embeds.dtype).triu(1)[None, None]


def stand_ins():
    class Nothing:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

    def module(name, **content):
        made = types.ModuleType(name)
        made.__dict__.update(content)
        made.__path__ = []
        sys.modules[name] = made

    logger = types.SimpleNamespace(warning=print, warning_once=print, info=print)
    logging = types.SimpleNamespace(get_logger=lambda *_: logger)
    plain = {name: type(name, (), {}) for name in (
        "GenericForQuestionAnswering", "GenericForSequenceClassification", "GenericForTokenClassification")}
    for package in ("transformers", "transformers.models", *(f"transformers.models.{kind}" for kind in CLASSES)):
        module(package)
    module("transformers.activations", ACT2FN={"silu": torch.nn.SiLU()})
    module("transformers.cache_utils", Cache=Subscripted, DynamicCache=Subscripted)
    module("transformers.generation", GenerationMixin=type("GenerationMixin", (), {}))
    module("transformers.integrations", use_kernel_forward_from_hub=decorator, use_kernel_func_from_hub=decorator, use_kernelized_func=decorator)
    module("transformers.masking_utils", create_causal_mask=causal_mask, create_sliding_window_causal_mask=causal_mask)
    module("transformers.modeling_flash_attention_utils", FlashAttentionKwargs=Subscripted)
    module("transformers.modeling_layers", GradientCheckpointingLayer=torch.nn.Module, **plain)
    module("transformers.modeling_outputs", BaseModelOutputWithPast=Output, CausalLMOutputWithPast=Output)
    module("transformers.modeling_utils", ALL_ATTENTION_FUNCTIONS=Attentions, PreTrainedModel=Model)
    module("transformers.processing_utils", Unpack=Subscripted)
    module("transformers.utils", TransformersKwargs=Subscripted, auto_docstring=same, can_return_tuple=same, logging=logging, is_torch_available=lambda: True)
    module("transformers.utils.generic", maybe_autocast=lambda **_: Nothing(), merge_with_config_defaults=same)
    module("transformers.utils.output_capturing", capture_outputs=same)
    for kind, (_, name) in CLASSES.items():
        config = name.replace("ForCausalLM", "Config")
        module(f"transformers.models.{kind}.configuration_{kind}", **{config: Subscripted})


def load(source, name):
    spec = importlib.util.spec_from_file_location(f"transformers.{name}", source / (name.replace(".", "/") + ".py"))
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


def configuration(rotary, config):
    """What PreTrainedConfig makes of a config.json, with transformers' own reading of the rotary keys."""
    values = {
        "attention_dropout": 0.0, "pad_token_id": None, "mlp_bias": False, "rope_parameters": None, "_attn_implementation": "eager",
        "layer_types": ["full_attention"] * config["num_hidden_layers"], **config}
    rope_scaling = values.pop("rope_scaling", None)
    theta = values.pop("rope_theta", None)
    made = type("Config", (rotary.RotaryEmbeddingConfigMixin,), {})()
    made.__dict__.update(values)
    made.convert_rope_params_to_dict(rope_scaling=rope_scaling, **({} if theta is None else {"rope_theta": theta}))
    return made


def make(folder, name, length, config, official, rotary, version):
    generator = torch.Generator().manual_seed(1000 + sum(map(ord, name)))

    def random(extents, scale):
        return torch.randn(extents, generator=generator) * scale

    network = official(configuration(rotary, config))
    if config["tie_word_embeddings"]:
        network.lm_head.weight = network.model.embed_tokens.weight
    parameters = dict(network.named_parameters())
    expected = model.shapes(config)
    assert {k: list(v.shape) for k, v in parameters.items()} == expected, set(parameters) ^ set(expected)
    for key, parameter in parameters.items():
        values = 1 + random(parameter.shape, 0.3) if "norm" in key else random(parameter.shape, 0.5 if key.endswith("bias") else 0.3)
        parameter.data.copy_(values)
    tokens = torch.randint(config["vocab_size"], (2, length), generator=generator)
    labels = torch.randint(config["vocab_size"], (2, length), generator=generator)
    labels[0, 3] = labels[1, -1] = -100
    logits = network(tokens).logits
    loss = torch.nn.functional.cross_entropy(logits.view(-1, config["vocab_size"]), labels.view(-1), ignore_index=-100)
    loss.backward()

    target = folder / f"llama_forward_backward_official_{name}"
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    manifest = {
        "case": target.name, "made_by": "tools/reference/architectures/official.py", "transformers": version, "torch": torch.__version__, "dtype": "float32"}
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    write_safetensors(target / "model.safetensors", {k: v.detach() for k, v in parameters.items()})
    results = {"input_ids": tokens, "labels": labels, "logits": logits.detach(), "loss": loss.detach().view(1)}
    results.update({"grad/" + k: v.grad for k, v in parameters.items()})
    write_safetensors(target / "reference.safetensors", results)

    doubles = {k: v.detach().double().requires_grad_() for k, v in parameters.items()}
    stated = model.logits(config, doubles, tokens)
    torch.nn.functional.cross_entropy(stated.view(-1, config["vocab_size"]), labels.view(-1), ignore_index=-100).backward()
    gap = max((doubles[k].grad - v.grad).abs().max().item() / v.grad.abs().max().item() for k, v in parameters.items())
    print(f"{name}: {sum(v.numel() for v in parameters.values())} parameters, loss {loss.item():.6f}; "
          f"model.py differs by {(stated - logits).abs().max().item():.1e} in logits, {gap:.1e} of the largest entry in gradients")


def main():
    torch.set_num_threads(1)
    source = pathlib.Path(sys.argv[1]) / "src/transformers"
    root = pathlib.Path(__file__).resolve().parents[3]
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root / "tests/goldens"
    version = next(
        (line.split('"')[1] for line in (source / "__init__.py").read_text().splitlines() if line.startswith("__version__")), "unknown")
    stand_ins()
    rotary = load(source, "modeling_rope_utils")
    files = {kind: load(source, f"models.{kind}.{file}") for kind, (file, _) in CLASSES.items()}
    for name, (length, config) in CASES.items():
        kind = config["model_type"]
        make(folder, name, length, config, getattr(files[kind], CLASSES[kind][1]), rotary, version)


if __name__ == "__main__":
    main()
