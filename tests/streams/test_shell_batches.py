"""Output batches: sizes, partitions, order."""

import pytest
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from hypothesis import given
from hypothesis import strategies as st

from streams.batches import Batches, size_of
from streams.contract import Output
from streams.murmur import positive_hash
from streams.shell_settings import BATCH_OVERHEAD
from tests.streams.shell_fake import Batch

TOPICS = {"t": ("x.t", 4, 1000)}
HEADERS = st.lists(st.tuples(st.text(max_size=20), st.binary(max_size=300)), max_size=5).map(tuple)


@given(st.binary(max_size=60))
def test_partitions_are_those_of_every_other_kafka_client(key):
    """The hash is murmur2 of the Java client and aiokafka, so that our outputs meet theirs."""
    assert positive_hash(key) == murmur2(key) & 0x7FFFFFFF


@given(st.binary(max_size=300), st.none() | st.binary(max_size=3000), HEADERS)
def test_size_is_an_upper_bound_of_the_real_batch(key, value, headers):
    """What passes our check is never refused by the broker as too large: the real batch is not larger."""
    builder = BatchBuilder(1 << 20, 0)
    builder.append(timestamp=1, key=key, value=value, headers=list(headers))
    builder.close()
    assert builder.size() <= size_of(Output("t", key, value, headers)) + BATCH_OVERHEAD - 40


def test_a_batch_never_passes_its_limit_and_order_is_kept():
    """Records of a partition go on in a new batch when the limit is near; read in sequence they are in order."""
    batches = Batches(Batch, TOPICS, 5)
    outputs = [Output("t", b"same", b"%03d" % n + b"x" * 200) for n in range(20)]
    for output in outputs:
        batches.add(output, size_of(output))
    [(place, builders)] = batches.ready().items()
    assert place == ("x.t", positive_hash(b"same") % 4)
    assert len(builders) > 1
    assert [record[2] for one in builders for record in one.records] == [output.value for output in outputs]
    assert all(sum(len(r[1]) + len(r[2]) for r in one.records) <= 1000 for one in builders)


@pytest.mark.parametrize(
    "output",
    [
        ("t", "text", b"v", ()),
        ("t", b"k", "text", ()),
        ("t", b"k", b"v", (("h", "text"),)),
        ("t", None, b"v", ()),
    ],
)
def test_what_no_batch_takes_is_found_before_anything_is_sent(output):
    """A wrong type is a bug of the step, seen while its record can still be set aside."""
    with pytest.raises(TypeError):
        size_of(Output._make(output))
