#include "distribution/network.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>

#include "core/error.hpp"

namespace dmoe::distribution {

namespace {

/// Before anything is made: a rank without an expert anywhere has nothing to do.
const exchange::Grid& checked(const exchange::Grid& grid, const model::NetworkSpec& spec,
                              const numerics::Arithmetic& arithmetic) {
  numerics::require_products_of(arithmetic.precision);
  const int ranks = grid.group().size();
  const std::string of_each =
      grid.replicas() > 1 ? " in each of " + std::to_string(grid.replicas()) + " replicas" : "";
  const Index most = std::max(spec.most_experts(), Index{1});
  if (ranks > 1 && spec.most_experts() == 0)
    throw InputError("{} ranks{}, but no layer of this network is split over ranks; start {}", ranks, of_each,
                     grid.replicas() > 1 ? std::to_string(grid.replicas()) : "one");
  if (ranks > most)
    throw InputError("{} ranks{}, but no layer has more than {} experts; start at most {} ranks", ranks,
                     of_each, most, most * grid.replicas());
  return grid;
}

std::unique_ptr<model::Head> make_head(const model::NetworkSpec& spec, const Making& making) {
  if (!spec.has_head())
    return std::make_unique<model::DistributionHead>(spec.classes, making.presence(), making.home_capacity);
  const Index top = spec.layer_count();
  return std::make_unique<model::LinearHead>(spec.input_width(top), spec.classes, top + 1, making.presence(),
                                             making.seed, making.home_capacity, making.gate_gradient_blocks);
}

/// The most rows of a batch of up to `capacity` rows, in training or in evaluation, that are at home here.
Index home_capacity(const exchange::Grid& grid, Index capacity) {
  const model::Slices slices = grid.evaluation_slices(capacity);
  const Index longest = (capacity + slices.slices() - 1) / slices.slices();
  const Index in_training = std::min(capacity, grid.most_rows());
  return std::max(grid.training_homes(in_training).own().count, std::min(capacity, slices.count() * longest));
}

Index count_of(const std::vector<model::TreeBlock>& blocks) {
  return static_cast<Index>(blocks.size());
}

}  // namespace

Network::Network(const model::NetworkSpec& spec, const exchange::Grid& grid, std::uint64_t seed,
                 Index capacity, const numerics::Arithmetic& arithmetic)
    : spec_(spec),
      grid_(checked(grid, spec, arithmetic)),
      arithmetic_(arithmetic),
      nobody_masked_(size(spec.most_experts())) {
  const Making making{ranks(),
                      seed,
                      home_capacity(grid_, capacity),
                      count_of(grid_.slices().blocks()),
                      count_of(grid_.gate_slices().blocks()),
                      grid_.gating()};
  for (Index l = 0; l < spec.layer_count(); ++l) layers_.push_back(make_layer(spec, l, making));
  head_ = make_head(spec, making);
  make_exchanges();
}

void Network::make_exchanges() {
  // With coordinators and slices of one length all parameters go the same way, in messages of their own else.
  const bool all_alike = grid_.gating() == exchange::Gating::coordinator &&
                         grid_.slices().slices() == grid_.gate_slices().slices();
  std::vector<model::Parameter> of_experts;
  std::vector<model::Parameter> at_home;
  std::vector<bool> goes_home;
  for_each_parameter([&](const model::Parameter& parameter) {
    gradients_.push_back(parameter.gradient);
    goes_home.push_back(parameter.at_home && !all_alike);
    (goes_home.back() ? at_home : of_experts).push_back(parameter);
  });
  const auto make = [&](const comm::Communicator& holders, const std::vector<model::Slices>& slices,
                        std::vector<model::Parameter> parameters) -> exchange::ReplicaExchange* {
    if (holders.size() == 1 || parameters.empty()) return nullptr;
    exchanges_.push_back(std::make_unique<exchange::ReplicaExchange>(holders, slices, std::move(parameters)));
    return exchanges_.back().get();
  };
  exchange::ReplicaExchange* const experts =
      make(grid_.column(), grid_.slices_of_column(), std::move(of_experts));
  exchange::ReplicaExchange* const homes =
      grid_.has_gates() ? make(grid_.homes(), grid_.slices_of_homes(), std::move(at_home)) : nullptr;
  std::array<std::size_t, 2> numbers{};
  for (const bool home : goes_home) shared_.push_back({home ? homes : experts, numbers[home ? 1 : 0]++});
}

exchange::BatchRows Network::input(Index layer, ConstMatrixView x) {
  return layer == 0 ? exchange::BatchRows{x, first_row_} : layers_[size(layer - 1)]->output().arrived();
}

std::span<const std::int32_t> Network::at_home(std::span<const std::int32_t> labels) const {
  const model::RowRange own = homes_->own();
  return static_cast<Index>(labels.size()) == own.count ? labels
                                                        : labels.subspan(size(own.first), size(own.count));
}

const Network::Rows& Network::rows_of(Index rows, bool in_training) {
  std::map<Index, Rows>& known = in_training ? training_rows_ : evaluation_rows_;
  const auto found = known.find(rows);
  if (found != known.end()) return found->second;
  constexpr std::size_t most = 16;  // a last, shorter batch of each split is usual
  if (known.size() == most)         // but what layers still point at
    std::erase_if(known, [this](const auto& one) { return &one.second.homes != homes_; });
  const Rows made = in_training ? Rows{grid_.training_homes(rows), grid_.gate_slices()}
                                : Rows{grid_.evaluation_homes(rows), grid_.evaluation_slices(rows)};
  return known.emplace(rows, made).first->second;
}

bool Network::presents_own_rows() {
  return grid_.gating() == exchange::Gating::rows && ranks().size() > 1 &&
         !layers_.front()->reads_everywhere();
}

model::RowRange Network::rows_at_home(Index rows, bool in_training) {
  return rows_of(rows, in_training).homes.own();
}

void Network::forward(const Input& x, const Masks& masks,
                      const std::optional<model::Presentation>& presentation) {
  assert(masks.size() == layers_.size() && x.x.columns == spec_.inputs);
  const numerics::ArithmeticScope own(arithmetic_);
  const bool in_training = presentation.has_value();
  const Rows& rows = rows_of(x.rows, in_training);
  homes_ = &rows.homes;
  gate_slices_ = &rows.gate_slices;
  first_row_ = x.source != nullptr ? homes_->own().first : 0;
  const model::Slices& slices = in_training ? grid_.slices() : model::Slices::whole();
  for (Index l = 0; l < spec_.layer_count(); ++l) {
    Layer& layer = *layers_[size(l)];
    const bool is_read_everywhere = l + 1 < spec_.layer_count() && layers_[size(l + 1)]->reads_everywhere();
    if (l > 0 && layer.reads_everywhere()) layers_[size(l - 1)]->output().share();
    layer.forward(input(l, x.x), {masks[size(l)], rows.homes,
                                  is_read_everywhere ? exchange::Reach::everywhere : exchange::Reach::home,
                                  presentation, slices, rows.gate_slices, l == 0 ? x.source : nullptr});
    if (l > 0) layers_[size(l - 1)]->output().finish();
  }
  if (homes_->has_gates()) head_->forward(layers_.back()->output().own(), rows.gate_slices);
}

numerics::Loss Network::backward(ConstMatrixView x, std::span<const std::int32_t> labels, Index batch_rows) {
  const numerics::ArithmeticScope own(arithmetic_);
  Layer& top = *layers_.back();
  if (homes_->has_gates()) head_->backward(top.output().own(), at_home(labels), top.d_output(), batch_rows);
  top.ship_d_output();
  for (Index l = spec_.layer_count() - 1; l > 0; --l) {
    Layer& below = *layers_[size(l - 1)];
    layers_[size(l)]->backward(input(l, x), below.d_output(), [&] { below.ship_d_output(); });
  }
  layers_.front()->backward(input(0, x), {}, [] {});
  sum_gradients();
  numerics::Loss loss;
  for (const numerics::Loss& of_slice : slice_losses()) loss += of_slice;
  return loss;
}

std::span<const numerics::Loss> Network::slice_losses() const {
  return head_->slice_losses();
}

exchange::OwnedPart Network::owned(std::size_t p) const {
  const auto [exchange, number] = shared_[p];
  return exchange != nullptr ? exchange->owned(number) : exchange::OwnedPart{0, gradients_[p]};
}

void Network::sum_gradients() {
  for (const auto& exchange : exchanges_) exchange->sum_gradients();
}

void Network::share_gradients() {
  for (const auto& exchange : exchanges_) exchange->share_gradients();
}

void Network::share_weights() {
  for (const auto& exchange : exchanges_) exchange->share_weights();
}

void Network::collect(const std::vector<std::span<const float>>& own,
                      std::vector<std::vector<float>>& whole) {
  for (const auto& exchange : exchanges_) {
    std::vector<std::span<const float>> own_of;
    std::vector<std::vector<float>> whole_of;
    for (std::size_t p = 0; p < shared_.size(); ++p) {
      if (shared_[p].exchange != exchange.get()) continue;
      own_of.push_back(own[p]);
      whole_of.push_back(p < whole.size() ? std::move(whole[p]) : std::vector<float>{});
    }
    exchange->collect(own_of, whole_of);
    for (std::size_t p = 0; p < whole.size(); ++p)
      if (shared_[p].exchange == exchange.get()) whole[p] = std::move(whole_of[shared_[p].number]);
  }
}

std::optional<int> Network::differing_rank() const {
  std::optional<int> found;
  for (const auto& exchange : exchanges_) {
    const std::optional<int> holder = exchange->differing_holder();
    if (holder && !found) found = grid_.rank_of(exchange->ranks(), *holder);
  }
  return found;
}

numerics::Loss Network::loss(std::span<const std::int32_t> labels) {
  return homes_->has_gates() ? head_->score(at_home(labels)) : numerics::Loss{};
}

Index Network::first_layer_not_finite() {
  const auto is_finite = [&](const std::unique_ptr<Layer>& layer) {
    const ConstMatrixView z = layer->output().own();
    return std::all_of(z.data, z.data + z.count(), [](float value) { return std::isfinite(value); });
  };
  return std::find_if_not(layers_.begin(), layers_.end(), is_finite) - layers_.begin();
}

ConstMatrixView Network::gates(Index layer) {
  if (Mixture* const gated = mixture(layer)) return gated->gates();
  return {nullptr, homes_->rows(), 0};
}

Index Network::expert_rows(Index layer) {
  if (Mixture* const gated = mixture(layer)) return gated->expert_rows();
  return homes_->rows() * spec_.layers[size(layer)].experts;
}

void Network::for_each_parameter(const model::ParameterVisitor& visit) {
  Index number = 0;
  for (const auto& layer : layers_) layer->for_each_parameter(fmt::format("layers/{}", ++number), visit);
  head_->for_each_parameter("head", visit);
}

Masks Network::no_masks() const {
  Masks masks;
  for (const model::LayerSpec& layer : spec_.layers)
    masks.emplace_back(nobody_masked_.data(), size(layer.choices()));
  return masks;
}

}  // namespace dmoe::distribution
