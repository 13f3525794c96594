// Attention forward for heads of any even size at any address, over whole sequences (document_starts null) or within documents.
#include "attention_forward.h"

#define ATTENTION_FORWARD(D)                                                                                                               \
    KERNEL(attention_forward_any_##D, 128, 2)(const bf16* query, const bf16* key, const bf16* value, bf16* output, float* log_sum_exp,     \
        int queries, int keys, int heads, int kv_heads, int features, float scale, const int* document_starts) {                           \
        forward<D, true, false>(query, key, value, output, log_sum_exp, queries, keys, heads, kv_heads, features, scale, document_starts); \
    }                                                                                                                                      \
    EXPORT_KERNEL(attention_forward_any_##D)

ATTENTION_FORWARD(16)
ATTENTION_FORWARD(32)
ATTENTION_FORWARD(48)
ATTENTION_FORWARD(64)
ATTENTION_FORWARD(80)
ATTENTION_FORWARD(128)
