// Classes of the examples of a run's test set, and the expert of the first layer that speaks loudest for
// each.
//   mpirun -n 2 predict RUN
#include <algorithm>
#include <cstdio>

#include "comm/session.hpp"
#include "run/trained_model.hpp"

void predict(const dmoe::comm::Communicator& world, const char* run) {
  const auto model = dmoe::run::load_trained_model(world, run, dmoe::data::Split::test);
  const auto largest = [](std::span<const float> row) { return std::ranges::max_element(row) - row.begin(); };
  dmoe::training::for_each_batch(
      *model.network, *model.dataset, model.pass, [] { return false; },
      [&](const dmoe::data::Batch& batch) {
        const dmoe::ConstMatrixView gates = model.network->gates(0);
        for (dmoe::Index b = 0; b < batch.rows && world.is_coordinator(); ++b)
          std::printf("%d %td %td\n", batch.labels()[b], largest(model.network->scores().row(b)),
                      largest(gates.row(b)));
      });
}

int main(int, char** argv) {
  dmoe::comm::Session session;
  predict(session.world(), argv[1]);
  session.finalize();
}
