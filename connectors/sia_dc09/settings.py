"""Settings of a `sia-dc09` source: where it listens, whom it hears, and where the panels stand."""

from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connectors.contract import SourceSettings


class Account(BaseModel):
    """What the register knows of one panel: the protocol itself tells no place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = ""
    """Object that is guarded: a school, a shop."""
    locality: str = ""
    street: str = ""
    building: str = ""
    teryt: str = ""
    """TERC code of the municipality."""
    lat: Annotated[float | None, Field(ge=-90, le=90)] = None
    lon: Annotated[float | None, Field(ge=-180, le=180)] = None
    uncertainty_m: Annotated[float, Field(ge=0)] = 30.0


class SiaSettings(SourceSettings):
    """One listener for alarm panels, TCP, unencrypted DC-09.

    The unencrypted protocol has no credentials, so without `allowed_networks` it listens on this machine only.
    """

    emergency: bool = True
    """No back-pressure: a panel that is not answered believes that nobody hears it."""
    host: str = "127.0.0.1"
    """Address to listen on; beyond loopback only with `allowed_networks`."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """Port; 0: the system chooses, and the log tells it."""
    allowed_networks: tuple[str, ...] = ()
    """Addresses and networks that panels may call from, as `10.20.0.0/16`."""
    accounts: dict[str, Account] = {}
    """Account number -> panel. A call from any other is reported too, with a finding."""
    stamp_behind_seconds: Annotated[float, Field(gt=0)] = 40.0
    """A time stamp further behind our time fails the test (DC-09 5.5.1.8)."""
    stamp_ahead_seconds: Annotated[float, Field(gt=0)] = 20.0
    """A time stamp further ahead of our time fails the test."""
    stamp_failed: Literal["nak-once", "ack"] = "nak-once"
    """`nak-once`: tell the panel our time, at most once in `nak_again_seconds` for each account; its event is kept all
    the same. `ack`: never."""
    nak_again_seconds: Annotated[float, Field(gt=0)] = 600.0
    """See `stamp_failed`."""
    repeat_seconds: Annotated[float, Field(gt=0)] = 600.0
    """Equal messages within this time are one message sent again; later, only with a time stamp that can be trusted."""
    max_bytes: Annotated[int, Field(ge=64, le=65_536)] = 2_048
    """Largest frame."""
    frame_seconds: Annotated[float, Field(gt=0)] = 10.0
    """A frame that takes longer from its first byte to its last ends the line."""
    idle_seconds: Annotated[float, Field(gt=0)] = 3_600.0
    """A line without a frame for so long is closed."""
    lines: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Panels connected at once."""
    lines_per_peer: Annotated[int, Field(ge=1, le=10_000)] = 50
    """Of these from one address."""

    @field_validator("accounts")
    @classmethod
    def _upper(cls, accounts: dict[str, Account]) -> dict[str, Account]:
        return {number.upper(): account for number, account in accounts.items()}

    @field_validator("allowed_networks")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(one)) for one in networks)

    @model_validator(mode="after")
    def _guarded(self) -> "SiaSettings":
        loopback = self.host == "localhost" or ip_address(self.host).is_loopback
        if not loopback and not self.allowed_networks:
            raise ValueError("host: beyond loopback only with allowed_networks")
        return self
