"""The desk itself: what the duty officer types (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.desk.lab import DeskLab
from connectors.desk.settings import DeskSettings
from connectors.desk.translate import translate_for
from schemas.report import Report

CONNECTOR = Connector(
    name="desk",
    title="The post's own desk: telephone, radio, visitor, patrol",
    settings=DeskSettings,
    lane="police",
    translate_for=translate_for,
    push=True,
    lab=DeskLab,
    emits=(Report,),
)
