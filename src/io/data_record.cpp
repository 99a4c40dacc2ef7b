#include "io/data_record.hpp"

#include <fmt/format.h>

#include "io/format.hpp"
#include "io/run_schema.hpp"

namespace dmoe::io {

namespace {

constexpr const char* group = "/data";

std::string split_path(data::Split split) {
  return fmt::format("{}/{}", group, data::split_name(split));
}

constexpr std::array splits{data::Split::train, data::Split::validation, data::Split::test};

void write_split(hdf5::File& file, const std::string& path, const data::SplitContents& contents) {
  file.write(path + "/class_counts", contents.class_counts,
             {static_cast<Index>(contents.class_counts.size())}, {"examples", {"class"}});
  file.write_attribute(path, "inputs", contents.inputs);
  file.write_attribute(path, "labels", contents.labels);
}

data::SplitContents read_split(const hdf5::File& file, const std::string& path, Index examples) {
  return {examples, file.read<Index>(path + "/class_counts", {hdf5::any}),
          file.read_attribute<std::string>(path, "inputs"), file.read_attribute<std::string>(path, "labels")};
}

}  // namespace

void write_data(hdf5::File& file, const DataRecord& data) {
  write_record(file, group, data, data_attributes());
  const data::Contents& contents = data.contents;
  if (contents.example_shape.empty()) return;  // not known
  file.write_attribute(group, "classes", contents.classes);
  file.write("/data/example_shape", contents.example_shape,
             {static_cast<Index>(contents.example_shape.size())}, {"1", {"axis"}});
  for (const data::LevelNames& names : contents.names)
    file.write("/data/levels/" + names.factor, names.levels, {"text", {"level"}});
  for (const data::Split split : splits)
    if (contents.of(split)) write_split(file, split_path(split), *contents.of(split));
}

DataRecord read_data(const hdf5::File& file) {
  if (!file.exists(group)) return {};  // not of the first files
  auto data = read_record<DataRecord>(file, group, data_attributes());
  if (!file.exists("/data/example_shape")) return data;
  data::Contents& contents = data.contents;
  contents.classes = file.read_attribute<std::int64_t>(group, "classes");
  contents.example_shape = file.read<Index>("/data/example_shape", {hdf5::any});
  if (file.exists("/data/levels")) {
    for (const std::string& factor : file.children("/data/levels"))
      contents.names.push_back({factor, file.read_texts("/data/levels/" + factor)});
  }
  const std::array counts{data.train_examples, data.validation_examples, data.test_examples};
  for (std::size_t s = 0; s < splits.size(); ++s) {
    if (file.exists(split_path(splits[s])))
      contents.splits[s] = read_split(file, split_path(splits[s]), counts[s]);
  }
  return data;
}

DataRecord read_data(const std::string& path) {
  const hdf5::File file = hdf5::File::open_read(path);
  check_format(file, {run_format, model_format, checkpoint_format});
  return read_data(file);
}

}  // namespace dmoe::io
