#include "exchange/replica_exchange.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/simulation.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace dmoe::exchange {

namespace {

/// Values of a chunk up to which many messages cost more than the passes over all values that halving takes.
constexpr Index longest_chunk_to_halve = 4096;

std::size_t values_of_all(const std::vector<model::Parameter>& parameters) {
  std::size_t values = 0;
  for (const model::Parameter& parameter : parameters) values += parameter.values.size();
  return values;
}

/// The lowest `bits` bits of a number in the other order.
Index reversed(Index number, int bits) {
  Index result = 0;
  for (int bit = 0; bit < bits; ++bit) result |= (number >> bit & 1) << (bits - 1 - bit);
  return result;
}

}  // namespace

ReplicaExchange::ReplicaExchange(const comm::Communicator& ranks, const std::vector<model::Slices>& slices,
                                 std::vector<model::Parameter> parameters, Index fewest_to_halve)
    : ranks_(&ranks),
      slices_(slices.front().slices()),
      parameters_(std::move(parameters)),
      chunks_(static_cast<Index>(values_of_all(parameters_)), static_cast<Index>(slices.size())) {
  for (const model::Slices& of_rank : slices) blocks_.push_back(of_rank.blocks());
  halves_ = can_halve(fewest_to_halve);
  const int bits = static_cast<int>(std::bit_width(blocks_.size())) - 1;
  for (Index r = 0; r < chunks_.ranks(); ++r) {
    const ExpertRange chunk = chunks_.range(halves_ ? reversed(r, bits) : r);
    std::vector<Piece>& pieces = pieces_.emplace_back();
    std::size_t begin = 0;  // of the parameter, among all values
    for (std::size_t p = 0; p < parameters_.size(); ++p) {
      const std::size_t length = parameters_[p].values.size();
      const std::size_t first = std::clamp(size(chunk.first), begin, begin + length);
      const std::size_t end = std::clamp(size(chunk.end()), begin, begin + length);
      if (first < end) pieces.push_back({p, first - begin, end - first, first});
      begin += length;
    }
  }
  const Index own_chunk = chunks_.range(ranks_->rank()).count;
  if (halves_) {
    all_ = Matrix(1, chunks_.experts());
    incoming_ = Matrix(1, chunks_.experts() / 2 + 1);
  } else {
    for (std::size_t r = 0; r < holders(); ++r)
      received_.emplace_back(r == own() ? 0 : static_cast<Index>(blocks_[r].size()), own_chunk);
  }
  owned_.resize(parameters_.size());
  // The sum stands where the first block came in: it is the leftmost leaf, in whose place a sum may be made.
  std::size_t place = 0;
  for (const Piece& piece : pieces_[own()]) {
    std::span<float> gradient = piece.of(parameters_[piece.parameter].gradient);
    if (halves_) {
      gradient = all_.values().subspan(piece.place, piece.count);
    } else if (own() != 0) {
      gradient = received_.front().view().row(0).subspan(place, piece.count);
    }
    owned_[piece.parameter] = {piece.first, gradient};
    place += piece.count;
  }
}

bool ReplicaExchange::can_halve(Index fewest) const {
  if (chunks_.range(0).count > longest_chunk_to_halve || blocks_.size() < size(fewest) ||
      !std::has_single_bit(blocks_.size()))
    return false;
  const Index width = blocks_.front().empty() ? 0 : blocks_.front().front().width;
  for (Index r = 0; r < chunks_.ranks(); ++r)
    if (blocks_[size(r)] != std::vector<model::TreeBlock>{{r * width, width}}) return false;
  return true;
}

ReplicaExchange::Halves ReplicaExchange::halves(const ExpertRange& chunks, Index distance) const {
  const ExpertRange lower{chunks.first, chunks.count / 2};
  const ExpertRange upper{lower.end(), chunks.count / 2};
  return (ranks_->rank() & distance) == 0 ? Halves{lower, upper} : Halves{upper, lower};
}

std::span<float> ReplicaExchange::values_of(const ExpertRange& chunks) {
  const Index first = chunks_.range(chunks.first).first;
  const Index end = chunks_.range(chunks.end() - 1).end();
  return all_.values().subspan(size(first), size(end - first));
}

void ReplicaExchange::swap_with(Index distance, std::span<const float> sent, std::span<float> received,
                                comm::Tag tag) {
  const int other = narrow<int>(ranks_->rank() ^ distance);
  requests_.push_back(ranks_->start_receive(received, other, tag));
  requests_.push_back(ranks_->start_send(sent, other, tag));
  comm::wait_for_all(requests_);
}

void ReplicaExchange::halve() {
  for (const std::vector<Piece>& pieces : pieces_) {
    for (const Piece& piece : pieces)
      simulation::copy_numbers(piece.of(parameters_[piece.parameter].gradient),
                               all_.values().subspan(piece.place).data());
  }
  ExpertRange chunks{0, chunks_.ranks()};
  for (Index distance = 1; distance < chunks_.ranks(); distance *= 2) {
    const auto [kept, given] = halves(chunks, distance);
    const std::span<float> sums = values_of(kept);
    const std::span<float> others = incoming_.values().first(sums.size());
    swap_with(distance, values_of(given), others, comm::Tag::gradients);
    simulation::work_on_numbers(simulation::Unit::byte, 3 * static_cast<Index>(sums.size_bytes()), [&] {
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += others[i];  // either way round: the same bits
    });
    chunks = kept;
  }
}

template <class Values>
void ReplicaExchange::double_up(comm::Tag tag, const Values& which) {
  for (const Piece& piece : pieces_[own()])
    simulation::copy_numbers(piece.of(which(piece.parameter)), all_.values().subspan(piece.place).data());
  const Index last = chunks_.ranks() / 2;
  for (Index distance = last; distance > 0; distance /= 2) {
    ExpertRange chunks{0, chunks_.ranks()};
    for (Index before = 1; before < distance; before *= 2) chunks = halves(chunks, before).kept;
    const auto [kept, given] = halves(chunks, distance);
    swap_with(distance, values_of(kept), values_of(given), tag);
  }
  for (std::size_t r = 0; r < holders(); ++r) {
    if (r == own()) continue;
    for (const Piece& piece : pieces_[r])
      simulation::copy_numbers(all_.values().subspan(piece.place, piece.count),
                               piece.of(which(piece.parameter)).data());
  }
}

void ReplicaExchange::sum_gradients() {
  const TimedActivity adding(ranks_->timing(), Activity::packing);
  if (halves_) {
    halve();
  } else {
    send_blocks();
    combine();
  }
  for (const model::Parameter& parameter : parameters_) {  // what stands there now came from all
    if (parameter.activity != nullptr) std::ranges::fill(parameter.activity->has_gradient, std::uint8_t{1});
  }
}

void ReplicaExchange::send_blocks() {
  for (std::size_t r = 0; r < holders(); ++r) {
    if (r == own()) continue;
    const int peer = narrow<int>(r);
    for (Index k = 0; k < static_cast<Index>(blocks_[r].size()); ++k) {
      float* place = received_[r].view().row(k).data();
      for (const Piece& piece : pieces_[own()]) {
        requests_.push_back(ranks_->start_receive({place, piece.count}, peer, comm::Tag::gradients));
        place += piece.count;
      }
    }
  }
  for (std::size_t hop = 1; hop < holders(); ++hop) {  // not all to the same one at a time
    const std::size_t r = (own() + hop) % holders();
    for (Index k = 0; k < static_cast<Index>(blocks_[own()].size()); ++k) {
      for (const Piece& piece : pieces_[r])
        requests_.push_back(ranks_->start_send(piece.of(parameters_[piece.parameter].gradient_block(k)),
                                               narrow<int>(r), comm::Tag::gradients));
    }
  }
  comm::wait_for_all(requests_);
}

void ReplicaExchange::combine() {
  constexpr Index part = 4096;  // values that stay in the nearest cache while they are added
  Index place = 0;              // in the own chunk
  for (const Piece& piece : pieces_[own()]) {
    const std::span<float> sum = owned_[piece.parameter].gradient;
    for (std::size_t first = 0; first < piece.count; first += part) {
      const Index count = std::min(part, static_cast<Index>(piece.count - first));
      sums_.clear();
      for (std::size_t r = 0; r < holders(); ++r) {
        for (Index k = 0; k < static_cast<Index>(blocks_[r].size()); ++k) {
          const float* const values =
              r == own() ? piece.of(parameters_[piece.parameter].gradient_block(k)).data() + first
                         : received_[r].view().row(k).data() + place + static_cast<Index>(first);
          sums_.push_back({blocks_[r][size(k)], values});
        }
      }
      model::combine_blocks(sums_, slices_, {sum.data() + first, 1, count});
    }
    place += static_cast<Index>(piece.count);
  }
}

template <class Values>
void ReplicaExchange::share(comm::Tag tag, const Values& which) {
  if (halves_) return double_up(tag, which);
  for (std::size_t r = 0; r < holders(); ++r) {
    if (r == own()) continue;
    for (const Piece& piece : pieces_[r])
      requests_.push_back(ranks_->start_receive(piece.of(which(piece.parameter)), narrow<int>(r), tag));
  }
  for (std::size_t hop = 1; hop < holders(); ++hop) {
    const int peer = narrow<int>((own() + hop) % holders());
    for (const Piece& piece : pieces_[own()])
      requests_.push_back(ranks_->start_send(piece.of(which(piece.parameter)), peer, tag));
  }
  comm::wait_for_all(requests_);
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
  if (own() != 0) {
    for (const Piece& piece : pieces_[own()])
      requests_.push_back(ranks_->start_send(own_parts[piece.parameter], 0, comm::Tag::weights));
    return comm::wait_for_all(requests_);
  }
  for (const Piece& piece : pieces_.front())
    std::ranges::copy(own_parts[piece.parameter], piece.of(whole[piece.parameter]).begin());
  for (std::size_t r = 1; r < holders(); ++r) {
    for (const Piece& piece : pieces_[r])
      requests_.push_back(
          ranks_->start_receive(piece.of(whole[piece.parameter]), narrow<int>(r), comm::Tag::weights));
  }
  comm::wait_for_all(requests_);
}

std::optional<int> ReplicaExchange::differing_holder() const {
  std::uint64_t hash = 0;
  for (const model::Parameter& parameter : parameters_)
    hash = XXH3_64bits_withSeed(parameter.values.data(), parameter.values.size_bytes(), hash);
  std::vector<std::int64_t> hashes(holders());
  hashes[own()] = std::bit_cast<std::int64_t>(hash);
  ranks_->all_reduce(hashes);
  // Most are right.
  const std::int64_t usual = *std::ranges::max_element(
      hashes, {}, [&](std::int64_t one) { return std::ranges::count(hashes, one); });
  const auto other = std::ranges::find_if(hashes, [&](std::int64_t one) { return one != usual; });
  if (other == hashes.end()) return std::nullopt;
  return narrow<int>(other - hashes.begin());
}

}  // namespace dmoe::exchange
