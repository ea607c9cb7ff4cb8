"""XXH64 of text, whole columns at once: what decides a row's side of the split, and who a canary answers.

Published and stable, with implementations everywhere: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md. The tests compare
this one with the reference package.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_CHUNK = 16_384  # keys whose lanes stay in the cache

_P1, _P2, _P3, _P4, _P5 = (
    np.uint64(p) for p in (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
)
_U64 = npt.NDArray[np.uint64]
_U8 = npt.NDArray[np.uint8]


def keyed_buckets(keys: pa.Array | pa.ChunkedArray, prefix: bytes, buckets: int) -> npt.NDArray[np.uint16]:
    """XXH64 of ``prefix`` and each key as UTF-8, seed 0, modulo ``buckets``, at most 65,536. Keys are strings without nulls."""
    chunks = keys.chunks if isinstance(keys, pa.ChunkedArray) else [keys]
    parts = [_hashes(chunk.slice(at, _CHUNK), prefix) for chunk in chunks for at in range(0, len(chunk), _CHUNK)]
    hashes = np.concatenate(parts) if parts else np.empty(0, np.uint64)
    return (hashes % np.uint64(buckets)).astype(np.uint16)


def _hashes(keys: pa.Array, prefix: bytes) -> _U64:
    """XXH64 of ``prefix + key`` for keys of any lengths: one pass over the columns per distinct length."""
    keys = keys.cast(pa.large_binary())
    lengths = pc.binary_length(keys).to_numpy(zero_copy_only=False)
    out = np.empty(len(keys), np.uint64)
    with np.errstate(over="ignore"):  # wrapping is the point
        for length in np.flatnonzero(np.bincount(lengths)):
            mask = lengths == length
            same = keys if mask.all() else keys.filter(pa.array(mask))
            out[mask] = _xxh64(_message_matrix(same, int(length), prefix), len(prefix) + int(length))
    return out


def _message_matrix(keys: pa.Array, length: int, prefix: bytes) -> _U64:
    """Word ``i`` of all messages is row ``i``; the last word is padded with zeros."""
    total = len(prefix) + length
    offsets = np.frombuffer(keys.buffers()[1], np.int64, count=1, offset=8 * keys.offset)
    matrix = np.zeros((len(keys), -(-total // 8) * 8), np.uint8)
    matrix[:, : len(prefix)] = np.frombuffer(prefix, np.uint8)
    if length:
        data = np.frombuffer(keys.buffers()[2], np.uint8, count=len(keys) * length, offset=int(offsets[0]))
        matrix[:, len(prefix) : total] = data.reshape(len(keys), length)
    return np.ascontiguousarray(matrix.view("<u8").T) if total else np.empty((0, len(keys)), np.uint64)


def _xxh64(words: _U64, total: int) -> _U64:
    n = words.shape[1]
    at = 0  # words taken
    if total >= 32:
        lanes = [np.full(n, start, np.uint64) for start in (_P1 + _P2, _P2, np.uint64(0), np.uint64(0) - _P1)]
        while (at + 4) * 8 <= total:
            lanes = [_round(lane, words[at + i]) for i, lane in enumerate(lanes)]
            at += 4
        h = _rotl(lanes[0], 1) + _rotl(lanes[1], 7) + _rotl(lanes[2], 12) + _rotl(lanes[3], 18)
        for lane in lanes:
            h = (h ^ _round(np.zeros(n, np.uint64), lane)) * _P1 + _P4
    else:
        h = np.full(n, _P5, np.uint64)
    h = h + np.uint64(total)
    while (at + 1) * 8 <= total:
        h = _rotl(h ^ _round(np.uint64(0), words[at]), 27) * _P1 + _P4
        at += 1
    return _avalanche(_tail(h, words[at], total % 8) if total % 8 else h)


def _tail(h: _U64, word: _U64, left: int) -> _U64:
    if left >= 4:
        h = _rotl(h ^ ((word & np.uint64(0xFFFFFFFF)) * _P1), 23) * _P2 + _P3
        word, left = word >> np.uint64(32), left - 4
    for _ in range(left):
        h = _rotl(h ^ ((word & np.uint64(0xFF)) * _P5), 11) * _P1
        word = word >> np.uint64(8)
    return h


def _avalanche(h: _U64) -> _U64:
    h = (h ^ (h >> np.uint64(33))) * _P2
    h = (h ^ (h >> np.uint64(29))) * _P3
    return h ^ (h >> np.uint64(32))


def _round(lane: _U64 | np.uint64, word: _U64) -> _U64:
    return _rotl(lane + word * _P2, 31) * _P1


def _rotl(x: _U64, bits: int) -> _U64:
    return (x << np.uint64(bits)) | (x >> np.uint64(64 - bits))
