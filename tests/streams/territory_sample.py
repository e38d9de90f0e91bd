"""A territory's log for the replay proof: callers, forms, repeats, commands of an officer, and time that passes."""

from schemas.command import Tick
from schemas.model import Message
from schemas.topics import LOG
from schemas.wire import record
from streams.contract import Processor, Record
from streams.incidents import processor
from tests.streams.incident_log import START, Territory, command, identity, place, reference, report

TEXTS = ("drzewo na drodze", "zalana piwnica", None)
SYSTEMS = ("cpr", "psp", "desk")
VERBS = ("accept", "dispatch", "end", "reopen", "read")


def moves() -> list[tuple[int, Message]]:
    """What came when (s after START); commands name incidents that the log had opened by then."""
    territory, made = Territory(), list[tuple[int, Message]]()
    for at in range(300):
        told = report(
            f"r{at}",
            seconds=at * 7,
            at=place(at % 9 * 150, at % 7 * 90),
            thread=f"t{at % 60}",
            order=at,
            text=TEXTS[at % 3],
            system=SYSTEMS[at % 3],
            flags=("ongoing", "media"),
            tokens=(f"k{at % 11}", f"l{at % 5}"),
            references=(("cpr_id", str(at % 50)), ("jed", str(at % 70))),
        )
        territory.at(at * 7).put(told)
        made.append((at * 7, told))
        if at % 5 == 0:
            made.append((at * 7, command(f"c{at}", VERBS[at // 5 % 5], min(territory.homes().values()))))
    return [*made, (9_000, Tick(at=START)), (20_000, Tick(at=START))]


def sample() -> tuple[Processor, list[Record]]:
    """The processor of incidents, and the log of two partitions that hold the same moves."""
    records = []
    for offset, (seconds, message) in enumerate(moves()):
        value, headers = record(message, id=identity(f"record {offset}"), source="/test")
        when = round((START.timestamp() + seconds) * 1000)
        records += [Record(LOG, part, offset, b"", value, tuple(headers), when) for part in range(2)]
    return processor(reference()), records
