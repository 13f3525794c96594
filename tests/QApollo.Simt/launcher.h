// The worker threads that run a launch's blocks, and the table of kernels.
#pragma once
#include "block.h"
#include <atomic>
#include <condition_variable>
#include <memory>
#include <thread>

namespace simt {

inline std::vector<Kernel>& kernels() {
    static std::vector<Kernel> table;
    return table;
}

/// Fibers run on these threads only, never on a thread of the caller.
class Launcher {
public:
    static Launcher& instance() {
        // Never destroyed: the process may exit while a managed thread still holds the library.
        static Launcher* launcher = new Launcher();
        return *launcher;
    }

    unsigned workers() const { return static_cast<unsigned>(threads_.size()); }

    /// Runs all blocks of a launch; false when one failed, with the reason in error_text.
    bool launch(const Kernel* kernel, Dim3 grid, Dim3 size, size_t dynamic_bytes, void** parameters, Order order) {
        std::unique_lock<std::mutex> lock(lock_);
        {
            std::lock_guard<std::mutex> guard(error_lock);
            error_text.clear();
        }
        kernel_ = kernel;
        grid_ = grid;
        size_ = size;
        dynamic_bytes_ = dynamic_bytes;
        parameters_ = parameters;
        order_ = order;
        next_ = 0;
        stop_ = false;
        busy_ = workers();
        generation_++;
        go_.notify_all();
        done_.wait(lock, [this] { return busy_ == 0; });
        return !stop_;
    }

private:
    Launcher() {
        unsigned count = std::max(1u, std::thread::hardware_concurrency());
        for (unsigned worker = 0; worker < count; worker++) threads_.emplace_back([this] { work(); });
    }

    void work() {
        auto own = std::make_unique<Block>();
        block = own.get();
        uint64_t seen = 0;
        for (;;) {
            {
                std::unique_lock<std::mutex> lock(lock_);
                go_.wait(lock, [&] { return generation_ != seen; });
                seen = generation_;
            }
            run_share();
            std::lock_guard<std::mutex> guard(lock_);
            if (--busy_ == 0) done_.notify_one();
        }
    }

    void run_share() {
        uint64_t total = uint64_t(grid_.x) * grid_.y * grid_.z, chunk = total / (workers() * 8) + 1, first;
        while (!stop_ && (first = next_.fetch_add(chunk)) < total) {
            for (uint64_t i = first; i < first + chunk && i < total && !stop_; i++) {
                Dim3 index = {unsigned(i % grid_.x), unsigned(i / grid_.x % grid_.y), unsigned(i / grid_.x / grid_.y)};
                run_block(kernel_, parameters_, index, grid_, size_, dynamic_bytes_, order_);
                if (block->failed) stop_ = true;
            }
        }
    }

    std::mutex lock_;
    std::condition_variable go_, done_;
    std::vector<std::thread> threads_;
    uint64_t generation_ = 0;
    unsigned busy_ = 0;
    const Kernel* kernel_ = nullptr;
    Dim3 grid_{}, size_{};
    size_t dynamic_bytes_ = 0;
    void** parameters_ = nullptr;
    Order order_ = Order::Ascending;
    std::atomic<uint64_t> next_{0};
    std::atomic<bool> stop_{false};
};

}
