// The machine as the emulated driver sees it (QApollo.Driver/driver.cpp): modules from PTX text, kernels, launches.
#pragma once
#include "block.h"
#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

/// Whether the driver has given out global memory from the address on; asked for every access.
bool driver_has_memory(uint64_t address, uint64_t bytes);

namespace ptx {

constexpr size_t SharedLimit = 101376; // per block on compute capability 8.6 and 8.9, the smallest of the targets
constexpr size_t StaticSharedLimit = 49152;

struct Kernel {
    const char* name;
    const Entry* entry;
    unsigned threads, granted_shared_bytes;
    std::vector<size_t> parameter_bytes;
    Counters counters;
};

struct Global { const char* name; void* address; size_t bytes; };

/// A module that was loaded; a text that is loaded again is the same module.
struct LoadedModule {
    std::string text;
    Module module;
    std::deque<Kernel> kernels;
    std::vector<Global> globals;
};

extern std::mutex error_lock;
/// Of the last call of this thread.
extern thread_local std::string error_text;

std::deque<LoadedModule>& modules();

/// @returns null when the text is not understood; error_text says why.
LoadedModule* load_module(const char* text);

class Launcher {
public:
    static Launcher& instance();

    unsigned workers() const { return 2; }

    /// Runs all blocks of a launch; false when one failed, with the reason in error_text.
    bool launch(Kernel* kernel, Dim3 grid, Dim3 size, size_t dynamic_bytes, void** parameters, Order order);

private:
    std::mutex lock_;
};

}

namespace machine = ptx;
