// Gradient of causal grouped-query attention (FlashAttention-2, arXiv 2307.08691, algorithm 2), deterministic: keys and queries
// have a kernel each, so that every output is summed by one block in one order, at the price of forming the scores twice.
//   P = exp(scale Q Kᵀ - log_sum_exp), dV = Pᵀ dO, dS = P (dO Vᵀ - delta), dQ = scale dS K, dK = scale dSᵀ Q,
//   delta = rowsum(dO O), of attention_delta.cu. Query and key length are equal; layouts and documents as in attention_forward.h;
//   delta [heads, rows] float.
//
// attention_backward_kv: one block of 4 warps per 64 keys of a key/value head; a warp has 16 of them and works on
//   transposed scores. Loops over the group's query heads, and per head over queries from the diagonal on, 32 at a time; if
//   masked, as far as the document of the last key goes.
//   Grid (ceil(length / 64), kv_heads, batch). Shared memory: K, V, two stages of (Q, dO, log_sum_exp, delta).
// attention_backward_q: one block of 4 warps per 64 queries of a head, keys 32 at a time in two stages of (K, V); if
//   masked, from the document of the first query on.
//   Grid (ceil(length / 64) from the last to the first, heads, batch).
// Both: (128 + 128) * (D + 8) bf16 and 512 bytes of shared memory, up to 68.5 KiB. Sums in binary32, over rows ascending.
#pragma once
#include "attention.h"

struct BackwardShape { int length, heads, kv_heads, features, async; float scale; const int* document_starts; };

constexpr int OwnRows = 64, StepRows = 32, BackwardThreads = 128;

/// One past the last query of the sequence that sees a key in [first, last]: those of later documents do not.
DEVICE int end_of_queries(const int* document_starts, int length, int first, int last) {
    int low = first, high = length;
    while (low < high) {
        int middle = (low + high) / 2;
        if (document_starts[middle] <= last) low = middle + 1;
        else high = middle;
    }
    return low;
}

template <int D, bool Masked>
DEVICE void backward_kv(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, const bf16* gradient,
                        const float* delta, bf16* key_gradient, bf16* value_gradient, const BackwardShape& s) {
    using Tile = HeadTile<D>;
    constexpr int StepSize = StepRows * Tile::Pitch;
    DYNAMIC_SHARED(bf16, tile_k);
    bf16* tile_v = tile_k + OwnRows * Tile::Pitch;
    bf16* steps = tile_v + OwnRows * Tile::Pitch;                       // [2][Q, dO]
    float* logs = reinterpret_cast<float*>(steps + 4 * StepSize);       // [2][log_sum_exp, delta]
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int first_key = blockIdx.x * OwnRows, kv_head = blockIdx.y, group = s.heads / s.kv_heads;
    i64 batch_row = i64(blockIdx.z) * s.length, rows = i64(gridDim.z) * s.length;
    i64 query_stride = i64(s.heads) * s.features, key_stride = i64(s.kv_heads) * s.features;
    i64 own = (batch_row + first_key) * key_stride + kv_head * s.features;
    const int* starts = s.document_starts + (Masked ? batch_row : 0);
    int end = Masked ? end_of_queries(starts, s.length, first_key, first_key + OwnRows - 1) : s.length;
    int steps_per_head = (end - first_key + StepRows - 1) / StepRows, count = steps_per_head * group;
    float to_log2 = s.scale * Log2E;

    auto fetch = [&](int step) {
        int head = kv_head * group + step / steps_per_head, first = first_key + step % steps_per_head * StepRows;
        bf16* stage = steps + (step & 1) * 2 * StepSize;
        i64 from = (batch_row + first) * query_stride + head * s.features;
        Tile::template load<StepRows, BackwardThreads>(stage, query + from, s.length - first, query_stride, s.features, s.async);
        Tile::template load<StepRows, BackwardThreads>(stage + StepSize, gradient + from, s.length - first, query_stride, s.features, s.async);
        if (threadIdx.x < 2 * StepRows) {
            int row = threadIdx.x % StepRows;
            bool is_log = threadIdx.x < StepRows, inside = first + row < s.length;
            const float* source = (is_log ? log_sum_exp : delta) + head * rows + batch_row + first + row;
            // An infinite logarithm makes the probabilities of rows beyond the sequence zero.
            logs[(step & 1) * 2 * StepRows + threadIdx.x] = inside ? (is_log ? *source * Log2E : *source) : (is_log ? INFINITY : 0.0f);
        }
        async_commit();
    };

    Tile::template load<OwnRows, BackwardThreads>(tile_k, key + own, s.length - first_key, key_stride, s.features, s.async);
    Tile::template load<OwnRows, BackwardThreads>(tile_v, value + own, s.length - first_key, key_stride, s.features, s.async);
    fetch(0);
    float sums_k[D / 8][4], sums_v[D / 8][4];
    clear(sums_k);
    clear(sums_v);
    for (int step = 0; step < count; step++) {
        async_wait<0>();
        // This step's stage is visible, and the other one is no longer read.
        __syncthreads();
        if (step + 1 < count) fetch(step + 1);
        const bf16* tile_q = steps + (step & 1) * 2 * StepSize;
        const bf16* tile_g = tile_q + StepSize;
        const float* step_logs = logs + (step & 1) * 2 * StepRows;
        int first_query = first_key + step % steps_per_head * StepRows;

        float p[4][4], ds[4][4];
        multiply_rows<D>(p, tile_k, warp * 16, tile_q);
        if (Masked && starts[min(first_query + StepRows, s.length) - 1] > first_key + warp * 16) {
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int q = first_query + j * 8 + (lane & 3) * 2 + (e & 1), k = first_key + warp * 16 + (lane >> 2) + (e >> 1) * 8;
                    if (starts[min(q, s.length - 1)] > k) p[j][e] = -INFINITY;
                }
        }
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int q = j * 8 + (lane & 3) * 2 + (e & 1), k = warp * 16 + (lane >> 2) + (e >> 1) * 8;
                float value = fast_exp2(__fmaf_rn(p[j][e], to_log2, -step_logs[q]));
                p[j][e] = first_key + k <= first_query + q ? value : 0.0f;
            }
        accumulate_rows<D>(sums_v, p, tile_g);
        multiply_rows<D>(ds, tile_v, warp * 16, tile_g);
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) ds[j][e] = p[j][e] * (ds[j][e] - step_logs[StepRows + j * 8 + (lane & 3) * 2 + (e & 1)]);
        accumulate_rows<D>(sums_k, ds, tile_q);
    }
    int valid = s.length - first_key - warp * 16;
    i64 target = own + warp * 16 * key_stride;
    store_rows<D>(key_gradient + target, sums_k, valid, key_stride, s.features, s.scale, s.scale);
    store_rows<D>(value_gradient + target, sums_v, valid, key_stride, s.features, 1.0f, 1.0f);
}

template <int D, bool Masked>
DEVICE void backward_q(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, const bf16* gradient,
                       const float* delta, bf16* query_gradient, const BackwardShape& s) {
    using Tile = HeadTile<D>;
    constexpr int StepSize = StepRows * Tile::Pitch;
    DYNAMIC_SHARED(bf16, tile_q);
    bf16* tile_g = tile_q + OwnRows * Tile::Pitch;
    bf16* steps = tile_g + OwnRows * Tile::Pitch;                       // [2][K, V]
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int first_query = (int(gridDim.x) - 1 - int(blockIdx.x)) * OwnRows, head = blockIdx.y, kv_head = head / (s.heads / s.kv_heads);
    i64 batch_row = i64(blockIdx.z) * s.length, rows = i64(gridDim.z) * s.length;
    i64 query_stride = i64(s.heads) * s.features, key_stride = i64(s.kv_heads) * s.features;
    i64 own = (batch_row + first_query) * query_stride + head * s.features;
    const int* starts = s.document_starts + (Masked ? batch_row : 0);
    int first_step = Masked ? starts[first_query] / StepRows : 0, count = (min(s.length, first_query + OwnRows) + StepRows - 1) / StepRows;
    float to_log2 = s.scale * Log2E;

    auto fetch = [&](int step) {
        int first = step * StepRows;
        bf16* stage = steps + (step & 1) * 2 * StepSize;
        i64 from = (batch_row + first) * key_stride + kv_head * s.features;
        Tile::template load<StepRows, BackwardThreads>(stage, key + from, s.length - first, key_stride, s.features, s.async);
        Tile::template load<StepRows, BackwardThreads>(stage + StepSize, value + from, s.length - first, key_stride, s.features, s.async);
        async_commit();
    };

    Tile::template load<OwnRows, BackwardThreads>(tile_q, query + own, s.length - first_query, query_stride, s.features, s.async);
    Tile::template load<OwnRows, BackwardThreads>(tile_g, gradient + own, s.length - first_query, query_stride, s.features, s.async);
    fetch(first_step);
    float row_log[2], row_delta[2], sums[D / 8][4];
    clear(sums);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = first_query + warp * 16 + (lane >> 2) + half * 8;
        i64 at = head * rows + batch_row + row;
        row_log[half] = row < s.length ? log_sum_exp[at] * Log2E : INFINITY;
        row_delta[half] = row < s.length ? delta[at] : 0.0f;
    }
    for (int step = first_step; step < count; step++) {
        async_wait<0>();
        // This step's stage is visible, and the other one is no longer read.
        __syncthreads();
        if (step + 1 < count) fetch(step + 1);
        const bf16* tile_k = steps + (step & 1) * 2 * StepSize;
        const bf16* tile_v = tile_k + StepSize;

        float p[4][4], ds[4][4];
        multiply_rows<D>(p, tile_q, warp * 16, tile_k);
        multiply_rows<D>(ds, tile_g, warp * 16, tile_v);
        if (Masked && starts[min(first_query + warp * 16 + 16, s.length) - 1] > step * StepRows) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int start = starts[min(first_query + warp * 16 + (lane >> 2) + half * 8, s.length - 1)];
#pragma unroll
                for (int j = 0; j < 4; j++)
#pragma unroll
                    for (int e = 0; e < 2; e++)
                        if (step * StepRows + j * 8 + (lane & 3) * 2 + e < start) p[j][half * 2 + e] = -INFINITY;
            }
        }
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int k = step * StepRows + j * 8 + (lane & 3) * 2 + (e & 1), q = first_query + warp * 16 + (lane >> 2) + (e >> 1) * 8;
                float probability = k <= q ? fast_exp2(__fmaf_rn(p[j][e], to_log2, -row_log[e >> 1])) : 0.0f;
                ds[j][e] = probability * (ds[j][e] - row_delta[e >> 1]);
            }
        accumulate_rows<D>(sums, ds, tile_k);
    }
    store_rows<D>(query_gradient + own + warp * 16 * query_stride, sums, s.length - first_query - warp * 16, query_stride, s.features, s.scale, s.scale);
}
