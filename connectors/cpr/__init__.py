"""The emergency call centre (CPR): forms come in over HTTP, statuses go out (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.cpr.lab import CprLab
from connectors.cpr.settings import CprSettings
from connectors.cpr.sink import CprStatusSink
from connectors.cpr.sink_settings import CprStatusSettings
from connectors.cpr.translate import translate_for
from schemas.report import Report

CONNECTOR = Connector(
    name="cpr",
    title="Emergency call centre (CPR), JSON form of the legal field list",
    settings=CprSettings,
    lane="emergency",
    translate_for=translate_for,
    push=True,
    sink=CprStatusSink,
    sink_settings=CprStatusSettings,
    lab=CprLab,
    emits=(Report,),
)
