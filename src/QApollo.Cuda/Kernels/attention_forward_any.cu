// Attention forward for heads of any even size at any address, over whole sequences (document_starts null) or within documents.
#include "attention_forward.h"

#define ATTENTION_FORWARD(D) ATTENTION_FORWARD_IN_DOCUMENTS(any, D, false)

ATTENTION_FORWARD(16)
ATTENTION_FORWARD(32)
ATTENTION_FORWARD(48)
ATTENTION_FORWARD(64)
ATTENTION_FORWARD(80)
ATTENTION_FORWARD(128)
