#include "scale/machine.hpp"

namespace dmoe::scale {

namespace {

// Measured by dmoe bench machine on two cores of an Intel Xeon with AVX-512 at 2.8 GHz, which other jobs
// shared: microseconds of the processor, inputs fastest, rows slowest.
const std::vector<Index> rows{1, 8, 16, 32, 64, 128, 512, 2048};
const std::vector<Index> outputs{10, 50, 100, 256};
const std::vector<Index> inputs{50, 128, 1296};
const std::vector<double> forward_us{
    1.48, 1.9,  6.4,  1.58, 3.23, 18.5, 3,    4.31, 43.5, 4.11, 7.17, 114,  1.33, 1.84, 11.6, 2.38,
    3.52, 33.9, 3.34, 6.33, 49.5, 5.64, 12.6, 153,  1.67, 2.46, 14.8, 3.53, 5.85, 46.3, 5.98, 7.92,
    75.6, 7.5,  14.9, 201,  2.2,  3.45, 24.7, 4.26, 7.32, 76.6, 6.26, 12.3, 126,  12.3, 23,   298,
    2.85, 5.18, 42.4, 7.29, 12.2, 141,  10.2, 19.9, 240,  18.3, 38.4, 496,  4.66, 8.16, 82.9, 9.45,
    23.9, 223,  17.2, 36.2, 436,  37.5, 74.9, 911,  13.8, 31.2, 362,  46.1, 89.4, 947,  66.2, 141,
    1610, 134,  283,  3200, 52.2, 129,  1540, 179,  367,  3560, 321,  680,  6410, 655,  1350, 12900};
const std::vector<double> input_gradient_us{
    1.4,  0.602, 2.23, 0.882, 0.862, 5.1,  1.01, 1.08, 7.24,  1.64,  2.89, 40.2, 0.675, 0.849, 3.71, 1.04,
    1.46, 12,    1.52, 2.21,  22.9,  3.16, 4.64, 75.8, 0.809, 0.924, 5.18, 1.4,  1.83,  16.2,  2.33, 3.21,
    37,   5.05,  7.03, 99.5,  1.01,  1.24, 9.02, 2.41, 3.57,  36.2,  4.21, 6.39, 71.7,  9.65,  16.6, 176,
    1.53, 1.98,  15.6, 4.61,  5.97,  61.9, 8.24, 12.1, 137,   19.1,  25.9, 348,  2.46,  3.32,  36,   10,
    11.3, 137,   15.5, 21.5,  252,   38.4, 53,   681,  8.65,  12.7,  537,  30.2, 42.1,  759,   62.2, 85.1,
    1370, 150,   228,  3110,  37.3,  67.3, 2690, 132,  202,   3470,  282,  466,  5520,  740,   1230, 13000};
const std::vector<double> weight_gradient_us{
    2.62, 0.787, 2.94, 0.852, 0.964, 8.32, 1.32, 2.03, 16.4,  4.53,  4.22, 160,  0.787, 0.906, 3.9,  1.34,
    1.54, 12.1,  2.36, 2.97,  29.6,  4.32, 5.91, 180,  0.967, 0.917, 4.81, 1.73, 2.13,  16.9,  3.27, 3.93,
    35.5, 7.18,  8.63, 181,   1.06,  1.19, 7.58, 2.82, 3.46,  34,    5.59, 6.96, 81.4,  12.9,  15.2, 217,
    1.75, 1.87,  13.7, 4.84,  6.11,  86.7, 8.93, 12.1, 163,   24.7,  33,   467,  2.66,  3.32,  33.1, 8.6,
    12,   138,   19.7, 24.3,  284,   44.1, 61.6, 750,  8.88,  9.75,  251,  35.8, 46.3,  750,   68.1, 93.4,
    1120, 212,   301,  2800,  36.2,  49.1, 1520, 164,  230,   3100,  329,  459,  5150,  1010,  1460, 13100};

ProductTable table_of(const std::vector<double>& microseconds) {
  ProductTable table{rows, outputs, inputs, {}};
  for (const double one : microseconds) table.seconds.push_back(1e-6 * one);
  return table;
}

Machine measured() {
  Machine machine;
  machine.name = "dmoe's default";
  machine.forward = table_of(forward_us);
  machine.input_gradient = table_of(input_gradient_us);
  machine.weight_gradient = table_of(weight_gradient_us);
  machine.at_once = true;
  machine.memory_bandwidth = 3.87e+10;
  machine.presenting = 2.88e-10;
  machine.softmax = 5.03e-09;
  machine.choosing = 1.66e-09;
  machine.planning = 8.31e-09;
  machine.inner = {.latency = 1.05e-07, .bandwidth = 1.23e+10, .overhead = 2.78e-07};
  // Not measured: nodes of 16 ranks on 100 Gbit/s Ethernet.
  machine.outer = {.latency = 5e-6, .bandwidth = 1e10, .overhead = 1e-6};
  machine.ranks_a_node = 16;
  return machine;
}

}  // namespace

const Machine& default_machine() {
  static const Machine machine = measured();
  return machine;
}

}  // namespace dmoe::scale
