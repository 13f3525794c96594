// Attention within documents, forward. A file of its own: runs that mask nothing need not compile it.
#include "attention_forward.h"

#define ATTENTION_FORWARD(D) ATTENTION_FORWARD_IN_DOCUMENTS(masked, D, true)

ATTENTION_FORWARD(16)
ATTENTION_FORWARD(32)
ATTENTION_FORWARD(48)
ATTENTION_FORWARD(64)
ATTENTION_FORWARD(80)
ATTENTION_FORWARD(128)
