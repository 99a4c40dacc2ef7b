#include "io/cost_file.hpp"

#include <fmt/format.h>

#include "hdf5/atomic_file.hpp"
#include "io/format.hpp"

namespace dmoe::io {

void write_cost(const std::string& run_path, const CostCurve& curve) {
  check_format(hdf5::File::open_read(run_path), {run_format});
  hdf5::AtomicFile file(run_path, hdf5::AtomicFile::Start::copy);
  replace_group(*file, "/cost", run_path);
  file->write_attribute("/cost", "split", curve.split);
  file->write_attribute("/cost", "examples", curve.examples);
  file->write_attribute("/cost", "ranks", curve.ranks);
  file->write_attribute("/cost", "repetitions", curve.repetitions);
  file->write_attribute("/cost", "step", curve.step);
  file->write_attribute("/cost", "instruction_set", curve.instruction_set);
  if (!curve.data_differences.empty())
    file->write_attribute("/cost", "data_differences", curve.data_differences);
  file->write_text("/cost/config", curve.config_toml, "TOML");
  std::vector<std::string> routings;
  for (const CostPoint& point : curve.points) routings.push_back(point.routing);
  const auto rows = static_cast<Index>(curve.points.size());
  file->write("/cost/routing", routings, {"text", {"row"}});
  const auto column = [&](const char* name, const char* units, auto value) {
    std::vector<double> values;
    for (const CostPoint& point : curve.points) values.push_back(value(point));
    file->write(fmt::format("/cost/{}", name), values, {rows}, {units, {"row"}});
  };
  column("setting", "1", [](const CostPoint& point) { return point.setting; });
  column("error", "1", [](const CostPoint& point) { return point.score.error; });
  column("loss", "nats", [](const CostPoint& point) { return point.score.loss; });
  column("multiply_accumulates", "1 per example",
         [](const CostPoint& point) { return point.multiply_accumulates; });
  column("seconds", "s", [](const CostPoint& point) { return point.seconds; });
  file.commit();
}

}  // namespace dmoe::io
