// Adam's moments and direction (arXiv 1412.6980), with the bias correction in the direction or in the step size:
//   m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g², direction = numerator m / (sqrt(v) + epsilon), where the host passes
//   numerator 1 (correction in the step size) or c2 / c1 with epsilon * c2.
#pragma once
#include "device.h"

/// `rest1`, `rest2`: 1 - b1 and 1 - b2, which the host forms in binary64.
struct AdamScalars { float beta1, beta2, rest1, rest2, numerator, epsilon; };

#define ADAM_PARAMETERS float beta1, float beta2, float rest1, float rest2, float numerator, float epsilon
#define ADAM_SCALARS AdamScalars{beta1, beta2, rest1, rest2, numerator, epsilon}

DEVICE float adam_direction(const AdamScalars& s, float g, float& m, float& v) {
    m = __fmaf_rn(s.beta1, m, s.rest1 * g);
    v = __fmaf_rn(s.beta2, v, s.rest2 * g * g);
    return s.numerator * m / (__fsqrt_rn(v) + s.epsilon);
}
