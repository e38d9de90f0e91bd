"""The emergency call centre (CPR): forms come in over HTTP (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.cpr.lab import CprLab
from connectors.cpr.settings import CprSettings
from connectors.cpr.translate import translate_for
from schemas.report import Report

CONNECTOR = Connector(
    name="cpr",
    title="Emergency call centre (CPR), JSON form of the legal field list",
    settings=CprSettings,
    lane="emergency",
    translate_for=translate_for,
    push=True,
    lab=CprLab,
    emits=(Report,),
)
