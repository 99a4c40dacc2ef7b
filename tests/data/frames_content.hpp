// A small dmoe-frames file whose parts can be changed one by one, to be written whole or broken.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "hdf5/file.hpp"

namespace dmoe::data::test {

using Integers = std::vector<std::int64_t>;
using Texts = std::vector<std::string>;

/// 6 utterances of 1 to 5 frames with 3 features: three to train on, two in "test", one in
/// "held_out_speaker", those of a split not side by side. Feature k of frame t is 10 t + k.
struct FramesContent {
  std::string format = "dmoe-frames";
  std::int64_t version = 1;
  std::vector<float> features = counted();
  hdf5::Shape shape{18, 3};
  Integers labels{0, 1, 2, 3, 3, 2, 1, 0, 0, 1, 1, 2, 3, 0, 1, 2, 3, 0};
  Texts classes{"sil", "aa", "b", "k"};
  Integers previous{0, 0, 1, 2, 2, 3, 0, 1, 0, 0, 1, 1, 2, 3, 0, 1, 2, 3};
  Integers first{0, 4, 5, 8, 11, 13};
  Integers split{0, 1, 0, 2, 1, 0};
  Texts splits{"train", "test", "held_out_speaker"};
  Integers speaker{0, 1, 1, 2, 0, 1};
  Texts speakers{"ann", "bob", "cyd"};
  std::string speaker_name = "speaker";

  static std::vector<float> counted() {
    std::vector<float> values;
    for (int t = 0; t < 18; ++t) {
      for (int k = 0; k < 3; ++k) values.push_back(static_cast<float>(10 * t + k));
    }
    return values;
  }

  void write(const std::filesystem::path& path) const {
    hdf5::File file = hdf5::File::create_serial(path);
    file.write_attribute("/", "format", format);
    file.write_attribute("/", "format_version", version);
    Texts axes{"frame", "feature"};
    axes.resize(shape.size(), "more");
    file.write("/frames/features", features, shape, {"1", axes});
    const auto put = [&](const std::string& name, const Integers& values, const Texts& levels) {
      file.write(name, values, {static_cast<Index>(values.size())}, {"level", {"row"}});
      file.write_attribute(name, "levels", levels);
    };
    put("/frames/labels", labels, classes);
    put("/frames/factors/previous_phone", previous, classes);
    put("/utterances/first_frame", first, {});
    put("/utterances/split", split, splits);
    put("/utterances/factors/" + speaker_name, speaker, speakers);
    file.close();
  }
};

}  // namespace dmoe::data::test
