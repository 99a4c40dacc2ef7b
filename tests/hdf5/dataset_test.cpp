// Datasets of hdf5/file.hpp on a serial file.
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/error.hpp"
#include "hdf5/bytes.hpp"
#include "hdf5/file.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::hdf5 {
namespace {

using test::bytes_of;
using test::message_of;
using test::put_bytes;
using testing::HasSubstr;

class Dataset : public testing::Test {
 protected:
  test::TemporaryFolder folder;
  std::filesystem::path path = folder / "a.h5";
  File file = File::create_serial(path);
};

template <class T>
std::vector<T> counting(Index count) {
  std::vector<T> values(size(count));
  std::iota(values.begin(), values.end(), T{1});
  return values;
}

TEST_F(Dataset, comes_back_bit_for_bit) {
  const std::vector<float> floats{0.1F, -0.0F, std::numeric_limits<float>::denorm_min(), 1e38F, -3.0F, 7.0F};
  const std::vector<double> doubles{0.1, -1e300};
  const std::vector<std::int32_t> words{std::numeric_limits<std::int32_t>::min(), 7};
  const std::vector<std::int64_t> longs{std::numeric_limits<std::int64_t>::min(),
                                        (std::int64_t{1} << 53) + 1};
  file.write("/deep/down/floats", floats, {3, 2}, {"1", {"row", "column"}});
  file.write("/doubles", doubles, {2}, {"nats", {"row"}});
  file.write("/words", words, {2, 1}, {"1", {"row", "column"}});
  file.write("/longs", longs, {2}, {"examples", {"row"}});
  file.close();

  const File again = File::open_read(path);
  const auto read = again.read<float>("/deep/down/floats", {3, any});
  EXPECT_EQ(std::memcmp(read.data(), floats.data(), floats.size() * sizeof(float)), 0);
  EXPECT_EQ(again.shape("/deep/down/floats"), (Shape{3, 2}));
  EXPECT_EQ(again.read<double>("/doubles"), doubles);
  EXPECT_EQ(again.read<std::int32_t>("/words"), words);
  EXPECT_EQ(again.read<std::int64_t>("/longs"), longs);
}

TEST_F(Dataset, may_be_scalar_or_empty) {
  file.write("/scalar", std::vector<double>{2.5}, {}, {"s", {}});
  file.write("/empty", std::vector<float>{}, {0, 4}, {"1", {"row", "column"}});
  EXPECT_EQ(file.read<double>("/scalar", {}), std::vector<double>{2.5});
  EXPECT_TRUE(file.read<float>("/empty", {0, 4}).empty());
  EXPECT_TRUE(file.read_slab<float>("/empty", {0, 0}).empty());
}

TEST_F(Dataset, holds_text) {
  const std::string config = "[data]\nname = \"Größe\"\n";
  const std::vector<std::string> hosts{"node1", "", "knoten-ü"};
  file.write_text("/config", config, "TOML");
  file.write_text("/none", "");
  file.write("/hosts", hosts, {"1", {"rank"}});
  file.close();
  const File again = File::open_read(path);
  EXPECT_EQ(again.read_text("/config"), config);
  EXPECT_EQ(again.read_text("/none"), "");
  EXPECT_EQ(again.read_texts("/hosts"), hosts);
  EXPECT_EQ(again.info("/hosts").type, "text");
  EXPECT_THAT(message_of<InputError>([&] { again.read_text("/hosts"); }),
              HasSubstr("shape is (3), expected scalar"));
}

TEST_F(Dataset, is_read_into_wider_types_only) {
  file.write("/float", counting<float>(3), {3}, {"1", {"row"}});
  file.write("/double", counting<double>(3), {3}, {"1", {"row"}});
  file.write("/word", counting<std::int32_t>(3), {3}, {"1", {"row"}});
  EXPECT_EQ(file.read<double>("/float"), counting<double>(3));
  EXPECT_EQ(file.read<std::int64_t>("/word"), counting<std::int64_t>(3));
  EXPECT_THAT(message_of<InputError>([&] { file.read<float>("/double"); }),
              HasSubstr("a.h5: cannot read /double: its elements are float64, expected float32"));
  EXPECT_THAT(message_of<InputError>([&] { file.read<double>("/word"); }),
              HasSubstr("int32, expected float64"));
  EXPECT_THAT(message_of<InputError>([&] { file.read_texts("/word"); }), HasSubstr("int32, expected text"));
}

TEST_F(Dataset, of_another_shape_is_named_with_both) {
  file.write("/a", counting<float>(6), {2, 3}, {"1", {"row", "column"}});
  const Shape wider{2, 4};
  EXPECT_THAT(message_of<InputError>([&] { file.read<float>("/a", wider); }),
              HasSubstr("a.h5: cannot read /a: its shape is (2, 3), expected (2, 4)"));
  EXPECT_THAT(message_of<InputError>([&] { file.read<float>("/a", {any}); }),
              HasSubstr("(2, 3), expected (*)"));
  EXPECT_THAT(message_of<InputError>([&] { file.read<float>("/b"); }),
              HasSubstr("/b: the file has no such object"));
  EXPECT_THAT(message_of<InputError>([&] { file.read<float>("/"); }),
              HasSubstr("it is a group, expected a dataset"));
}

TEST_F(Dataset, is_read_in_rows) {
  const std::vector<std::int64_t> values = counting<std::int64_t>(5 * 3 * 2);
  file.write("/a", values, {5, 3, 2}, {"1", {"i", "j", "k"}});
  EXPECT_EQ(file.read_slab<std::int64_t>("/a", {1, 2}),
            std::vector<std::int64_t>(values.begin() + 6, values.begin() + 18));
  EXPECT_TRUE(file.read_slab<std::int64_t>("/a", {5, 0}).empty());
  std::vector<std::int64_t> last(6);
  file.read_slab<std::int64_t>("/a", {4, 1}, last);
  EXPECT_EQ(last, std::vector<std::int64_t>(values.end() - 6, values.end()));
  const Rows beyond{4, 2};
  EXPECT_THAT(message_of<InputError>([&] { file.read_slab<std::int64_t>("/a", beyond); }),
              HasSubstr("it has 5 rows, expected rows 4 to 5"));
}

TEST_F(Dataset, is_written_in_rows) {
  file.create_dataset("/a", {.element = Element::float64,
                             .shape = {4, 2},
                             .annotation = {"1", {"row", "column"}},
                             .chunk = {1, 2}});
  const std::vector<double> values = counting<double>(8);
  file.write_slab("/a", {1, 3}, std::span(values).subspan(2));
  file.write_slab("/a", {0, 1}, std::span(values).first(2));
  file.write_slab("/a", {0, 0}, std::span<const double>());
  EXPECT_EQ(file.read<double>("/a"), values);
  EXPECT_EQ(file.info("/a").chunk, (Shape{1, 2}));
}

TEST_F(Dataset, is_written_from_a_member_of_records) {
  struct Record {
    std::int64_t step;
    double loss;
    bool is_last;
  };
  const std::vector<Record> records{{1, 0.5, false}, {2, 0.25, false}, {7, -0.0, true}};
  file.write("/step", Values::in(records, &Record::step), {3}, {"1", {"row"}});
  file.write("/loss", Values::in(records, [](const Record& r) -> const double& { return r.loss; }), {3},
             {"nats", {"row"}});
  file.write("/one", Values::in(std::span(records).first(1), &Record::step), {1}, {"1", {"row"}});
  file.write("/none", Values::in(std::span(records).first(0), &Record::step), {0}, {"1", {"row"}});
  file.create_dataset("/table", {Element::int64, {2, 3}, {"1", {"row", "column"}}});
  file.write_slab("/table", {1, 1}, Values::in(records, &Record::step));
  file.write_slab("/table", {0, 1}, std::vector<std::int64_t>{4, 5, 6});
  EXPECT_EQ(file.read<std::int64_t>("/step"), (std::vector<std::int64_t>{1, 2, 7}));
  EXPECT_EQ(file.read<double>("/loss"), (std::vector<double>{0.5, 0.25, -0.0}));
  EXPECT_EQ(file.read<std::int64_t>("/one"), (std::vector<std::int64_t>{1}));
  EXPECT_TRUE(file.read<std::int64_t>("/none").empty());
  EXPECT_EQ(file.read<std::int64_t>("/table"), (std::vector<std::int64_t>{4, 5, 6, 1, 2, 7}));
}

TEST_F(Dataset, is_chunked_in_whole_trailing_axes_of_at_most_a_mebibyte) {
  file.write("/small", counting<float>(6), {2, 3}, {"1", {"i", "j"}});
  file.create_dataset("/rows", {.shape = {1000, 100, 100}, .annotation = {"1", {"i", "j", "k"}}});
  file.create_dataset("/long", {.shape = {3, 600'000}, .annotation = {"1", {"i", "j"}}});
  EXPECT_EQ(file.info("/small").chunk, (Shape{2, 3}));
  EXPECT_EQ(file.info("/rows").chunk, (Shape{26, 100, 100}));
  EXPECT_EQ(file.info("/long").chunk, (Shape{1, 262'144}));
  for (const char* name : {"/small", "/rows", "/long"}) EXPECT_TRUE(file.info(name).has_checksum);
}

TEST_F(Dataset, with_a_flipped_bit_cannot_be_read) {
  file.write("/a", counting<float>(1000), {1000}, {"1", {"row"}});
  file.close();
  std::string bytes = bytes_of(path);
  const float wanted = 500.0F;
  std::string pattern(sizeof wanted, '\0');
  std::memcpy(pattern.data(), &wanted, sizeof wanted);
  const std::size_t at = bytes.find(pattern);
  ASSERT_NE(at, std::string::npos);
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  put_bytes(path, bytes);
  EXPECT_THAT(message_of<InputError>([&] { File::open_read(path).read<float>("/a"); }),
              HasSubstr("a.h5: cannot read /a: data error detected by Fletcher32 checksum"));
}

TEST_F(Dataset, is_not_written_twice) {
  file.write("/a", counting<float>(3), {3}, {"1", {"row"}});
  EXPECT_THROW(file.write("/a", counting<float>(3), {3}, {"1", {"row"}}), RunError);
  file.remove("/a");
  file.write("/a", counting<float>(2), {2}, {"1", {"row"}});
  EXPECT_EQ(file.shape("/a"), Shape{2});
}

}  // namespace
}  // namespace dmoe::hdf5
