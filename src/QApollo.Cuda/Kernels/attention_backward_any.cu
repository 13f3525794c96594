// Attention backward for heads of any even size at any address, over whole sequences (document_starts null) or within documents.
#include "attention_backward.h"

#define ATTENTION_BACKWARD(D) ATTENTION_BACKWARD_IN_DOCUMENTS(any, D, false)

ATTENTION_BACKWARD(16)
ATTENTION_BACKWARD(32)
ATTENTION_BACKWARD(48)
ATTENTION_BACKWARD(64)
ATTENTION_BACKWARD(80)
ATTENTION_BACKWARD(128)
