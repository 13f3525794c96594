"""What tools/gpu/checks/targets.py makes of results that no emulator gives."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "tools" / "gpu"))

from checks import targets


class Recorded:
    """An inspection that has run."""

    tiny = False

    def __init__(self, **sections):
        self.results = {"sections": {name: {"status": "done", **section} for name, section in sections.items()}}

    def of(self, section):
        return self.results["sections"].get(section, {})

    def save(self):
        pass


def judged(**sections):
    inspection = Recorded(**sections)
    targets.judge(inspection)
    return {row["target"].split()[0] + " " + row["target"].split()[1]: row for row in inspection.results["targets"]}


def operation(share_of_limit, share=0.2, key="bytesPerSecond"):
    return {key: 1.0, "share": share, "shareOfLimit": share_of_limit}


class TargetTests(unittest.TestCase):
    def expect(self, row, status, measured=None):
        self.assertEqual(status, row["status"], row)
        if measured is not None:
            self.assertEqual(measured, row["measured"])

    def test_nothing_recorded_is_nothing_measured(self):
        self.assertEqual({"not measured"}, {row["status"] for row in judged().values()})

    def test_the_slowest_notable_pass_of_a_large_model_counts(self):
        short, product = operation(0.1, share=0.001), operation(0.2, key="flopsPerSecond")
        small = {"operations": [operation(0.3)]}
        rows = judged(bench={"7b": {"operations": [operation(0.9), operation(0.86), short, product]}, "130m": small})
        self.expect(rows["element-wise and"], "met", "86.0%")
        self.expect(judged(bench={"1b": {"operations": [operation(0.9), operation(0.8)]}})["element-wise and"], "not met", "80.0%")

    def test_gemm_is_held_against_the_library(self):
        seconds = {"bench own": 1.0, "bench cublaslt": 0.75, "bench auto": 0.75}
        rows = judged(gemm={name: {"productSecondsPerStep": value} for name, value in seconds.items()})
        self.expect(rows["own GEMM"], "met", "75.0%")
        self.expect(rows["GEMM as"], "met", "100.0%")

    def test_the_best_micro_batch_of_each_model_counts(self):
        rows = judged(speed={"a": {"model": "7b", "shareOfPeak": 0.4}, "b": {"model": "7b", "shareOfPeak": 0.55}, "c": {"model": "1b", "shareOfPeak": None}})
        self.expect(rows["7b step"], "met", "55.0%")
        self.expect(rows["1b step"], "not measured")

    def test_the_worst_comparison_with_torch_counts(self):
        def case(ratio, ours, theirs):
            return {"ratio": ratio, "qapollo": {"peakDriverBytes": ours}, "torch": {"peakDriverBytes": theirs}}

        rows = judged(reference={"sameCourse": {}, "a": case(4.0, 8, 10), "b": case(2.0, 12, 10)})
        self.expect(rows["tokens/s of"], "not met", "2.00 times")
        self.expect(rows["memory of"], "not met", "120.0%")

    def test_planned_bytes_may_be_a_hundredth_off(self):
        rows = judged(memory={"7b x256 in 12GB": {"plannedArenaBytes": 1000, "driverArenaBytes": 1009, "tokensPerSecond": 1.0}})
        self.expect(rows["planned against"], "met", "0.900%")
        self.expect(judged(speed={"a": {"plannedArenaBytes": 1000, "driverArenaBytes": 980}})["planned against"], "not met", "2.000%")

    def test_a_length_that_did_not_fit_is_not_met(self):
        ran, failed = {"tokensPerSecond": 1.0}, {"note": "out of memory"}
        inspection = Recorded(memory={"7b x256 in 12GB": ran, "7b x1024 in 12GB": ran, "7b x256 in 8GiB": ran, "7b x1024 in 8GiB": failed})
        targets.judge(inspection)
        self.assertEqual(["met", "not met"], [row["status"] for row in inspection.results["targets"][-2:]])


if __name__ == "__main__":
    unittest.main()
