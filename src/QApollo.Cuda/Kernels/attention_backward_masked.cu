// Attention within documents, backward. A file of its own: runs that mask nothing need not compile it.
#include "attention_backward.h"

#define ATTENTION_BACKWARD(D) ATTENTION_BACKWARD_IN_DOCUMENTS(masked, D, true)

ATTENTION_BACKWARD(16)
ATTENTION_BACKWARD(32)
ATTENTION_BACKWARD(48)
ATTENTION_BACKWARD(64)
ATTENTION_BACKWARD(80)
ATTENTION_BACKWARD(128)
