using System.Buffers;
using System.Text;
using System.Text.Json;
using QApollo.Data;
using QApollo.Data.Tokenizers;

// TokenIds TOKENIZER STRINGS.jsonl > IDS: the ids of each JSON string, a line each; " !" where decoding does not give the text back.
ITokenizer tokenizer = TokenizerLoader.Load(args[0]);
using var output = new StreamWriter(Console.OpenStandardOutput());
var ids = new ArrayBufferWriter<int>();
var back = new ArrayBufferWriter<byte>();
foreach (string line in File.ReadLines(args[1]))
{
    using JsonDocument json = JsonDocument.Parse(line);
    byte[] text = Encoding.UTF8.GetBytes(json.RootElement.GetString()!);
    ids.Clear();
    back.Clear();
    tokenizer.Encode(text, ids);
    tokenizer.Decode(ids.WrittenSpan, back);
    output.WriteLine(string.Join(' ', ids.WrittenSpan.ToArray()) + (back.WrittenSpan.SequenceEqual(text) ? string.Empty : " !"));
}
