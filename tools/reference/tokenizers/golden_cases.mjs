// The ids and the decoded texts by the npm package "tokenizers", for changes to bytes.json, characters.json, unigram.json.
// Usage: node golden_cases.mjs GOLDENS-FOLDER TEXT; make_goldens.sh calls it.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const { BPE, Tokenizer, metaspacePreTokenizer } = createRequire(join(process.cwd(), "x"))("tokenizers");
const [, , folder, text] = process.argv;
const strings = JSON.parse(readFileSync(join(folder, "strings.json"), "utf8"));
const read = (name) => JSON.parse(readFileSync(join(folder, name), "utf8"));

// A vocabulary of characters as Llama 2's: bytes to fall back to, then characters and the first merges learned from the text.
const trainer = new Tokenizer(BPE.empty());
trainer.setPreTokenizer(metaspacePreTokenizer());
trainer.train([text]);
trainer.save(join(folder, "characters.json"));
const trained = read("characters.json");
const vocab = {};
const number = (token) => { if (!(token in vocab)) vocab[token] = Object.keys(vocab).length; };
["<unk>", "<s>", "</s>"].forEach(number);
for (let b = 0; b < 256; b++) number(`<0x${b.toString(16).toUpperCase().padStart(2, "0")}>`);
const merges = trained.model.merges.slice(0, 250).map((m) => (Array.isArray(m) ? m : m.split(" ")));
for (const [left, right] of merges) [left, right, left + right].forEach(number);
const mark = "\u2581";
const special = (id, content, flags = {}) => ({ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...flags });
const characters = {
  version: "1.0", truncation: null, padding: null, added_tokens: ["<unk>", "<s>", "</s>"].map((content, id) => special(id, content)),
  normalizer: { type: "Sequence", normalizers: [{ type: "Prepend", prepend: mark }, { type: "Replace", pattern: { String: " " }, content: mark }] },
  pre_tokenizer: null, post_processor: null,
  decoder: { type: "Sequence", decoders: [{ type: "Replace", pattern: { String: mark }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }] },
  model: { type: "BPE", dropout: null, unk_token: "<unk>", continuing_subword_prefix: null, end_of_word_suffix: null, fuse_unk: true, byte_fallback: true, ignore_merges: false, vocab, merges } };
writeFileSync(join(folder, "characters.json"), JSON.stringify(characters) + "\n");

const split = (pattern, behavior = "Isolated", invert = false) => ({ type: "Split", pattern: { Regex: pattern }, behavior, invert });
const byteLevel = (use_regex = false, add_prefix_space = false) => ({ type: "ByteLevel", add_prefix_space, trim_offsets: true, use_regex });
const sequence = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const normalizers = (...normalizers) => ({ normalizer: { type: "Sequence", normalizers } });
const metaspace = (prepend_scheme, isSplit = true) => ({ type: "Metaspace", replacement: mark, prepend_scheme, split: isSplit });
const bytes = read("bytes.json");
const next = bytes.added_tokens[0].id + 1;
const o200k = "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const cases = [
  ["bytes.json", "as trained", {}],
  ["bytes.json", "gpt2", { pre_tokenizer: byteLevel(true) }],
  ["bytes.json", "prefix space", { pre_tokenizer: byteLevel(true, true) }],
  ["bytes.json", "o200k", { pre_tokenizer: sequence(split(o200k), byteLevel()) }],
  ["bytes.json", "qwen2", { normalizer: { type: "NFC" }, pre_tokenizer: sequence(split(bytes.pre_tokenizer.pretokenizers[0].pattern.Regex.replace("{1,3}", "")), byteLevel()) }],
  ["bytes.json", "removed and inverted", { pre_tokenizer: sequence(split("\\w+|[^\\w\\s]+", "Removed", true), byteLevel()) }],
  ["bytes.json", "merged with previous", { pre_tokenizer: sequence(split("[aeiou]", "MergedWithPrevious"), byteLevel()) }],
  ["bytes.json", "merged with next", { pre_tokenizer: sequence(split("[aeiou]", "MergedWithNext"), byteLevel()) }],
  ["bytes.json", "contiguous", { pre_tokenizer: sequence(split("[aeiou]", "Contiguous"), byteLevel()) }],
  ["bytes.json", "classes", { pre_tokenizer: sequence(split("[[a-m]&&[^e]]+|\\p{Han}+|(?i)[n-p]+|\\b\\w{2,4}?\\b|(?<=\\d)[^\\d\\s]|^.|(?>\\p{Lu}+)(?=\\p{Ll})"), byteLevel()) }],
  ["bytes.json", "after byte level", { pre_tokenizer: sequence({ type: "Punctuation", behavior: "Contiguous" }, byteLevel(true), { type: "Digits", individual_digits: true }, split("[0-9][0-9][0-9]")) }],
  ["bytes.json", "digits", { pre_tokenizer: sequence({ type: "Digits", individual_digits: false }, byteLevel()) }],
  ["bytes.json", "white space", { pre_tokenizer: sequence({ type: "Whitespace" }, byteLevel()) }],
  ["bytes.json", "white space split", { pre_tokenizer: sequence({ type: "WhitespaceSplit" }, { type: "CharDelimiterSplit", delimiter: "-" }, byteLevel(false, true)) }],
  ["bytes.json", "bert", { pre_tokenizer: sequence({ type: "BertPreTokenizer" }, byteLevel()) }],
  ["bytes.json", "lower case", normalizers({ type: "NFD" }, { type: "Lowercase" }, { type: "StripAccents" }, { type: "Strip", strip_left: true, strip_right: true })],
  ["bytes.json", "nfkc", normalizers({ type: "Nmt" }, { type: "NFKC" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " })],
  ["bytes.json", "nfkd", { normalizer: { type: "NFKD" } }],
  ["bytes.json", "byte level normalizer", { normalizer: { type: "ByteLevel" }, pre_tokenizer: null }],
  ["bytes.json", "ignore merges", { model: { ...bytes.model, ignore_merges: true, merges: bytes.model.merges.slice(0, 20) } }],
  ["bytes.json", "added tokens", { normalizer: { type: "Lowercase" }, added_tokens: [...bytes.added_tokens,
    special(next, "The dog", { normalized: true, special: false }), special(next + 1, "<mask>", { lstrip: true, rstrip: true }), special(next + 2, "<s>", { rstrip: true }),
    special(next + 3, "</s>", { lstrip: true }), special(next + 4, "the the", { single_word: true }), special(next + 5, "fox j", { single_word: true }), special(next + 6, "   ")] }],
  ["characters.json", "as llama 2", {}],
  ["characters.json", "unknown", { model: { ...characters.model, byte_fallback: false } }],
  ["characters.json", "unknown one by one", { model: { ...characters.model, byte_fallback: false, fuse_unk: false }, normalizer: null, pre_tokenizer: metaspace("never"), decoder: metaspace("never") }],
  ["characters.json", "metaspace", { normalizer: null, pre_tokenizer: metaspace("always"), decoder: metaspace("always") }],
  ["characters.json", "metaspace first", { normalizer: null, pre_tokenizer: metaspace("first", false), decoder: metaspace("first") }],
  ["characters.json", "as gemma", { normalizer: characters.normalizer.normalizers[1], pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false } }],
  ["unigram.json", "as t5", {}],
];
const golden = [];
for (const [base, name, changes] of cases) {
  const tokenizer = Tokenizer.fromString(JSON.stringify({ ...read(base), ...changes }));
  const ids = (await tokenizer.encodeBatch(strings, { addSpecialTokens: false })).map((e) => e.getIds());
  const texts = await tokenizer.decodeBatch(ids, false);
  const decoded = Object.fromEntries(texts.map((t, i) => [i, t]).filter(([i, t]) => t !== strings[i]));
  golden.push(JSON.stringify({ base, name, changes, ids, decoded }));
}
writeFileSync(join(folder, "cases.json"), "[\n" + golden.join(",\n") + "\n]\n");
