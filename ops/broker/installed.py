"""The embedded broker of an installation: in the folder `broker` of its data folder."""

from collections.abc import Sequence
from typing import Final

from ops.broker.embedded import EmbeddedKafka
from ops.settings import Settings

FOLDER: Final = "broker"


def embedded(settings: Settings, nodes: int | None = None, ports: Sequence[int] | None = None) -> EmbeddedKafka:
    """The cluster of this installation, whether it runs or not; for `sztab broker`, `run all` and `demo`.

    Its number of nodes is what was asked for, else what the folder holds already, else what the settings say.
    """
    folder = settings.data_dir / FOLDER
    return EmbeddedKafka(folder, nodes or len(EmbeddedKafka(folder).numbers) or settings.kafka.nodes, ports)
