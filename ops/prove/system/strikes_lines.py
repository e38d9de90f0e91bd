"""Faults of lines: brokers that cannot be reached one way or both, a recipient likewise; slow, narrow, broken lines."""

import asyncio
import time
from typing import Final

from ops.prove.proxy import BLACK_HOLE, Fault, FaultProxy, Line
from ops.prove.system.battle import Battle

CUT_SECONDS: Final = 6.0
LONG_SECONDS: Final = 12.0
"""Beyond the time after which a broker without its controller is fenced (9 s)."""
PAUSE_SECONDS: Final = 2.0
SLOW: Final = (
    ("100 ms, 50 ms jitter", Fault.both(Line(latency_seconds=0.1, jitter_seconds=0.05))),
    ("1 Mbit/s", Fault.both(Line(bytes_per_second=125_000))),
    ("slices", Fault.both(Line(slice_bytes=200, slice_pause_seconds=0.001))),
)


async def partition(battle: Battle) -> None:
    """Each broker in turn behind a cut, both ways or one, with flipped bits; then from the other brokers alone; then a
    recipient from us.
    """
    cuts = (
        ("cut off", Fault.both(BLACK_HOLE)),
        ("hears nothing", Fault(up=BLACK_HOLE)),
        ("is not heard", Fault(down=BLACK_HOLE)),
        ("is heard wrongly", Fault(up=Line(flip_probability=0.00001))),
    )
    for turn, (what, fault) in enumerate(cuts):
        number = turn % len(battle.field.proxies) + 1
        await _for_a_while(battle, [battle.field.proxies[number]], fault, f"broker {number} {what}", CUT_SECONDS)
    apart = battle.field.between[battle.dice.choice(list(battle.field.between))]
    await _for_a_while(battle, [apart], Fault.both(BLACK_HOLE), "a broker cut off from the others", LONG_SECONDS)
    for what, fault in (("cut off", Fault.both(BLACK_HOLE)), ("not heard", Fault(down=BLACK_HOLE))):
        await _for_a_while(battle, [battle.field.lines["fire"]], fault, f"fire {what}", CUT_SECONDS)


async def slow_line(battle: Battle) -> None:
    """All brokers far away, behind a narrow line, in slices; connections broken now and then."""
    proxies = list(battle.field.proxies.values())
    for what, fault in SLOW:
        await _for_a_while(battle, proxies, fault, what, CUT_SECONDS)
        for proxy in proxies:
            proxy.reset()
        battle.struck("connections reset")


async def _for_a_while(battle: Battle, proxies: list[FaultProxy], fault: Fault, what: str, seconds: float) -> None:
    began = time.time()
    for proxy in proxies:
        proxy.set(fault)
    await asyncio.sleep(seconds)
    for proxy in proxies:
        proxy.set(Fault())
    battle.struck(what, until=time.time(), at=began)
    await asyncio.sleep(PAUSE_SECONDS)
