#include "exchange/replica_exchange.hpp"

#include <algorithm>
#include <array>
#include <bit>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "exchange/topology.hpp"

namespace dmoe::exchange {

ReplicaExchange::ReplicaExchange(const Grid& grid, std::vector<model::Parameter> parameters)
    : grid_(grid), parameters_(std::move(parameters)) {
  std::size_t values = 0;
  for (const model::Parameter& parameter : parameters_) values += parameter.values.size();
  const Topology chunks(static_cast<Index>(values), grid.replicas());
  for (Index r = 0; r < grid.replicas(); ++r) {
    const ExpertRange chunk = chunks.range(r);
    std::vector<Piece>& pieces = pieces_.emplace_back();
    std::size_t begin = 0;  // of the parameter, among all values
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const std::size_t length = parameters_[p].values.size();
      const std::size_t first = std::clamp(size(chunk.first), begin, begin + length);
      const std::size_t end = std::clamp(size(chunk.end()), begin, begin + length);
      if (first < end) pieces.push_back({p, first - begin, end - first});
      begin += length;
    }
    blocks_.push_back(grid.slices_of(r).blocks());
    const auto own_blocks = static_cast<Index>(blocks_.back().size());
    received_.emplace_back(r == grid.replica() ? 0 : own_blocks, chunks.range(grid.replica()).count);
  }
  owned_.resize(parameters_.size());
  // The sum stands where the first block came in: it is the leftmost leaf, in whose place a sum may be made.
  Index place = 0;
  for (const Piece& piece : pieces_[own()]) {
    const std::span<float> gradient = own() == 0
                                          ? piece.of(parameters_[piece.parameter].gradient)
                                          : received_.front().view().row(0).subspan(size(place), piece.count);
    owned_[piece.parameter] = {piece.first, gradient};
    place += static_cast<Index>(piece.count);
  }
}

void ReplicaExchange::sum_gradients() {
  const comm::Communicator& column = grid_.column();
  for (std::size_t r = 0; r < replicas(); ++r) {
    if (r == own()) continue;
    const int peer = narrow<int>(r);
    for (Index k = 0; k < static_cast<Index>(blocks_[r].size()); ++k) {
      float* place = received_[r].view().row(k).data();
      for (const Piece& piece : pieces_[own()]) {
        requests_.push_back(column.start_receive({place, piece.count}, peer, comm::Tag::gradients));
        place += piece.count;
      }
    }
  }
  for (std::size_t hop = 1; hop < replicas(); ++hop) {  // not all to the same one at a time
    const std::size_t r = (own() + hop) % replicas();
    for (Index k = 0; k < static_cast<Index>(blocks_[own()].size()); ++k) {
      for (const Piece& piece : pieces_[r])
        requests_.push_back(column.start_send(piece.of(parameters_[piece.parameter].gradient_block(k)),
                                              narrow<int>(r), comm::Tag::gradients));
    }
  }
  wait();
  combine();
  for (const model::Parameter& parameter : parameters_) {  // what stands there now came from all
    if (parameter.activity != nullptr) std::ranges::fill(parameter.activity->has_gradient, std::uint8_t{1});
  }
}

void ReplicaExchange::combine() {
  constexpr Index part = 4096;  // values that stay in the nearest cache while they are added
  Index place = 0;              // in the own chunk
  for (const Piece& piece : pieces_[own()]) {
    const std::span<float> sum = owned_[piece.parameter].gradient;
    for (std::size_t first = 0; first < piece.count; first += part) {
      const Index count = std::min(part, static_cast<Index>(piece.count - first));
      sums_.clear();
      for (std::size_t r = 0; r < replicas(); ++r) {
        for (Index k = 0; k < static_cast<Index>(blocks_[r].size()); ++k) {
          const float* const values =
              r == own() ? piece.of(parameters_[piece.parameter].gradient_block(k)).data() + first
                         : received_[r].view().row(k).data() + place + static_cast<Index>(first);
          sums_.push_back({blocks_[r][size(k)], values});
        }
      }
      model::combine_blocks(sums_, grid_.slices().slices(), {sum.data() + first, 1, count});
    }
    place += static_cast<Index>(piece.count);
  }
}

template <class Values>
void ReplicaExchange::share(comm::Tag tag, const Values& which) {
  const comm::Communicator& column = grid_.column();
  for (std::size_t r = 0; r < replicas(); ++r) {
    if (r == own()) continue;
    for (const Piece& piece : pieces_[r])
      requests_.push_back(column.start_receive(piece.of(which(piece.parameter)), narrow<int>(r), tag));
  }
  for (std::size_t hop = 1; hop < replicas(); ++hop) {
    const int peer = narrow<int>((own() + hop) % replicas());
    for (const Piece& piece : pieces_[own()])
      requests_.push_back(column.start_send(piece.of(which(piece.parameter)), peer, tag));
  }
  wait();
}

void ReplicaExchange::share_gradients() {
  for (const Piece& piece : pieces_[own()]) {
    const std::span<float> sum = owned_[piece.parameter].gradient;
    const std::span<float> gradient = piece.of(parameters_[piece.parameter].gradient);
    if (sum.data() != gradient.data()) std::ranges::copy(sum, gradient.begin());
  }
  share(comm::Tag::gradients, [&](std::size_t p) { return parameters_[p].gradient; });
}

void ReplicaExchange::share_weights() {
  share(comm::Tag::weights, [&](std::size_t p) { return parameters_[p].values; });
}

void ReplicaExchange::collect(const std::vector<std::span<const float>>& own_parts,
                              std::vector<std::vector<float>>& whole) {
  const comm::Communicator& column = grid_.column();
  if (own() != 0) {
    for (const Piece& piece : pieces_[own()])
      requests_.push_back(column.start_send(own_parts[piece.parameter], 0, comm::Tag::weights));
    return wait();
  }
  for (const Piece& piece : pieces_.front())
    std::ranges::copy(own_parts[piece.parameter], piece.of(whole[piece.parameter]).begin());
  for (std::size_t r = 1; r < replicas(); ++r) {
    for (const Piece& piece : pieces_[r])
      requests_.push_back(
          column.start_receive(piece.of(whole[piece.parameter]), narrow<int>(r), comm::Tag::weights));
  }
  wait();
}

void ReplicaExchange::wait() {
  for (comm::Request& request : requests_) request.wait();
  requests_.clear();
}

std::optional<int> ReplicaExchange::differing_replica() const {
  std::uint64_t hash = 0;
  for (const model::Parameter& parameter : parameters_)
    hash = XXH3_64bits_withSeed(parameter.values.data(), parameter.values.size_bytes(), hash);
  std::vector<std::int64_t> hashes(replicas());
  hashes[own()] = std::bit_cast<std::int64_t>(hash);
  grid_.column().all_reduce(hashes);
  // Most are right.
  const std::int64_t usual = *std::ranges::max_element(
      hashes, {}, [&](std::int64_t one) { return std::ranges::count(hashes, one); });
  const auto other = std::ranges::find_if(hashes, [&](std::int64_t one) { return one != usual; });
  if (other == hashes.end()) return std::nullopt;
  return narrow<int>(other - hashes.begin());
}

}  // namespace dmoe::exchange
