// AdamW's direction with moments in 8 bits (arXiv 2110.02861): flat blocks of 256 elements share a scale, their largest
// magnitude; code c stands for map[c] * scale, maps of 256 ascending values for each moment, and the nearest entry is
// stored (the lower one half-way). g float or bf16, flat; codes u8 [n]; scales float [ceil(n / 256)]; see adam.h.
// A warp per block of 256, 8 elements per lane; 256 threads, grid stride over blocks. Shared memory: both maps and the
// midpoints between their entries, as search trees (4 KiB). partials[block of threads] = sum of g². Non-finite elements as in adam.cu.
#include "adam.h"

GLOBAL_TABLE(float, eight_bit_maps, 512)

/// The number of midpoints below x: a way down the tree of midpoints, whose nodes 2 n and 2 n + 1 follow node n. A level lies in
/// one piece, so that lanes on different nodes of it mostly meet different banks.
DEVICE u32 nearest_code(const float* tree, float x) {
    u32 node = 1;
#pragma unroll
    for (int level = 0; level < 8; level++) node = 2 * node + (x > tree[node] ? 1 : 0);
    return node - 256;
}

/// The midpoint that a node of the tree holds.
DEVICE int midpoint_of_node(int node) {
    int step = 128, first = 1;
    while (node >= 2 * first) {
        first *= 2;
        step /= 2;
    }
    return (2 * (node - first) + 1) * step - 1;
}

DEVICE void decode(const float* map, uint2 codes, float scale, float (&values)[8]) {
#pragma unroll
    for (int i = 0; i < 8; i++) values[i] = map[(i < 4 ? codes.x : codes.y) >> (i % 4 * 8) & 255] * scale;
}

/// Codes of a warp's values; returns the scale.
DEVICE float encode(const float* tree, const float (&values)[8], int count, uint2& codes) {
    float most = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) if (i < count) most = fmaxf(most, fabsf(values[i]));
    most = warp_reduce<32>(most, Max());
    float divisor = most == 0.0f ? 1.0f : most;
    u32 words[2] = {0, 0};
#pragma unroll
    for (int i = 0; i < 8; i++) words[i / 4] |= nearest_code(tree, values[i] / divisor) << (i % 4 * 8);
    codes = make_uint2(words[0], words[1]);
    return most;
}

/// Eight floats of a lane in two accesses; the compiler would take one of the vectors apart.
DEVICE void store_direction(float* g, int count, bool vector, const float (&values)[8]) {
#ifdef ON_GPU
    if (vector && count >= 8) {
#pragma unroll
        for (int i = 0; i < 8; i += 4) {
            asm volatile("st.global.v4.f32 [%0], {%1, %2, %3, %4};" ::"l"(__cvta_generic_to_global(g + i)),
                         "f"(values[i]), "f"(values[i + 1]), "f"(values[i + 2]), "f"(values[i + 3]) : "memory");
        }
        return;
    }
#endif
    store8(g, count, vector, values);
}
DEVICE void store_direction(bf16* g, int count, bool vector, const float (&values)[8]) { store8(g, count, vector, values); }

template <class T>
DEVICE void direction8(T* g, u8* moment1, u8* moment2, float* scale1, float* scale2, float* partials, i64 n, int vector, const AdamScalars& adam) {
    SHARED(float, partial, 32);
    SHARED(float, maps, 512);
    SHARED(float, trees, 512);
    for (int i = threadIdx.x; i < 512; i += blockDim.x) maps[i] = eight_bit_maps[i];
    // The maps are complete.
    __syncthreads();
    for (int i = threadIdx.x; i < 512; i += blockDim.x) {
        int node = i % 256, entry = node == 0 ? 0 : i - node + midpoint_of_node(node); // a tree has no node 0
        trees[i] = (maps[entry] + maps[entry + 1]) * 0.5f;
    }
    // The trees are complete.
    __syncthreads();
    int lane = threadIdx.x & 31;
    i64 blocks = (n + 255) / 256;
    float sum = 0, gradients[8], m[8], v[8];
    for (i64 block = i64(blockIdx.x) * 8 + (threadIdx.x >> 5); block < blocks; block += i64(gridDim.x) * 8) {
        i64 first = block * 256 + lane * 8;
        int count = n - first >= 8 ? 8 : n > first ? int(n - first) : 0;
        uint2 codes1 = load_codes8(moment1 + first, count, vector), codes2 = load_codes8(moment2 + first, count, vector);
        load8(g + first, count, vector, gradients);
        decode(maps, codes1, scale1[block], m);
        decode(maps + 256, codes2, scale2[block], v);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            sum = __fmaf_rn(gradients[i], gradients[i], sum);
            gradients[i] = is_finite(gradients[i]) ? adam_direction(adam, gradients[i], m[i], v[i]) : 0.0f;
        }
        float most1 = encode(trees, m, count, codes1), most2 = encode(trees + 256, v, count, codes2);
        store_direction(g + first, count, vector, gradients);
        store_codes8(moment1 + first, count, vector, codes1);
        store_codes8(moment2 + first, count, vector, codes2);
        // All lanes have read the old scales: encode() is a warp operation.
        if (lane == 0) {
            scale1[block] = most1;
            scale2[block] = most2;
        }
    }
    sum = block_sum(sum, partial);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}

KERNEL(adam8_f32, 256, 2)
(float* g, u8* moment1, u8* moment2, float* scale1, float* scale2, float* partials, i64 n, int vector, ADAM_PARAMETERS) {
    direction8(g, moment1, moment2, scale1, scale2, partials, n, vector, ADAM_SCALARS);
}
EXPORT_KERNEL(adam8_f32)

KERNEL(adam8_bf16, 256, 4)
(bf16* g, u8* moment1, u8* moment2, float* scale1, float* scale2, float* partials, i64 n, int vector, ADAM_PARAMETERS) {
    direction8(g, moment1, moment2, scale1, scale2, partials, n, vector, ADAM_SCALARS);
}
EXPORT_KERNEL(adam8_bf16)
