using TorchSharp.Modules;
using static TorchSharp.torch;

namespace QApollo.Reference;

/// <summary>A preset of the program: hidden and intermediate size, layers, heads, vocabulary.</summary>
internal sealed record Shape(int Hidden, int Intermediate, int Layers, int Heads, int Vocabulary)
{
    public static Shape Of(string name) => name switch
    {
        "demo" => new Shape(128, 352, 4, 4, 320),
        "9m" => new Shape(128, 352, 4, 4, 32_000),
        "20m" => new Shape(256, 688, 4, 4, 32_000),
        "60m" => new Shape(512, 1376, 8, 8, 32_000),
        _ => throw new ArgumentException($"no such preset: {name}"),
    };
}

internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;

    public RmsNorm(int size)
        : base("norm")
    {
        weight = nn.Parameter(ones(size));
        RegisterComponents();
    }

    public override Tensor forward(Tensor input) => input * rsqrt(input.pow(2).mean([-1], true) + 1e-6) * weight;
}

/// <summary>Attention by libtorch's fused operation, then SwiGLU.</summary>
internal sealed class Layer : nn.Module<Tensor, Tensor, Tensor, Tensor>
{
    private readonly int _heads;
    private readonly RmsNorm inputNorm;
    private readonly RmsNorm postNorm;
    private readonly Linear query;
    private readonly Linear key;
    private readonly Linear value;
    private readonly Linear output;
    private readonly Linear gate;
    private readonly Linear up;
    private readonly Linear down;

    public Layer(Shape shape)
        : base("layer")
    {
        _heads = shape.Heads;
        (inputNorm, postNorm) = (new RmsNorm(shape.Hidden), new RmsNorm(shape.Hidden));
        (query, key, value, output) = (Square(), Square(), Square(), Square());
        (gate, up) = (nn.Linear(shape.Hidden, shape.Intermediate, hasBias: false), nn.Linear(shape.Hidden, shape.Intermediate, hasBias: false));
        down = nn.Linear(shape.Intermediate, shape.Hidden, hasBias: false);
        RegisterComponents();

        Linear Square() => nn.Linear(shape.Hidden, shape.Hidden, hasBias: false);
    }

    public override Tensor forward(Tensor x, Tensor cosine, Tensor sine)
    {
        (long batch, long length, long hidden) = (x.shape[0], x.shape[1], x.shape[2]);
        Tensor normed = inputNorm.forward(x);
        Tensor Heads(Linear weight) => weight.forward(normed).view(batch, length, _heads, -1).transpose(1, 2);
        Tensor q = Rotate(Heads(query), cosine, sine), k = Rotate(Heads(key), cosine, sine);
        Tensor mixed = nn.functional.scaled_dot_product_attention(q, k, Heads(value), is_casual: true);
        x += output.forward(mixed.transpose(1, 2).reshape(batch, length, hidden));
        normed = postNorm.forward(x);
        return x + down.forward(nn.functional.silu(gate.forward(normed)) * up.forward(normed));
    }

    private static Tensor Rotate(Tensor x, Tensor cosine, Tensor sine)
    {
        Tensor[] halves = x.chunk(2, -1);
        return x * cosine + cat([-halves[1], halves[0]], -1) * sine;
    }
}

internal sealed class Llama : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly Embedding embedding;
    private readonly ModuleList<Layer> layers;
    private readonly RmsNorm norm;
    private readonly Linear head;
    private readonly Tensor _cosine;
    private readonly Tensor _sine;

    public Llama(Shape shape, int length)
        : base("llama")
    {
        embedding = nn.Embedding(shape.Vocabulary, shape.Hidden);
        layers = nn.ModuleList<Layer>([.. Enumerable.Range(0, shape.Layers).Select(_ => new Layer(shape))]);
        norm = new RmsNorm(shape.Hidden);
        head = nn.Linear(shape.Hidden, shape.Vocabulary, hasBias: false);
        RegisterComponents();
        int dimension = shape.Hidden / shape.Heads;
        Tensor frequency = pow(10_000.0, -arange(0, dimension, 2, ScalarType.Float32) / dimension);
        Tensor half = arange(length, ScalarType.Float32).unsqueeze(1) * frequency;
        Tensor angle = cat([half, half], -1);
        (_cosine, _sine) = (angle.cos(), angle.sin());
    }

    /// <summary>The mean loss.</summary>
    public override Tensor forward(Tensor tokens, Tensor labels)
    {
        Tensor x = embedding.forward(tokens);
        foreach (Layer layer in layers)
        {
            x = layer.forward(x, _cosine, _sine);
        }

        return nn.functional.cross_entropy(head.forward(norm.forward(x)).flatten(0, 1), labels.flatten());
    }
}
