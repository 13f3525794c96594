// PTX text to a module. Whatever is not known here is refused with its line: a guess would be worse than nothing.
#include "memory_operations.h"
#include "warp_operations.h"
#include <cstdlib>
#include <memory>
#include <set>
#include <sstream>

namespace ptx {
namespace {

std::string trimmed(const std::string& text) {
    size_t first = text.find_first_not_of(" \t\r"), last = text.find_last_not_of(" \t\r");
    return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

bool begins(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

/// Splits at commas outside of brackets and braces.
std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> parts;
    std::string part;
    int depth = 0;
    for (char c : text) {
        if (c == '{' || c == '[') depth++;
        if (c == '}' || c == ']') depth--;
        if (c == ',' && depth == 0) {
            parts.push_back(trimmed(part));
            part.clear();
        } else {
            part += c;
        }
    }
    if (!trimmed(part).empty()) parts.push_back(trimmed(part));
    return parts;
}

/// The elements of {a, b}, or the operand itself.
std::vector<std::string> elements(const std::string& operand) {
    return operand[0] == '{' ? split(operand.substr(1, operand.size() - 2)) : std::vector<std::string>{operand};
}

/// Bytes of "u32", "b8", "f64".
int type_bytes(const std::string& type) {
    int bits = type.size() > 1 ? atoi(type.c_str() + 1) : 0;
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64) fault("type .%s", type.c_str());
    return bits / 8;
}

u64 literal(const std::string& text) {
    if (begins(text, "0f") || begins(text, "0F") || begins(text, "0d") || begins(text, "0D")) return strtoull(text.c_str() + 2, nullptr, 16);
    return text[0] == '-' ? u64(strtoll(text.c_str(), nullptr, 0)) : strtoull(text.c_str(), nullptr, 0);
}

struct Declaration { std::string name; size_t bytes = 0, alignment = 1; };

/// ".align 4 .b8 name[16]" with or without what stands before it.
Declaration declaration(const std::string& text) {
    Declaration result;
    std::istringstream words(text);
    std::string word;
    size_t element = 0;
    while (words >> word) {
        if (word == ".align") {
            words >> result.alignment;
        } else if (word[0] != '.') {
            result.name = word;
            break;
        } else if (word.size() > 2 && isdigit(word[2])) {
            element = size_t(type_bytes(word.substr(1)));
        }
    }
    while (!result.name.empty() && (result.name.back() == ';' || result.name.back() == ',')) result.name.pop_back();
    size_t bracket = result.name.find('['), count = 1;
    if (bracket != std::string::npos) {
        count = strtoull(result.name.c_str() + bracket + 1, nullptr, 10); // 0 for name[]
        result.name.erase(bracket);
    }
    if (result.name.empty() || !element) fault("not understood: %s", text.c_str());
    result.alignment = std::max(result.alignment, element);
    result.bytes = element * count;
    return result;
}

size_t place(size_t& end, const Declaration& d) {
    size_t at = (end + d.alignment - 1) / d.alignment * d.alignment;
    end = at + d.bytes;
    return at;
}

/// What the entries of a module share.
struct ModuleNames {
    std::map<std::string, u64> globals;         // address
    std::map<std::string, Declaration> shared;  // declared outside of the entries
    std::set<std::string> dynamic_shared;
};

class EntryParser {
public:
    EntryParser(Entry& entry, const ModuleNames& names) : entry_(entry), names_(names) {}

    void parameter(const std::string& text) {
        Declaration d = declaration(text);
        size_t end = size_t(entry_.parameter_bytes), at = place(end, d);
        entry_.parameters.push_back({d.name, int(d.bytes)});
        entry_.parameter_offsets.push_back(int(at));
        entry_.parameter_bytes = int(end);
    }

    /// .reg .b32 %r<10>; or .reg .b64 %SP;
    void registers(const std::string& text) {
        size_t name = text.find('%'), count = text.find('<');
        if (name == std::string::npos) fault("not understood: %s", text.c_str());
        if (count == std::string::npos) {
            std::string single = text.substr(name);
            single.erase(single.find_first_of("; "));
            singles_[single] = entry_.registers++;
        } else {
            ranges_[text.substr(name, count - name)] = entry_.registers;
            entry_.registers += atoi(text.c_str() + count + 1);
        }
    }

    void shared(const std::string& text) {
        Declaration d = declaration(text);
        addresses_[d.name] = place(entry_.static_shared, d);
    }

    void local(const std::string& text) {
        Declaration d = declaration(text);
        addresses_[d.name] = place(entry_.local_bytes, d);
    }

    void label(const std::string& name) { labels_[name] = int(entry_.code.size()); }

    void instruction(const std::string& text, int line) {
        entry_.texts.push_back(text);
        Instruction i;
        i.line = line;
        i.text = entry_.texts.back().c_str();
        std::string rest = text;
        if (rest[0] == '@') {
            size_t space = rest.find_first_of(" \t");
            i.guard_negated = rest[1] == '!';
            i.guard = operand(rest.substr(i.guard_negated ? 2 : 1, space - (i.guard_negated ? 2 : 1)));
            rest = trimmed(rest.substr(space));
        }
        size_t space = rest.find_first_of(" \t");
        std::string name = rest.substr(0, space);
        decode(i, name, split(space == std::string::npos ? "" : rest.substr(space)));
        entry_.code.push_back(i);
    }

    void finish() {
        for (auto& [at, label] : jumps_) {
            auto found = labels_.find(label);
            if (found == labels_.end()) fault("label %s is not defined", label.c_str());
            entry_.code[size_t(at)].jump = found->second;
        }
        Instruction end; // a body may end without ret
        end.kind = Exit;
        end.text = "end of the body";
        entry_.code.push_back(end);
        entry_.reached.assign(entry_.code.size(), 0);
    }

private:
    /// Stands for the address of an array without size, which begins behind the others.
    static constexpr const char* DynamicShared = "%dynamic_shared";

    Entry& entry_;
    const ModuleNames& names_;
    std::map<std::string, int> ranges_, singles_, labels_, special_registers_;
    std::map<std::string, u64> addresses_;
    std::map<u64, int> constants_;
    std::vector<std::pair<int, std::string>> jumps_;

    int constant(u64 value) {
        auto [found, is_new] = constants_.try_emplace(value, entry_.registers);
        if (is_new) entry_.constants[entry_.registers++] = value;
        return found->second;
    }

    int special(const std::string& name) {
        auto [found, is_new] = special_registers_.try_emplace(name, entry_.registers);
        if (is_new) entry_.specials[entry_.registers++] = special_register(name);
        return found->second;
    }

    static SpecialRegister special_register(const std::string& name) {
        if (name == "%laneid") return {Value::LaneIndex, 0};
        if (name == DynamicShared) return {Value::DynamicShared, 0};
        static const std::map<std::string, Value> bases = {
            {"%tid", Value::ThreadIndex}, {"%ntid", Value::BlockSize}, {"%ctaid", Value::BlockIndex}, {"%nctaid", Value::GridSize}};
        auto base = bases.find(name.substr(0, name.find('.')));
        int axis = name.back() - 'x';
        if (base == bases.end() || axis < 0 || axis > 2) fault("the machine does not know the register %s", name.c_str());
        return {base->second, axis};
    }

    int operand(const std::string& text) {
        if (text.empty()) fault("an operand is missing");
        if (text[0] == '%') return register_number(text);
        if (isdigit(text[0]) || text[0] == '-') return constant(literal(text));
        if (auto own = addresses_.find(text); own != addresses_.end()) return constant(own->second);
        if (names_.dynamic_shared.count(text)) return special(DynamicShared);
        if (auto global = names_.globals.find(text); global != names_.globals.end()) return constant(global->second);
        if (auto shared = names_.shared.find(text); shared != names_.shared.end()) {
            return constant(addresses_[text] = place(entry_.static_shared, shared->second));
        }
        fault("%s is not declared", text.c_str());
    }

    int register_number(const std::string& text) {
        if (auto single = singles_.find(text); single != singles_.end()) return single->second;
        if (text.find('.') != std::string::npos || text == "%laneid") return special(text);
        size_t digits = 1;
        while (digits < text.size() && !isdigit(text[digits])) digits++;
        auto range = ranges_.find(text.substr(0, digits));
        if (range == ranges_.end()) fault("register %s is not declared", text.c_str());
        return range->second + atoi(text.c_str() + digits);
    }

    void add_target(Instruction& i, const std::string& text) {
        if (i.targets == 4) fault("more than four results");
        i.target[i.targets++] = text == "_" ? entry_.registers++ : operand(text);
    }

    void add_source(Instruction& i, const std::string& text) {
        if (i.sources == Instruction::MaxSources) fault("more than %d operands", Instruction::MaxSources);
        i.source[i.sources++] = operand(text);
    }

    /// [base], [base+8], [base+-8]
    static std::pair<std::string, i64> address(const std::string& text) {
        if (text.size() < 3 || text[0] != '[' || text.back() != ']') fault("%s is no address", text.c_str());
        std::string inner = text.substr(1, text.size() - 2);
        size_t plus = inner.find('+');
        return {trimmed(inner.substr(0, plus)), plus == std::string::npos ? 0 : strtoll(inner.c_str() + plus + 1, nullptr, 0)};
    }

    void add_address(Instruction& i, const std::string& text) {
        auto [base, offset] = address(text);
        i.offset = offset;
        add_source(i, base);
    }

    static void require(const std::vector<std::string>& parts, size_t count) {
        if (parts.size() != count) fault("%zu operands instead of %zu", parts.size(), count);
    }

    void decode(Instruction& i, const std::string& name, const std::vector<std::string>& parts) {
        std::string type = name.substr(name.rfind('.') + 1);
        if (name == "bra" || name == "bra.uni") {
            require(parts, 1);
            i.kind = Jump;
            i.is_uniform = name == "bra.uni";
            jumps_.push_back({int(entry_.code.size()), parts[0]});
        } else if (name == "ret" || name == "exit") {
            i.kind = Exit;
        } else if (name == "bar.sync") {
            if (parts.size() != 1 || parts[0] != "0") fault("a barrier that is not that of the whole block");
            i.kind = Barrier;
        } else if (name == "bar.warp.sync") {
            require(parts, 1);
            i.kind = Exchange;
            i.run = warp_barrier;
            add_source(i, parts[0]);
        } else if (begins(name, "ld.param.")) {
            load_of_parameter(i, name, type, parts);
        } else if (begins(name, "ld.")) {
            require(parts, 2);
            access(i, name, type, load);
            for (auto& element : elements(parts[0])) add_target(i, element);
            i.vector = i.targets;
            add_address(i, parts[1]);
        } else if (begins(name, "st.")) {
            require(parts, 2);
            access(i, name, type, store);
            add_address(i, parts[0]);
            for (auto& element : elements(parts[1])) add_source(i, element);
            i.vector = i.sources - 1;
        } else if (name == "atom.global.add.u32" || name == "atom.global.add.s32" || name == "atom.global.add.u64") {
            require(parts, 3);
            i.run = name.back() == '4' ? atomic_add<u64> : atomic_add<u32>;
            add_target(i, parts[0]);
            add_address(i, parts[1]);
            add_source(i, parts[2]);
        } else if (name == "red.global.add.u32" || name == "red.global.add.s32" || name == "red.global.add.u64") {
            require(parts, 2);
            i.run = name.back() == '4' ? atomic_add<u64> : atomic_add<u32>;
            add_address(i, parts[0]);
            add_source(i, parts[1]);
        } else if (begins(name, "cp.async.")) {
            asynchronous(i, name, parts);
        } else if (begins(name, "ldmatrix.")) {
            matrix(i, name, parts);
        } else if (name == "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32") {
            require(parts, 4);
            i.kind = Tensor;
            i.run = multiply_matrices;
            for (auto& element : elements(parts[0])) add_target(i, element);
            for (size_t part = 1; part < 4; part++) for (auto& element : elements(parts[part])) add_source(i, element);
            if (i.targets != 4 || i.sources != 10) fault("fragments of other sizes");
        } else if (begins(name, "shfl.sync.")) {
            exchange(i, name, parts);
        } else if (begins(name, "vote.sync.")) {
            require(parts, 3);
            i.kind = Exchange;
            i.run = vote;
            i.variant = name == "vote.sync.any.pred" ? 0 : name == "vote.sync.all.pred" ? 1 : name == "vote.sync.ballot.b32" ? 2 : unknown(name);
            add_target(i, parts[0]);
            if (parts[1][0] == '!') fault("a negated vote");
            add_source(i, parts[1]);
            add_source(i, parts[2]);
        } else if (begins(name, "mov.b") && parts.size() == 2 && (parts[0][0] == '{' || parts[1][0] == '{')) {
            i.kind = Integer;
            i.run = parts[0][0] == '{' ? unpack : pack;
            for (auto& element : elements(parts[0])) add_target(i, element);
            for (auto& element : elements(parts[1])) add_source(i, element);
            i.bytes = type_bytes(type) / std::max(i.targets, i.sources);
        } else {
            const Operation* operation = find_operation(name);
            if (!operation) unknown(name);
            i.run = operation->run;
            i.kind = operation->kind;
            if (parts.size() < 2) fault("operands are missing");
            add_target(i, parts[0]);
            for (size_t part = 1; part < parts.size(); part++) add_source(i, parts[part]);
        }
    }

    [[noreturn]] static int unknown(const std::string& name) { fault("the machine does not know the instruction %s", name.c_str()); }

    static void access(Instruction& i, const std::string& name, const std::string& type, Handler run) {
        i.run = run;
        i.counts_itself = true;
        i.bytes = type_bytes(type);
        i.is_signed = type[0] == 's';
        std::istringstream words(name.substr(3));
        std::string word;
        while (std::getline(words, word, '.')) {
            if (word == "global" || word == "const") i.variant = GlobalSpace;
            else if (word == "shared") i.variant = SharedSpace;
            else if (word == "local") i.variant = LocalSpace;
            else if (word != "nc" && word != "v2" && word != "v4" && word != "volatile" && word != "cs" && word != "cg" && word != "ca" && word != type) unknown(name);
        }
    }

    void load_of_parameter(Instruction& i, const std::string& name, const std::string& type, const std::vector<std::string>& parts) {
        require(parts, 2);
        if (name != "ld.param." + type && name != "ld.param.v2." + type && name != "ld.param.v4." + type) unknown(name);
        i.run = load_parameter;
        i.bytes = type_bytes(type);
        i.is_signed = type[0] == 's';
        for (auto& element : elements(parts[0])) add_target(i, element);
        i.vector = i.targets;
        auto [base, offset] = address(parts[1]);
        for (size_t k = 0; k < entry_.parameters.size(); k++) {
            if (entry_.parameters[k].first != base) continue;
            if (offset < 0 || offset + i.bytes * i.vector > entry_.parameters[k].second) fault("a load beyond parameter %s", base.c_str());
            i.offset = entry_.parameter_offsets[k] + offset;
            return;
        }
        fault("parameter %s is not declared", base.c_str());
    }

    void asynchronous(Instruction& i, const std::string& name, const std::vector<std::string>& parts) {
        if (name == "cp.async.commit_group") {
            i.run = async_commit;
        } else if (name == "cp.async.wait_group") {
            require(parts, 1);
            i.run = async_wait;
            i.offset = i64(literal(parts[0]));
        } else if (name == "cp.async.wait_all") {
            fault("cp.async.wait_all");
        } else if ((name == "cp.async.cg.shared.global" || name == "cp.async.ca.shared.global") && (parts.size() == 3 || parts.size() == 4)) {
            i.kind = AsyncCopy;
            i.variant = name == "cp.async.ca.shared.global";
            i.run = async_copy;
            add_address(i, parts[0]);
            i64 target_offset = i.offset;
            add_address(i, parts[1]);
            if (i.offset) fault("an offset in the source of cp.async");
            i.offset = target_offset;
            add_source(i, parts[2]);
            add_source(i, parts.size() == 4 ? parts[3] : parts[2]);
        } else {
            unknown(name);
        }
    }

    void matrix(Instruction& i, const std::string& name, const std::vector<std::string>& parts) {
        require(parts, 2);
        i.kind = LoadMatrix;
        i.run = load_matrix;
        i.variant = name.find(".trans.") != std::string::npos;
        for (auto& element : elements(parts[0])) add_target(i, element);
        add_address(i, parts[1]);
        std::string expected = "ldmatrix.sync.aligned.m8n8.x" + std::to_string(i.targets) + (i.variant ? ".trans" : "") + ".shared.b16";
        if (name != expected) unknown(name);
    }

    void exchange(Instruction& i, const std::string& name, const std::vector<std::string>& parts) {
        require(parts, 5);
        i.kind = Exchange;
        i.run = shuffle;
        i.variant = name == "shfl.sync.idx.b32" ? 0 : name == "shfl.sync.up.b32" ? 1 : name == "shfl.sync.down.b32" ? 2 : name == "shfl.sync.bfly.b32" ? 3 : unknown(name);
        size_t bar = parts[0].find('|');
        add_target(i, trimmed(parts[0].substr(0, bar)));
        if (bar != std::string::npos) add_target(i, trimmed(parts[0].substr(bar + 1)));
        for (size_t part = 1; part < 5; part++) add_source(i, parts[part]);
    }

    static void pack(Block&, Warp& warp, const Instruction& i, u32 mask) {
        u64* target = warp.at(i.target[0]);
        u64 low = i.bytes == 4 ? 0xffffffffull : 0xffffull, value[Lanes] = {};
        for (int element = 0; element < i.sources; element++) {
            const u64* source = warp.at(i.source[element]);
            EACH_LANE(value[lane] |= (source[lane] & low) << (8 * i.bytes * element))
        }
        EACH_LANE(target[lane] = value[lane])
    }

    static void unpack(Block&, Warp& warp, const Instruction& i, u32 mask) {
        u64 low = i.bytes == 4 ? 0xffffffffull : 0xffffull, value[Lanes];
        const u64* source = warp.at(i.source[0]);
        EACH_LANE(value[lane] = source[lane])
        for (int element = 0; element < i.targets; element++) {
            u64* target = warp.at(i.target[element]);
            EACH_LANE(target[lane] = value[lane] >> (8 * i.bytes * element) & low)
        }
    }
};

class ModuleParser {
public:
    ModuleParser(const std::string& text, Module& module) : lines_(text), module_(module) {}

    void run() {
        std::string line;
        while (next(line)) {
            if (begins(line, ".version") || begins(line, ".target") || begins(line, ".address_size")) continue;
            if (line.find(".entry ") != std::string::npos) entry(line);
            else if (begins(line, ".extern .shared")) names_.dynamic_shared.insert(declaration(line).name);
            else if (begins(line, ".shared")) {
                Declaration d = declaration(line);
                names_.shared[d.name] = d;
            } else if (line.find(".global ") != std::string::npos || line.find(".const ") != std::string::npos) global(line);
            else fault("not understood: %s", line.c_str());
        }
    }

    int line() const { return number_; }

private:
    std::istringstream lines_;
    Module& module_;
    ModuleNames names_;
    int number_ = 0;

    /// The next line with content, without comment.
    bool next(std::string& line) {
        while (std::getline(lines_, line)) {
            number_++;
            line = trimmed(line.substr(0, line.find("//")));
            if (!line.empty()) return true;
        }
        return false;
    }

    /// A variable, with its values where the text gives any.
    void global(const std::string& line) {
        size_t equals = line.find('=');
        Declaration d = declaration(line.substr(0, equals));
        module_.globals.push_back({d.name, d.bytes, std::vector<u64>(d.bytes / 8 + 1 + 256 / 8)});
        Variable& variable = module_.globals.back();
        names_.globals[d.name] = u64(variable.data());
        if (equals == std::string::npos) return;
        std::string text = trimmed(line.substr(equals + 1));
        while (text.back() != ';') {
            std::string more;
            if (!next(more)) fault("an initial value without end");
            text += " " + more;
        }
        text = trimmed(text.substr(0, text.size() - 1));
        std::vector<std::string> values = elements(text);
        size_t element = d.bytes / std::max<size_t>(1, text[0] == '{' ? element_count(line) : 1);
        for (size_t i = 0; i < values.size(); i++) {
            u64 value = literal(values[i]);
            if ((i + 1) * element > d.bytes) fault("more initial values than %s has elements", d.name.c_str());
            memcpy(variable.data() + i * element, &value, std::min<size_t>(8, element));
        }
    }

    static size_t element_count(const std::string& line) { return strtoull(line.c_str() + line.find('[') + 1, nullptr, 10); }

    void entry(const std::string& first) {
        module_.entries.emplace_back();
        Entry& entry = module_.entries.back();
        size_t name = first.find(".entry ") + 7;
        entry.name = trimmed(first.substr(name, first.find('(') - name));
        EntryParser parser(entry, names_);
        std::string line;
        if (first.find(')') == std::string::npos) while (next(line) && line[0] != ')') parser.parameter(line);
        int depth = 0;
        while (next(line)) {
            if (line == "{") {
                depth++;
            } else if (line == "}") {
                if (--depth == 0) return parser.finish();
            } else if (begins(line, ".maxntid")) {
                entry.threads = unsigned(atoi(line.c_str() + 8));
            } else if (begins(line, ".reg ")) {
                parser.registers(line);
            } else if (begins(line, ".shared ")) {
                parser.shared(line);
            } else if (begins(line, ".local ")) {
                parser.local(line);
            } else if (begins(line, ".minnctapersm") || begins(line, ".pragma")) {
                continue;
            } else if (line[0] == '.') {
                fault("not understood: %s", line.c_str());
            } else if (line.back() == ':') {
                parser.label(line.substr(0, line.size() - 1));
            } else {
                int begun = number_;
                for (std::string more; line.back() != ';'; line += " " + more) if (!next(more)) fault("a statement without end");
                parser.instruction(trimmed(line.substr(0, line.size() - 1)), begun);
            }
        }
        fault("%s has no end", entry.name.c_str());
    }
};

}

void parse(const std::string& text, Module& module) {
    ModuleParser parser(text, module);
    try {
        parser.run();
    } catch (const Fault& reason) {
        fault("line %d: %s", parser.line(), reason.what());
    }
}

}
