// Tensor-core matrix product C[M, N] = A[M, K] B[K, N], bf16 operands, binary32 sums, for the three layouts of training.
//
// Blocks: a tile of Tile x Tile outputs (128 with 256 threads, or 64 with 128), K in steps of 32 through three stages
//   of shared memory. Warps: 2 along M, Tile / 32 along N; each holds Tile/2 x 32 outputs in mma.m16n8k16 fragments.
// Shared memory: 3 * 2 * Tile * 32 bf16 (48 KiB or 24 KiB), in 16-byte chunks XOR-swizzled so that neither ldmatrix nor
//   stores have bank conflicts. An operand that is stored with K along its rows ("k-major") keeps that form: [Tile][32]; the
//   other one keeps [32][Tile] and is transposed by ldmatrix.
// Operands (operands.h): bf16 whose rows are 16-byte aligned comes by cp.async; everything else (bf16 rows of any alignment,
//   INT8 codes, float) comes through registers two steps ahead, is converted there, and stored once the current step is done.
// Summation order: K ascending in steps of 16, inside a step as the tensor core does; one block sums all of K.
// Edges: rows and columns of a tile beyond the matrix hold some of its values again and are not written; what is left of K
//   behind its last whole step is a step of its own, filled up with zeros. Offsets are 64 bits wide.
// The loop forms no address anew: an operand keeps pointers that it advances, and a warp the places of its fragments in a stage. It
//   runs for as long as one grid serves, and fetches in every step: the last ones, which fetch nothing, come behind it.
#pragma once
#include "codes_operand.h"
#include "gemm_store.h"

constexpr int Stages = 3;

/// For how many blocks on a multiprocessor registers are to suffice: two large tiles; four small ones, or five where both operands come by
/// cp.async and need none to be staged in.
DEVICE constexpr int blocks_per_processor(int tile, bool is_async) { return tile == 128 ? 2 : is_async ? 5 : 4; }

/// The tile of this block: column tiles vary slowest inside a band of 8 row tiles, so that neighbouring blocks share B.
DEVICE void tile_of_block(int row_tiles, int column_tiles, int& row_tile, int& column_tile) {
    int band_blocks = 8 * column_tiles, band = int(blockIdx.x) / band_blocks, within = int(blockIdx.x) % band_blocks;
    int height = min(row_tiles - band * 8, 8);
    row_tile = band * 8 + within % height;
    column_tile = within / height;
}

/// Where a warp's fragments lie in an operand's tile: `Count` of 16 rows of A or columns of B from `first`, two halves of K each.
template <bool KMajor, int Tile, int Count> struct FragmentPlaces {
    static constexpr int Bases = KMajor ? 2 : Count;
    int bases[Bases];

    /// A fragments: lanes 0-15 name the rows at the first 8 of K, lanes 16-31 at the others.
    DEVICE_MEMBER void start_a(int first) {
        int lane = threadIdx.x & 31;
#pragma unroll
        for (int b = 0; b < Bases; b++) {
            bases[b] = kept(KMajor ? TileLayout<KMajor, Tile>::offset(first + (lane & 15), b * 2 + (lane >> 4))
                                   : TileLayout<KMajor, Tile>::offset((lane & 7) + (lane >> 4) * 8, first / 8 + b * 2 + (lane >> 3 & 1)));
        }
    }
    /// B fragments; (0, 1) are the two K halves of the first 8 columns, (2, 3) of the others.
    DEVICE_MEMBER void start_b(int first) {
        int lane = threadIdx.x & 31;
#pragma unroll
        for (int b = 0; b < Bases; b++) {
            bases[b] = kept(KMajor ? TileLayout<KMajor, Tile>::offset(first + (lane & 7) + (lane >> 4) * 8, b * 2 + (lane >> 3 & 1))
                                   : TileLayout<KMajor, Tile>::offset(lane & 15, first / 8 + b * 2 + (lane >> 4)));
        }
    }
    /// 16 rows (or K) on, the swizzle is the same: a constant distance.
    DEVICE_MEMBER void load(u32 (&fragments)[4], SharedAddress tile, int index, int half) const {
        if (KMajor) load_fragments(fragments, tile + bases[half] + index * 16 * StepK * 2);
        else load_fragments_transposed(fragments, tile + bases[index] + half * 16 * Tile * 2);
    }
};

/// The product of one block's tile. A and B are operands, already started at the block's rows and columns.
template <int Tile, bool AKMajor, bool BKMajor, class A, class B, class T, bool Aligned, bool InPlace>
DEVICE void multiply_tile(A& a, B& b, int depth, int first_row, int first_column, const Destination<T, Aligned, InPlace>& destination) {
    constexpr int WarpRows = Tile / 2, RowFragments = WarpRows / 16, OperandBytes = Tile * StepK * 2, StageBytes = 2 * OperandBytes;
    DYNAMIC_SHARED(float, memory);
    SharedAddress stages = shared_address(memory);
    int warp = threadIdx.x >> 5;
    int warp_row = (warp & 1) * WarpRows, warp_column = (warp >> 1) * 32;
    FragmentPlaces<AKMajor, Tile, RowFragments> places_a;
    FragmentPlaces<BKMajor, Tile, 2> places_b;
    places_a.start_a(warp_row);
    places_b.start_b(warp_column);

    float sums[RowFragments][4][4];
#pragma unroll
    for (int i = 0; i < RowFragments; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) sums[i][j][e] = 0.0f;

    auto multiply_step = [&](SharedAddress stage) {
#pragma unroll
        for (int half = 0; half < 2; half++) {
            u32 fragments_b[2][4];
#pragma unroll
            for (int j = 0; j < 2; j++) places_b.load(fragments_b[j], stage + OperandBytes, j, half);
#pragma unroll
            for (int i = 0; i < RowFragments; i++) {
                u32 fragments_a[4];
                places_a.load(fragments_a, stage, i, half);
#pragma unroll
                for (int j = 0; j < 4; j++) multiply_add(sums[i][j], fragments_a, fragments_b[j >> 1][(j & 1) * 2], fragments_b[j >> 1][(j & 1) * 2 + 1]);
            }
        }
    };

    int steps = u32(depth) / StepK, rest = u32(depth) % StepK;
#pragma unroll
    for (int stage = 0; stage < Stages - 1; stage++) {
        SharedAddress tile = stages + stage * StageBytes;
        if (stage < steps) {
            b.same_grid(1);
            a.fetch(tile);
            b.fetch(tile + OperandBytes);
            a.store(tile);
            b.store(tile + OperandBytes);
        }
        async_commit();
    }

    // Of three stages one is read, one is filled, and the one between them is read next.
    constexpr int AllStages = (0 + 1 + 2) * StageBytes;
    // Where a step of a small tile is little more than its products, its pointers and branch are formed for two.
    constexpr int Unrolled = Tile == 64 && B::IsAsync ? 2 : 1;
    int read = 0, filled = (Stages - 1) * StageBytes;
#pragma unroll 1
    for (int left = steps - (Stages - 1); left > 0;) {
        int same = b.same_grid(left);
        left -= same;
#pragma unroll (Unrolled)
        for (; same > 0; same--) {
            async_wait<Stages - 2>();
            // Makes this step's tiles visible, and ends all reading of the stage that is filled next.
            __syncthreads();
            a.fetch(stages + filled);
            b.fetch(stages + filled + OperandBytes);
            async_commit();
            multiply_step(stages + read);
            a.store(stages + filled);
            b.store(stages + filled + OperandBytes);
            int next = AllStages - read - filled;
            filled = read;
            read = next;
        }
    }

    // The last whole steps are there; the rest fills the stage that was read last.
    if (rest > 0) {
        __syncthreads();
        b.same_grid(1);
        a.fetch_rest(rest, stages + filled);
        b.fetch_rest(rest, stages + filled + OperandBytes);
        async_commit();
    }
    async_wait<0>();
    __syncthreads();
    int whole = min(steps, Stages - 1), next = AllStages - read - filled;
#pragma unroll 1
    for (int step = 0; step < whole + (rest > 0); step++) multiply_step(stages + (step == whole ? filled : step == 0 ? read : next));
    destination.template store_tile<Tile>(memory, sums, first_row, first_column);
}
