// session_life END: one session, and one of the ends it can have. What it prints, session_life_test.py reads.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <mpi.h>

#include "comm/session.hpp"

namespace {

using dmoe::comm::Session;

/// In one write, so that lines of several ranks do not mix.
void print(const std::string& line) {
  std::fputs((line + '\n').c_str(), stdout);
  std::fflush(stdout);
}

void finalize(Session& session) {
  const bool was_local = session.world().is_local();
  session.finalize();
  session.finalize();  // nothing is left to end
  int is_over = 0;
  MPI_Finalized(&is_over);
  print(fmt::format("over {} local {}", was_local || is_over != 0, session.world().is_local()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view end = argc > 1 ? argv[1] : "";
  Session session;
  const int rank = session.world().rank();
  print(fmt::format("rank {} of {} with {}", rank, session.world().size(), session.library()));
  session.world().barrier();
  if (end == "finalize") finalize(session);
  if (end == "abort" && rank == session.world().size() - 1) Session::abort(3);
  if (end == "abort") session.world().barrier();  // in vain: the last rank does not come
  return 0;
}
