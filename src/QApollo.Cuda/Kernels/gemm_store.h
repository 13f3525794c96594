// How a block writes its tile of a tensor-core product (gemm.h): half of its rows at a time through shared memory, so that a warp
// writes whole sectors of a row, whatever the row's alignment.
#pragma once
#include "device.h"

/// C = products (+ addend, which may be C). T is bf16 or float, row-major without padding. Aligned: every row of both is known to start at a
/// multiple of 16 bytes. InPlace: the addend is C itself, or null.
template <class T, bool Aligned, bool InPlace> struct Destination {
    T* data;
    const T* addend; // null for none
    int rows, columns;

    /// Where column c of a staged row lies: the 16-byte halves of 8 columns change places every 32 columns, so that eight threads that
    /// read a half of their 8 columns each meet all banks.
    DEVICE_MEMBER static int place(int column) { return column ^ (column >> 3 & 4); }

    /// `sums` of a warp: Tile / 2 rows, 32 columns in fragments of 16 x 8. `memory`: Tile / 2 rows of Tile + 8 floats.
    template <int Tile, int RowFragments>
    DEVICE_MEMBER void store_tile(float* memory, const float (&sums)[RowFragments][4][4], int first_row, int first_column) const {
        constexpr int Pitch = Tile + 8, HalfRows = Tile / 2;
        int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
#pragma unroll 1
        for (int part = 0; part < 2; part++) {
            // What lies there has been read by all: the stages of the last step, or the first half.
            __syncthreads();
            if ((warp & 1) == part) {
#pragma unroll
                for (int i = 0; i < RowFragments; i++)
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        float* target = memory + (i * 16 + (lane >> 2)) * Pitch + place((warp >> 1) * 32 + j * 8 + (lane & 3) * 2);
                        *reinterpret_cast<float2*>(target) = make_float2(sums[i][j][0], sums[i][j][1]);
                        *reinterpret_cast<float2*>(target + 8 * Pitch) = make_float2(sums[i][j][2], sums[i][j][3]);
                    }
            }
            __syncthreads();
            int row = first_row + part * HalfRows;
            if (Aligned || has_vectors()) store_vectors<Tile, Pitch>(memory, row, first_column);
            else store_pairs<Tile, Pitch>(memory, row, first_column);
        }
    }

private:
    /// Whether all rows start at a multiple of 16 bytes.
    DEVICE_MEMBER bool has_vectors() const {
        return columns % (16 / int(sizeof(T))) == 0 && ((reinterpret_cast<u64>(data) | reinterpret_cast<u64>(addend)) & 15) == 0;
    }

    /// 16 bytes of a row per thread.
    template <int Tile, int Pitch> DEVICE_MEMBER void store_vectors(const float* memory, int first_row, int first_column) const {
        constexpr int Width = 16 / sizeof(T), PerRow = Tile / Width;
        int column = int(threadIdx.x) % PerRow * Width;
        if (first_column + column >= columns) return;
#pragma unroll 1
        for (int row = int(threadIdx.x) / PerRow; row < Tile / 2 && first_row + row < rows; row += 2 * Tile / PerRow) {
            float values[Width];
#pragma unroll
            for (int i = 0; i < Width; i += 4) {
                float4 part = *reinterpret_cast<const float4*>(memory + row * Pitch + place(column + i));
                values[i] = part.x;
                values[i + 1] = part.y;
                values[i + 2] = part.z;
                values[i + 3] = part.w;
            }
            i64 at = i64(first_row + row) * columns + first_column + column;
            if (addend) add_vector(addend + at, values);
            store_vector(data + at, values);
        }
    }
    DEVICE_MEMBER static void add_vector(const bf16* source, float (&values)[8]) {
        float added[8];
        load8(source, added);
#pragma unroll
        for (int i = 0; i < 8; i++) values[i] += added[i];
    }
    DEVICE_MEMBER static void add_vector(const float* source, float (&values)[4]) {
        float4 added = *reinterpret_cast<const float4*>(source);
        values[0] += added.x;
        values[1] += added.y;
        values[2] += added.z;
        values[3] += added.w;
    }
    DEVICE_MEMBER static void store_vector(bf16* target, const float (&values)[8]) { store8(target, values); }
    DEVICE_MEMBER static void store_vector(float* target, const float (&values)[4]) {
        *reinterpret_cast<float4*>(target) = make_float4(values[0], values[1], values[2], values[3]);
    }

    /// A warp per row, two columns per lane, from where the row is aligned for pairs.
    template <int Tile, int Pitch> DEVICE_MEMBER void store_pairs(const float* memory, int first_row, int first_column) const {
        int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
        int width = min(Tile, columns - first_column);
#pragma unroll 1
        for (int row = warp; row < Tile / 2 && first_row + row < rows; row += Tile / 16) {
            i64 at = i64(first_row + row) * columns + first_column;
            const float* source = memory + row * Pitch;
            int odd = int(reinterpret_cast<u64>(data + at) / sizeof(T)) & 1;
            bool pairs = InPlace || !((reinterpret_cast<u64>(addend + at) / sizeof(T) ^ odd) & 1);
#pragma unroll 1
            for (int column = lane * 2 - odd; column < width; column += 64) {
                bool has_first = column >= 0, has_second = column + 1 < width;
                float first = has_first ? source[place(column)] : 0.0f, second = has_second ? source[place(column + 1)] : 0.0f;
                if (addend) {
                    if (has_first && has_second && pairs) {
                        add_pair(addend + at + column, first, second);
                    } else {
                        if (has_first) first += to_float(addend[at + column]);
                        if (has_second) second += to_float(addend[at + column + 1]);
                    }
                }
                if (has_first && has_second) {
                    store_pair(data + at + column, first, second);
                } else if (has_first) {
                    data[at + column] = from_float<T>(first);
                } else {
                    data[at + column + 1] = from_float<T>(second);
                }
            }
        }
    }

    DEVICE_MEMBER static void add_pair(const bf16* source, float& first, float& second) {
        u32 pair = *reinterpret_cast<const u32*>(source);
        first += low_float(pair);
        second += high_float(pair);
    }
    DEVICE_MEMBER static void add_pair(const float* source, float& first, float& second) {
        float2 pair = *reinterpret_cast<const float2*>(source);
        first += pair.x;
        second += pair.y;
    }
    DEVICE_MEMBER static void store_pair(bf16* target, float first, float second) { *reinterpret_cast<u32*>(target) = pack_bf16(first, second); }
    DEVICE_MEMBER static void store_pair(float* target, float first, float second) { *reinterpret_cast<float2*>(target) = make_float2(first, second); }
};
