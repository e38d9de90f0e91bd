"""Commands of people and partners: they go through the journal like any document, so a yes survives a dead broker."""

from connectors.commands.settings import CommandsSettings
from connectors.commands.translate import translate_for
from connectors.contract import Connector
from schemas.command import Command

CONNECTOR = Connector(
    name="commands",
    title="Commands on incidents, from the page, the command line and partners",
    settings=CommandsSettings,
    lane="commands",
    translate_for=translate_for,
    push=True,
    emits=(Command,),
    exempt={"lab": "the commands API itself is the far side; its own tests ask it over HTTP"},
)
