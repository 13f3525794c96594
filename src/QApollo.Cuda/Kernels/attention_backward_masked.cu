// Attention within documents, backward. A file of its own: runs that mask nothing need not compile it.
#include "attention_backward.h"

#define ATTENTION_BACKWARD(D)                                                                                                         \
    KERNEL(attention_backward_masked_kv_##D, 128, 1)(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, \
        const bf16* gradient, const float* delta, bf16* key_gradient, bf16* value_gradient,                                           \
        int length, int heads, int kv_heads, int features, float scale, const int* document_starts) {                                 \
        backward_kv<D, true, true>(query, key, value, log_sum_exp, gradient, delta, key_gradient, value_gradient,                     \
                                      BackwardShape{length, heads, kv_heads, features, scale, document_starts});                      \
    }                                                                                                                                 \
    EXPORT_KERNEL(attention_backward_masked_kv_##D)                                                                                   \
    KERNEL(attention_backward_masked_q_##D, 128, 1)(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp,  \
        const bf16* gradient, const float* delta, bf16* query_gradient,                                                               \
        int length, int heads, int kv_heads, int features, float scale, const int* document_starts) {                                 \
        backward_q<D, true, true>(query, key, value, log_sum_exp, gradient, delta, query_gradient,                                    \
                                     BackwardShape{length, heads, kv_heads, features, scale, document_starts});                       \
    }                                                                                                                                 \
    EXPORT_KERNEL(attention_backward_masked_q_##D)

ATTENTION_BACKWARD(16)
ATTENTION_BACKWARD(32)
ATTENTION_BACKWARD(48)
ATTENTION_BACKWARD(64)
ATTENTION_BACKWARD(80)
ATTENTION_BACKWARD(128)
