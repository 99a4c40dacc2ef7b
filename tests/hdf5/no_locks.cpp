// Preloaded: a file system without locks, as an NFS without lockd (ENOLCK) or a Lustre without flock are. All
// that would lock fails with the number in DMOE_TEST_LOCK_ERROR.
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <dlfcn.h>
#include <fcntl.h>
#include <initializer_list>
#include <sys/file.h>

namespace {

using Fcntl = int (*)(int, int, ...);

int no_lock() {
  errno = std::atoi(std::getenv("DMOE_TEST_LOCK_ERROR"));  // NOLINT(concurrency-mt-unsafe)
  return -1;
}

bool is_about_locks(int command) {
  for (const int lock : {F_SETLK, F_SETLKW, F_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_OFD_GETLK})
    if (command == lock) return true;
  return false;
}

}  // namespace

extern "C" {

int flock(int /*file*/, int /*operation*/) noexcept {
  return no_lock();
}

int lockf(int /*file*/, int /*command*/, off_t /*length*/) {
  return no_lock();
}

int fcntl(int file, int command, ...) {
  std::va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  if (is_about_locks(command)) return no_lock();
  static const auto real = reinterpret_cast<Fcntl>(dlsym(RTLD_NEXT, "fcntl"));
  return real(file, command, argument);
}

int fcntl64(int file, int command, ...) {
  std::va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);
  va_end(arguments);
  return fcntl(file, command, argument);
}
}
