#include "io/tensors.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "comm/communicator.hpp"
#include "core/error.hpp"
#include "support/message_of.hpp"
#include "support/temporary_folder.hpp"

namespace dmoe::io {
namespace {

using test::message_of;

std::vector<float> counted(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i) / 7;
  return values;
}

TEST(Checksum, of_the_parts_adds_up) {
  const std::vector<float> values = counted(30);
  const std::span<const float> all = values;
  EXPECT_EQ(checksum("a", 0, all),
            checksum("a", 0, all.first(13)) + checksum("a", 13, all.subspan(13)) + checksum("a", 30, {}));
}

TEST(Checksum, tells_names_places_and_single_bits) {
  std::vector<float> values = counted(30);
  const std::uint64_t sum = checksum("layers/1/gate/output_bias", 0, values);
  EXPECT_NE(checksum("layers/2/gate/output_bias", 0, values), sum);
  EXPECT_NE(checksum("layers/1/gate/output_bias", 1, values), sum);
  std::swap(values[3], values[4]);
  EXPECT_NE(checksum("layers/1/gate/output_bias", 0, values), sum);
  std::swap(values[3], values[4]);
  values[0] = -values[0];  // -0.0
  EXPECT_NE(checksum("layers/1/gate/output_bias", 0, values), sum);
}

TEST(Tensors, of_many_values_are_written_in_parts) {
  const test::TemporaryFolder folder;
  constexpr Index experts = 3,
                  values = Index{9} << 20;  // one expert is more than half of what is written at once
  std::vector<float> written = counted(size(experts * values));
  std::vector<float> read(written.size());
  const auto tensors = [](std::vector<float>& of) {
    return [&of](const model::ParameterVisitor& visit) {
      visit({"layers/1/experts/weight",
             {experts, values},
             {"expert", "unit"},
             model::Split::by_expert,
             0,
             experts,
             of,
             {}});
    };
  };
  hdf5::File file = hdf5::File::create_serial(folder / "model.h5");
  file.create_group("/model");
  write_tensors(file, "/model", tensors(written), comm::Communicator::local());
  file.close();
  const hdf5::File again = hdf5::File::open_read(folder / "model.h5");
  EXPECT_NO_THROW(verify_tensors(again, "/model"));
  const comm::Communicator alone = comm::Communicator::local();
  read_tensors(&again, "/model", tensors(read), alone);
  EXPECT_EQ(read, written);
}

TEST(Tensors, that_changed_places_are_damaged) {
  const test::TemporaryFolder folder;
  const std::string path = folder / "model.h5";
  std::vector<float> one = counted(6);
  std::vector<float> two{5, 4, 3, 2, 1, 0};
  const auto write = [&](std::span<float> a, std::span<float> b) {
    hdf5::File file = hdf5::File::create_serial(path);
    file.create_group("/model");
    const auto tensors = [&](const model::ParameterVisitor& visit) {
      visit({"experts/bias", {3, 2}, {"expert", "unit"}, model::Split::whole, 0, 3, a, {}});
      visit({"head/bias", {6}, {"class"}, model::Split::whole, 0, 6, b, {}});
    };
    write_tensors(file, "/model", tensors, comm::Communicator::local());
    file.close();
  };
  write(one, two);
  EXPECT_NO_THROW(verify_tensors(hdf5::File::open_read(path), "/model"));
  const auto sum = hdf5::File::open_read(path).read_attribute<std::int64_t>("/model", "checksum");
  write(two, one);
  {
    hdf5::File file = hdf5::File::open_read_write(path);
    file.write_attribute("/model", "checksum", sum);
    file.close();
  }
  EXPECT_EQ(message_of<InputError>([&] { verify_tensors(hdf5::File::open_read(path), "/model"); }),
            path + ": the tensors of /model do not have its checksum: the file is damaged");
}

}  // namespace
}  // namespace dmoe::io
