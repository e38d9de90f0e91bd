"""Officers' decisions are read from the facts of a real installation."""

from ops import correlate_cli
from ops.provision import provision, wanted
from ops.reading import Cluster
from ops.settings import Settings
from ops.settings_parts import InstallationPart, KafkaPart
from schemas.topics import FACTS, catalogue
from tests.broker.test_ledger_read import write
from tests.ops.correlating.test_labels import accident
from tests.streams.incident_log import command, identity, place


async def test_labels_are_read_from_the_facts(kafka, prefix, tmp_path) -> None:
    """The machine linked two accidents, a person took one out: one label, whatever else stands in the topic."""
    settings = Settings(
        connectors={},
        data_dir=tmp_path,
        kafka=KafkaPart(bootstrap_servers=kafka.bootstrap_servers),
        installation=InstallationPart(prefix=prefix),
    )
    desired = wanted(catalogue([]), prefix, 1, 1, {})
    await provision({"bootstrap_servers": kafka.bootstrap_servers}, desired, dry_run=False)
    territory = accident(at=place(30))
    home = territory.homes()[identity("second")]
    territory.put(command("out", "unlink", home, report_id=identity("second"), reason="another accident"))
    facts = [one for one in territory.outputs if one.topic == FACTS]
    await write(Cluster(kafka.bootstrap_servers, prefix), facts)
    (label,) = await correlate_cli._decided(settings)
    assert (label.decided.value, label.one, label.report_id) == ("link-undone", False, identity("second"))
