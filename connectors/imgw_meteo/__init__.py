"""IMGW meteorological warnings, polled from the public JSON feed (see README.md beside this file)."""

from connectors.contract import Connector
from connectors.imgw_meteo.lab import ImgwLab
from connectors.imgw_meteo.settings import ImgwSettings
from connectors.imgw_meteo.source import source
from connectors.imgw_meteo.translate import translate_for
from schemas.notice import SnapshotTaken

CONNECTOR = Connector(
    name="imgw-meteo",
    title="IMGW-PIB meteorological warnings, public feed",
    settings=ImgwSettings,
    lane="civil",
    translate_for=translate_for,
    source=source,
    lab=ImgwLab,
    emits=(SnapshotTaken,),
)
