#!/usr/bin/env python3
"""SCALE (arXiv 2506.16659), SinkGD (2502.06742) and RACS (2502.07752) written down from their papers in binary64, without any package.

    make_goldens.py FILE    writes tests/goldens/normalized_optimizers.json: weights and state after each of a few updates

Matrices are [out, in]. SCALE: each output's gradient has a root mean square of 1 (for the embedding each feature's), the head's gradient
is averaged before. SinkGD: rounds (five, or fewer) of rows, then columns. RACS: as many of the fixed point from q = 1; averages
that begin with the first gradient's vectors; the norm-growth limiter with 1.01.
"""
import json
import math
import random
import sys

BETA, GROWTH = 0.9, 1.01


def column(matrix, j):
    return [row[j] for row in matrix]


def squares(values):
    return math.fsum(value * value for value in values)


def rms_rows(matrix):
    """Every row divided by its root mean square; a row of zeros stays."""
    result = []
    for row in matrix:
        rms = math.sqrt(squares(row) / len(row))
        result.append([value / rms if rms > 0 else 0.0 for value in row])
    return result


def transposed(matrix):
    return [list(values) for values in zip(*matrix)]


def scale(gradient, state, role, rounds):
    if role == "head":
        average = state.setdefault("average", [[0.0] * len(gradient[0]) for _ in gradient])
        for i, row in enumerate(gradient):
            for j, value in enumerate(row):
                average[i][j] = BETA * average[i][j] + (1 - BETA) * value
        gradient = average
    return transposed(rms_rows(transposed(gradient))) if role == "embedding" else rms_rows(gradient)


def sinkgd(gradient, state, role, rounds):
    for _ in range(rounds):
        gradient = transposed(rms_rows(transposed(rms_rows(gradient))))
    return gradient


def racs(gradient, state, role, rounds):
    m, n = len(gradient), len(gradient[0])
    q = [1.0] * m
    for _ in range(rounds):
        s = [math.fsum(q[i] * gradient[i][j] ** 2 for i in range(m)) / squares(q) for j in range(n)]
        q = [math.fsum(s[j] * gradient[i][j] ** 2 for j in range(n)) / squares(s) for i in range(m)]
    for name, vector in (("columns", s), ("rows", q)):
        state[name] = [BETA * old + (1 - BETA) * new for old, new in zip(state[name], vector)] if name in state else vector
    update = [[gradient[i][j] / math.sqrt(state["rows"][i] * state["columns"][j]) for j in range(n)] for i in range(m)]
    norm = math.sqrt(math.fsum(squares(row) for row in update))
    limit = max(norm / (state["norm"] + 1e-8), GROWTH) / GROWTH if "norm" in state else 1.0
    state["norm"] = norm / limit
    return [[value / limit for value in row] for row in update]


def case(name, rule, role, factor, m, n, seed, rounds=5):
    draw = random.Random(seed)
    weights = [[draw.gauss(0, 0.1) for _ in range(n)] for _ in range(m)]
    state, updates = {}, []
    initial = [list(row) for row in weights]
    for step in range(6):
        size = 0.01 * (4 if step == 3 else 1)
        rows, columns = [draw.uniform(0.1, 2) for _ in range(m)], [draw.uniform(0.1, 2) for _ in range(n)]
        gradient = [[draw.gauss(0, size) * rows[i] * columns[j] for j in range(n)] for i in range(m)]
        rate = 0.01 * (step + 1)
        direction = rule(gradient, state, role, rounds)
        weights = [[weights[i][j] - rate * factor * direction[i][j] for j in range(n)] for i in range(m)]
        updates.append({"rate": rate, "gradient": flat(gradient), "weights": flat(weights)})
    vectors = [state[name] if name != "norm" else [state[name]] for name in ("columns", "rows", "norm") if name in state]
    vectors += [flat(state["average"])] if "average" in state else []
    return {"name": name, "rule": rule.__name__, "role": role, "rounds": rounds, "rows": m, "columns": n, "initial": flat(initial), "updates": updates, "state": vectors}


def flat(matrix):
    return [value for row in matrix for value in row]


def main():
    cases = []
    for at, (m, n) in enumerate([(5, 3), (4, 9), (1, 6), (7, 1)]):
        cases.append(case(f"scale {m}x{n}", scale, "matrix", 1.0, m, n, 10 + at))
        cases.append(case(f"scale embedding {m}x{n}", scale, "embedding", 1.0, m, n, 20 + at))
        cases.append(case(f"scale head {m}x{n}", scale, "head", 1.0, m, n, 30 + at))
        cases.append(case(f"sinkgd {m}x{n}", sinkgd, "matrix", 0.05, m, n, 40 + at))
        cases.append(case(f"racs {m}x{n}", racs, "matrix", 0.05, m, n, 50 + at))
    for rounds in (1, 2):
        cases.append(case(f"sinkgd 6x5, rounds {rounds}", sinkgd, "matrix", 0.05, 6, 5, 60 + rounds, rounds))
        cases.append(case(f"racs 6x5, rounds {rounds}", racs, "matrix", 0.05, 6, 5, 70 + rounds, rounds))
    with open(sys.argv[1], "w", encoding="utf-8", newline="\n") as file:
        json.dump({"case": "normalized_optimizers", "cases": cases}, file)
        file.write("\n")


main()
