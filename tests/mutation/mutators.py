"""Ways in which files break, by accident and on purpose. Every function changes one file, or some bytes, as `chance`
(a random.Random) says; the valid file comes in, and nothing is opened again once it is broken."""

import struct
import zlib

import h5py
import numpy

# -- Bytes of any file ------------------------------------------------------------------------------------------------

EXTREMES = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**63]
EXTREMES += [2**64 - 2, 2**64 - 1]
# What HDF5 begins its structures with: most of a small file is structure, and damage there is told from one elsewhere.
SIGNATURES = [b"\x89HDF", b"OHDR", b"OCHK", b"TREE", b"HEAP", b"SNOD", b"GCOL", b"FRHP", b"FHDB", b"BTHD", b"BTLF"]


def place(data, chance, margin=1):
    """Where to strike: anywhere, or close behind the beginning of a structure."""
    last = max(0, len(data) - margin)
    if chance.random() < 0.5:
        found = data.find(chance.choice(SIGNATURES), chance.randrange(last + 1))
        if found >= 0:
            return min(last, found + chance.randrange(200))
    return chance.randrange(last + 1)


def truncated(data, chance):
    return data[: chance.choice([len(data) - 1, len(data) // 2, chance.randrange(len(data)), chance.randrange(200)])]


def empty(_data, _chance):
    return b""


def flipped_bits(data, chance):
    changed = bytearray(data)
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        changed[place(data, chance)] ^= 1 << chance.randrange(8)
    return bytes(changed)


def overwritten(data, chance):
    """Some bytes in a row are 0, 255 or anything."""
    length = min(len(data), chance.choice([1, 2, 4, 8, 64, 512, 4096]))
    at = place(data, chance, length)
    filling = chance.choice([bytes(length), b"\xff" * length, chance.randbytes(length)])
    return data[:at] + filling + data[at + length :]


def extreme_integer(data, chance):
    """An integer of 1, 2, 4 or 8 bytes is as large, or as negative, as it gets."""
    width = chance.choice([1, 2, 4, 4, 8, 8])
    at = place(data, chance, width)
    value = chance.choice(EXTREMES) % (1 << 8 * width)
    return data[:at] + value.to_bytes(width, chance.choice(["little", "big"])) + data[at + width :]


def moved_chunk(data, chance):
    """Two pieces change places, one is doubled, lost, or blank: pages in the wrong order."""
    length = max(1, min(len(data) // 4, chance.choice([16, 64, 512, 4096])))
    one, two = sorted(place(data, chance, length) for _ in range(2))
    two = max(two, min(one + length, len(data)))
    first, second = data[one : one + length], data[two : two + length]
    return chance.choice(
        [
            data[:one] + second + data[one + length : two] + first + data[two + length :],
            data[:one] + first + data[one:],
            data[:one] + data[one + length :],
            data[:one] + bytes(length) + data[one + length :],
            data[:two] + first + data[two + length :],
        ]
    )


def appended(data, chance):
    return data + chance.choice([b"\0", chance.randbytes(300), data, bytes(5000)])


def other_file(data, chance):
    """Another kind of file under this name."""
    return chance.choice(
        [chance.randbytes(500), bytes(4096), b"<html>404 not found</html>\n", data[::-1], b"\x89HDF\r\n\x1a\n", b"\n"]
    )


BYTES = [truncated, flipped_bits, flipped_bits, overwritten, overwritten, extreme_integer, extreme_integer]
BYTES += [extreme_integer, moved_chunk, appended, other_file, empty]

# -- HDF5 -------------------------------------------------------------------------------------------------------------

NUMBERS = [0, 1, -1, 7, 2**31, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63), 1.5, float("nan"), float("inf"), -1e300]
TEXTS = ["", "x", "finished", "../..", "\u00fc" * 50, "[", "a\nb\r\x1b[2J", "1e999", "x" * 60_000, b"\xff\xfe",
         "margin"]
DTYPES: list = ["f2", "f4", "f8", ">f8", "i1", "u1", "<i2", "<i4", ">i4", "i8", "u8", "c8", "S7", "V3", "bool"]
DTYPES += [[("a", "i4"), ("b", "f8")], h5py.string_dtype(), h5py.ref_dtype, h5py.vlen_dtype("i4"), "(2,)f4"]


def objects(file, kind):
    found = []
    file.visititems(lambda name, item: found.append(name) if isinstance(item, kind) else None)
    return found


def dataset_of(file, chance):
    return file[chance.choice(objects(file, h5py.Dataset))]


def holder_of(file, chance):
    """Any object, the root group more often than others, as it says what the file is."""
    return file[chance.choice(["/", *objects(file, object)] if chance.random() < 0.8 else ["/"])]


def attribute_of(file, chance):
    """An object and the name of one of its attributes."""
    while True:
        holder = holder_of(file, chance)
        if len(holder.attrs) > 0:
            return holder, chance.choice(list(holder.attrs))


def replace(file, name, make, chance):
    """Another dataset in place of one, with its attributes in most cases."""
    attributes = {key: file[name].attrs[key] for key in file[name].attrs if key != "dimensions"}
    del file[name]
    made = make()
    if made is not None and chance.random() < 0.8:
        for key, value in attributes.items():
            made.attrs[key] = value


def lost_object(file, chance):
    del file[chance.choice(objects(file, object))]


def lost_attribute(file, chance):
    holder, name = attribute_of(file, chance)
    del holder.attrs[name]


def other_type(file, chance):
    dataset = dataset_of(file, chance)
    name, shape, kind = dataset.name, dataset.shape, numpy.dtype(chance.choice(DTYPES))
    replace(file, name, lambda: file.create_dataset(name, shape, kind), chance)


def other_shape(file, chance):
    """More or fewer rows, another rank, none at all."""
    dataset = dataset_of(file, chance)
    name, shape, kind = dataset.name, list(dataset.shape), dataset.dtype
    axis = chance.randrange(len(shape)) if shape else 0
    new = chance.choice(
        [
            [],
            [0],
            [*shape, 1],
            [1, *shape],
            [*shape, 0],
            shape[::-1],
            shape[:-1],
            [int(numpy.prod(shape))],
            [n + (i == axis) for i, n in enumerate(shape)],
            [max(0, n - (i == axis)) for i, n in enumerate(shape)],
            [1] * 32,
        ]
    )
    if chance.random() < 0.1:
        replace(file, name, lambda: file.create_dataset(name, data=h5py.Empty(kind)), chance)
    else:
        replace(file, name, lambda: file.create_dataset(name, new, kind), chance)


def announced_size(file, chance):
    """Dimensions far beyond what is stored: nothing has to be behind a chunked dataset."""
    dataset = dataset_of(file, chance)
    name, kind = dataset.name, dataset.dtype if dataset.dtype.kind != "O" else numpy.dtype("i8")
    shape = [chance.choice([1, 3, 2**20, 2**31, 2**33]) for _ in range(max(1, len(dataset.shape)))]
    shape[chance.randrange(len(shape))] = chance.choice([2**27, 2**32, 2**40, 2**62])
    limit = 2**63 - 1
    while numpy.prod(shape, dtype=object) * kind.itemsize > limit:
        shape[shape.index(max(shape))] //= 2
    chunk = [1] * (len(shape) - 1) + [min(shape[-1], 2**16)]
    replace(file, name, lambda: file.create_dataset(name, shape, kind, chunks=tuple(chunk)), chance)


def other_values(file, chance):
    dataset = dataset_of(file, chance)
    if dataset.dtype.kind in "SO":
        text = chance.choice(TEXTS)
        text = text.encode() if isinstance(text, str) else text
        name, was = dataset.name, bytes(dataset.asstr()[()].encode()) if dataset.shape == () else b""
        if was and chance.random() < 0.7:  # a config: broken as a config is
            text = chance.choice(TOML)(was, chance)
        kind = numpy.dtype(f"S{max(1, len(text))}") if chance.random() < 0.8 else h5py.string_dtype()
        text = text.replace(b"\0", b"?") if kind == h5py.string_dtype() else text
        shape = dataset.shape
        replace(file, name, lambda: file.create_dataset(name, shape, kind, data=numpy.full(shape, text, kind)), chance)
        if "crc32" in file[name].attrs and chance.random() < 0.7:  # as if it had always been so
            file[name].attrs["crc32"] = numpy.int64(zlib.crc32(text))
        return
    values = dataset[()]
    with numpy.errstate(all="ignore"):
        number = numpy.array(chance.choice(NUMBERS)).astype(values.dtype)
    if chance.random() < 0.5 or values.size == 0:
        values = numpy.full_like(values, number)
    else:
        values.reshape(-1)[chance.randrange(values.size)] = number
    dataset[()] = values


def other_attribute(file, chance):
    holder, name = attribute_of(file, chance)
    number, text = chance.choice(NUMBERS), chance.choice(TEXTS)
    text = text[:40_000] if isinstance(text, str) else numpy.bytes_(text)
    value = chance.choice(
        [number, text, [number] * 3, [text, text], h5py.Empty("f4"), h5py.Empty("S3"), numpy.zeros((2, 0)), True]
        + [numpy.zeros(2, [("a", "i4")]), holder.ref, numpy.zeros((2, 2)), numpy.bytes_("abc")]
    )
    same = holder.attrs[name]
    if isinstance(same, str) and chance.random() < 0.4:
        value = text
    elif not isinstance(same, str) and chance.random() < 0.4:
        value = numpy.int64(number) if -(2**63) <= number < 2**63 else number
    del holder.attrs[name]
    holder.attrs[name] = value


def other_format(file, chance):
    """Of another program, another kind or another version."""
    if chance.random() < 0.6:
        kinds = ["dmoe-run", "dmoe-model", "dmoe-checkpoint", "dmoe-frames", "netcdf", "", "DMOE-RUN", 5]
        file.attrs["format"] = chance.choice(kinds)
    else:
        file.attrs["format_version"] = chance.choice([0, 2, -1, 2**63 - 1, "1", 1.0, [1, 1]])


def other_kind(file, chance):
    """A group where a dataset was, or the other way round."""
    name = chance.choice(objects(file, object))
    was_group = isinstance(file[name], h5py.Group)
    del file[name]
    if was_group:
        file[name] = chance.choice([1, 2.5, "text", [1, 2, 3]])
    else:
        file.create_group(name)


def other_link(file, chance):
    """A link to nothing, to itself, to another file, or back up: a cycle."""
    name = chance.choice(objects(file, object))
    if chance.random() < 0.3:
        name += "/more" if isinstance(file[name], h5py.Group) else "-more"
    elif chance.random() < 0.9:
        del file[name]
    else:
        name = chance.choice(objects(file, h5py.Group)) + "/loop"
    file[name] = chance.choice(
        [
            h5py.SoftLink("/no/such"),
            h5py.SoftLink("/" + name),
            h5py.SoftLink("/"),
            h5py.ExternalLink("no-such.h5", "/"),
            h5py.ExternalLink("/dev/null", "/"),
            file["/"],
        ]
    )


def swapped_objects(file, chance):
    """Of two datasets each has the other's name."""
    one, two = chance.sample(objects(file, h5py.Dataset), 2)
    file.move(one, "aside")
    file.move(two, one)
    file.move("aside", two)


def more_objects(file, chance):
    """Many more than anybody wrote, deep or wide; or datasets whose bytes lie elsewhere."""
    group = file[chance.choice(["/", *objects(file, h5py.Group)])]
    what = chance.randrange(5)
    if what == 0:
        group.create_group("/".join(["deep"] * chance.choice([50, 2000])))
    elif what == 1:
        for i in range(chance.choice([1, 500])):
            group.create_group(f"{i}")
    elif what == 2:
        group.create_dataset("elsewhere", (10,), "f4", external=[("no-such.bin", 0, 40)])
    elif what == 3:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource("no-such.h5", "x", (4,))
        group.create_virtual_dataset("virtual", layout)
    else:
        group["type"] = numpy.dtype("f8")  # a named type


def foreign(file, chance):
    """Nothing of what there was: the HDF5 file of another program."""
    for name in list(file):
        del file[name]
    if chance.random() < 0.7:
        for name in list(file.attrs):
            del file.attrs[name]
    file["measurements/temperature"] = numpy.linspace(0, 1, chance.choice([1, 50]))
    file["measurements"].attrs["station"] = "north"


HDF5 = [lost_object, lost_attribute, other_type, other_shape, announced_size, other_values, other_values]
HDF5 += [other_attribute, other_attribute, other_format, other_kind, other_link, swapped_objects, more_objects, foreign]


def mutate_hdf5(path, chance):
    """Breaks it as HDF5, as bytes, or both; returns the names of what was done."""
    done = []
    if chance.random() < 0.6:
        for _ in range(chance.choice([1, 1, 1, 2])):
            change = chance.choice(HDF5)
            # Unlocked: a process that another thread begins just then holds a lock of this file for a moment.
            with h5py.File(path, "r+", locking=False) as file:
                try:
                    change(file, chance)
                    done.append(change.__name__)
                except (IndexError, KeyError, ValueError, TypeError, OSError, RuntimeError):
                    done.append(change.__name__ + " in part")  # what cannot be made with h5py, or is gone already
    if not done or chance.random() < 0.1:
        done.append(mutate_bytes(path, BYTES, chance))
    return ", ".join(done)


def mutate_bytes(path, ways, chance):
    change = chance.choice(ways)
    path.write_bytes(change(path.read_bytes(), chance))
    return change.__name__


# -- idx --------------------------------------------------------------------------------------------------------------


def other_dimension(data, chance):
    """An axis of the header is longer, shorter or huge: 2^31 images in a small file."""
    at = 4 * chance.randrange(1, 1 + max(1, data[3]))
    was = int.from_bytes(data[at : at + 4], "big")
    value = chance.choice([0, 1, was + 1, was - 1, 2 * was, 2**16, 2**31 - 1, 2**31, 2**32 - 1])
    return data[:at] + struct.pack(">I", value) + data[at + 4 :]


def all_dimensions_huge(data, chance):
    axes = max(1, data[3])
    sizes = [struct.pack(">I", chance.choice([2**31, 2**32 - 1, 2**16])) for _ in range(axes)]
    return data[:4] + b"".join(sizes) + data[16:]


def other_magic(data, chance):
    """Another type of element, another rank, little-endian, or no idx at all."""
    magic = chance.choice(
        [bytes([0, 0, kind, data[3]]) for kind in (0, 9, 0x0B, 0x0C, 0x0D, 0x0E, 0xFF)]
        + [bytes([0, 0, 8, axes]) for axes in (0, 1, 2, 4, 255)]
        + [data[3::-1], chance.randbytes(4)]
    )
    return magic + data[4:]


def fewer_items(data, chance):
    """A whole file with another number of items."""
    count, header = int.from_bytes(data[4:8], "big"), 4 + 4 * data[3]
    size = (len(data) - header) // max(1, count)
    fewer = chance.choice([1, count - 1, count // 2])
    return data[:4] + struct.pack(">I", fewer) + data[8:header] + data[header : header + fewer * size]


def bad_label(data, chance):
    at = chance.randrange(8, len(data))
    return data[:at] + bytes([chance.choice([10, 11, 127, 128, 255])]) + data[at + 1 :]


IDX = [other_dimension, other_dimension, all_dimensions_huge, other_magic, fewer_items, bad_label]

# -- TOML -------------------------------------------------------------------------------------------------------------

VALUES = """
0 -1 1.5 -0.0 1e400 nan inf -inf 9223372036854775807 9223372036854775808 99999999999999999999999 -9223372036854775808
1000000000 0x7f 0b2 1_000 1__0 007 +5 true "" "x" 'x' '''x''' "\\u0000" "\\q" "\\ud800" "../../etc/passwd" "10s" "-3m"
"99999999999999999999h" [] {} [1] [[]] {a=1} 1979-05-27 07:32:00 1979-13-45 "margin" "none" "mixture" "single" "dense"
"concatenated" "classifier_mixture" "synthetic" "mnist" "frames" "best" "never" [1,2,3] {rule="margin",margin=-1}
{rule="none",x=1} {schedule="step"} {schedule="constant",start=1e999} [true,"x",1.0] = ] , #
""".split()
LINES = [b"unknown = 1", b"[unknown]", b"[[unknown]]", b"[train]", b"[[train]]", b"[layers]", b"[[layers]]", b"= 5"]
LINES += [b"[[phases]]", b"a.b.c = 1", b"[data.name]", b'"" = 1', b"[", b"]]", b"train = 1", b'x = "unclosed']
LINES += [b'x = """unclosed', b"x = [1,", b"x = {a = 1", b"\xff\xfe = 1", b"\x00", b"x = \x01", b"\xef\xbb\xbf"]
LINES += [b"[a]b"]
LINES += [b'"\\u0007" = 1', b"\x1b[2J = 1", "\u202e = 1".encode(), "schl\u00fcssel = 1".encode(), b"\r", b"x\ty = 1"]


def line_of(lines, chance):
    """Any line that sets something."""
    return chance.choice([i for i, line in enumerate(lines) if b"=" in line] or [0])


def other_value(data, chance):
    lines = data.split(b"\n")
    at = line_of(lines, chance)
    lines[at] = lines[at].partition(b"=")[0] + b"= " + chance.choice(VALUES).encode()
    return b"\n".join(lines)


def other_lines(data, chance):
    """One is lost, doubled, elsewhere, or new."""
    lines = data.split(b"\n")
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines))
    what = chance.randrange(4)
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(to if chance.random() < 0.5 else at, lines[at])
    elif what == 2:
        lines.insert(to, lines.pop(at))
    else:
        lines.insert(at, chance.choice(LINES))
    return b"\n".join(lines)


def misspelt(data, chance):
    """A key with one letter changed, lost or added."""
    lines = data.split(b"\n")
    at = line_of(lines, chance)
    key, equals, value = lines[at].partition(b"=")
    where = chance.randrange(max(1, len(key)))
    key = key[:where] + chance.choice([b"", b"x", b"-", b".", b" ", b"\xc3\xa4"]) + key[where + chance.randrange(2) :]
    lines[at] = key + equals + value
    return b"\n".join(lines)


def without_end(data, chance):
    """A quote, bracket or brace is lost or doubled."""
    places = [i for i, byte in enumerate(data) if byte in b"\"[]{}=,."]
    at = chance.choice(places or [0])
    return data[:at] + chance.choice([b"", data[at : at + 1] * 2]) + data[at + 1 :]


def deep(data, chance):
    """Arrays in arrays, tables in tables, dotted keys of many parts."""
    depth = chance.choice([10, 200, 1000, 50_000])
    return data + b"\n" + chance.choice(
        [
            b"x = " + b"[" * depth + b"]" * depth,
            b"x = " + b"[" * depth,
            b"x = " + b"{a=" * depth + b"1" + b"}" * depth,
            b"x" + b".a" * depth + b" = 1",
            b"[x" + b".a" * depth + b"]",
        ]
    )


def long_line(data, chance):
    length = chance.choice([1000, 100_000, 1_000_000])
    return data + b"\n" + chance.choice(
        [
            b'x = "' + b"a" * length + b'"',
            b"x" * length + b" = 1",
            b"x = " + b"9" * length,
            b"# " + b"c" * length,
            b"x = [" + b"1," * length + b"]",
            b"[" + b"x" * length + b"]",
        ]
    )


def many_parts(data, chance):
    """Thousands of layers or phases."""
    count = chance.choice([50, 2000])
    return data + b"\n" + chance.choice([b"[[layers]]\n", b"[[phases]]\n", b"[[grids]]\n"]) * count


TOML = [other_value, other_value, other_value, other_lines, other_lines, misspelt, without_end, deep, long_line]
TOML += [many_parts]
