// cuBLASLt as far as the products use it, on the emulator's streams: names, signatures, enum values and struct layouts of
// cublasLt.h. Whatever the real library would refuse, or would need that the caller left out, is refused here.
#include "stream.h"
#include <cstddef>
#include <cstring>

namespace {

enum Status { Success = 0, NotInitialized = 1, InvalidValue = 7, NotSupported = 15 };
constexpr int Float = 0, BFloat = 14, Compute32F = 68, TransposeA = 3, TransposeB = 4;
constexpr uint64_t Magic = 0x716c745f70726f64;

struct Operation { int transpose_a, transpose_b; };
struct Layout { int type; uint64_t rows, columns; int64_t ld; };
struct Preference { uint64_t workspace; uint32_t reduction; uint32_t alignment[4]; };
struct Algorithm { uint64_t data[8]; };
struct Heuristic { Algorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };
static_assert(sizeof(Algorithm) == 64 && sizeof(Heuristic) == 96 && offsetof(Heuristic, state) == 72, "layout of cublasLt.h");

double cost_per_million = 0;
int handles, products;

float load(const Layout& layout, uint64_t memory, uint64_t index) {
    if (layout.type == Float) return reinterpret_cast<const float*>(memory)[index];
    unsigned bits = unsigned(reinterpret_cast<const unsigned short*>(memory)[index]) << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

void store(const Layout& layout, uint64_t memory, uint64_t index, float value) {
    if (layout.type == Float) {
        reinterpret_cast<float*>(memory)[index] = value;
        return;
    }
    unsigned bits;
    memcpy(&bits, &value, 4);
    reinterpret_cast<unsigned short*>(memory)[index] = (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

struct Sizes { uint64_t m, n, k; bool fit; };

Sizes sizes(const Operation& op, const Layout& a, const Layout& b, const Layout& d) {
    uint64_t m = op.transpose_a ? a.columns : a.rows, k = op.transpose_a ? a.rows : a.columns;
    uint64_t n = op.transpose_b ? b.rows : b.columns, kb = op.transpose_b ? b.columns : b.rows;
    bool fit = k == kb && d.rows == m && d.columns == n && a.ld >= int64_t(a.rows) && b.ld >= int64_t(b.rows) && d.ld >= int64_t(d.rows);
    return {m, n, k, fit};
}

void multiply(Operation op, Layout a, Layout b, Layout d, uint64_t pa, uint64_t pb, float beta, uint64_t pc, uint64_t pd) {
    Sizes s = sizes(op, a, b, d);
    for (uint64_t column = 0; column < s.n; column++) {
        for (uint64_t row = 0; row < s.m; row++) {
            float sum = 0;
            for (uint64_t i = 0; i < s.k; i++) {
                uint64_t at_a = op.transpose_a ? row * uint64_t(a.ld) + i : i * uint64_t(a.ld) + row;
                uint64_t at_b = op.transpose_b ? i * uint64_t(b.ld) + column : column * uint64_t(b.ld) + i;
                sum += load(a, pa, at_a) * load(b, pb, at_b);
            }
            uint64_t at = column * uint64_t(d.ld) + row;
            store(d, pd, at, beta == 0 ? sum : sum + beta * load(d, pc, at)); // with beta 0, C is not read
        }
    }
}

}

#define API extern "C" __attribute__((visibility("default")))

API size_t cublasLtGetVersion() { return 111103; }
API int cublasLtCreate(void** handle) { handles++; *handle = &handles; return simt_has_context() ? Success : NotInitialized; }
API int cublasLtDestroy(void*) { handles--; return Success; }
API int cublasLtMatmulDescCreate(Operation** operation, int compute, int scale) {
    if (compute != Compute32F || scale != Float) return NotSupported;
    handles++;
    *operation = new Operation{0, 0};
    return Success;
}
API int cublasLtMatmulDescSetAttribute(Operation* operation, int attribute, const int* value, size_t bytes) {
    if (bytes != sizeof(int) || *value < 0 || *value > 1) return InvalidValue;
    (attribute == TransposeA ? operation->transpose_a : operation->transpose_b) = *value;
    return attribute == TransposeA || attribute == TransposeB ? Success : InvalidValue;
}
API int cublasLtMatmulDescDestroy(Operation* operation) { handles--; delete operation; return Success; }
API int cublasLtMatrixLayoutCreate(Layout** layout, int type, uint64_t rows, uint64_t columns, int64_t ld) {
    if (type != Float && type != BFloat) return NotSupported;
    handles++;
    *layout = new Layout{type, rows, columns, ld};
    return Success;
}
API int cublasLtMatrixLayoutDestroy(Layout* layout) { handles--; delete layout; return Success; }
API int cublasLtMatmulPreferenceCreate(Preference** preference) { handles++; *preference = new Preference{0, 7, {256, 256, 256, 256}}; return Success; }
API int cublasLtMatmulPreferenceSetAttribute(Preference* preference, int attribute, const void* value, size_t bytes) {
    if (attribute == 1 && bytes == 8) memcpy(&preference->workspace, value, 8);
    else if (attribute == 3 && bytes == 4) memcpy(&preference->reduction, value, 4);
    else if (attribute >= 5 && attribute <= 8 && bytes == 4) memcpy(&preference->alignment[attribute - 5], value, 4);
    else return InvalidValue;
    return Success;
}
API int cublasLtMatmulPreferenceDestroy(Preference* preference) { handles--; delete preference; return Success; }
API int cublasLtMatmulAlgoGetHeuristic(
    void*, Operation* op, Layout* a, Layout* b, Layout* c, Layout* d, Preference* preference, int requested, Heuristic* results, int* found) {
    Sizes s = sizes(*op, *a, *b, *d);
    *found = 0;
    if (!s.fit || c->rows != d->rows || c->columns != d->columns || a->type != BFloat || b->type != BFloat || requested < 1) return InvalidValue;
    if (preference->reduction & 1) return NotSupported; // sums in an order that depends on timing are not wanted
    for (uint32_t alignment : preference->alignment) if (alignment < 16) return NotSupported;
    memset(results, 0, sizeof *results);
    results->algorithm.data[0] = Magic;
    results->algorithm.data[1] = s.m * 31 + s.n * 17 + s.k;
    results->workspace = preference->workspace;
    *found = 1;
    return Success;
}
API int cublasLtMatmul(
    void*, Operation* op, const float* alpha, uint64_t pa, Layout* a, uint64_t pb, Layout* b, const float* beta, uint64_t pc, Layout* c, uint64_t pd,
    Layout* d, const Algorithm* algorithm, uint64_t workspace, size_t workspace_bytes, void* stream) {
    Sizes s = sizes(*op, *a, *b, *d);
    if (*alpha != 1 || !s.fit || !pc || c->rows != d->rows || c->columns != d->columns || c->type != d->type) return InvalidValue;
    if (algorithm->data[0] != Magic || algorithm->data[1] != s.m * 31 + s.n * 17 + s.k) return InvalidValue;
    if ((pa | pb | pc | pd | workspace) & 15) return InvalidValue;
    products++;
    double milliseconds = cost_per_million * double(s.m * s.n * s.k) / 1e6;
    Operation operation = *op;
    Layout la = *a, lb = *b, ld = *d;
    float scale = *beta;
    return simt_submit(stream, milliseconds, [=] {
        memset(reinterpret_cast<void*>(workspace), 0xff, workspace_bytes); // it is the library's to use
        multiply(operation, la, lb, ld, pa, pb, scale, pc, pd);
    }) ? InvalidValue : Success;
}

// Beyond cuBLASLt: the virtual time of a product, for tests of who is chosen (a kernel takes a millisecond); and what exists.
API int simt_set_product_cost(double milliseconds_per_million) { cost_per_million = milliseconds_per_million; return Success; }
API int simt_products(int* live_handles) { *live_handles = handles; return products; }
