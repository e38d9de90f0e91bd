"""The demo's far sides and its summary's pieces."""

import tomllib

from connectors.registry import CONNECTORS
from ops.demo.cast import PANELS, RECIPIENTS, Cast, reports_of
from ops.demo.stage import toml


async def test_the_configuration_is_one_that_its_connectors_take() -> None:
    """What the demo writes down is checked by the settings of each connector."""
    cast = Cast()
    await cast.start()
    try:
        text = toml("demo", prefix="demo.", sources=cast.sources(), recipients=cast.recipients())
        told = tomllib.loads(text)
        for table in (*told["sources"], *told["recipients"]):
            connector = CONNECTORS[table.pop("connector")]
            connector.settings.model_validate(table)
        assert [one["name"] for one in told["recipients"]] == list(RECIPIENTS)
        assert set(told["sources"][3]["accounts"]) == set(PANELS)
    finally:
        await cast.stop()


def test_a_delivery_names_its_report() -> None:
    """Latency is measured on the report that the recipient got, and on nothing else."""
    assert reports_of({"data": {"report": {"report_id": "r"}}}) == ["r"]
    assert reports_of({"data": {}}) == []
