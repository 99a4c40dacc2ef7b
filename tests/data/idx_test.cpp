#include "data/idx.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include "data/idx_files.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::data {
namespace {

using dmoe::test::TemporaryFolder;
using test::counting;
using test::file_bytes;
using test::idx_bytes;
using test::message_of;
using test::write_file;
using testing::AllOf;
using testing::HasSubstr;

enum class Packing { plain, gzip };

/// Each file as it is and as gzip.
class Idx : public testing::TestWithParam<Packing> {
 protected:
  std::filesystem::path write(const std::string& bytes) const {
    const std::filesystem::path file = folder_ / (GetParam() == Packing::plain ? "some-idx" : "some-idx.gz");
    if (GetParam() == Packing::plain) {
      write_file(file, bytes);
    } else {
      const gzFile zipped = gzopen(file.c_str(), "wb");
      EXPECT_EQ(gzwrite(zipped, bytes.data(), static_cast<unsigned>(bytes.size())),
                static_cast<int>(bytes.size()));
      EXPECT_EQ(gzclose(zipped), Z_OK);
    }
    return file;
  }
  std::string image_error(const std::string& bytes) const {
    const auto file = write(bytes);
    const std::string message = message_of([&] { read_idx_images(file); });
    EXPECT_THAT(message, testing::StartsWith(file.string() + ": "));
    return message;
  }
  std::string label_error(const std::string& bytes) const {
    const auto file = write(bytes);
    const std::string message = message_of([&] { read_idx_labels(file, 10); });
    EXPECT_THAT(message, testing::StartsWith(file.string() + ": "));
    return message;
  }

  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(PlainAndGzip, Idx, testing::Values(Packing::plain, Packing::gzip),
                         [](const auto& instance) {
                           return instance.param == Packing::plain ? "plain" : "gzip";
                         });

TEST_P(Idx, reads_images) {
  const std::string body = counting(2 * 3 * 4);
  const IdxImages images = read_idx_images(write(idx_bytes({2, 3, 4}, body)));
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.height, 3);
  EXPECT_EQ(images.width, 4);
  EXPECT_EQ(images.pixels, std::vector<std::uint8_t>(body.begin(), body.end()));
}

TEST_P(Idx, reads_images_larger_than_one_piece) {
  const std::string body = counting(10 * 1000 * 1000);
  const IdxImages images = read_idx_images(write(idx_bytes({10, 1000, 1000}, body)));
  ASSERT_EQ(images.pixels.size(), body.size());
  EXPECT_TRUE(images.pixels == std::vector<std::uint8_t>(body.begin(), body.end()));
}

TEST_P(Idx, reads_labels) {
  EXPECT_EQ(read_idx_labels(write(idx_bytes({4}, {9, 0, 3, 1})), 10),
            (std::vector<std::int32_t>{9, 0, 3, 1}));
}

TEST_P(Idx, refuses_a_wrong_magic_number) {
  EXPECT_THAT(image_error(idx_bytes({4}, counting(40, 10))),
              AllOf(HasSubstr("0x00000801"), HasSubstr("0x00000803")));
  EXPECT_THAT(label_error(idx_bytes({1, 2, 2}, counting(4))),
              AllOf(HasSubstr("0x00000803"), HasSubstr("0x00000801")));
}

TEST_P(Idx, refuses_an_empty_file_and_a_cut_header) {
  EXPECT_THAT(image_error(""), HasSubstr("0 bytes are too few"));
  EXPECT_THAT(image_error(idx_bytes({1, 2, 3}, "").substr(0, 10)),
              HasSubstr("header has 10 bytes, expected 16"));
}

TEST_P(Idx, refuses_an_axis_of_size_zero) {
  EXPECT_THAT(image_error(idx_bytes({0, 2, 2}, "")), HasSubstr("axis 1 has size 0"));
  EXPECT_THAT(image_error(idx_bytes({1, 0, 2}, "")), HasSubstr("axis 2 has size 0"));
  EXPECT_THAT(image_error(idx_bytes({1, 2, 0}, "")), HasSubstr("axis 3 has size 0"));
  EXPECT_THAT(label_error(idx_bytes({0}, "")), HasSubstr("axis 1 has size 0"));
}

TEST_P(Idx, refuses_truncated_files) {
  EXPECT_THAT(image_error(idx_bytes({2, 3, 4}, counting(23))),
              HasSubstr("truncated: 23 bytes behind the header, which announces 24"));
  EXPECT_THAT(label_error(idx_bytes({4}, {1, 2, 3})),
              HasSubstr("truncated: 3 bytes behind the header, which announces 4"));
}

TEST_P(Idx, refuses_bytes_behind_the_end) {
  EXPECT_THAT(image_error(idx_bytes({2, 3, 4}, counting(25))), HasSubstr("bytes behind the 24"));
  EXPECT_THAT(label_error(idx_bytes({4}, {1, 2, 3, 4, 5})), HasSubstr("bytes behind the 4"));
}

TEST_P(Idx, believes_no_header_beyond_its_content) {
  // Half a terabyte announced, 5 bytes there; then products past 2^62 and past 2^64.
  EXPECT_THAT(image_error(idx_bytes({500000, 1000, 1000}, counting(5))), HasSubstr("truncated: 5 bytes"));
  EXPECT_THAT(label_error(idx_bytes({0xFFFFFFFF}, counting(5))), HasSubstr("truncated: 5 bytes"));
  EXPECT_THAT(image_error(idx_bytes({0xFFFFFFFF, 0x40000000, 2}, counting(5))),
              HasSubstr("more than a file can hold"));
  EXPECT_THAT(image_error(idx_bytes({0x80000000, 0x80000000, 4}, "")),
              HasSubstr("more than a file can hold"));
  EXPECT_THAT(image_error(idx_bytes({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "")),
              HasSubstr("4294967295 x 4294967295 x 4294967295 pixels"));
}

TEST_P(Idx, refuses_labels_out_of_range) {
  EXPECT_THAT(label_error(idx_bytes({4}, {0, 9, 10, 11})), HasSubstr("label 2 is 10, allowed are 0 to 9"));
  EXPECT_THAT(label_error(idx_bytes({2}, {5, '\xFF'})), HasSubstr("label 1 is 255, allowed are 0 to 9"));
}

/// A gzip file of 1000 labels of which `change` has had its way with the bytes.
template <class Change>
std::string damaged_gzip_error(Change change) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "labels.gz";
  const gzFile zipped = gzopen(file.c_str(), "wb");
  const std::string labels = idx_bytes({1000}, counting(1000, 10));
  EXPECT_EQ(gzwrite(zipped, labels.data(), static_cast<unsigned>(labels.size())), 1008);
  EXPECT_EQ(gzclose(zipped), Z_OK);
  EXPECT_EQ(read_idx_labels(file, 10).size(), 1000U);
  std::string bytes = file_bytes(file);
  change(bytes);
  write_file(file, bytes);
  const std::string message = message_of([&] { read_idx_labels(file, 10); });
  EXPECT_THAT(message, testing::StartsWith(file.string() + ": "));
  return message;
}

TEST(IdxGzip, refuses_a_stream_that_stops_early) {
  EXPECT_THAT(damaged_gzip_error([](std::string& bytes) { bytes.resize(bytes.size() / 2); }),
              HasSubstr("damaged gzip file: unexpected end of file"));
}

TEST(IdxGzip, refuses_a_stream_without_its_checksum) {
  EXPECT_THAT(damaged_gzip_error([](std::string& bytes) { bytes.resize(bytes.size() - 8); }),
              HasSubstr("damaged gzip file"));
}

TEST(IdxGzip, refuses_a_wrong_checksum) {
  EXPECT_THAT(damaged_gzip_error([](std::string& bytes) { bytes[bytes.size() - 6] ^= 1; }),
              HasSubstr("damaged gzip file: incorrect data check"));
}

TEST(IdxFile, that_is_missing_is_named) {
  const TemporaryFolder folder;
  const std::string file = (folder / "nowhere").string();
  EXPECT_EQ(message_of([&] { read_idx_images(file); }), file + ": cannot be read: No such file or directory");
}

TEST(IdxFile, that_is_a_folder_is_refused) {
  const TemporaryFolder folder;
  EXPECT_EQ(message_of([&] { read_idx_labels(folder.path(), 10); }),
            folder.path().string() + ": is a folder, expected an idx file");
}

TEST(FindIdx, takes_the_plain_file_first_then_gzip) {
  const TemporaryFolder folder;
  EXPECT_EQ(message_of([&] { find_idx(folder.path(), "x"); }),
            (folder / "x").string() + ": no such file, nor with .gz behind it");
  write_file(folder / "x.gz", "");
  EXPECT_EQ(find_idx(folder.path(), "x"), folder / "x.gz");
  write_file(folder / "x", "");
  EXPECT_EQ(find_idx(folder.path(), "x"), folder / "x");
}

}  // namespace
}  // namespace dmoe::data
