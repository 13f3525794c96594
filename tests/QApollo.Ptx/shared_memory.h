// A block's shared memory, with what hardware does not tell: bytes read before they were written, races between two
// barriers, and asynchronous copies that are touched before they were awaited.
#pragma once
#include "value.h"
#include <vector>

namespace ptx {

class SharedMemory {
public:
    /// Unwritten, for a new block.
    void reset(size_t bytes) {
        size_ = bytes;
        if (bytes_.size() < bytes) {
            bytes_.resize(bytes);
            cells_.resize(bytes / CellBytes + 1);
        }
        first_epoch_ = ++epoch_; // what earlier blocks wrote is older
    }

    /// All threads have passed a barrier: what they did before it is ordered before what they do now.
    void pass_barrier() { epoch_++; }

    /// A new instruction of a warp; its lanes' stores are one access.
    void begin_access() { access_++; }

    const u8* read(u64 address, u32 bytes, int warp) {
        check(address, bytes);
        for (u64 i = address / CellBytes; i <= (address + bytes - 1) / CellBytes; i++) {
            Cell& cell = cells_[i];
            if (cell.write_epoch < first_epoch_) fault("shared byte %llu is read and was never written", byte(i));
            if (cell.copies) fault("shared byte %llu is read before the asynchronous copy into it was awaited", byte(i));
            if (cell.write_epoch == epoch_ && cell.writer != warp) {
                fault("race: warp %d reads shared byte %llu, which warp %d writes between the same barriers", warp, byte(i), cell.writer);
            }
            if (cell.read_epoch != epoch_) {
                cell.read_epoch = epoch_;
                cell.readers = 0;
            }
            cell.readers |= 1u << warp;
        }
        return bytes_.data() + address;
    }

    void write(u64 address, const void* data, u32 bytes, int warp) {
        check(address, bytes);
        auto* source = static_cast<const u8*>(data);
        for (u64 i = address / CellBytes; i <= (address + bytes - 1) / CellBytes; i++) {
            Cell& cell = cells_[i];
            if (is_copied(cell)) fault("shared byte %llu is written before the asynchronous copy into it was awaited", byte(i));
            if (cell.last_access == access_ && memcmp(bytes_.data() + address, source, bytes) != 0) fault("lanes of warp %d write different values to shared byte %llu at once", warp, byte(i));
            claim(cell, i, warp);
            cell.last_access = access_;
            cell.copies = false;
        }
        memcpy(bytes_.data() + address, source, bytes);
    }

    /// An asynchronous copy may write its bytes at any time from now until it is awaited.
    void begin_copy(u64 address, u32 bytes, int warp) {
        check(address, bytes);
        for (u64 i = address / CellBytes; i < (address + bytes) / CellBytes; i++) {
            Cell& cell = cells_[i];
            if (is_copied(cell)) fault("two asynchronous copies write shared byte %llu at the same time", byte(i));
            claim(cell, i, warp);
            cell.copies = true;
        }
    }

    void end_copy(u64 address, const u8* data, u32 bytes, int warp) {
        for (u64 i = address / CellBytes; i < (address + bytes) / CellBytes; i++) {
            cells_[i].copies = false;
            claim(cells_[i], i, warp);
        }
        memcpy(bytes_.data() + address, data, bytes);
    }

private:
    /// Accesses of two warps to one byte each of a cell count as accesses to the same: no kernel has shared arrays of bytes.
    static constexpr u64 CellBytes = 2;

    struct Cell {
        u32 write_epoch = 0, read_epoch = 0, readers = 0; // warps, one bit each
        u32 last_access = 0;
        u8 writer = 0xff;
        bool copies = false;
    };

    static unsigned long long byte(u64 cell) { return cell * CellBytes; }

    bool is_copied(const Cell& cell) const { return cell.copies && cell.write_epoch >= first_epoch_; }

    void check(u64 address, u32 bytes) const {
        if (address > size_ || bytes > size_ - address) fault("shared access of %u bytes at %llu, of %zu", bytes, (unsigned long long)address, size_);
        if (address % bytes) fault("misaligned shared access of %u bytes at %llu", bytes, (unsigned long long)address);
    }

    void claim(Cell& cell, u64 index, int warp) {
        if (cell.write_epoch == epoch_ && cell.writer != warp) fault("race: warps %d and %d write shared byte %llu between the same barriers", cell.writer, warp, byte(index));
        if (cell.read_epoch == epoch_ && (cell.readers & ~(1u << warp))) fault("race: warp %d writes shared byte %llu, which another warp reads between the same barriers", warp, byte(index));
        cell.write_epoch = epoch_;
        cell.writer = u8(warp);
    }

    std::vector<u8> bytes_;
    std::vector<Cell> cells_;
    size_t size_ = 0;
    u32 epoch_ = 1, first_epoch_ = 1, access_ = 0; // numbers go on from block to block
};

}
