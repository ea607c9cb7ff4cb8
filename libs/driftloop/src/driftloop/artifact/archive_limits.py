"""Limits on a zip archive of strangers' arrays, checked from its directory before anything is unpacked."""

import io
import zipfile

import numpy as np

from driftloop.errors import IntegrityError

MIB = 1024 * 1024
MAX_BYTES = 512 * MIB
MAX_UNPACKED_BYTES = 1024 * MIB
MAX_RATIO = 50  # unpacked to packed; our own files are stored uncompressed
MAX_ENTRIES = 100_000
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_archive(data: bytes) -> None:
    """Raises IntegrityError unless ``data`` is a zip within the limits whose arrays are as large as they claim."""
    if len(data) > MAX_BYTES:
        raise IntegrityError(f"the model file has {len(data)} bytes, more than {MAX_BYTES}")
    if not data.startswith(b"PK\x03\x04"):
        raise IntegrityError("not a model file: no zip archive (pickles are never loaded)")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            _check_directory(entries, len(data))
            for entry in entries:
                if entry.filename.endswith(".npy"):
                    _check_array(archive, entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, OverflowError) as exc:
        raise IntegrityError(f"not a readable model file: {exc}") from exc


def _check_directory(entries: list[zipfile.ZipInfo], packed: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise IntegrityError(f"the model file has {len(entries)} entries, more than {MAX_ENTRIES}")
    if len({entry.filename for entry in entries}) != len(entries):
        raise IntegrityError("the model file names an entry twice")
    if any(entry.compress_type not in _METHODS for entry in entries):
        raise IntegrityError("the model file is compressed in an unexpected way")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > MAX_UNPACKED_BYTES:
        raise IntegrityError(f"the model file unpacks to {unpacked} bytes, more than {MAX_UNPACKED_BYTES}")
    if unpacked > MAX_RATIO * packed:
        raise IntegrityError(f"the model file unpacks to more than {MAX_RATIO} times its size")


def _check_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """numpy allocates what the header claims before it reads: the claim must fit the entry."""
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        header = file.tell()
    if dtype.hasobject:
        raise IntegrityError(f"{entry.filename} holds Python objects: pickles are never loaded")
    items = 1
    for length in shape:
        items *= length
    if any(length < 0 for length in shape) or header + items * dtype.itemsize != entry.file_size:
        raise IntegrityError(f"{entry.filename} claims another size than it has")
