// The emulator as the emulated driver sees it (QApollo.Driver/driver.cpp): kernels that g++ compiled, whatever text a module has.
#pragma once
#include "simt.h"
#undef threadIdx
#undef blockIdx
#undef blockDim
#undef gridDim
#include <deque>

namespace simt {

/// All kernels are in the library; a module's text only has to be there.
struct LoadedModule {
    std::vector<Kernel>& kernels;
    std::vector<Global>& globals;
};

inline std::deque<LoadedModule>& modules() {
    static auto* loaded = new std::deque<LoadedModule>{{kernels(), globals()}};
    return *loaded;
}

inline LoadedModule* load_module(const char*) { return &modules()[0]; }

}

namespace machine = simt;
