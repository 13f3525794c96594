using System.Text.Json;
using ComparePackages;
using QApollo;
using QApollo.Data.Tokenizers;

// ComparePackages TOKENIZER STRINGS.jsonl [DOCUMENTS.jsonl.gz [ROUNDS]]
// The ids of this repository's encoder against Hugging Face's library and Microsoft.ML.Tokenizers, on JSON strings a line each, with
// special tokens as text and parsed; then the speed on documents, on one core, in alternating rounds.
// ComparePackages goldens FOLDER: writes the ids of the tests' goldens by Hugging Face's library.
// TOKENIZER: gpt2, r50k_base, cl100k_base, o200k_base, a tokenizer.json or a SentencePiece .model.
if (args[0] == "goldens")
{
    Goldens.Write(args[1]);
    return;
}

string name = args[0];
string[] strings = [.. File.ReadLines(args[1]).Select(line => JsonDocument.Parse(line).RootElement.GetString()!)];
string? documents = args.Length > 2 ? args[2] : null;

foreach (SpecialTokenMode mode in Enum.GetValues<SpecialTokenMode>())
{
    ITokenizer ours = TokenizerLoader.Load(name, mode);
    foreach (IPeer peer in Peers.Of(name, mode))
    {
        using (peer)
        {
            Agreement.Report(ours, peer, strings, $"special tokens {mode}");
            if (documents is not null && mode == SpecialTokenMode.Text)
            {
                Speed.Report(ours, peer, documents, args.Length > 3 ? int.Parse(args[3]) : 3);
            }
        }
    }
}
