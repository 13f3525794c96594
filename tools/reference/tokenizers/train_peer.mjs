// Trains a byte-level BPE with the peer on the lines of a text and writes its tokenizer.json.
// Usage, where the npm package "tokenizers" is installed: node train_peer.mjs TEXT OUTPUT.json
// The peer's Node binding has no options: 30000 tokens, every frequency, only the bytes that occur, no special token.
import { createRequire } from "node:module";
import { join } from "node:path";

const { BPE, Tokenizer, byteLevelPreTokenizer } = createRequire(join(process.cwd(), "x"))("tokenizers");
const tokenizer = new Tokenizer(BPE.empty());
tokenizer.setPreTokenizer(byteLevelPreTokenizer(false, true));
tokenizer.train([process.argv[2]]);
tokenizer.save(process.argv[3], false);
