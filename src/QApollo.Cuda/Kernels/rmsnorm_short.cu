// RMSNorm (rmsnorm.cu) of rows of up to 64, 128, 256 or 512 features, as of the heads of queries and keys: 8, 16 or 32 lanes of a warp hold a row
// (short_rows.h). Blocks of 256 threads take as many rows as they have lanes for, and those a grid behind.
//
// Each in two forms: quads, for rows that are multiples of 4 long and 16-byte aligned bases; and up to 256 features at any address ("any").
//
// rmsnorm_forward_*: y may be x.
// rmsnorm_backward_*: dx may be dy when not accumulated. A thread adds up the weight's gradient of its features over its rows, ascending; the
//   block adds its threads' sums, ascending, and leaves them in partials [grid, H] for rmsnorm_weight_gradient.
#include "short_rows.h"

/// A warp's rows begin at `first`, for all of its lanes; the lane's own is the `rank`th.
template <class Rows> struct BlockRows {
    static constexpr int Count = 256 / Rows::Lanes;
    int first = blockIdx.x * Count + threadIdx.x / 32 * (32 / Rows::Lanes), rank = threadIdx.x % 32 / Rows::Lanes, stride = gridDim.x * Count;
};

template <class Rows>
DEVICE void forward(const bf16* x, const float* w, bf16* y, float* inverse_rms, int rows, int hidden, float epsilon) {
    BlockRows<Rows> block;
    float weights[Rows::Held], values[Rows::Held], share = 1.0f / float(hidden);
    Rows::load(w, hidden, weights);
#pragma unroll 1
    for (int first = block.first; first < rows; first += block.stride) {
        int row = first + block.rank, columns = row < rows ? hidden : 0;
        i64 start = i64(row) * hidden;
        Rows::load(x + start, columns, values);
        float sum = 0;
#pragma unroll
        for (int i = 0; i < Rows::Held; i++) sum = __fmaf_rn(values[i], values[i], sum);
        float r = 1.0f / __fsqrt_rn(warp_reduce<Rows::Lanes>(sum, Add()) * share + epsilon);
        if (threadIdx.x % Rows::Lanes == 0 && row < rows) inverse_rms[row] = r;
#pragma unroll
        for (int i = 0; i < Rows::Held; i++) values[i] = values[i] * r * weights[i];
        Rows::store(y + start, columns, values);
    }
}

template <class Rows>
DEVICE void backward(const bf16* dy, const bf16* x, const float* w, const float* inverse_rms, bf16* dx, float* partials, int rows, int hidden, int accumulate) {
    SHARED(float, thread_sums, Rows::Held * Rows::Pitch);
    BlockRows<Rows> block;
    float weights[Rows::Held], gradients[Rows::Held], values[Rows::Held], sums[Rows::Held] = {}, share = 1.0f / float(hidden);
    Rows::load(w, hidden, weights);
#pragma unroll 1
    for (int first = block.first; first < rows; first += block.stride) {
        int row = first + block.rank, columns = row < rows ? hidden : 0;
        i64 start = i64(row) * hidden;
        Rows::load(dy + start, columns, gradients);
        Rows::load(x + start, columns, values);
        float r = row < rows ? inverse_rms[row] : 0, dot = 0;
#pragma unroll
        for (int i = 0; i < Rows::Held; i++) {
            sums[i] = __fmaf_rn(gradients[i], values[i] * r, sums[i]);
            gradients[i] *= weights[i];
            dot = __fmaf_rn(gradients[i], values[i], dot);
        }
        float shift = warp_reduce<Rows::Lanes>(dot, Add()) * share * r * r;
#pragma unroll
        for (int i = 0; i < Rows::Held; i++) gradients[i] = r * (gradients[i] - values[i] * shift);
        if (accumulate) {
            Rows::load(dx + start, columns, values);
#pragma unroll
            for (int i = 0; i < Rows::Held; i++) gradients[i] += values[i];
        }
        Rows::store(dx + start, columns, gradients);
    }
#pragma unroll
    for (int i = 0; i < Rows::Held; i++) thread_sums[i * Rows::Pitch + threadIdx.x] = sums[i];
    __syncthreads();
#pragma unroll 1
    for (int column = threadIdx.x; column < hidden; column += 256) {
        float sum = 0;
#pragma unroll
        for (int i = 0; i < block.Count; i++) sum += thread_sums[Rows::place(column) + i * Rows::Lanes];
        partials[i64(blockIdx.x) * hidden + column] = sum;
    }
}

#define NORM(name, rows_type)                                                                                                                \
    KERNEL(rmsnorm_forward_##name, 256, 5)                                                                                                   \
    (const bf16* x, const float* w, bf16* y, float* inverse_rms, int rows, int hidden, float epsilon) {                                      \
        forward<rows_type>(x, w, y, inverse_rms, rows, hidden, epsilon);                                                                     \
    }                                                                                                                                        \
    EXPORT_KERNEL(rmsnorm_forward_##name)                                                                                                    \
    KERNEL(rmsnorm_backward_##name, 256, 2)                                                                                                  \
    (const bf16* dy, const bf16* x, const float* w, const float* inverse_rms, bf16* dx, float* partials, int rows, int hidden, int accumulate) {\
        backward<rows_type>(dy, x, w, inverse_rms, dx, partials, rows, hidden, accumulate);                                                  \
    }                                                                                                                                        \
    EXPORT_KERNEL(rmsnorm_backward_##name)

using Rows64 = QuadRows<8, 8>;
using Rows128 = QuadRows<16, 8>;
using Rows256 = QuadRows<32, 8>;
using Rows512 = QuadRows<32, 16>;

NORM(64, Rows64)
NORM(128, Rows128)
NORM(256, Rows256)
NORM(512, Rows512)
NORM(256_any, PairRows)
