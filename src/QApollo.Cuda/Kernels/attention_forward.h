// Causal grouped-query attention: O = softmax(scale Q Kᵀ) V per head, in the manner of FlashAttention-2 (arXiv 2307.08691,
// algorithm 1). Q, O [batch * queries, heads * d], K, V [batch * keys, kv_heads * d] bf16; log_sum_exp [heads, batch * queries]
// float, natural logarithm of the sum of exponentials of scaled scores. Query i sees keys 0 .. i + keys - queries;
// if masked, those from document_starts[i] on ([batch * queries] int, ascending in a sequence; queries = keys; null: none).
//
// One block of 4 warps per 64 queries of a head; a warp has 16 of them. Grid (ceil(queries / 64) from the last tile to the
//   first: late tiles have most keys; heads; batch). Keys come in tiles of 64 (32 for D = 128); K of the next tile loads
//   during the softmax and the product with V, V during the product with K.
// Shared memory: tiles of K and V (Q before that), 2 * 64 rows of D bf16 (half of that for D = 128); up to 20 KiB. Q
//   stays in registers.
// Sums in binary32: over features and keys ascending in steps of 16; row maxima and sums over four lanes by butterfly.
#pragma once
#include "attention.h"

/// Over the four lanes that share a row of an accumulator.
template <class Operation> DEVICE float quad_reduce(float value, Operation operation) {
    value = operation(value, __shfl_xor_sync(AllLanes, value, 1));
    return operation(value, __shfl_xor_sync(AllLanes, value, 2));
}

template <int D, bool Masked, bool Aligned>
DEVICE void forward(const bf16* query, const bf16* key, const bf16* value, bf16* output, float* log_sum_exp,
                    int queries, int keys, int heads, int kv_heads, int features, float scale, const int* document_starts) {
    constexpr int Rows = 64, Threads = 128, Keys = D > 80 ? 32 : 64; // 64 would not leave registers enough for 128 features
    DYNAMIC_SHARED(bf16, memory);
    SharedAddress tile_k = shared_address(memory), tile_v = tile_k + HeadTile<D>::bytes(Keys);
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int first_query = (int(gridDim.x) - 1 - int(blockIdx.x)) * Rows, head = blockIdx.y, batch = blockIdx.z;
    int kv_head = head / (heads / kv_heads), ahead = keys - queries;
    i64 query_stride = i64(heads) * features;
    int query_bytes = heads * features * 2, key_bytes = kv_heads * features * 2;
    i64 first_row = i64(batch) * queries + first_query;
    const bf16* q = query + i64(batch) * queries * query_stride + head * features;
    const bf16* k = key + i64(batch) * keys * kv_heads * features + kv_head * features;
    const bf16* v = value + i64(batch) * keys * kv_heads * features + kv_head * features;
    HeadLoader<D, Threads, Aligned> loader;
    HeadFragments<D> fragments;
    loader.start(features);
    fragments.start();

    u32 fragments_q[D / 16][4];
    loader.pad(tile_k, max(Rows, 2 * Keys));
    loader.template load<Rows>(tile_k, q, first_query, queries - 1, query_bytes);
    async_commit();
    async_wait<0>();
    __syncthreads();
#pragma unroll
    for (int i = 0; i < D / 16; i++) fragments.rows_as_a(fragments_q[i], tile_k + warp * HeadTile<D>::bytes(16), i);
    // Q is in registers: its place is free for K and V.
    __syncthreads();

    int visible = min(keys, first_query + Rows + ahead), tiles = (visible + Keys - 1) / Keys;
    // No query of the tile sees a key before the first one's document.
    int tile = Masked && document_starts ? document_starts[first_row] / Keys : 0;
    loader.template load<Keys>(tile_k, k, tile * Keys, keys - 1, key_bytes);
    async_commit();
    loader.template load<Keys>(tile_v, v, tile * Keys, keys - 1, key_bytes);
    async_commit();

    // Key 0 is visible to every query, so the maximum is finite from the first tile on; if masked, a whole tile may be hidden,
    // and infinity less itself is no number.
    float least = Masked ? -1e30f : -INFINITY;
    float sums[D / 8][4], most[2] = {least, least}, total[2] = {0, 0}, to_log2 = scale * Log2E;
    clear(sums);
    for (; tile < tiles; tile++) {
        int first_key = tile * Keys;
        async_wait<1>();
        // K of this tile is visible.
        __syncthreads();
        float scores[Keys / 8][4];
        clear(scores);
#pragma unroll
        for (int i = 0; i < D / 16; i++) {
#pragma unroll
            for (int j = 0; j < Keys / 16; j++) {
                u32 fragments_k[4];
                fragments.rows_as_columns(fragments_k, tile_k, j * 16, i);
                multiply_add(scores[2 * j], fragments_q[i], fragments_k[0], fragments_k[1]);
                multiply_add(scores[2 * j + 1], fragments_q[i], fragments_k[2], fragments_k[3]);
            }
        }
        // All warps have read K.
        __syncthreads();
        if (tile + 1 < tiles) loader.template load<Keys>(tile_k, k, first_key + Keys, keys - 1, key_bytes);
        async_commit();

        int row = first_query + warp * 16 + (lane >> 2);
        if (first_key + Keys > first_query + warp * 16 + ahead) {
            int seen = row + ahead - first_key - (lane & 3) * 2; // keys of the tile that the lane's first row sees, from the lane's first column
#pragma unroll
            for (int j = 0; j < Keys / 8; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) if (j * 8 + (e & 1) - (e >> 1) * 8 > seen) scores[j][e] = -INFINITY;
        }
        if (Masked && document_starts) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int start = document_starts[i64(batch) * queries + min(row + half * 8, queries - 1)];
                if (start > first_key) {
#pragma unroll
                    for (int j = 0; j < Keys / 8; j++)
#pragma unroll
                        for (int e = 0; e < 2; e++)
                            if (first_key + j * 8 + (lane & 3) * 2 + e < start) scores[j][half * 2 + e] = -INFINITY;
                }
            }
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float tile_most = most[half];
#pragma unroll
            for (int j = 0; j < Keys / 8; j++) tile_most = fmaxf(tile_most, fmaxf(scores[j][half * 2], scores[j][half * 2 + 1]));
            tile_most = quad_reduce(tile_most, Max());
            float shrink = fast_exp2((most[half] - tile_most) * to_log2), shift = tile_most * to_log2, sum = 0;
            most[half] = tile_most;
#pragma unroll
            for (int j = 0; j < Keys / 8; j++)
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float p = fast_exp2(__fmaf_rn(scores[j][half * 2 + e], to_log2, -shift));
                    scores[j][half * 2 + e] = p;
                    sum += p;
                }
            total[half] = __fmaf_rn(total[half], shrink, sum);
#pragma unroll
            for (int n = 0; n < D / 8; n++) {
                sums[n][half * 2] *= shrink;
                sums[n][half * 2 + 1] *= shrink;
            }
        }

        async_wait<1>();
        // V of this tile is visible.
        __syncthreads();
        fragments.accumulate_rows(sums, scores, tile_v);
        // All warps have read V.
        __syncthreads();
        if (tile + 1 < tiles) loader.template load<Keys>(tile_v, v, first_key + Keys, keys - 1, key_bytes);
        async_commit();
    }

    total[0] = quad_reduce(total[0], Add());
    total[1] = quad_reduce(total[1], Add());
    int valid = queries - first_query - warp * 16;
    bf16* target = output + (first_row + warp * 16) * query_stride + head * features;
    if (Aligned) {
        store_rows<D>(target, sums, valid, query_stride, features, 1.0f / total[0], 1.0f / total[1]);
    } else {
        // The tiles are no longer read.
        __syncthreads();
        unsigned char* rows = reinterpret_cast<unsigned char*>(memory) + warp * HeadTile<D>::bytes(16);
        store_rows_any<D>(rows, target, sums, valid, query_stride, features, 1.0f / total[0], 1.0f / total[1]);
    }
    if ((lane & 3) == 0) {
        float* logs = log_sum_exp + i64(head) * gridDim.z * queries + first_row + warp * 16 + (lane >> 2);
        if ((lane >> 2) < valid) logs[0] = __fmaf_rn(most[0], scale, logf(total[0]));
        if ((lane >> 2) + 8 < valid) logs[8] = __fmaf_rn(most[1], scale, logf(total[1]));
    }
}

/// Kernels that are told where documents start; null for whole sequences. Copied: heads as cp.async takes them.
#define ATTENTION_FORWARD_IN_DOCUMENTS(kind, D, copied)                                                                                     \
    KERNEL(attention_forward_##kind##_##D, 128, 2)(const bf16* query, const bf16* key, const bf16* value, bf16* output, float* log_sum_exp, \
        int queries, int keys, int heads, int kv_heads, int features, float scale, const int* document_starts) {                            \
        forward<D, true, copied>(query, key, value, output, log_sum_exp, queries, keys, heads, kv_heads, features, scale, document_starts); \
    }                                                                                                                                       \
    EXPORT_KERNEL(attention_forward_##kind##_##D)
