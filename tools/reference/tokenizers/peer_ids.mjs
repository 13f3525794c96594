// The ids, and the text decoded from them, by Hugging Face's own library (npm package "tokenizers").
// Usage, in a folder where it is installed: node peer_ids.mjs TOKENIZER.json STRINGS.jsonl > IDS
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const { Tokenizer } = createRequire(join(process.cwd(), "x"))("tokenizers");
const tokenizer = Tokenizer.fromFile(process.argv[2]);
const strings = readFileSync(process.argv[3], "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
const lines = [];
for (let i = 0; i < strings.length; i += 1000) {
  const batch = strings.slice(i, i + 1000);
  const encodings = await tokenizer.encodeBatch(batch, { addSpecialTokens: false });
  const ids = encodings.map((encoding) => encoding.getIds());
  const texts = await tokenizer.decodeBatch(ids, false);
  texts.forEach((text, j) => lines.push(ids[j].join(" ") + (text === batch[j] ? "" : " !")));
}
process.stdout.write(lines.join("\n") + "\n");
