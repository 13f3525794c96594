// What a stream captures, and the executable graph that is made of it.
#pragma once
#include "machine.h"
#include <functional>
#include <memory>

/// CUDA_KERNEL_NODE_PARAMS, version 1.
struct KernelNodeParameters {
    machine::Kernel* function;
    machine::Dim3 grid, block;
    unsigned shared_bytes;
    void** arguments;
    void** extra;
};
static_assert(sizeof(KernelNodeParameters) == 56 && offsetof(KernelNodeParameters, arguments) == 40, "layout of cuda.h");

/// A kernel with a copy of its arguments, or other work.
struct Node {
    machine::Kernel* kernel = nullptr;
    machine::Dim3 grid{}, block{};
    unsigned shared_bytes = 0;
    std::vector<std::vector<unsigned char>> arguments;
    std::function<void()> work;
    double milliseconds = 1; // of virtual time

    Node(double milliseconds, std::function<void()> work) : work(std::move(work)), milliseconds(milliseconds) {}
    Node(machine::Kernel* kernel, machine::Dim3 grid, machine::Dim3 block, unsigned shared_bytes, void** parameters)
        : kernel(kernel), grid(grid), block(block), shared_bytes(shared_bytes) {
        for (size_t i = 0; i < kernel->parameter_bytes.size(); i++) {
            auto* first = static_cast<unsigned char*>(parameters[i]);
            arguments.emplace_back(first, first + kernel->parameter_bytes[i]);
        }
    }

    void** pointers() {
        targets.clear();
        for (auto& argument : arguments) targets.push_back(argument.data());
        return targets.data();
    }

private:
    std::vector<void*> targets;
};

struct Graph {
    std::vector<std::unique_ptr<Node>> nodes; // in order: one stream has one chain
    void* last = nullptr;
};

struct GraphExecutable {
    Graph* graph;
    std::vector<Node> nodes;

    explicit GraphExecutable(Graph& source) : graph(&source) {
        for (auto& node : source.nodes) nodes.push_back(*node);
    }

    Node* find(void* node) {
        for (size_t i = 0; i < nodes.size(); i++) if (graph->nodes[i].get() == node) return &nodes[i];
        return nullptr;
    }
};
