// SwiGLU (arXiv 2002.05202): y = silu(gate) up, silu(x) = x s, s = 1 / (1 + e^-x); gate, up, y flat bf16 of n elements.
// Backward: d_up = dy gate s, d_gate = dy up s (1 + gate (1 - s)).
// Elementwise: one thread per 8 elements, which it reads before it writes, so outputs may be inputs.
#include "device.h"

/// To a few ulp of binary32, far below the rounding of the bf16 results; e^-x overflows to infinity, which gives 0.
DEVICE float sigmoid(float x) { return fast_reciprocal(1.0f + fast_exp2(-Log2E * x)); }

DEVICE int elements_left(i64 first, i64 n) { return n - first >= 8 ? 8 : int(n - first); }

KERNEL(swiglu_forward, 256, 1)(const bf16* gate, const bf16* up, bf16* output, i64 n, int vector) {
    i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
    if (first >= n) return;
    int count = elements_left(first, n);
    float g[8], u[8];
    load8(gate + first, count, vector, g);
    load8(up + first, count, vector, u);
#pragma unroll
    for (int i = 0; i < 8; i++) g[i] = g[i] * sigmoid(g[i]) * u[i];
    store8(output + first, count, vector, g);
}
EXPORT_KERNEL(swiglu_forward)

KERNEL(swiglu_backward, 256, 1)(const bf16* gate, const bf16* up, const bf16* dy, bf16* gate_gradient, bf16* up_gradient, i64 n, int vector) {
    i64 first = (i64(blockIdx.x) * blockDim.x + threadIdx.x) * 8;
    if (first >= n) return;
    int count = elements_left(first, n);
    float g[8], u[8], d[8];
    load8(gate + first, count, vector, g);
    load8(up + first, count, vector, u);
    load8(dy + first, count, vector, d);
#pragma unroll
    for (int i = 0; i < 8; i++) {
        float s = sigmoid(g[i]), up_value = u[i];
        u[i] = d[i] * g[i] * s;
        g[i] = d[i] * up_value * s * (1.0f + g[i] * (1.0f - s));
    }
    store8(gate_gradient + first, count, vector, g);
    store8(up_gradient + first, count, vector, u);
}
EXPORT_KERNEL(swiglu_backward)
