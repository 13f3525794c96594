// Writes tokenizer.json files with real vocabularies, and variants that try one component each.
// Usage, in a folder where the npm packages are installed: node make_tokenizers.mjs OUTPUT-FOLDER
import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "x"));
const output = process.argv[2];
mkdirSync(output, { recursive: true });

const printable = (b) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
let next = 0x100;
const characters = Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
const shown = (latin1) => Array.from(latin1, (c) => characters[c.charCodeAt(0)]).join("");

const added = (id, content, flags = {}) =>
  ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...flags });
const split = (pattern, behavior = "Isolated", invert = false) => ({ type: "Split", pattern: { Regex: pattern }, behavior, invert });
const byteLevel = (use_regex = false, add_prefix_space = false) => ({ type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex });
const sequence = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const model = (vocab, merges, rest = {}) => ({
  type: "BPE", dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null,
  fuse_unk: false, byte_fallback: false, ignore_merges: false, vocab, merges, ...rest });

function write(name, fields) {
  const json = {
    version: "1.0", truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: null,
    post_processor: null, decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true }, ...fields };
  writeFileSync(join(output, name + ".json"), JSON.stringify(json));
}

// The merges behind the ranks: each token is what its two last parts merge into.
function fromRanks(name) {
  const { pat_str, special_tokens, bpe_ranks } = require(`tiktoken/encoders/${name}.json`);
  const ranks = new Map();
  for (const line of bpe_ranks.split("\n")) {
    const [, offset, ...tokens] = line.split(" ");
    tokens.forEach((token, i) => ranks.set(atob(token), Number(offset) + i));
  }
  const merges = [];
  for (const [token, rank] of [...ranks].sort((a, b) => a[1] - b[1])) {
    if (token.length === 1) continue;
    const parts = Array.from(token);
    while (parts.length > 2) {
      let best = Infinity, at = -1;
      for (let i = 0; i + 1 < parts.length; i++) {
        const r = ranks.get(parts[i] + parts[i + 1]);
        if (r !== undefined && r < rank && r < best) { best = r; at = i; }
      }
      if (at < 0) break;
      parts.splice(at, 2, parts[at] + parts[at + 1]);
    }
    if (parts.length === 2) merges.push(parts.map(shown));
  }
  const vocab = Object.fromEntries([...ranks].map(([token, rank]) => [shown(token), rank]));
  // The peer numbers added tokens in their order, whatever their ids: no id may be missing.
  const names = new Map(Object.entries(special_tokens).map(([content, id]) => [id, content]));
  const specials = [];
  for (let id = ranks.size; id <= Math.max(...names.keys()); id++) specials.push(added(id, names.get(id) ?? `<|unused ${id}|>`));
  return { vocab, merges, specials, pattern: pat_str };
}

const gpt2 = fromRanks("gpt2");
write("gpt2", { added_tokens: gpt2.specials, pre_tokenizer: byteLevel(true), model: model(gpt2.vocab, gpt2.merges.map((m) => m.join(" "))) });
for (const name of ["cl100k_base", "o200k_base"]) {
  const { vocab, merges, specials, pattern } = fromRanks(name);
  write(name, { added_tokens: specials, pre_tokenizer: sequence(split(pattern), byteLevel()), model: model(vocab, merges, { ignore_merges: true }) });
}

const { llama3Tokenizer: llama3 } = require("llama3-tokenizer-js/bundle/commonjs-llama3-tokenizer-with-baked-data.cjs");
const pairs = [...llama3.merges].sort((a, b) => a[1] - b[1]).map(([pair]) => pair.split(" "));
const first = llama3.vocabById.indexOf("<|begin_of_text|>");
write("llama3", {
  added_tokens: llama3.vocabById.slice(first).map((content, i) => added(first + i, content)),
  pre_tokenizer: sequence(split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), byteLevel()),
  model: model(Object.fromEntries(llama3.vocabById.slice(0, first).map((token, id) => [token, id])), pairs, { ignore_merges: true }) });

const { default: llama2 } = await import("file://" + require.resolve("llama-tokenizer-js"));
const mark = "\u2581";
const llama2Model = (rest = {}) => model(
  Object.fromEntries(llama2.vocabById.map((token, id) => [token, id])),
  [...llama2.merges].sort((a, b) => a[1] - b[1]).map(([pair]) => pair.split(" ")),
  { unk_token: "<unk>", fuse_unk: true, byte_fallback: true, ...rest });
const llama2Specials = ["<unk>", "<s>", "</s>"].map((content, id) => added(id, content));
const llama2Decoder = { type: "Sequence", decoders: [
  { type: "Replace", pattern: { String: mark }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] };
const replaceSpaces = { type: "Replace", pattern: { String: " " }, content: mark };
write("llama2", {
  added_tokens: llama2Specials, decoder: llama2Decoder, model: llama2Model(),
  normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: mark }, replaceSpaces] } });
for (const prepend_scheme of ["always", "first", "never"]) {
  const metaspace = { type: "Metaspace", replacement: mark, prepend_scheme, split: prepend_scheme !== "first" };
  write("llama2-metaspace-" + prepend_scheme, { added_tokens: llama2Specials, decoder: metaspace, pre_tokenizer: metaspace, model: llama2Model({ byte_fallback: prepend_scheme === "always", fuse_unk: prepend_scheme === "never" }) });
}
write("llama2-gemma", {
  added_tokens: llama2Specials, decoder: llama2Decoder, normalizer: replaceSpaces, model: llama2Model(),
  pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false } });

const deepSeek = [split("[\\r\\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"), split("[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"),
  split("\\s?[A-Za-z\u00b5\u00c0-\u00d6\u{10400}-\u{1044f}]+"), { type: "Digits", individual_digits: true }, byteLevel()];
const variants = {
  "prefix-space": { pre_tokenizer: byteLevel(true, true) },
  qwen2: { normalizer: { type: "NFC" }, pre_tokenizer: sequence(split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), byteLevel()) },
  deepseek: { pre_tokenizer: sequence(...deepSeek) },
  deepseek3: { pre_tokenizer: sequence(split("\\p{N}{1,3}"), split("[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"),
    split("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"), byteLevel()) },
  falcon: { pre_tokenizer: sequence({ type: "Punctuation", behavior: "Contiguous" }, byteLevel(true), { type: "Digits", individual_digits: false }, split("[0-9][0-9][0-9]")) },
  bloom: { pre_tokenizer: sequence(split(" ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+"), byteLevel()) },
  gpt4removed: { pre_tokenizer: sequence(split(gpt2.pattern, "Removed", true), byteLevel()) },
  han: { pre_tokenizer: sequence(split("[\\p{Han}]+|\\p{Thai}+|(?i)[a-c]+|\\b\\w{2,4}?\\b|(?<=\\d)[^\\d\\s]|(?>\\p{Lu}+)(?=\\p{Ll})|^.|\\h+$"), byteLevel()) },
  starcoder: { pre_tokenizer: sequence({ type: "Digits", individual_digits: true }, byteLevel(true)) },
  whitespace: { pre_tokenizer: sequence({ type: "Whitespace" }, byteLevel()) },
  bert: { pre_tokenizer: sequence({ type: "BertPreTokenizer" }, byteLevel(true)) },
  "whitespace-split": { pre_tokenizer: sequence({ type: "WhitespaceSplit" }, { type: "CharDelimiterSplit", delimiter: "-" }, byteLevel(false, true)) },
  lowercase: { normalizer: { type: "Sequence", normalizers: [{ type: "NFD" }, { type: "Lowercase" }, { type: "StripAccents" }, { type: "Strip", strip_left: true, strip_right: true }] }, pre_tokenizer: byteLevel(true) },
  nfkc: { normalizer: { type: "Sequence", normalizers: [{ type: "Nmt" }, { type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " }] }, pre_tokenizer: byteLevel(true) },
  nfkd: { normalizer: { type: "NFKD" }, pre_tokenizer: byteLevel(true) },
  normalizer: { normalizer: { type: "ByteLevel" }, pre_tokenizer: null },
  added: { pre_tokenizer: byteLevel(true), normalizer: { type: "Lowercase" }, added_tokens: [...gpt2.specials,
    added(50257, "file is", { single_word: true, normalized: true, special: false }), added(50258, "<s>", { lstrip: true }), added(50259, "</s>", { rstrip: true }),
    added(50260, "<mask>", { lstrip: true, rstrip: true }), added(50261, "  "), added(50262, "    "), added(50263, "An a", { normalized: true, special: false }), added(50264, "\u00e9", { special: false, normalized: true })] },
};
for (const behavior of ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]) {
  for (const invert of [false, true]) {
    variants[`split-${behavior}-${invert}`] = { pre_tokenizer: sequence(split("[aeiou\\d]|(?=\\.)", behavior, invert), byteLevel()) };
  }
}
for (const [name, fields] of Object.entries(variants)) {
  write("gpt2-" + name, { added_tokens: gpt2.specials, model: model(gpt2.vocab, gpt2.merges), ...fields });
}
