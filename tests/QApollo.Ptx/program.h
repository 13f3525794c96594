// A parsed module: entries with their instructions, and variables.
#pragma once
#include "value.h"
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace ptx {

struct Block;
struct Warp;
struct Instruction;

/// Executes an instruction for the lanes of the mask, which is never empty.
typedef void (*Handler)(Block&, Warp&, const Instruction&, u32 mask);

/// What an instruction is counted as, and the few that the warp executes by itself.
enum Class { Integer, Float, Special, Tensor, LoadMatrix, AsyncCopy, LoadGlobal, StoreGlobal, LoadShared, StoreShared, Local, Jump, Barrier, Exchange, Exit, Other, Classes };

inline const char* class_name(int index) {
    static const char* names[Classes] = {
        "integer", "float", "special", "mma", "ldmatrix", "cp.async", "ld.global", "st.global", "ld.shared", "st.shared", "local", "branch", "barrier",
        "exchange", "exit", "other"};
    return names[index];
}

enum Space { Generic, GlobalSpace, SharedSpace, LocalSpace };

struct Instruction {
    static constexpr int MaxSources = 12;

    Handler run = nullptr;
    Class kind = Other;
    int guard = -1;             // predicate register of @p; -1 for none
    bool guard_negated = false;
    int target[4] = {-1, -1, -1, -1}, source[MaxSources] = {};
    int targets = 0, sources = 0;
    i64 offset = 0;             // of an address; bytes in the parameter block; groups of cp.async.wait_group
    int jump = -1;              // index of the instruction that a branch goes to
    int bytes = 0;              // of one element that is loaded or stored
    int vector = 1;             // elements
    bool is_signed = false;
    bool is_uniform = false;    // bra.uni
    bool counts_itself = false; // its class depends on where its address points
    int variant = 0;            // a Space, or ldmatrix .trans
    int line = 0;
    const char* text = "";
};

/// A register that the machine fills: %tid.y is {ThreadIndex, 1}.
enum class Value { ThreadIndex, BlockSize, BlockIndex, GridSize, LaneIndex, DynamicShared };
struct SpecialRegister { Value what; int axis; };

/// One kernel.
struct Entry {
    std::string name;
    std::vector<std::pair<std::string, int>> parameters; // name, bytes
    std::vector<int> parameter_offsets;
    int parameter_bytes = 0;
    std::vector<Instruction> code;
    std::map<int, u64> constants;            // register: its value in every lane
    std::map<int, SpecialRegister> specials; // by register
    int registers = 0;
    unsigned threads = 0;               // .maxntid
    size_t static_shared = 0, dynamic_alignment = 16, local_bytes = 0;
    std::deque<std::string> texts;      // what Instruction::text points into
    mutable std::vector<unsigned char> reached; // instructions that some lane has executed
};

struct Variable {
    std::string name;
    size_t bytes;
    std::vector<u64> storage;
    // A card places it on a boundary of 256 bytes, and sectors are counted from there.
    u8* data() { return reinterpret_cast<u8*>((u64(storage.data()) + 255) / 256 * 256); }
};

struct Module {
    std::deque<Entry> entries;
    std::deque<Variable> globals;
};

/// @throws Fault: the text has something that the machine does not know; the message names it with its line.
void parse(const std::string& text, Module& module);

/// The meaning and class of an arithmetic instruction by its full name; null where there is none.
struct Operation { Handler run; Class kind; };
const Operation* find_operation(const std::string& name);

}
