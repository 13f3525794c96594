// Writes the test files of tests/QApollo.Data.Tests/Documents/Formats by programs that are not ours: DuckDB (C++), the Rust
// crate `parquet` (as parquet-wasm), and the command line program zstd. Their texts are those of FormatRows in the tests.
// Usage: npm install && node make.mjs ../../../tests/QApollo.Data.Tests/Documents/Formats
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { DuckDBInstance } from '@duckdb/node-api';
import * as arrow from 'apache-arrow';

const parquet = createRequire(import.meta.url)('parquet-wasm');
const folder = process.argv[2];
const file = name => path.join(folder, name);

const row = i => i % 17 === 5 ? null : i % 13 === 4 ? '' : `Row ${i} – ünïcode 猫 ${'abc '.repeat(i % 9)}`;
const rows = Array.from({ length: 60 }, (_, i) => row(i));

// DuckDB: each codec, data pages v1 and v2, nested other columns before and behind the text.
const connection = await (await DuckDBInstance.create(':memory:')).connect();
await connection.run(`create table t as select {'a': i, 'b': ['x', 'y' || i]} as meta, i as id,
  case when i % 17 = 5 then null when i % 13 = 4 then '' else 'Row ' || i || ' – ünïcode 猫 ' || repeat('abc ', i % 9) end as text,
  [i, i + 1] as numbers, i * 1.5 as score from range(60) r(i)`);
const write = (name, query, options) => connection.run(`copy (${query}) to '${file(name)}' (format parquet, ${options})`);
for (const codec of ['snappy', 'zstd', 'gzip', 'uncompressed', 'lz4_raw', 'brotli']) {
    for (const version of ['V1', 'V2']) {
        await write(`duckdb-${codec}-${version.toLowerCase()}.parquet`, 'from t', `compression ${codec}, parquet_version ${version}`);
    }
}
await write('duckdb-dictionary.parquet', "select 'same ' || (i % 3) as text from range(5000) r(i)", 'compression snappy, row_group_size 2048');
await write('duckdb-blob.parquet', "select encode('blob ' || i) as text from range(30) r(i)", 'compression snappy');
await write('duckdb-invalid-utf8.parquet', "select '\\x41\\xFF\\x42'::blob as text from range(3) r(i)", 'compression snappy');
await write('duckdb-integers.parquet', 'select i as text from range(30) r(i)', 'compression snappy');
await write('duckdb-struct.parquet', "select 'body ' || i as body, {'text': 'inner ' || i, 'n': i} as meta from range(30) r(i)", 'compression snappy');
await write('duckdb-large-text.parquet', "select repeat('long text ', 300000) || i as text from range(2) r(i)", 'compression zstd');

// Rust: the encodings that DuckDB does not choose by itself, the old LZ4 framing, small pages, several row groups.
const { Compression, Encoding, WriterVersion, WriterPropertiesBuilder } = parquet;
const table = () => parquet.Table.fromIPCStream(arrow.tableToIPC(
    arrow.tableFromArrays({ text: arrow.vectorFromArray(rows, new arrow.Utf8()), id: rows.map((_, i) => i) }), 'stream'));
const plain = properties => properties.setDictionaryEnabled(false);
const variants = {
    'rust-plain-v1': p => plain(p).setWriterVersion(WriterVersion.V1).setCompression(Compression.UNCOMPRESSED),
    'rust-delta-length-v2': p => plain(p).setWriterVersion(WriterVersion.V2).setColumnEncoding('text', Encoding.DELTA_LENGTH_BYTE_ARRAY).setCompression(Compression.ZSTD),
    'rust-delta-bytes-v1': p => plain(p).setWriterVersion(WriterVersion.V1).setColumnEncoding('text', Encoding.DELTA_BYTE_ARRAY).setCompression(Compression.GZIP),
    'rust-delta-bytes-v2': p => plain(p).setWriterVersion(WriterVersion.V2).setColumnEncoding('text', Encoding.DELTA_BYTE_ARRAY).setCompression(Compression.SNAPPY),
    'rust-dictionary-v2': p => p.setWriterVersion(WriterVersion.V2).setCompression(Compression.LZ4_RAW),
    'rust-lz4-hadoop': p => p.setCompression(Compression.LZ4),
    'rust-small-pages': p => p.setWriterVersion(WriterVersion.V2).setDataPageSizeLimit(256).setWriteBatchSize(8).setMaxRowGroupSize(7).setCompression(Compression.ZSTD),
};
for (const [name, set] of Object.entries(variants)) {
    fs.writeFileSync(file(`${name}.parquet`), parquet.writeParquet(table(), set(new WriterPropertiesBuilder()).build()));
}

// zstd: several frames, a skippable one between them, windows up to and beyond the limit.
const zstd = (text, ...options) => execFileSync('zstd', ['-q', '-c', ...options], { input: text });
const lines = Buffer.from(rows.map(text => JSON.stringify({ text }) + '\n').join(''));
const skippable = Buffer.from([0x52, 0x2A, 0x4D, 0x18, 3, 0, 0, 0, 1, 2, 3]);
const cut = lines.indexOf('\n', 1000) - 5;
fs.writeFileSync(file('zstd-frames.jsonl.zst'), Buffer.concat([
    skippable, zstd(lines.subarray(0, cut)), skippable, zstd(Buffer.alloc(0)), zstd(lines.subarray(cut), '-19', '--check'), skippable]));
fs.writeFileSync(file('zstd-long-27.jsonl.zst'), zstd(lines, '--long=27'));
fs.writeFileSync(file('zstd-long-31.jsonl.zst'), zstd(lines, '--long=31'));
