"""The partition of a key, as Kafka's Java client and aiokafka compute it (murmur2), cached.

aiokafka's own function is pure Python, about 1 us for a short key; output keys come in long runs of few values.
"""

from functools import lru_cache
from typing import Final

_SEED: Final = 0x9747B28C
_M: Final = 0x5BD1E995
_MASK: Final = 0xFFFFFFFF


@lru_cache(maxsize=65_536)
def positive_hash(key: bytes) -> int:
    """murmur2 of the key without its sign bit; the partition is this modulo the number of partitions."""
    left = len(key)
    h = _SEED ^ left
    rest = int.from_bytes(key, "little")
    while left >= 4:
        k = (rest & _MASK) * _M & _MASK
        h = (h * _M ^ (k ^ k >> 24) * _M) & _MASK
        rest >>= 32
        left -= 4
    if left:
        h = (h ^ rest) * _M & _MASK
    h = (h ^ h >> 13) * _M & _MASK
    return (h ^ h >> 15) & 0x7FFFFFFF
