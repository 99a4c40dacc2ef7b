// dmoe as a part of a program that has MPI already: two networks side by side, each on a half of the ranks.
//   mpirun -n 4 own_mpi CONFIG.toml
#include <cstdio>

#include <mpi.h>

#include "run/run.hpp"

void train(MPI_Comm ranks, int half, const char* path) {
  dmoe::comm::Session session(ranks);
  {
    const auto seed = "train.seed=" + std::to_string(half);
    const dmoe::config::Config config = dmoe::run::load_config(session.world(), path, {seed});
    dmoe::run::Run run(session, config, {.folder = "runs/half-" + std::to_string(half)});
    dmoe::training::Observer nobody;
    run.train(nobody);
  }
  session.finalize();
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0;
  int size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const int half = 2 * rank / size;
  MPI_Comm ranks = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, half, rank, &ranks);
  train(ranks, half, argc > 1 ? argv[1] : "config.toml");
  MPI_Comm_free(&ranks);
  MPI_Finalize();
}
