// NVML as far as the sensors of a card use it: names, signatures, enum values and layouts of nvml.h. It knows two cards by their places on the bus,
// in the order of the bus, which is not that of the emulated driver: 7 - n is the bus of its card n. A test says what the sensors show.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <unistd.h>

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

enum Return { Success = 0, Uninitialized = 1, InvalidArgument = 2, NotSupported = 3, NotFound = 6, InsufficientSize = 7 };
enum Clock { Graphics = 0, Sm = 1, Mem = 2 };

struct Sample { unsigned pid; unsigned long long time_stamp; unsigned sm, mem, enc, dec; };
static_assert(sizeof(Sample) == 32, "layout of nvml.h");

struct Card { unsigned bus; } cards[] = {{6}, {7}};

/// What the cards show; a negative number: no such sensor.
struct Shown { int celsius = 63, milliwatts = 212500; long long millijoules = 5000; int others_percent = 0; } shown;
std::mutex lock;
int starts;
unsigned long long now;

bool is_card(const void* device) { return starts > 0 && (device == &cards[0] || device == &cards[1]); }

template <class T> int tell(void* device, long long value, T* out) {
    std::lock_guard<std::mutex> hold(lock);
    if (!is_card(device)) return starts > 0 ? InvalidArgument : Uninitialized;
    if (value < 0) return NotSupported;
    *out = T(value);
    return Success;
}

}  // namespace

API nvmlInit_v2() { std::lock_guard<std::mutex> hold(lock); starts++; return Success; }
API nvmlShutdown() { std::lock_guard<std::mutex> hold(lock); return starts > 0 ? (starts--, Success) : Uninitialized; }

API nvmlDeviceGetHandleByPciBusId_v2(const char* id, void** device) {
    std::lock_guard<std::mutex> hold(lock);
    if (starts == 0) return Uninitialized;
    unsigned domain, bus, slot, function;
    if (sscanf(id, "%x:%x:%x.%x", &domain, &bus, &slot, &function) != 4) return InvalidArgument;
    for (Card& card : cards) {
        if (card.bus == bus) { *device = &card; return Success; }
    }
    return NotFound;
}

// The second card is as warm as its place on the bus tells, so that a mix-up shows.
API nvmlDeviceGetTemperature(void* device, int sensor, unsigned* celsius) {
    if (sensor != 0) return InvalidArgument;
    return tell(device, device == &cards[0] && shown.celsius >= 0 ? 30 : shown.celsius, celsius);
}
API nvmlDeviceGetPowerUsage(void* device, unsigned* milliwatts) { return tell(device, shown.milliwatts, milliwatts); }
API nvmlDeviceGetClockInfo(void* device, int type, unsigned* mhz) { return tell(device, type == Sm ? 1860 : type == Mem ? 7501 : -1, mhz); }
API nvmlDeviceGetTotalEnergyConsumption(void* device, unsigned long long* millijoules) {
    // A joule for each look, so that a run uses some.
    if (shown.millijoules >= 0) shown.millijoules += 1000;
    return tell(device, shown.millijoules, millijoules);
}

API nvmlDeviceGetProcessUtilization(void* device, Sample* samples, unsigned* count, unsigned long long last_seen) {
    std::lock_guard<std::mutex> hold(lock);
    if (!is_card(device)) return InvalidArgument;
    if (shown.others_percent < 0) return NotSupported;
    if (*count < 2) { *count = 2; return InsufficientSize; }
    now = (now > last_seen ? now : last_seen) + 1;
    samples[0] = {unsigned(getpid()), now, 90, 0, 0, 0};
    samples[1] = {1, now, unsigned(shown.others_percent), 0, 0, 0};
    *count = 2;
    return Success;
}

/// For tests; negative: no such sensor.
API nvml_show(int celsius, int milliwatts, long long millijoules, int others_percent) {
    std::lock_guard<std::mutex> hold(lock);
    shown = {celsius, milliwatts, millijoules, others_percent};
    return starts;
}
