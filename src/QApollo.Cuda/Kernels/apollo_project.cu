// APOLLO's projection of a gradient G [m, n] (float or bf16) along its smaller side (arXiv 2412.05270, algorithm 1), and
// the squared norm of each channel:
//   rows (m >= n):    R[i, a] = sum_j G[i, j] P[a, j], R [m, r], P [r, n], squares[i] = sum_j G[i, j]²;
//   columns (m < n):  R[a, j] = sum_i P[i, a] G[i, j], R [r, n], P [m, r], squares[j] = sum_i G[i, j]². All float but G.
//
// apollo_rows_*: r = 1; one pass over G. A warp per row; P stays in the L1 cache. apollo_rows_vector_*: 8 elements per lane and turn, for n a
//   multiple of 8 and 16-byte aligned bases; apollo_rows_*: two (row_pairs.h), for rows of any length at any address.
// apollo_columns_*: r = 1; one pass over G. A thread per Width columns (8, or 1 where rows are not 16-byte aligned)
//   and a chunk of rows; partials [chunks, 2, n]: products, then squares. apollo_sum_chunks adds them, chunks ascending.
//   Both leave R alone where P is null: squares only.
// apollo_rank_*: any r; a tile of 64 channels x 64 ranks by 256 threads, 4 x 4 sums each, 16 steps of the summed side at a
//   time through shared memory (8.5 KiB), ascending. Grid: (ceil(channels / 64), ceil(r / 64)).
#include "row_pairs.h"

DEVICE void store_projected(float product, float square, const float* p, float* r, float* squares, int row) {
    product = warp_reduce<32>(product, Add());
    square = warp_reduce<32>(square, Add());
    if ((threadIdx.x & 31) != 0) return;
    if (p) r[row] = product;
    squares[row] = square;
}

template <class T> DEVICE void project_rows_vector(const T* g, const float* p, float* r, float* squares, int m, int n) {
    int row = int(blockIdx.x) * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= m) return;
    float product = 0, square = 0, values[8], weights[8];
#pragma unroll 1
    for (int column = lane * 8; column < n; column += 256) {
        load8(g + i64(row) * n + column, values);
#pragma unroll
        for (int i = 0; i < 8; i++) square = __fmaf_rn(values[i], values[i], square);
        if (!p) continue;
        load8(p + column, weights);
#pragma unroll
        for (int i = 0; i < 8; i++) product = __fmaf_rn(values[i], weights[i], product);
    }
    store_projected(product, square, p, r, squares, row);
}

template <class T> DEVICE void project_rows(const T* g, const float* p, float* r, float* squares, int m, int n) {
    int row = int(blockIdx.x) * 8 + (threadIdx.x >> 5), lane = threadIdx.x & 31;
    if (row >= m) return;
    const T* source = g + i64(row) * n;
    float product = 0, square = 0;
#pragma unroll 1
    for (int first = first_column(source, 0); first < n; first += 64) {
        int column = first + lane * 2;
        float2 values = pair_within(source, column, n);
        square = __fmaf_rn(values.x, values.x, square);
        square = __fmaf_rn(values.y, values.y, square);
        if (!p) continue;
        float2 weights = load_pair(p, column, n);
        product = __fmaf_rn(values.x, weights.x, product);
        product = __fmaf_rn(values.y, weights.y, product);
    }
    store_projected(product, square, p, r, squares, row);
}

template <class T, int Width>
DEVICE void project_columns(const T* g, const float* p, float* partials, int m, int n, int rows_per_chunk) {
    int column = (int(blockIdx.x) * int(blockDim.x) + int(threadIdx.x)) * Width;
    if (column >= n) return;
    int begin = int(blockIdx.y) * rows_per_chunk, end = min(m, begin + rows_per_chunk);
    float products[8] = {0, 0, 0, 0, 0, 0, 0, 0}, squares[8] = {0, 0, 0, 0, 0, 0, 0, 0}, values[8];
#pragma unroll 2
    for (int row = begin; row < end; row++) {
        load8(g + i64(row) * n + column, Width, Width == 8, values);
        float weight = p ? p[row] : 0.0f;
#pragma unroll
        for (int i = 0; i < Width; i++) {
            products[i] = __fmaf_rn(values[i], weight, products[i]);
            squares[i] = __fmaf_rn(values[i], values[i], squares[i]);
        }
    }
    float* target = partials + i64(blockIdx.y) * 2 * n + column;
    store8(target, Width, Width == 8, products);
    store8(target + n, Width, Width == 8, squares);
}

KERNEL(apollo_sum_chunks, 256, 1)(const float* partials, float* r, float* squares, int chunks, int n) {
    int column = blockIdx.x * blockDim.x + threadIdx.x;
    if (column >= n) return;
    float product = 0, square = 0;
    for (int chunk = 0; chunk < chunks; chunk++) {
        product += partials[i64(chunk) * 2 * n + column];
        square += partials[(i64(chunk) * 2 + 1) * n + column];
    }
    if (r) r[column] = product;
    squares[column] = square;
}
EXPORT_KERNEL(apollo_sum_chunks)

/// Element (channel, k) of G and (rank, k) of P, k the summed side.
template <bool Rows, class T> DEVICE void project_rank(const T* g, const float* p, float* r, int channels, int depth, int rank) {
    constexpr int Tile = 64, Depth = 16, Pitch = Tile + 4;
    SHARED(float, tile_g, Depth * Pitch);
    SHARED(float, tile_p, Depth * Pitch);
    int first_channel = blockIdx.x * Tile, first_rank = blockIdx.y * Tile, t = threadIdx.x;
    // What runs fastest in R belongs to neighbouring threads.
    int my_channel = (Rows ? t / 16 : t % 16) * 4, my_rank = (Rows ? t % 16 : t / 16) * 4;
    float sums[4][4];
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++) sums[i][j] = 0;
    for (int k0 = 0; k0 < depth; k0 += Depth) {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            // Neighbouring threads read neighbouring elements: k runs fastest in memory for rows, channels for columns.
            int at = t + i * 256, k = Rows ? at % Depth : at / Tile, c = Rows ? at / Depth : at % Tile;
            bool in_depth = k0 + k < depth, in_g = in_depth && first_channel + c < channels, in_p = in_depth && first_rank + c < rank;
            i64 at_g = Rows ? i64(first_channel + c) * depth + k0 + k : i64(k0 + k) * channels + first_channel + c;
            i64 at_p = Rows ? i64(first_rank + c) * depth + k0 + k : i64(k0 + k) * rank + first_rank + c;
            // The padding spreads 8 of k over the banks, and the exchanged halves of four the other 8.
            int place = k * Pitch + (c ^ (k >> 2 & 2));
            tile_g[place] = in_g ? to_float(g[at_g]) : 0.0f;
            tile_p[place] = in_p ? p[at_p] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int k = 0; k < Depth; k++) {
            float4 a = *reinterpret_cast<const float4*>(tile_g + k * Pitch + my_channel), b = *reinterpret_cast<const float4*>(tile_p + k * Pitch + my_rank);
            bool exchanged = k & 8;
            float av[4] = {exchanged ? a.z : a.x, exchanged ? a.w : a.y, exchanged ? a.x : a.z, exchanged ? a.y : a.w};
            float bv[4] = {exchanged ? b.z : b.x, exchanged ? b.w : b.y, exchanged ? b.x : b.z, exchanged ? b.y : b.w};
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) sums[i][j] = __fmaf_rn(av[i], bv[j], sums[i][j]);
        }
        // The tiles are overwritten next.
        __syncthreads();
    }
    int channel = first_channel + my_channel, a = first_rank + my_rank, inners = Rows ? rank : channels;
    bool vectors = inners % 4 == 0 && (reinterpret_cast<u64>(r) & 15) == 0;
#pragma unroll
    for (int o = 0; o < 4; o++) {
        if ((Rows ? channel : a) + o >= (Rows ? channels : rank)) break;
        float values[4];
#pragma unroll
        for (int i = 0; i < 4; i++) values[i] = Rows ? sums[o][i] : sums[i][o];
        int inner = Rows ? a : channel;
        float* target = r + i64((Rows ? channel : a) + o) * inners + inner;
        if (vectors) {
            if (inner < inners) *reinterpret_cast<float4*>(target) = make_float4(values[0], values[1], values[2], values[3]);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) if (inner + i < inners) target[i] = values[i];
        }
    }
}

#define APOLLO_PROJECT(T, suffix)                                                                                                     \
    KERNEL(apollo_rows_##suffix, 256, 4)(const T* g, const float* p, float* r, float* squares, int m, int n) {                        \
        project_rows(g, p, r, squares, m, n);                                                                                         \
    }                                                                                                                                 \
    EXPORT_KERNEL(apollo_rows_##suffix)                                                                                               \
    KERNEL(apollo_rows_vector_##suffix, 256, 4)(const T* g, const float* p, float* r, float* squares, int m, int n) {                 \
        project_rows_vector(g, p, r, squares, m, n);                                                                                  \
    }                                                                                                                                 \
    EXPORT_KERNEL(apollo_rows_vector_##suffix)                                                                                        \
    KERNEL(apollo_columns_##suffix, 256, 2)(const T* g, const float* p, float* partials, int m, int n, int rows_per_chunk) {          \
        project_columns<T, 1>(g, p, partials, m, n, rows_per_chunk);                                                                  \
    }                                                                                                                                 \
    EXPORT_KERNEL(apollo_columns_##suffix)                                                                                            \
    KERNEL(apollo_columns_vector_##suffix, 256, 2)(const T* g, const float* p, float* partials, int m, int n, int rows_per_chunk) {   \
        project_columns<T, 8>(g, p, partials, m, n, rows_per_chunk);                                                                  \
    }                                                                                                                                 \
    EXPORT_KERNEL(apollo_columns_vector_##suffix)                                                                                     \
    KERNEL(apollo_rank_rows_##suffix, 256, 2)(const T* g, const float* p, float* r, int channels, int depth, int rank) {              \
        project_rank<true>(g, p, r, channels, depth, rank);                                                                           \
    }                                                                                                                                 \
    EXPORT_KERNEL(apollo_rank_rows_##suffix)                                                                                          \
    KERNEL(apollo_rank_columns_##suffix, 256, 2)(const T* g, const float* p, float* r, int channels, int depth, int rank) {           \
        project_rank<false>(g, p, r, channels, depth, rank);                                                                          \
    }                                                                                                                                 \
    EXPORT_KERNEL(apollo_rank_columns_##suffix)

APOLLO_PROJECT(float, f32)
APOLLO_PROJECT(bf16, bf16)
