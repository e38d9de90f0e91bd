"""Settings of the commands' own source: it exists once on every intake node, and nobody configures it."""

from connectors.contract import SourceSettings


class CommandsSettings(SourceSettings):
    """The built-in source of commands."""

    name: str = "commands"
    """Its name in the journal and in metrics."""
    emergency: bool = True
    """An officer's word meets no back-pressure."""
    max_bytes: int = 65_536
    """Largest command."""
