// What a library on top of the driver may ask of the emulated driver.
#pragma once
#include <cstdint>
#include <functional>

/// Puts work into a stream, or into the graph that it captures. Returns a CUresult.
int simt_submit(void* stream, double milliseconds, std::function<void()> work);
bool simt_has_context();
