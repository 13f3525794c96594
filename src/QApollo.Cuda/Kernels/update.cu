// Rewrites a weight in place from its gradient G and coefficients c: W' = (W - c G) decay, or W decay - c G (decay_first).
//
// update_codes_*: INT8 groups, in the code domain and in binary32, with explicit operations so that every device gets the
//   same bytes: v = q - zero + r / 2^bits (r, bits: residuals, group_grid.h); v' = fma(-c G, 1 / scale, v) decay; x = v' + zero.
//   The grid is kept if all x are inside [0, 255] (symmetric: [1, 255]) and, unless regridding is forced, max(x, zero) - min(x, zero)
//   (symmetric: twice the larger distance from the zero point) >= 0.75 * 254, or if no value changed; else a new grid over (v scale - c G) decay; a group of which that is not finite stays as it is.
//   round(x 2^bits) is then cut into code and residual. group / 8 lanes per group, grid stride over groups.
// update_dense_*_*: weight float or bf16 (rounded on the bf16 grid: low 16 bits + (word >> 16) carry); 8 values per thread.
// Rounding: 0 nearest (half to even); otherwise floor(x) + (u < frac(x)), u the upper 24 bits of the element's random word.
// Words: element e of the parameter takes word e % 4 of stream block e / 4, plus `offset` modulo 2^32. first_row: number
//   of the weight's first row in the parameter.
// Values with a coefficient of 0 stay as they are, decay and what G holds aside. axis: 0 one coefficient, 1 one per row, 2 one per column.
// counts[i64 8], as QApollo.Devices.UpdateCount names them: 0 += stored values that changed, all of a regridded group; of groups
//   also 1 codes that changed, 2 values moved by the update, 3 of those what is stored as before on a grid that stayed, 4 groups
//   regridded, 5 and 6 squares of rounding and of moves in codes, times 2^24. Integer sums: atomics keep determinism.
#include "group_grid.h"

struct UpdateRule { int axis, decay_first, rounding, regrid_always, first_row; float decay; Stream stream; u32 offset; };

/// c and -c G of 8 values.
template <class T>
DEVICE void negative_updates(const T* g, const float* c, int axis, int row, int column, i64 at, int count, bool vector,
                             float (&coefficients)[8], float (&updates)[8]) {
    load8(g + at, count, vector, updates);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        coefficients[i] = i < count ? c[axis == 0 ? 0 : axis == 1 ? row : column + i] : 0.0f;
        updates[i] = -(coefficients[i] * updates[i]);
    }
}

/// The random words of 8 elements in a row.
DEVICE void random_words(const UpdateRule& rule, u64 element, u32 (&words)[8]) {
    u64 block = element >> 2;
    u32 shift = u32(element & 3), w[12];
#pragma unroll
    for (int b = 0; b < 3; b++) {
        if (b == 2 && shift == 0) break;
        Words4 four = stream_block(rule.stream, block + b);
        w[4 * b] = four.x;
        w[4 * b + 1] = four.y;
        w[4 * b + 2] = four.z;
        w[4 * b + 3] = four.w;
    }
    if (shift == 0) w[8] = w[9] = w[10] = 0;
#pragma unroll
    for (int i = 0; i < 9; i++) w[i] = shift & 2 ? w[i + 2] : w[i];
#pragma unroll
    for (int i = 0; i < 8; i++) words[i] = (shift & 1 ? w[i + 1] : w[i]) + rule.offset;
}

DEVICE float round_code(const UpdateRule& rule, float x, u32 word) {
    if (rule.rounding == 0) return rintf(x);
    float below = floorf(x);
    return below + (float(word >> 8) * (1.0f / 16777216.0f) < x - below ? 1.0f : 0.0f);
}

/// Adds the block's count to a total: one atomic per block.
DEVICE void add_count(int count, u64* total, float* partial) {
    int sum = int(block_sum(float(count), partial));
    if (threadIdx.x == 0 && sum) atomicAdd(total, u64(sum));
}

/// Adds the block's sum of squares to a total, in units of 2^-24; a block counts at most as 2^25.
DEVICE void add_squares(float squares, u64* total, float* partial) {
    float sum = fminf(block_sum(squares, partial), 33554432.0f);
    if (threadIdx.x == 0 && sum > 0.0f) atomicAdd(total, u64(sum * 16777216.0f));
}

enum GroupState { Unchanged = 0, Moved = 1, Outside = 2 };

template <class T>
DEVICE void update_codes(u8* codes, u8* residuals, int bits, bf16* scales, u8* zeros, const T* g, const float* c, u64* counts, int rows,
                         int columns, int group_size, int groups_per_row, int vector, int symmetric, const UpdateRule& rule) {
    int lanes = group_size / 8, lane = threadIdx.x % lanes, per_block = blockDim.x / lanes;
    int changed = 0, changed_codes = 0, moved_values = 0, lost = 0, regridded = 0;
    float noise = 0.0f, moves = 0.0f, fine = float(1 << bits), unit = 1.0f / fine;
    int groups = rows * groups_per_row;
    for (int first = blockIdx.x * per_block; first < groups; first += gridDim.x * per_block) {
        GroupPosition p = GroupPosition::of(first + threadIdx.x / lanes, lane, group_size, groups_per_row, rows, columns);
        i64 at = i64(p.row) * columns + p.column, group = i64(p.row) * groups_per_row + p.group;
        bool inside = p.row < rows;
        Grid grid = {inside ? to_float(scales[group]) : 1.0f, inside ? float(zeros[group]) : 0.0f};
        uint2 old = load_codes8(codes + at, p.count, vector), rest = load_residuals8(residuals, at, p.count, bits, vector);
        float coefficients[8], updates[8], x[8];
        negative_updates(g, c, rule.axis, p.row, p.column, at, p.count, vector, coefficients, updates);

        float inverse = 1.0f / grid.scale, least = grid.zero, most = grid.zero, lowest = symmetric ? 1.0f : 0.0f;
        int state = Unchanged, group_moved = 0;
        float group_moves = 0.0f;
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (i >= p.count) continue;
            float v = float(code_of(old, i)) - grid.zero + float(residual_of(rest, i, bits)) * unit;
            float moved = rule.decay_first ? __fmaf_rn(updates[i], inverse, v * rule.decay) : __fmaf_rn(updates[i], inverse, v) * rule.decay;
            if (coefficients[i] == 0.0f) moved = v;
            group_moved += moved != v;
            group_moves += (moved - v) * (moved - v);
            x[i] = moved + grid.zero;
            least = fminf(least, x[i]);
            most = fmaxf(most, x[i]);
            // Written so that NaN counts as outside.
            if (!(x[i] >= lowest && x[i] <= 255.0f)) state = Outside;
            else if (moved != v) state = max(state, Moved);
        }
        least = group_reduce(least, lanes, Min());
        most = group_reduce(most, lanes, Max());
        state = int(group_reduce(float(state), lanes, Max()));
        float fill = symmetric ? 2.0f * fmaxf(most - grid.zero, grid.zero - least) : most - least;
        bool regrid = state == Outside || (state == Moved && (rule.regrid_always || fill < 0.75f * 254.0f));

        if (__any_sync(AllLanes, regrid)) {
            float broken = 0;
            least = INFINITY;
            most = -INFINITY;
#pragma unroll
            for (int i = 0; i < 8; i++) {
                if (i >= p.count || !regrid) continue;
                float w = (float(code_of(old, i)) - grid.zero + float(residual_of(rest, i, bits)) * unit) * grid.scale;
                x[i] = coefficients[i] == 0.0f ? w : rule.decay_first ? w * rule.decay + updates[i] : (w + updates[i]) * rule.decay;
                least = fminf(least, x[i]);
                most = fmaxf(most, x[i]);
                if (!is_finite(x[i])) broken = 1;
            }
            least = group_reduce(least, lanes, Min());
            most = group_reduce(most, lanes, Max());
            broken = group_reduce(broken, lanes, Max());
            if (regrid) {
                Grid fresh = grid_from_range(least, most, symmetric);
                if (broken != 0.0f || !is_finite(fresh.scale)) {
                    state = Unchanged;
                } else {
                    grid = fresh;
#pragma unroll
                    for (int i = 0; i < 8; i++) if (i < p.count) x[i] = x[i] / grid.scale + grid.zero;
                    if (lane == 0) {
                        scales[group] = scale_bits(grid.scale);
                        zeros[group] = u8(grid.zero);
                    }
                }
            }
        }
        if (p.count == 0 || state == Unchanged) continue;

        u32 words[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        uint2 fresh_codes = make_uint2(0, 0), fresh_rest = make_uint2(0, 0);
        int same = 0, same_codes = 0;
        if (rule.rounding != 0) random_words(rule, u64(rule.first_row + p.row) * columns + p.column, words);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            if (i >= p.count) continue;
            FineCode code = FineCode::of(round_code(rule, x[i] * fine, words[i]), bits, symmetric);
            float error = (code.value - x[i] * fine) * unit;
            noise += error * error;
            same_codes += code.code == code_of(old, i);
            same += code.code == code_of(old, i) && code.residual == residual_of(rest, i, bits);
            code.put(i, bits, fresh_codes, fresh_rest);
        }
        changed += regrid ? p.count : p.count - same;
        changed_codes += p.count - same_codes;
        moved_values += group_moved;
        moves += group_moves;
        lost += regrid ? 0 : group_moved - (p.count - same);
        regridded += regrid && lane == 0;
        store_codes8(codes + at, p.count, vector, fresh_codes);
        store_residuals8(residuals, at, p.count, bits, vector, fresh_rest);
    }
    SHARED(float, partial, 32);
    add_count(changed, counts, partial);
    add_count(changed_codes, counts + 1, partial);
    add_count(moved_values, counts + 2, partial);
    add_count(lost, counts + 3, partial);
    add_count(regridded, counts + 4, partial);
    add_squares(noise, counts + 5, partial);
    add_squares(moves, counts + 6, partial);
}

DEVICE float round_value(const UpdateRule&, float value, u32, float) { return value; }
DEVICE bf16 round_value(const UpdateRule& rule, float value, u32 word, bf16) {
    if (rule.rounding == 0 || !is_finite(value)) return to_bf16(value);
    return bf16((__float_as_uint(value) + (word >> 16)) >> 16);
}
DEVICE u32 bits_of(float value) { return __float_as_uint(value); }
DEVICE u32 bits_of(bf16 value) { return value; }

template <class W, class T>
DEVICE void update_dense(W* weight, const T* g, const float* c, u64* counts, i64 items, int columns, int chunks, int vector, const UpdateRule& rule) {
    int changes = 0;
    for (i64 item = i64(blockIdx.x) * blockDim.x + threadIdx.x; item < items; item += i64(gridDim.x) * blockDim.x) {
        int row = int(item / chunks), column = int(item % chunks) * 8, count = min(8, columns - column);
        i64 at = i64(row) * columns + column;
        float values[8], coefficients[8], updates[8];
        load8(weight + at, count, vector, values);
        negative_updates(g, c, rule.axis, row, column, at, count, vector, coefficients, updates);
        u32 words[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (sizeof(W) == 2 && rule.rounding != 0) random_words(rule, u64(rule.first_row + row) * columns + column, words);
#pragma unroll
        for (int i = 0; i < 8; i++) {
            float updated = rule.decay_first ? values[i] * rule.decay + updates[i] : (values[i] + updates[i]) * rule.decay;
            if (coefficients[i] == 0.0f) updated = values[i];
            W rounded = round_value(rule, updated, words[i], W());
            if (i < count && bits_of(rounded) != bits_of(from_float<W>(values[i]))) changes++;
            values[i] = to_float(rounded);
        }
        store8(weight + at, count, vector, values);
    }
    SHARED(float, partial, 32);
    add_count(changes, counts, partial);
}

#define RULE_PARAMETERS                                                                                              \
    int axis, int decay_first, int rounding, int regrid_always, int first_row, float decay, u32 k0, u32 k1, u32 purpose, \
    u32 parameter, u32 step, u32 offset
#define RULE UpdateRule{axis, decay_first, rounding, regrid_always, first_row, decay, Stream{k0, k1, purpose, parameter, step}, offset}

#define UPDATE_CODES(name, T)                                                                                        \
    KERNEL(name, 256, 3)(u8* codes, u8* residuals, int bits, bf16* scales, u8* zeros, const T* g, const float* c, u64* counts, \
                         int rows, int columns, int group_size, int groups_per_row, int vector, int symmetric, RULE_PARAMETERS) { \
        update_codes(codes, residuals, bits, scales, zeros, g, c, counts, rows, columns, group_size, groups_per_row, vector, symmetric, RULE); \
    }                                                                                                                \
    EXPORT_KERNEL(name)

#define UPDATE_DENSE(name, W, T)                                                                                     \
    KERNEL(name, 256, 2)(W* weight, const T* g, const float* c, u64* counts, i64 items, int columns, int chunks, int vector, RULE_PARAMETERS) { \
        update_dense(weight, g, c, counts, items, columns, chunks, vector, RULE);                                   \
    }                                                                                                                \
    EXPORT_KERNEL(name)

UPDATE_CODES(update_codes_f32, float)
UPDATE_CODES(update_codes_bf16, bf16)
UPDATE_DENSE(update_dense_f32_f32, float, float)
UPDATE_DENSE(update_dense_f32_bf16, float, bf16)
UPDATE_DENSE(update_dense_bf16_f32, bf16, float)
UPDATE_DENSE(update_dense_bf16_bf16, bf16, bf16)
