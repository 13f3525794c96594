// A machine that runs kernels (QApollo.Simt: their sources; QApollo.Ptx: the PTX that ships) behind the names and signatures of the CUDA
// driver API, so that the CUDA device drives it like a GPU. machine.h is the machine's own.
// Copies and fills wait in their stream until something makes them visible: a forgotten wait shows as stale data.
// A stream that captures takes launches, copies and fills, and refuses what the driver refuses.
#include "machine.h"
#include "graph.h"
#include "stream.h"
#include <algorithm>
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <sys/mman.h>

namespace {

enum Status {
    Success = 0, InvalidValue = 1, OutOfMemory = 2, NoDevice = 100, InvalidDevice = 101, InvalidContext = 201, InvalidPtx = 218,
    IllegalState = 401, NotFound = 500, LaunchFailed = 719,
    CaptureUnsupported = 900, CaptureInvalidated = 901, CaptureIsolation = 905, CaptureWrongThread = 908
};

/// What the emulated card claims to be; a test changes it to see how the device reacts.
struct Claims { int driver_version = 11080, device_count = 1, capability_major = 8, capability_minor = 6; uint64_t memory_bytes = uint64_t(8) << 30; } claims;

struct Stream {
    std::deque<std::function<void()>> pending;
    double clock_ms;         // virtual: when all that is in the stream so far is done
    Graph* capture;          // null unless the stream captures
    std::thread::id capturer;
    bool invalidated;
};
struct Event { Stream* stream; double time; };
struct Allocation { void* mapping; size_t mapped_bytes, bytes; };

std::recursive_mutex api_lock;
std::vector<Stream*> streams;
std::map<void*, Allocation> allocations;
uint64_t used_bytes;
int live_objects;
std::set<Graph*> graphs;
struct Counts { int launches, graph_launches, graph_updates; } counts;
// Virtual time: a kernel and a fill take a millisecond, whatever they do; so does a copy, unless a test gives copies a speed. Streams run
// beside each other, from when the host gives them work; the host's own work takes no time.
double host_ms, copy_bytes_per_ms;
size_t locked_limit = SIZE_MAX; // bytes of one page-locked allocation
thread_local bool has_context;
thread_local machine::Order launch_order = machine::Order::Ascending;
std::string message;

void drain(Stream* stream) {
    while (!stream->pending.empty()) {
        auto operation = std::move(stream->pending.front());
        stream->pending.pop_front();
        operation();
    }
}

void drain_all() { for (Stream* stream : streams) drain(stream); }

void tick(Stream* stream, double milliseconds) { stream->clock_ms = std::max(stream->clock_ms, host_ms) + milliseconds; }

void host_awaits(double time_ms) { host_ms = std::max(host_ms, time_ms); }

/// What may not be called by a thread that captures; the capture is lost.
bool is_capturing() {
    bool found = false;
    for (Stream* stream : streams) {
        if (!stream->capture || stream->capturer != std::this_thread::get_id()) continue;
        stream->invalidated = found = true;
    }
    return found;
}

#define REFUSE_WHILE_CAPTURING if (is_capturing()) return CaptureUnsupported

/// Adds a node to the stream's capture, which takes the place of the work itself.
int capture(Stream* stream, Node node) {
    if (stream->invalidated) return CaptureInvalidated;
    stream->capture->nodes.push_back(std::make_unique<Node>(std::move(node)));
    return Success;
}

/// Puts a copy or a fill into the stream, or into the graph that it captures.
int defer(Stream* stream, double milliseconds, std::function<void()> work) {
    if (stream->capture) return capture(stream, Node(milliseconds, work));
    tick(stream, milliseconds);
    stream->pending.push_back(work);
    return Success;
}

int refuse(const machine::Kernel* kernel, const char* reason) {
    std::lock_guard<std::mutex> text(machine::error_lock);
    machine::error_text = std::string(kernel ? kernel->name : "launch") + ": " + reason;
    return LaunchFailed;
}

int validate(const machine::Kernel* kernel, machine::Dim3 grid, machine::Dim3 block, unsigned shared_bytes) {
    if (!has_context) return InvalidContext;
    if (!kernel || !grid.x || !grid.y || !grid.z || grid.y > 65535 || grid.z > 65535 || grid.x > 0x7fffffffu) return refuse(kernel, "grid out of range");
    if (uint64_t(block.x) * block.y * block.z != kernel->threads) return refuse(kernel, "block size differs from the one the kernel was written for");
    if (shared_bytes > machine::StaticSharedLimit && shared_bytes > kernel->granted_shared_bytes) return refuse(kernel, "more shared memory than was granted");
    return Success;
}

int run(machine::Kernel* kernel, machine::Dim3 grid, machine::Dim3 block, unsigned shared_bytes, void** parameters) {
    return machine::Launcher::instance().launch(kernel, grid, block, shared_bytes, parameters, launch_order) ? Success : LaunchFailed;
}

/// New memory is not zero on a GPU. The first part of it shows who relies on that; more would only cost time.
constexpr size_t PoisonBytes = 1 << 20;

void fill(void* target, int value, size_t bytes) {
    auto* first = static_cast<unsigned char*>(target);
    auto* page = reinterpret_cast<unsigned char*>((reinterpret_cast<size_t>(first) + 4095) & ~size_t(4095));
    auto* end = reinterpret_cast<unsigned char*>(reinterpret_cast<size_t>(first + bytes) & ~size_t(4095));
    if (value != 0 || bytes < PoisonBytes) {
        memset(target, value, bytes);
        return;
    }
    memset(first, 0, size_t(page - first));
    madvise(page, size_t(end - page), MADV_DONTNEED); // the system gives zeroed pages when they are touched again
    memset(end, 0, size_t(first + bytes - end));
}

/// The end of each allocation touches an unmapped page: an access beyond it faults.
void* map_guarded(size_t bytes, int fill) {
    size_t rounded = (bytes + 15) & ~size_t(15), mapped = ((rounded + 4095) & ~size_t(4095)) + 4096;
    // Addresses are multiples of 256 as the driver's are, so the guard is exact only for such sizes.
    size_t slack = (mapped - 4096 - rounded) & ~size_t(255);
    void* mapping = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) return nullptr;
    auto* address = static_cast<unsigned char*>(mapping) + slack;
    memset(address, fill, std::min(bytes, PoisonBytes));
    mprotect(static_cast<unsigned char*>(mapping) + mapped - 4096, 4096, PROT_NONE);
    allocations[address] = {mapping, mapped, bytes};
    return address;
}

int unmap(void* address) {
    auto found = allocations.find(address);
    if (found == allocations.end()) return InvalidValue;
    munmap(found->second.mapping, found->second.mapped_bytes);
    allocations.erase(found);
    return Success;
}

}

bool simt_has_context() { return has_context; }

/// For a machine that checks addresses. A kernel runs with the driver locked, so nothing changes meanwhile.
bool driver_has_memory(uint64_t address, uint64_t bytes) {
    auto next = allocations.upper_bound(reinterpret_cast<void*>(address));
    if (next == allocations.begin()) return false;
    auto& [first, allocation] = *--next;
    uint64_t offset = address - uint64_t(first);
    return offset <= allocation.bytes && bytes <= allocation.bytes - offset;
}

int simt_submit(void* stream, double milliseconds, std::function<void()> work) {
    std::lock_guard<std::recursive_mutex> guard(api_lock);
    auto* target = static_cast<Stream*>(stream);
    if (target->capture) return capture(target, Node(milliseconds, work));
    drain(target);
    tick(target, milliseconds);
    work();
    return Success;
}

using Guard = std::lock_guard<std::recursive_mutex>;
#define API extern "C" __attribute__((visibility("default"))) int

API cuInit(unsigned) { return claims.device_count ? Success : NoDevice; }
API cuDriverGetVersion(int* version) { *version = claims.driver_version; return Success; }
API cuDeviceGetCount(int* count) { *count = claims.device_count; return Success; }
API cuDeviceGet(int* device, int ordinal) { *device = ordinal; return ordinal < claims.device_count ? Success : InvalidDevice; }
API cuDeviceGetName(char* name, int bytes, int) { snprintf(name, size_t(bytes), "CPU emulation"); return Success; }
API cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 16: *value = int(machine::Launcher::instance().workers()); break;
        case 75: *value = claims.capability_major; break;
        case 76: *value = claims.capability_minor; break;
        case 97: *value = int(machine::SharedLimit); break;
        default: *value = 0;
    }
    return Success;
}
API cuDeviceGetPCIBusId(char* id, int bytes, int device) { snprintf(id, size_t(bytes), "0000:%02x:00.0", 7 - device); return Success; }
API cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = claims.memory_bytes; return Success; }
API cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes) {
    Guard guard(api_lock);
    *total_bytes = claims.memory_bytes;
    *free_bytes = claims.memory_bytes - std::min(claims.memory_bytes, used_bytes);
    return has_context ? Success : InvalidContext;
}
API cuDevicePrimaryCtxRetain(void** context, int) { *context = &claims; live_objects++; return Success; }
API cuDevicePrimaryCtxRelease_v2(int) { live_objects--; return Success; }
API cuCtxSetCurrent(void* context) { has_context = context != nullptr; return Success; }
API cuCtxSynchronize() { Guard guard(api_lock); REFUSE_WHILE_CAPTURING; drain_all(); for (Stream* stream : streams) host_awaits(stream->clock_ms); return has_context ? Success : InvalidContext; }

/// What compiling a kernel takes, where a test wants it to take time: milliseconds in DRIVER_COMPILE_MS.
static void compile() {
    const char* milliseconds = getenv("DRIVER_COMPILE_MS");
    if (milliseconds) std::this_thread::sleep_for(std::chrono::milliseconds(atoi(milliseconds)));
}

API cuModuleLoadDataEx(void** module, const void* image, unsigned, void*, void*) {
    Guard guard(api_lock);
    REFUSE_WHILE_CAPTURING;
    if (!image) return InvalidValue;
    compile();
    *module = machine::load_module(static_cast<const char*>(image));
    if (!*module) return InvalidPtx;
    live_objects++;
    return Success;
}
API cuModuleUnload(void*) { Guard guard(api_lock); REFUSE_WHILE_CAPTURING; live_objects--; return Success; }
API cuModuleGetFunction(void** function, void* module, const char* name) {
    Guard guard(api_lock);
    for (auto& kernel : static_cast<machine::LoadedModule*>(module)->kernels) {
        if (!strcmp(kernel.name, name)) { *function = &kernel; return Success; }
    }
    return NotFound;
}
API cuModuleGetGlobal_v2(uint64_t* address, size_t* bytes, void* module, const char* name) {
    Guard guard(api_lock);
    for (auto& global : static_cast<machine::LoadedModule*>(module)->globals) {
        if (!strcmp(global.name, name)) { *address = uint64_t(global.address); *bytes = global.bytes; return Success; }
    }
    return NotFound;
}
API cuFuncSetAttribute(void* function, int attribute, int value) {
    if (attribute != 8 || value < 0 || size_t(value) > machine::SharedLimit) return InvalidValue;
    static_cast<machine::Kernel*>(function)->granted_shared_bytes = unsigned(value);
    return Success;
}

API cuMemAlloc_v2(uint64_t* address, size_t bytes) {
    Guard guard(api_lock);
    REFUSE_WHILE_CAPTURING;
    if (!has_context) return InvalidContext;
    if (!bytes) return InvalidValue;
    if (bytes > claims.memory_bytes - used_bytes) return OutOfMemory;
    void* memory = map_guarded(bytes, 0xff);
    if (!memory) return OutOfMemory;
    used_bytes += bytes;
    *address = uint64_t(memory);
    return Success;
}
API cuMemFree_v2(uint64_t address) {
    Guard guard(api_lock);
    REFUSE_WHILE_CAPTURING;
    drain_all();
    auto found = allocations.find(reinterpret_cast<void*>(address));
    if (found != allocations.end()) used_bytes -= found->second.bytes;
    return unmap(reinterpret_cast<void*>(address));
}
API cuMemHostAlloc(void** address, size_t bytes, unsigned) {
    Guard guard(api_lock);
    REFUSE_WHILE_CAPTURING;
    if (bytes > locked_limit) return OutOfMemory;
    *address = map_guarded(bytes, 0xff);
    return *address ? Success : OutOfMemory;
}
API cuMemFreeHost(void* address) { Guard guard(api_lock); REFUSE_WHILE_CAPTURING; drain_all(); return unmap(address); }

API cuStreamCreate(void** stream, unsigned) {
    Guard guard(api_lock);
    streams.push_back(new Stream());
    *stream = streams.back();
    live_objects++;
    return Success;
}
API cuStreamDestroy_v2(void* stream) {
    Guard guard(api_lock);
    drain(static_cast<Stream*>(stream));
    streams.erase(std::find(streams.begin(), streams.end(), stream));
    delete static_cast<Stream*>(stream);
    live_objects--;
    return Success;
}
API cuStreamSynchronize(void* stream) { Guard guard(api_lock); REFUSE_WHILE_CAPTURING; drain(static_cast<Stream*>(stream)); host_awaits(static_cast<Stream*>(stream)->clock_ms); return Success; }
API cuStreamWaitEvent(void* stream, void* event, unsigned) {
    Guard guard(api_lock);
    if (auto* waiting = static_cast<Stream*>(stream); waiting && waiting->capture) {
        waiting->invalidated = true;
        return CaptureIsolation; // the event is not of the capture: captures of several streams are not emulated
    }
    if (Stream* recorded = static_cast<Event*>(event)->stream) drain(recorded);
    if (auto* waiting = static_cast<Stream*>(stream)) waiting->clock_ms = std::max(waiting->clock_ms, static_cast<Event*>(event)->time);
    return Success;
}
API cuEventCreate(void** event, unsigned) { *event = new Event{nullptr, 0}; live_objects++; return Success; }
API cuEventDestroy_v2(void* event) { delete static_cast<Event*>(event); live_objects--; return Success; }
API cuEventRecord(void* event, void* stream) {
    Guard guard(api_lock);
    REFUSE_WHILE_CAPTURING;
    *static_cast<Event*>(event) = {static_cast<Stream*>(stream), std::max(static_cast<Stream*>(stream)->clock_ms, host_ms)};
    return Success;
}
API cuEventSynchronize(void* event) { Guard guard(api_lock); REFUSE_WHILE_CAPTURING; host_awaits(static_cast<Event*>(event)->time); return cuStreamWaitEvent(nullptr, event, 0); }
API cuEventElapsedTime(float* milliseconds, void* begin, void* end) {
    Guard guard(api_lock);
    *milliseconds = float(static_cast<Event*>(end)->time - static_cast<Event*>(begin)->time);
    return Success;
}

API cuMemcpyAsync(uint64_t target, uint64_t source, size_t bytes, void* stream) {
    Guard guard(api_lock);
    double milliseconds = copy_bytes_per_ms > 0 ? double(bytes) / copy_bytes_per_ms : 1;
    return defer(static_cast<Stream*>(stream), milliseconds, [=] { memcpy(reinterpret_cast<void*>(target), reinterpret_cast<void*>(source), bytes); });
}
API cuMemsetD8Async(uint64_t target, unsigned char value, size_t bytes, void* stream) {
    Guard guard(api_lock);
    return defer(static_cast<Stream*>(stream), 1, [=] { fill(reinterpret_cast<void*>(target), value, bytes); });
}

API cuLaunchKernel(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared_bytes, void* stream, void** parameters, void**) {
    Guard guard(api_lock);
    auto* kernel = static_cast<machine::Kernel*>(function);
    auto* target = static_cast<Stream*>(stream);
    if (int status = validate(kernel, {gx, gy, gz}, {bx, by, bz}, shared_bytes)) return status;
    if (target->capture) return capture(target, Node(kernel, {gx, gy, gz}, {bx, by, bz}, shared_bytes, parameters));
    drain(target);
    counts.launches++;
    tick(target, 1);
    return run(kernel, {gx, gy, gz}, {bx, by, bz}, shared_bytes, parameters);
}

API cuStreamBeginCapture_v2(void* stream, int mode) {
    Guard guard(api_lock);
    auto* target = static_cast<Stream*>(stream);
    if (mode != 1) return InvalidValue; // the device captures thread-local
    if (target->capture) return IllegalState;
    graphs.insert(target->capture = new Graph());
    target->capturer = std::this_thread::get_id();
    target->invalidated = false;
    live_objects++;
    return Success;
}
API cuStreamGetCaptureInfo_v2(void* stream, int* status, uint64_t* id, void** graph, void*** nodes, size_t* count) {
    Guard guard(api_lock);
    auto* target = static_cast<Stream*>(stream);
    *status = !target->capture ? 0 : target->invalidated ? 2 : 1;
    if (*status != 1) return Success;
    *id = 1;
    *graph = target->capture;
    target->capture->last = target->capture->nodes.empty() ? nullptr : target->capture->nodes.back().get();
    *nodes = &target->capture->last;
    *count = target->capture->last ? 1 : 0;
    return Success;
}
API cuStreamEndCapture(void* stream, void** graph) {
    Guard guard(api_lock);
    auto* target = static_cast<Stream*>(stream);
    *graph = nullptr;
    if (!target->capture) return IllegalState;
    if (target->capturer != std::this_thread::get_id()) return CaptureWrongThread;
    Graph* captured = target->capture;
    target->capture = nullptr;
    if (target->invalidated) {
        graphs.erase(captured);
        delete captured;
        live_objects--;
        return CaptureInvalidated;
    }
    *graph = captured;
    return Success;
}
API cuGraphInstantiateWithFlags(void** executable, void* graph, uint64_t flags) {
    Guard guard(api_lock);
    REFUSE_WHILE_CAPTURING;
    if (flags || !graphs.count(static_cast<Graph*>(graph))) return InvalidValue;
    if (claims.memory_bytes == used_bytes) return OutOfMemory;
    *executable = new GraphExecutable(*static_cast<Graph*>(graph));
    live_objects++;
    return Success;
}
API cuGraphExecKernelNodeSetParams(void* executable, void* node, const KernelNodeParameters* parameters) {
    Guard guard(api_lock);
    auto* target = static_cast<GraphExecutable*>(executable);
    Node* changed = graphs.count(target->graph) ? target->find(node) : nullptr; // the graph must still be there: its node is the name
    if (!changed || changed->kernel != parameters->function) return InvalidValue;
    if (int status = validate(changed->kernel, parameters->grid, parameters->block, parameters->shared_bytes)) return status;
    *changed = Node(changed->kernel, parameters->grid, parameters->block, parameters->shared_bytes, parameters->arguments);
    counts.graph_updates++;
    return Success;
}
API cuGraphLaunch(void* executable, void* stream) {
    Guard guard(api_lock);
    auto* target = static_cast<Stream*>(stream);
    if (target->capture) return CaptureUnsupported;
    drain(target);
    counts.graph_launches++;
    for (Node& node : static_cast<GraphExecutable*>(executable)->nodes) {
        tick(target, node.milliseconds);
        if (!node.kernel) {
            node.work();
        } else if (int status = run(node.kernel, node.grid, node.block, node.shared_bytes, node.pointers())) {
            return status;
        }
    }
    return Success;
}
API cuGraphExecDestroy(void* executable) { Guard guard(api_lock); delete static_cast<GraphExecutable*>(executable); live_objects--; return Success; }
API cuGraphDestroy(void* graph) {
    Guard guard(api_lock);
    if (!graphs.erase(static_cast<Graph*>(graph))) return InvalidValue;
    delete static_cast<Graph*>(graph);
    live_objects--;
    return Success;
}

API cuGetErrorName(int status, const char** name) { *name = status == LaunchFailed ? "CUDA_ERROR_LAUNCH_FAILED" : status == InvalidPtx ? "CUDA_ERROR_INVALID_PTX" : status == OutOfMemory ? "CUDA_ERROR_OUT_OF_MEMORY" : status >= 900 ? "CUDA_ERROR_STREAM_CAPTURE" : "CUDA_ERROR"; return Success; }
API cuGetErrorString(int status, const char** text) {
    std::lock_guard<std::mutex> guard(machine::error_lock);
    message = status == LaunchFailed || status == InvalidPtx ? machine::error_text : status == NotFound ? "named symbol not found" : status >= 900 ? "not while a stream captures" : "emulated error";
    *text = message.c_str();
    return Success;
}

// Beyond the driver API: what tests set and ask. The order is that of launches from the calling thread.
API simt_set_order(int order) { launch_order = machine::Order(order); return Success; }
API simt_claim(int driver_version, int device_count, int capability_major, int capability_minor, uint64_t memory_bytes) {
    claims = {driver_version, device_count, capability_major, capability_minor, memory_bytes};
    return Success;
}
/// The virtual speed of copies; 0 for a millisecond each.
API simt_set_copy_speed(double bytes_per_ms) { Guard guard(api_lock); copy_bytes_per_ms = bytes_per_ms; return Success; }
API simt_set_locked_limit(size_t bytes) { Guard guard(api_lock); locked_limit = bytes; return Success; }
API simt_live_objects() { Guard guard(api_lock); return live_objects + int(allocations.size()); }
/// Kernels launched one by one, graphs launched, and kernels changed in graphs, since the library was loaded.
API simt_counts(int* launches, int* graph_launches, int* graph_updates) {
    Guard guard(api_lock);
    *launches = counts.launches;
    *graph_launches = counts.graph_launches;
    *graph_updates = counts.graph_updates;
    return Success;
}
/// Kernels of the modules that were loaded, one after the other.
API simt_kernel_count() {
    Guard guard(api_lock);
    size_t count = 0;
    for (auto& module : machine::modules()) count += module.kernels.size();
    return int(count);
}
API simt_kernel(int index, const char** name, int* threads) {
    Guard guard(api_lock);
    for (auto& module : machine::modules()) {
        if (size_t(index) >= module.kernels.size()) {
            index -= int(module.kernels.size());
            continue;
        }
        *name = module.kernels[size_t(index)].name;
        *threads = int(module.kernels[size_t(index)].threads);
        return Success;
    }
    return InvalidValue;
}
