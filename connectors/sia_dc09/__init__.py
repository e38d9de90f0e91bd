"""Alarm panels by SIA DC-09 over TCP (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.sia_dc09.lab import SiaLab
from connectors.sia_dc09.settings import SiaSettings
from connectors.sia_dc09.source import SiaSource
from connectors.sia_dc09.translate import translate_for
from schemas.report import Report

CONNECTOR = Connector(
    name="sia-dc09",
    title="Alarm panels, SIA DC-09 over TCP, unencrypted",
    settings=SiaSettings,
    lane="emergency",
    translate_for=translate_for,
    source=SiaSource,
    content_types=("application/sia-dc09",),
    lab=SiaLab,
    emits=(Report,),
    exempt={
        "resume": "a panel keeps and repeats what was not acknowledged; there is no place to resume from",
        "order": "each message is a matter of its own; a panel does not come back to it",
        "outage": "panels call us; one that is silent is told by the watch",
        "credentials": "the unencrypted protocol has none; who may call is a matter of networks",
    },
)
