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
// Both: 128 + 128 rows of D bf16 and 512 bytes of shared memory, up to 68.5 KiB. Sums in binary32, over rows ascending.
#pragma once
#include "attention.h"

struct BackwardShape { int length, heads, kv_heads, features; float scale; const int* document_starts; };

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

template <int D, bool Masked, bool Aligned>
DEVICE void backward_kv(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, const bf16* gradient,
                        const float* delta, bf16* key_gradient, bf16* value_gradient, const BackwardShape& s) {
    constexpr int OwnBytes = HeadTile<D>::bytes(OwnRows), StepBytes = HeadTile<D>::bytes(StepRows);
    DYNAMIC_SHARED(unsigned char, memory);
    SharedAddress tile_k = shared_address(memory), tile_v = tile_k + OwnBytes, stages = tile_v + OwnBytes; // [2][Q, dO]
    float* logs = reinterpret_cast<float*>(memory + 2 * OwnBytes + 4 * StepBytes);                        // [2][log_sum_exp, delta]
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int first_key = blockIdx.x * OwnRows, kv_head = blockIdx.y, group = s.heads / s.kv_heads;
    i64 batch_row = i64(blockIdx.z) * s.length, rows = i64(gridDim.z) * s.length;
    i64 query_stride = i64(s.heads) * s.features, key_stride = i64(s.kv_heads) * s.features;
    int query_bytes = s.heads * s.features * 2, key_bytes = s.kv_heads * s.features * 2;
    bool masked = Masked && s.document_starts;
    const int* starts = s.document_starts + (masked ? batch_row : 0);
    int end = masked ? end_of_queries(starts, s.length, first_key, first_key + OwnRows - 1) : s.length;
    int count = (end - first_key + StepRows - 1) / StepRows * group;
    float to_log2 = s.scale * Log2E;
    HeadLoader<D, BackwardThreads, Aligned> loader;
    HeadFragments<D> fragments;
    loader.start(s.features);
    fragments.start();

    // The next step to load: its first query, and its head's first row.
    int next = first_key;
    i64 offset = batch_row * query_stride + i64(kv_head) * group * s.features;
    const bf16 *next_query = query + offset, *next_gradient = gradient + offset;
    bool is_log = threadIdx.x < StepRows, has_row = threadIdx.x < 2 * StepRows;
    const float* next_log = (is_log ? log_sum_exp : delta) + i64(kv_head) * group * rows + batch_row;
    float log = 0;
    auto fetch = [&](int stage) {
        loader.template load<StepRows>(stages + stage * 2 * StepBytes, next_query, next, s.length - 1, query_bytes);
        loader.template load<StepRows>(stages + stage * 2 * StepBytes + StepBytes, next_gradient, next, s.length - 1, query_bytes);
        async_commit();
        int row = next + int(threadIdx.x) % StepRows;
        // An infinite logarithm makes the probabilities of rows beyond the sequence zero.
        log = is_log ? INFINITY : 0.0f;
        if (has_row && row < s.length) log = next_log[row];
        next += StepRows;
        if (next >= end) {
            next = first_key;
            next_query += s.features;
            next_gradient += s.features;
            next_log += rows;
        }
    };
    auto store_logs = [&](int stage) { if (has_row) logs[stage * 2 * StepRows + threadIdx.x] = is_log ? log * Log2E : log; };

    loader.pad(tile_k, 2 * OwnRows + 4 * StepRows);
    i64 own = batch_row * key_stride + kv_head * s.features;
    loader.template load<OwnRows>(tile_k, key + own, first_key, s.length - 1, key_bytes);
    loader.template load<OwnRows>(tile_v, value + own, first_key, s.length - 1, key_bytes);
    fetch(0);
    store_logs(0);
    float sums_k[D / 8][4], sums_v[D / 8][4];
    clear(sums_k);
    clear(sums_v);
    SharedAddress own_k = tile_k + warp * HeadTile<D>::bytes(16), own_v = tile_v + warp * HeadTile<D>::bytes(16);
    int first_query = first_key, stage = 0;
    for (int left = count; left > 0; left--) {
        async_wait<0>();
        // This step's stage is visible, and the other one is no longer read.
        __syncthreads();
        if (left > 1) fetch(stage ^ 1);
        SharedAddress tile_q = stages + stage * 2 * StepBytes, tile_g = tile_q + StepBytes;
        const float* step_logs = logs + stage * 2 * StepRows + (lane & 3) * 2;

        float p[4][4], ds[4][4];
        fragments.multiply_rows(p, own_k, tile_q);
        if (masked && starts[min(first_query + StepRows, s.length) - 1] > first_key + warp * 16) {
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int q = first_query + j * 8 + (lane & 3) * 2 + (e & 1), k = first_key + warp * 16 + (lane >> 2) + (e >> 1) * 8;
                    if (starts[min(q, s.length - 1)] > k) p[j][e] = -INFINITY;
                }
        }
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float2 log2 = *reinterpret_cast<const float2*>(step_logs + j * 8);
#pragma unroll
            for (int e = 0; e < 4; e++) p[j][e] = fast_exp2(__fmaf_rn(p[j][e], to_log2, -(e & 1 ? log2.y : log2.x)));
        }
        if (first_query < first_key + warp * 16 + 16) {
            int ahead = first_query - first_key - warp * 16 + (lane & 3) * 2 - (lane >> 2); // of the lane's first query before its first key
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) if (ahead < (e >> 1) * 8 - (e & 1) - j * 8) p[j][e] = 0.0f;
        }
        fragments.accumulate_rows(sums_v, p, tile_g);
        fragments.multiply_rows(ds, own_v, tile_g);
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float2 row_delta = *reinterpret_cast<const float2*>(step_logs + StepRows + j * 8);
#pragma unroll
            for (int e = 0; e < 4; e++) ds[j][e] = p[j][e] * (ds[j][e] - (e & 1 ? row_delta.y : row_delta.x));
        }
        fragments.accumulate_rows(sums_k, ds, tile_q);
        stage ^= 1;
        if (left > 1) store_logs(stage);
        first_query = first_query + StepRows < end ? first_query + StepRows : first_key;
    }
    int valid = s.length - first_key - warp * 16;
    i64 target = own + (first_key + warp * 16) * key_stride;
    if (Aligned) {
        store_rows<D>(key_gradient + target, sums_k, valid, key_stride, s.features, s.scale, s.scale);
        store_rows<D>(value_gradient + target, sums_v, valid, key_stride, s.features, 1.0f, 1.0f);
    } else {
        // The tiles are no longer read.
        __syncthreads();
        unsigned char* rows = memory + warp * HeadTile<D>::bytes(16);
        store_rows_any<D>(rows, key_gradient + target, sums_k, valid, key_stride, s.features, s.scale, s.scale);
        store_rows_any<D>(rows, value_gradient + target, sums_v, valid, key_stride, s.features, 1.0f, 1.0f);
    }
}

template <int D, bool Masked, bool Aligned>
DEVICE void backward_q(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, const bf16* gradient,
                       const float* delta, bf16* query_gradient, const BackwardShape& s) {
    constexpr int OwnBytes = HeadTile<D>::bytes(OwnRows), StepBytes = HeadTile<D>::bytes(StepRows);
    DYNAMIC_SHARED(unsigned char, memory);
    SharedAddress tile_q = shared_address(memory), tile_g = tile_q + OwnBytes, stages = tile_g + OwnBytes; // [2][K, V]
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    int first_query = (int(gridDim.x) - 1 - int(blockIdx.x)) * OwnRows, head = blockIdx.y, kv_head = head / (s.heads / s.kv_heads);
    i64 batch_row = i64(blockIdx.z) * s.length, rows = i64(gridDim.z) * s.length;
    i64 query_stride = i64(s.heads) * s.features, key_stride = i64(s.kv_heads) * s.features;
    int query_bytes = s.heads * s.features * 2, key_bytes = s.kv_heads * s.features * 2;
    bool masked = Masked && s.document_starts;
    const int* starts = s.document_starts + (masked ? batch_row : 0);
    int first_step = masked ? starts[first_query] / StepRows : 0, count = (min(s.length, first_query + OwnRows) + StepRows - 1) / StepRows;
    float to_log2 = s.scale * Log2E;
    HeadLoader<D, BackwardThreads, Aligned> loader;
    HeadFragments<D> fragments;
    loader.start(s.features);
    fragments.start();

    i64 offset = batch_row * key_stride + kv_head * s.features;
    auto fetch = [&](int step, int stage) {
        loader.template load<StepRows>(stages + stage * 2 * StepBytes, key + offset, step * StepRows, s.length - 1, key_bytes);
        loader.template load<StepRows>(stages + stage * 2 * StepBytes + StepBytes, value + offset, step * StepRows, s.length - 1, key_bytes);
        async_commit();
    };

    loader.pad(tile_q, 2 * OwnRows + 4 * StepRows);
    i64 own = batch_row * query_stride + head * s.features;
    loader.template load<OwnRows>(tile_q, query + own, first_query, s.length - 1, query_bytes);
    loader.template load<OwnRows>(tile_g, gradient + own, first_query, s.length - 1, query_bytes);
    fetch(first_step, 0);
    float row_log[2], row_delta[2], sums[D / 8][4];
    clear(sums);
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = first_query + warp * 16 + (lane >> 2) + half * 8;
        i64 at = head * rows + batch_row + row;
        row_log[half] = row < s.length ? log_sum_exp[at] * Log2E : INFINITY;
        row_delta[half] = row < s.length ? delta[at] : 0.0f;
    }
    SharedAddress own_q = tile_q + warp * HeadTile<D>::bytes(16), own_g = tile_g + warp * HeadTile<D>::bytes(16);
    int stage = 0;
    for (int step = first_step; step < count; step++) {
        async_wait<0>();
        // This step's stage is visible, and the other one is no longer read.
        __syncthreads();
        if (step + 1 < count) fetch(step + 1, stage ^ 1);
        SharedAddress tile_k = stages + stage * 2 * StepBytes, tile_v = tile_k + StepBytes;

        float p[4][4], ds[4][4];
        fragments.multiply_rows(p, own_q, tile_k);
        fragments.multiply_rows(ds, own_g, tile_v);
        if (masked && starts[min(first_query + warp * 16 + 16, s.length) - 1] > step * StepRows) {
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
            for (int e = 0; e < 4; e++) p[j][e] = fast_exp2(__fmaf_rn(p[j][e], to_log2, -row_log[e >> 1]));
        if (step * StepRows + StepRows > first_query + warp * 16) {
            int seen = first_query + warp * 16 + (lane >> 2) - step * StepRows - (lane & 3) * 2; // by the lane's first query, from its first key
#pragma unroll
            for (int j = 0; j < 4; j++)
#pragma unroll
                for (int e = 0; e < 4; e++) if (j * 8 + (e & 1) - (e >> 1) * 8 > seen) p[j][e] = 0.0f;
        }
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) ds[j][e] = p[j][e] * (ds[j][e] - row_delta[e >> 1]);
        fragments.accumulate_rows(sums, ds, tile_k);
        stage ^= 1;
    }
    int valid = s.length - first_query - warp * 16;
    bf16* target = query_gradient + own + (first_query + warp * 16) * query_stride;
    if (Aligned) {
        store_rows<D>(target, sums, valid, query_stride, s.features, s.scale, s.scale);
    } else {
        // The tiles are no longer read.
        __syncthreads();
        store_rows_any<D>(memory + warp * HeadTile<D>::bytes(16), target, sums, valid, query_stride, s.features, s.scale, s.scale);
    }
}

/// Kernels that are told where documents start; null for whole sequences. Copied: heads as cp.async takes them.
#define ATTENTION_BACKWARD_IN_DOCUMENTS(kind, D, copied)                                                                                \
    KERNEL(attention_backward_##kind##_kv_##D, 128, 1)(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, \
        const bf16* gradient, const float* delta, bf16* key_gradient, bf16* value_gradient,                                             \
        int length, int heads, int kv_heads, int features, float scale, const int* document_starts) {                                   \
        backward_kv<D, true, copied>(query, key, value, log_sum_exp, gradient, delta, key_gradient, value_gradient,                     \
                                     BackwardShape{length, heads, kv_heads, features, scale, document_starts});                         \
    }                                                                                                                                   \
    EXPORT_KERNEL(attention_backward_##kind##_kv_##D)                                                                                   \
    KERNEL(attention_backward_##kind##_q_##D, 128, 1)(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp,  \
        const bf16* gradient, const float* delta, bf16* query_gradient,                                                                 \
        int length, int heads, int kv_heads, int features, float scale, const int* document_starts) {                                   \
        backward_q<D, true, copied>(query, key, value, log_sum_exp, gradient, delta, query_gradient,                                    \
                                    BackwardShape{length, heads, kv_heads, features, scale, document_starts});                          \
    }                                                                                                                                   \
    EXPORT_KERNEL(attention_backward_##kind##_q_##D)
