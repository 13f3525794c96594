"""LLaMA-shaped language models in plain PyTorch, stated from the papers and from what Hugging Face's configuration keys mean.

One class for llama, mistral, qwen2 and qwen3: a config.json decides which biases and norms exist and how rotary frequencies
are scaled. Everything is binary64 where the parameters are.
"""
import math

import torch


def frequencies(config):
    """Radians per position of each pair of features, and the factor of cos and sin."""
    dim = config["head_dim"]
    parameters = config.get("rope_scaling") or config.get("rope_parameters") or {}
    theta = parameters.get("rope_theta", config.get("rope_theta", 10000.0))
    kind = parameters.get("rope_type", parameters.get("type", "default"))
    plain = [theta ** (-2 * i / dim) for i in range(dim // 2)]
    if kind == "default":
        return plain, 1.0
    factor = parameters["factor"]
    if kind == "linear":
        return [f / factor for f in plain], 1.0
    original = parameters.get("original_max_position_embeddings", config["max_position_embeddings"])
    if kind == "llama3":
        # Meta's reference: by wavelength, with a ramp between two limits.
        low, high = parameters["low_freq_factor"], parameters["high_freq_factor"]
        scaled = []
        for f in plain:
            wavelength = 2 * math.pi / f
            if wavelength < original / high:
                scaled.append(f)
            elif wavelength > original / low:
                scaled.append(f / factor)
            else:
                smooth = (original / wavelength - low) / (high - low)
                scaled.append((1 - smooth) * f / factor + smooth * f)
        return scaled, 1.0
    assert kind == "yarn"
    # arXiv 2309.00071, section 3.2 and equation 22; limits along dimensions as its authors' code has them.

    def dimension(rotations):
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    first, last = dimension(parameters.get("beta_fast", 32)), dimension(parameters.get("beta_slow", 1))
    if parameters.get("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, dim - 1)
    last += 0.001 if first == last else 0
    ramp = [min(max((i - first) / (last - first), 0), 1) for i in range(dim // 2)]
    return [f / factor * r + f * (1 - r) for f, r in zip(plain, ramp)], parameters.get("attention_factor", 0.1 * math.log(factor) + 1)


def shapes(config):
    """Hugging Face name -> shape, of every parameter."""
    hidden, inner, dim = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * dim, config["num_key_value_heads"] * dim
    kind = config["model_type"]
    attention_bias = kind == "qwen2" or config.get("attention_bias", False)
    found = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    if not config["tie_word_embeddings"]:
        found["lm_head.weight"] = [config["vocab_size"], hidden]
    for layer in range(config["num_hidden_layers"]):
        def add(name, *shape):
            found[f"model.layers.{layer}.{name}"] = list(shape)

        for name, rows in (("q", queries), ("k", keys), ("v", keys)):
            add(f"self_attn.{name}_proj.weight", rows, hidden)
            if attention_bias:
                add(f"self_attn.{name}_proj.bias", rows)
        add("self_attn.o_proj.weight", hidden, queries)
        if attention_bias and kind != "qwen2":
            add("self_attn.o_proj.bias", hidden)
        if kind == "qwen3":
            add("self_attn.q_norm.weight", dim)
            add("self_attn.k_norm.weight", dim)
        for name, rows, columns in (("gate", inner, hidden), ("up", inner, hidden), ("down", hidden, inner)):
            add(f"mlp.{name}_proj.weight", rows, columns)
            if config.get("mlp_bias", False):
                add(f"mlp.{name}_proj.bias", rows)
        add("input_layernorm.weight", hidden)
        add("post_attention_layernorm.weight", hidden)
    return found


def norm(x, weight, epsilon):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + epsilon) * weight


def logits(config, weights, tokens):
    """tokens [batch, sequence] -> [batch, sequence, vocabulary]."""
    batch, sequence = tokens.shape
    heads, groups, dim = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]
    epsilon = config["rms_norm_eps"]
    angles, scale = frequencies(config)
    angles = torch.outer(torch.arange(sequence, dtype=torch.float64), torch.tensor(angles, dtype=torch.float64))
    cos, sin = angles.cos() * scale, angles.sin() * scale
    hidden_future = torch.triu(torch.ones(sequence, sequence, dtype=torch.bool), diagonal=1)

    def rotate(x):  # [batch, heads, sequence, dim]
        a, b = x[..., : dim // 2], x[..., dim // 2:]
        return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)

    x = weights["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        def w(name):
            return weights[f"model.layers.{layer}.{name}"]

        def linear(value, name):
            return torch.nn.functional.linear(value, w(name + ".weight"), weights.get(f"model.layers.{layer}.{name}.bias"))

        def split(value, count):
            return value.view(batch, sequence, count, dim)

        y = norm(x, w("input_layernorm.weight"), epsilon)
        q, k, v = split(linear(y, "self_attn.q_proj"), heads), split(linear(y, "self_attn.k_proj"), groups), split(linear(y, "self_attn.v_proj"), groups)
        if config["model_type"] == "qwen3":
            q, k = norm(q, w("self_attn.q_norm.weight"), epsilon), norm(k, w("self_attn.k_norm.weight"), epsilon)
        q, k, v = rotate(q.transpose(1, 2)), rotate(k.transpose(1, 2)), v.transpose(1, 2)
        k, v = (t.repeat_interleave(heads // groups, dim=1) for t in (k, v))
        scores = (q @ k.transpose(2, 3) / math.sqrt(dim)).masked_fill(hidden_future, -math.inf)
        attended = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, sequence, heads * dim)
        x = x + linear(attended, "self_attn.o_proj")
        y = norm(x, w("post_attention_layernorm.weight"), epsilon)
        x = x + linear(torch.nn.functional.silu(linear(y, "mlp.gate_proj")) * linear(y, "mlp.up_proj"), "mlp.down_proj")
    x = norm(x, weights["model.norm.weight"], epsilon)
    return x @ weights["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"].T
