// Attention over whole sequences, backward; heads as cp.async takes them.
#include "attention_backward.h"

#define ATTENTION_BACKWARD(D)                                                                                                  \
    KERNEL(attention_backward_kv_##D, 128, 1)(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp, \
        const bf16* gradient, const float* delta, bf16* key_gradient, bf16* value_gradient,                                    \
        int length, int heads, int kv_heads, int features, float scale) {                                                      \
        backward_kv<D, false, true>(query, key, value, log_sum_exp, gradient, delta, key_gradient, value_gradient,             \
                                      BackwardShape{length, heads, kv_heads, features, scale, nullptr});                       \
    }                                                                                                                          \
    EXPORT_KERNEL(attention_backward_kv_##D)                                                                                   \
    KERNEL(attention_backward_q_##D, 128, 1)(const bf16* query, const bf16* key, const bf16* value, const float* log_sum_exp,  \
        const bf16* gradient, const float* delta, bf16* query_gradient,                                                        \
        int length, int heads, int kv_heads, int features, float scale) {                                                      \
        backward_q<D, false, true>(query, key, value, log_sum_exp, gradient, delta, query_gradient,                            \
                                     BackwardShape{length, heads, kv_heads, features, scale, nullptr});                        \
    }                                                                                                                          \
    EXPORT_KERNEL(attention_backward_q_##D)

ATTENTION_BACKWARD(16)
ATTENTION_BACKWARD(32)
ATTENTION_BACKWARD(48)
ATTENTION_BACKWARD(64)
ATTENTION_BACKWARD(80)
ATTENTION_BACKWARD(128)
