#include "io/verify.hpp"

#include <array>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "data/frames_content.hpp"
#include "data/frames_file.hpp"
#include "hdf5/file.hpp"
#include "io/analysis_file.hpp"
#include "io/format.hpp"
#include "io/samples.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

using test::message_of;
using testing::HasSubstr;

TEST(Verify, reads_all_of_a_run_file) {
  const test::TemporaryFolder folder;
  write_run(folder / "run.h5", test::sample_run());
  write_analysis(folder / "run.h5", test::sample_analysis("test"), "");
  const Verified found = verify(folder / "run.h5", Foreign::refuse);
  EXPECT_EQ(found.format, run_format);
  EXPECT_GT(found.datasets, 20);
  EXPECT_EQ(found.bytes, static_cast<Index>(std::filesystem::file_size(folder / "run.h5")));
}

TEST(Verify, finds_a_flipped_byte_in_the_values) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  std::array<double, 4096> ones{};
  ones.fill(1.2345678);
  {
    hdf5::File file = hdf5::File::create_serial(path);
    write_format(file, model_format, "");
    file.write("/model/values", ones, {4096}, {"1", {"i"}});
    file.close();
  }
  EXPECT_EQ(verify(path, Foreign::refuse).datasets, 2);
  std::fstream bytes(path, std::ios::in | std::ios::out | std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(bytes)), {});
  const std::string value(reinterpret_cast<const char*>(&ones[0]), sizeof ones[0]);
  bytes.seekp(static_cast<std::streamoff>(content.find(value + value)));
  bytes.put('\0');
  bytes.close();
  EXPECT_THAT(message_of<InputError>([&] { verify(path, Foreign::refuse); }), HasSubstr("Fletcher32"));
}

TEST(Verify, finds_a_label_that_no_class_has) {
  const test::TemporaryFolder folder;
  data::test::FramesContent content;
  content.write(folder / "frames.h5");
  EXPECT_EQ(verify(folder / "frames.h5", Foreign::refuse).format, data::frames_format);
  content.labels[16] = 4;
  content.write(folder / "frames.h5");
  EXPECT_THAT(message_of<InputError>([&] { verify(folder / "frames.h5", Foreign::refuse); }),
              HasSubstr("/frames/labels: value 16 is 4, allowed are 0 to 3"));
}

TEST(Verify, finds_more_values_announced_than_a_file_can_hold) {
  const test::TemporaryFolder folder;
  {
    hdf5::File file = hdf5::File::create_serial(folder / "large.h5");
    file.create_dataset("/large", {hdf5::Element::float32, {Index{1} << 40}, {"1", {"i"}}});
    file.close();
  }
  EXPECT_THAT(message_of<InputError>([&] { verify(folder / "large.h5", Foreign::allow); }),
              HasSubstr("/large: it announces 1099511627776 values, more than a file of "));
}

TEST(Verify, ends_where_groups_lie_too_deep_in_each_other) {
  const test::TemporaryFolder folder;
  {
    hdf5::File file = hdf5::File::create_serial(folder / "deep.h5");
    std::string group;
    for (int depth = 0; depth < 17; ++depth) group += "/a";
    file.create_group(group);
    file.close();
  }
  EXPECT_THAT(message_of<InputError>([&] { verify(folder / "deep.h5", Foreign::allow); }),
              HasSubstr("groups lie more than 16 deep in each other, or a link leads back"));
}

TEST(Verify, finds_a_layer_that_lost_its_assignment) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "run.h5";
  write_run(path, test::sample_run());
  {
    hdf5::File file = hdf5::File::open_read_write(path);
    file.remove("/layers/1/assignment");
    file.close();
  }
  EXPECT_THAT(message_of<InputError>([&] { verify(path, Foreign::refuse); }),
              HasSubstr("/layers does not hold the assignment of"));
}

TEST(Verify, takes_foreign_files_where_they_are_allowed) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "mine.h5";
  {
    hdf5::File file = hdf5::File::create_serial(path);
    file.write("/mine", std::array<float, 3>{1, 2, 3}, {3}, {"1", {"i"}});
    file.close();
  }
  EXPECT_EQ(verify(path, Foreign::allow).format, "HDF5");
  EXPECT_THAT(message_of<InputError>([&] { verify(path, Foreign::refuse); }),
              HasSubstr("an HDF5 file without dmoe's root attribute 'format'"));
}

}  // namespace
}  // namespace dmoe::io
