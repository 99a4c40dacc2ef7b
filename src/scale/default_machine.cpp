#include "scale/machine.hpp"

namespace dmoe::scale {

namespace {

// Measured by dmoe bench machine on two cores of an Intel Xeon with AVX-512 at 2.8 GHz, which other jobs
// shared: microseconds of the processor, inputs fastest, rows slowest.
const std::vector<Index> rows{1, 8, 16, 32, 64, 128, 512, 2048};
const std::vector<Index> outputs{10, 50, 100, 256};
const std::vector<Index> inputs{50, 128, 1296};
const std::vector<double> forward_us{
    2.57, 1.45, 7.25, 1.61, 2.8,  16.5, 2.46, 4.28, 30.9, 4.29, 7.86, 101,  1.45, 2.02, 9.43, 5.23,
    3.27, 35.6, 2.83, 5.12, 54.7, 4.78, 9.62, 132,  1.73, 2.73, 16.4, 3.35, 4.56, 42.1, 5.51, 9.05,
    84.9, 8.38, 13.8, 237,  2.31, 3.42, 28.9, 4.37, 8.54, 76.5, 6.77, 15.8, 145,  12.3, 28.4, 307,
    3.15, 5.44, 46.3, 7.04, 13.3, 138,  12.5, 23,   234,  21.3, 44,   531,  8.68, 8.66, 86.8, 12.3,
    25.7, 298,  19.4, 42.4, 436,  37.2, 82.1, 947,  14.9, 37.4, 359,  39.2, 94,   1030, 86.8, 160,
    1770, 150,  349,  3500, 58.8, 163,  1690, 184,  426,  4240, 310,  771,  6800, 678,  1510, 14700};
const std::vector<double> input_gradient_us{
    0.96, 0.982, 2.98, 1.15, 1.21, 6.5,  1.36, 1.54, 9.8,  2.2,  2.46, 44.5, 1.14, 1.38, 5.66, 1.61,
    2.55, 14.7,  3.86, 3.19, 27.2, 4.3,  6.15, 114,  1.38, 1.61, 8.45, 2.29, 3.43, 24,   3.32, 4.97,
    46.3, 6.85,  11.4, 159,  1.55, 2.14, 12.8, 6.2,  4.7,  41.9, 5.91, 8.43, 84.6, 12.8, 19.4, 335,
    2.64, 3.01,  31.7, 5.77, 8.97, 82.8, 9.81, 15.4, 218,  23.5, 38.1, 573,  3.41, 4.95, 47.9, 10.5,
    15,   193,   18.6, 29.4, 385,  49.8, 77,   1160, 11,   17.5, 653,  50,   59,   1070, 84.2, 114,
    1830, 200,   301,  3870, 42.3, 83.6, 2900, 188,  291,  4210, 340,  544,  6620, 979,  1390, 15400};
const std::vector<double> weight_gradient_us{
    1.09, 0.827, 2.7,  0.802, 1.21, 12.4, 1.54, 2.09, 19.4, 3.24, 4.36, 213,  1,    1.7,  5.68, 1.91,
    2.44, 14,    2.89, 4.47,  35.5, 5.36, 7.81, 246,  1.52, 1.57, 7.35, 2.52, 3.48, 26,   4.19, 5.55,
    50.3, 8.19,  11.8, 271,   2.36, 2.08, 11.8, 4.83, 6.16, 53.5, 7.11, 9.68, 95.4, 14.5, 21.2, 324,
    2.25, 2.34,  19.8, 6.08,  8.83, 117,  11.1, 14.5, 182,  26.1, 41.6, 618,  3.56, 4.27, 54.6, 11.6,
    16.6, 196,   23.6, 30.3,  389,  50.9, 79.1, 1130, 10.5, 14.2, 429,  42.7, 63.6, 1050, 95.2, 135,
    1740, 272,   416,  3990,  42.1, 91.3, 2010, 198,  299,  4090, 408,  567,  7000, 1150, 1620, 16300};

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
  machine.memory_bandwidth = 1.52e+10;
  machine.presenting = 3.68e-10;
  machine.softmax = 8.36e-09;
  machine.choosing = 6.55e-09;
  machine.planning = 1.47e-08;
  machine.inner = {0, 0, 0};
  // Not measured: nodes of 16 ranks on 100 Gbit/s Ethernet.
  machine.outer = {5e-6, 1e10, 1e-6};
  machine.ranks_a_node = 16;
  return machine;
}

}  // namespace

const Machine& default_machine() {
  static const Machine machine = measured();
  return machine;
}

}  // namespace dmoe::scale
