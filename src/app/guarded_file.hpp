// Files from outside, looked at by a process that may crash before this one opens them.
#pragma once

#include <string>

#include "io/verify.hpp"

namespace dmoe::app {

/// Throws InputError where a file of dmoe (or any HDF5 file, where foreign ones are allowed) is not whole:
/// `dmoe check` in a child process, with limits on memory and time, reads all of it first. The HDF5 library
/// itself crashes on some damaged files. Returns the line that it says of a whole one. Local.
std::string check_in_child(const std::string& path, io::Foreign foreign = io::Foreign::refuse);

/// The same for any HDF5 file; nothing where it is another file, or there is none. Local.
void check_in_child_if_hdf5(const std::string& path);

}  // namespace dmoe::app
