# Sourced: where these scripts are, and what they work with. In an installed dmoe cmake/place.sh.in stands here instead.
# shellcheck shell=bash disable=SC2034  # what is set here is used there

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$root/build/release/dmoe
data=$root/data         # folder of the data sets
script_prefix=scripts/  # of a script's name, as one types it
