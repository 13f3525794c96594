// Modules and launches, and the report on what all launches have reached and cost.
#include "machine.h"

namespace ptx {

std::mutex error_lock;
thread_local std::string error_text;

namespace {

/// Of all launches of this thread.
thread_local Counters thread_counters;

bool is_global(u64 address, u64 bytes) {
    if (driver_has_memory(address, bytes)) return true;
    for (LoadedModule& loaded : modules()) {
        for (const Global& variable : loaded.globals) {
            u64 first = u64(variable.address);
            if (address >= first && bytes <= variable.bytes && address - first <= variable.bytes - bytes) return true;
        }
    }
    return false;
}

}

std::deque<LoadedModule>& modules() {
    // Never destroyed: the process may exit while a managed thread still holds the library.
    static auto* loaded = new std::deque<LoadedModule>();
    return *loaded;
}

LoadedModule* load_module(const char* text) {
    size_t length = strlen(text);
    for (LoadedModule& loaded : modules()) if (loaded.text.size() == length && memcmp(loaded.text.data(), text, length) == 0) return &loaded;
    modules().emplace_back();
    LoadedModule& loaded = modules().back();
    loaded.text = text;
    try {
        parse(loaded.text, loaded.module);
    } catch (const Fault& reason) {
        modules().pop_back();
        error_text = reason.what();
        return nullptr;
    }
    for (Entry& entry : loaded.module.entries) {
        loaded.kernels.push_back({entry.name.c_str(), &entry, entry.threads, 0, {}, {}});
        for (auto& parameter : entry.parameters) loaded.kernels.back().parameter_bytes.push_back(size_t(parameter.second));
    }
    for (Variable& variable : loaded.module.globals) loaded.globals.push_back({variable.name.c_str(), variable.data(), variable.bytes});
    return &loaded;
}

Launcher& Launcher::instance() {
    static auto* launcher = new Launcher();
    return *launcher;
}

bool Launcher::launch(Kernel* kernel, Dim3 grid, Dim3 size, size_t dynamic_bytes, void** parameters, Order order) {
    std::lock_guard<std::mutex> guard(lock_);
    const Entry& entry = *kernel->entry;
    std::vector<u8> values(size_t(entry.parameter_bytes));
    for (size_t i = 0; i < entry.parameters.size(); i++) memcpy(values.data() + entry.parameter_offsets[i], parameters[i], size_t(entry.parameters[i].second));

    u64 total = u64(grid.x) * grid.y * grid.z;
    std::atomic<u64> next{0};
    std::atomic<bool> failed{false};
    Counters costs[2];
    std::string reasons[2];
    auto share = [&](Counters& cost, std::string& told) {
        static thread_local Block block;
        block.entry = &entry;
        block.parameters = values.data();
        block.grid = grid;
        block.size = size;
        block.order = order;
        block.counters = Counters();
        block.is_global = is_global;
        try {
            for (u64 i; !failed && (i = next++) < total;) {
                block.index = {unsigned(i % grid.x), unsigned(i / grid.x % grid.y), unsigned(i / grid.x / grid.y)};
                run_block(block, dynamic_bytes);
            }
        } catch (const Fault& reason) {
            failed = true;
            told = entry.name + ": " + reason.what();
        }
        cost = block.counters;
    };
    if (total == 1) {
        share(costs[0], reasons[0]);
    } else {
        std::thread other(share, std::ref(costs[1]), std::ref(reasons[1]));
        share(costs[0], reasons[0]);
        other.join();
    }
    error_text = reasons[reasons[0].empty() ? 1 : 0];
    kernel->counters.launches++;
    for (const Counters& cost : costs) {
        kernel->counters.add(cost);
        thread_counters.add(cost);
    }
    return !failed;
}

}

/// What all launches of the calling thread have cost: tensor core instructions, all warp instructions, wavefronts and the least of
/// them, sectors and the least of them.
extern "C" __attribute__((visibility("default"))) int ptx_thread_counts(unsigned long long* counts) {
    using namespace ptx;
    const Counters& c = thread_counters;
    u64 instructions = 0;
    for (u64 of_class : c.instructions) instructions += of_class;
    const u64 all[] = {c.instructions[Tensor], instructions, c.wavefronts, c.least_wavefronts, c.sectors, c.least_sectors};
    std::copy(std::begin(all), std::end(all), counts);
    return 0;
}

/// A line for each kernel that was loaded, in JSON: launches, warp instructions by class, sectors, wavefronts, instructions and how
/// many of them some launch reached, and the first lines of stretches that none did.
extern "C" __attribute__((visibility("default"))) int ptx_report(const char* path) {
    using namespace ptx;
    FILE* file = fopen(path, "w");
    if (!file) return 1;
    for (LoadedModule& loaded : modules()) {
        for (Kernel& kernel : loaded.kernels) {
            const Entry& entry = *kernel.entry;
            const Counters& c = kernel.counters;
            size_t written = entry.code.size() - 1, reached = 0; // without the end that the parser adds
            for (size_t i = 0; i < written; i++) reached += entry.reached[i];
            fprintf(file, "{\"kernel\":\"%s\",\"launches\":%llu,\"blocks\":%llu,\"instructions\":{", entry.name.c_str(), (unsigned long long)c.launches, (unsigned long long)c.blocks);
            for (int i = 0; i < Classes; i++) fprintf(file, "%s\"%s\":%llu", i ? "," : "", class_name(i), (unsigned long long)c.instructions[i]);
            fprintf(file, "},\"sectors\":%llu,\"leastSectors\":%llu,\"wavefronts\":%llu,\"leastWavefronts\":%llu,\"code\":%zu,\"reached\":%zu,\"unreached\":[",
                (unsigned long long)c.sectors, (unsigned long long)c.least_sectors, (unsigned long long)c.wavefronts, (unsigned long long)c.least_wavefronts, written, reached);
            bool first = true;
            for (size_t i = 0; i < written; i++) {
                if (entry.reached[i] || (i > 0 && !entry.reached[i - 1])) continue;
                fprintf(file, "%s%d", first ? "" : ",", entry.code[i].line);
                first = false;
            }
            fprintf(file, "]}\n");
        }
    }
    return fclose(file) ? 1 : 0;
}
