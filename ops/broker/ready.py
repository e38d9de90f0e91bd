"""Whether a node serves: it answered a metadata request, and names the nodes that it sees."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

ANSWER_SECONDS: Final = 3.0


def seen_from(host: str, port: int) -> frozenset[int]:
    """The node numbers in this node's answer to a metadata request; empty if it did not answer within 3 s.

    Blocks for so long at most. May be called inside a running event loop and outside: it has one of its own.
    """
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(lambda: asyncio.run(_ask(host, port))).result()


async def _ask(host: str, port: int) -> frozenset[int]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            # The connection itself, not the client around it: that one logs every refusal as an error.
            connection = await create_conn(host, port, request_timeout_ms=int(ANSWER_SECONDS * 1000))
            try:
                answer = await connection.send(MetadataRequest([]))
                return frozenset(broker[0] for broker in answer.brokers)
            finally:
                connection.close()
    except (KafkaError, OSError, TimeoutError):
        return frozenset()
