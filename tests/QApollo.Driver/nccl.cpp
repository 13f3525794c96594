// NCCL as far as the exchange of gradients uses it, between threads of this process, on the emulator's streams: names, signatures and
// enum values of nccl.h. A sum is added up in the order of the ranks, and its result waits in the stream like a copy.
#include "stream.h"
#include <condition_variable>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

enum Result { Success = 0, InvalidArgument = 4, InvalidUsage = 5, RemoteError = 6 };
constexpr int Float32 = 7, BFloat16 = 9, Sum = 0;
struct UniqueId { char bytes[128]; };
static_assert(sizeof(UniqueId) == 128, "layout of nccl.h");

struct Group {
    std::mutex lock;
    std::condition_variable changed;
    std::vector<std::vector<char>> sent;
    std::vector<size_t> counts;
    int arrived = 0;
    long meetings = 0;

    /// All ranks, or false once this one gives up: of the others it hears nothing.
    bool meet(const bool& aborted) {
        std::unique_lock<std::mutex> hold(lock);
        long meeting = meetings;
        if (++arrived == int(sent.size())) {
            arrived = 0;
            meetings++;
            changed.notify_all();
        }
        changed.wait(hold, [&] { return meetings != meeting || aborted; });
        return meetings != meeting;
    }
};

struct Communicator {
    std::shared_ptr<Group> group;
    int rank;
    bool aborted;
    std::vector<char> sum; // of the last call; its copy waits in the stream
};

std::mutex groups_lock;
std::map<std::string, std::shared_ptr<Group>> groups;
int ids;

float widen(unsigned short bits) {
    unsigned wide = unsigned(bits) << 16;
    float value;
    memcpy(&value, &wide, 4);
    return value;
}

unsigned short narrow(float value) {
    unsigned bits;
    memcpy(&bits, &value, 4);
    return (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

std::vector<char> add_up(const std::vector<std::vector<char>>& sent, size_t count, int type) {
    std::vector<char> sum = sent[0];
    for (size_t rank = 1; rank < sent.size(); rank++) {
        for (size_t i = 0; i < count; i++) {
            if (type == Float32) {
                reinterpret_cast<float*>(sum.data())[i] += reinterpret_cast<const float*>(sent[rank].data())[i];
            } else {
                auto* own = reinterpret_cast<unsigned short*>(sum.data());
                own[i] = narrow(widen(own[i]) + widen(reinterpret_cast<const unsigned short*>(sent[rank].data())[i]));
            }
        }
    }
    return sum;
}

}

#define API extern "C" __attribute__((visibility("default")))

API int cuStreamSynchronize(void* stream);
API int cuMemcpyAsync(uint64_t target, uint64_t source, size_t bytes, void* stream);

API int ncclGetVersion(int* version) { *version = 22703; return Success; }
API const char* ncclGetErrorString(int result) { return result == RemoteError ? "remote process exited or there was a network error" : "invalid argument"; }
API int ncclGetUniqueId(UniqueId* id) {
    std::lock_guard<std::mutex> hold(groups_lock);
    memset(id, 0x5a, sizeof *id);
    memcpy(id->bytes + 100, &++ids, sizeof ids); // at its end: all of it must arrive
    return Success;
}
API int ncclCommInitRank(void** communicator, int size, UniqueId id, int rank) {
    std::string key(id.bytes, sizeof id);
    if (size < 1 || rank < 0 || rank >= size || id.bytes[0] != 0x5a || id.bytes[127] != 0x5a) return InvalidArgument;
    if (!simt_has_context()) return InvalidUsage;
    std::shared_ptr<Group> group;
    {
        std::lock_guard<std::mutex> hold(groups_lock);
        auto& found = groups[key];
        if (!found) {
            found = std::make_shared<Group>();
            found->sent.resize(size);
            found->counts.resize(size);
        }
        group = found;
    }
    *communicator = new Communicator{group, rank, false, {}};
    return group->meet(false) ? Success : RemoteError;
}
API int ncclAllReduce(const void* send, void* receive, size_t count, int type, int operation, void* communicator, void* stream) {
    auto* own = static_cast<Communicator*>(communicator);
    if (!own || count == 0 || operation != Sum || (type != Float32 && type != BFloat16)) return InvalidArgument;
    if (!simt_has_context() || !stream) return InvalidUsage;
    size_t bytes = count * (type == Float32 ? 4 : 2);
    if (cuStreamSynchronize(stream)) return InvalidUsage;
    std::shared_ptr<Group> group = own->group;
    const char* from = static_cast<const char*>(send);
    group->sent[own->rank].assign(from, from + bytes);
    group->counts[own->rank] = count;
    if (!group->meet(own->aborted)) return RemoteError;
    for (size_t other : group->counts) if (other != count) return InvalidUsage; // the real one would hang
    own->sum = add_up(group->sent, count, type);
    if (!group->meet(own->aborted)) return RemoteError;
    return cuMemcpyAsync(uint64_t(receive), uint64_t(own->sum.data()), bytes, stream) ? InvalidUsage : Success;
}
/// May be called while another thread of the rank is in ncclAllReduce, which then fails: what it uses stays.
API int ncclCommAbort(void* communicator) {
    auto* own = static_cast<Communicator*>(communicator);
    std::lock_guard<std::mutex> hold(own->group->lock);
    own->aborted = true;
    own->group->changed.notify_all();
    return Success;
}
