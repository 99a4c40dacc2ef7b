#include "training/optimizer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstring>

#include "comm/together.hpp"
#include "core/simulation.hpp"

namespace dmoe::training {

namespace {

/// Bits in the order of |value|: those of infinity or above are of no finite number.
std::uint32_t magnitude(float value) {
  return std::bit_cast<std::uint32_t>(value) & 0x7fffffffU;
}
constexpr std::uint32_t infinite = 0x7f800000U;

/// One step of one weight.
struct Update {
  float momentum;
  float weight_decay;
  float rate;
  void operator()(float& w, float gradient) const { w -= rate * (gradient + weight_decay * w); }
  void operator()(float& w, float& v, float gradient) const {
    v = momentum * v + (gradient + weight_decay * w);
    w -= rate * v;
  }
};

/// A step of the weights w, with velocities v or none; returns the largest magnitude of a gradient.
std::uint32_t step_with(std::span<const float> gradient, float scale, float zero, Update update,
                        std::span<float> w, std::span<float> v) {
  std::uint32_t largest = 0;
  if constexpr (simulation::is_on) {
    simulation::charge(simulation::Unit::byte, static_cast<Index>((v.empty() ? 3 : 5) * w.size_bytes()));
    return largest;
  }
  if (v.empty()) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      largest = std::max(largest, magnitude(gradient[i]));
      update(w[i], scale * gradient[i] + zero);
    }
  } else {
    for (std::size_t i = 0; i < w.size(); ++i) {
      largest = std::max(largest, magnitude(gradient[i]));
      update(w[i], v[i], scale * gradient[i] + zero);
    }
  }
  return largest;
}

void step_at_rest(Update update, std::span<float> w, std::span<float> v) {
  if (v.empty()) {
    for (float& value : w) update(value, 0.0F);
  } else {
    for (std::size_t i = 0; i < w.size(); ++i) update(w[i], v[i], 0.0F);
  }
}

/// That many steps without a gradient, a part small enough for the nearest cache at a time. Ends early at
/// values that a step no longer changes.
void rest(Index steps, Update update, std::span<float> all_w, std::span<float> all_v) {
  constexpr std::size_t part = 1024;
  constexpr Index steps_between_looks = 16;
  std::array<float, part> w_before{};
  std::array<float, part> v_before{};
  for (std::size_t first = 0; first < all_w.size(); first += part) {
    const std::span<float> w = all_w.subspan(first, std::min(part, all_w.size() - first));
    const std::span<float> v = all_v.empty() ? all_v : all_v.subspan(first, w.size());
    for (Index step = 0; step < steps; ++step) {
      const bool looks = step % steps_between_looks == steps_between_looks - 1;
      if (looks) {
        std::ranges::copy(w, w_before.begin());
        std::ranges::copy(v, v_before.begin());
      }
      step_at_rest(update, w, v);
      if (looks && std::memcmp(w.data(), w_before.data(), w.size_bytes()) == 0 &&
          (v.empty() || std::memcmp(v.data(), v_before.data(), v.size_bytes()) == 0))
        break;
    }
  }
}

}  // namespace

Sgd::Sgd(distribution::Network& network, double momentum, double weight_decay)
    : network_(network),
      momentum_(static_cast<float>(momentum)),
      weight_decay_(static_cast<float>(weight_decay)),
      zero_(network.grid().gate_slices().slices() > 1 ? 0.0F : -0.0F) {
  network.for_each_parameter([&](const model::Parameter& parameter) {
    const exchange::OwnedPart own = network.owned(tensors_.size());
    model::ExpertActivity* const activity = network.is_shared(tensors_.size()) ? nullptr : parameter.activity;
    const Index blocks = activity != nullptr ? parameter.count : std::min<Index>(parameter.count, 1);
    tensors_.push_back({parameter, own.first, parameter.values.subspan(own.first, own.gradient.size()),
                        own.gradient, std::vector<float>(momentum != 0 ? own.gradient.size() : 0),
                        std::vector<Index>(size(blocks)), activity});
  });
  if (is_plain()) return;
  for (const Tensor& tensor : tensors_) {
    model::ExpertActivity* const experts = tensor.activity;
    if (experts == nullptr) continue;
    experts->before_use = [this, experts](Index expert) {
      for (Tensor& own : tensors_) {
        if (own.activity == experts) catch_up(own, expert);
      }
    };
  }
}

Sgd::~Sgd() {
  catch_up();
  for (const Tensor& tensor : tensors_) {
    if (tensor.activity != nullptr) tensor.activity->before_use = [](Index) {};
  }
}

std::optional<std::string> Sgd::step(Rates rates, float scale) {
  const Update update{momentum_, weight_decay_, static_cast<float>(rates.rest)};
  const Update update_of_experts{momentum_, weight_decay_, static_cast<float>(rates.experts)};
  const TimedActivity stepping(network_.ranks().timing(), Activity::optimizer);
  const Tensor* damaged = nullptr;
  for (Tensor& tensor : tensors_) {
    std::uint32_t largest = 0;
    for (Index block = 0; block < tensor.blocks(); ++block) {
      if (tensor.rests(block)) continue;
      assert(is_plain() || tensor.steps_taken[size(block)] == rates_.steps());  // since it was used
      largest = std::max(largest,
                         step_with(tensor.part(tensor.gradient, block), scale, zero_,
                                   tensor.is_gated() ? update_of_experts : update,
                                   tensor.part(tensor.values, block), tensor.part(tensor.velocity, block)));
      tensor.steps_taken[size(block)] = rates_.steps() + 1;
    }
    if (largest >= infinite && damaged == nullptr) damaged = &tensor;
  }
  rates_.add(update_of_experts.rate);
  network_.share_weights();
  if (damaged == nullptr) return std::nullopt;
  return damaged->parameter.name;
}

void Sgd::catch_up(Tensor& tensor, Index block) {
  Index& taken = tensor.steps_taken[size(block)];
  if (!is_plain()) {
    rates_.for_each_since(taken, [&](float rate, Index steps) {
      rest(steps, {momentum_, weight_decay_, rate}, tensor.part(tensor.values, block),
           tensor.part(tensor.velocity, block));
    });
  }
  taken = rates_.steps();
}

void Sgd::catch_up() {
  for (Tensor& tensor : tensors_) {
    for (Index block = 0; block < tensor.blocks(); ++block) catch_up(tensor, block);
    std::ranges::fill(tensor.steps_taken, Index{0});
  }
  rates_.forget();
}

void Sgd::collect_velocities() {
  const comm::Communicator& world = network_.grid().world();
  if (momentum_ == 0 || world.is_local()) return;
  std::vector<std::span<const float>> own;
  comm::together(world, [&] {  // memory may run out
    collected_.assign(tensors_.size(), {});
    for (std::size_t p = 0; p < tensors_.size(); ++p) {
      own.emplace_back(tensors_[p].velocity);
      if (network_.collects(p)) collected_[p].resize(tensors_[p].parameter.values.size());
    }
  });
  network_.collect(own, collected_);
}

void Sgd::for_each_velocity(const model::ParameterVisitor& visit) {
  if (momentum_ == 0) return;
  catch_up();
  for (std::size_t p = 0; p < tensors_.size(); ++p) {
    Tensor& tensor = tensors_[p];
    model::Parameter velocity = tensor.parameter;
    const bool is_whole = tensor.velocity.size() == velocity.values.size();
    std::vector<float> whole;
    if (is_whole) {
      velocity.values = tensor.velocity;
    } else {
      if (p < collected_.size()) whole = std::move(collected_[p]);
      whole.resize(velocity.values.size());
      std::ranges::copy(tensor.velocity, whole.begin() + static_cast<std::ptrdiff_t>(tensor.first));
      velocity.values = whole;
    }
    visit(velocity);
    if (!is_whole)
      std::copy_n(velocity.values.subspan(tensor.first).begin(), tensor.velocity.size(),
                  tensor.velocity.begin());
  }
  collected_.clear();
}

}  // namespace dmoe::training
