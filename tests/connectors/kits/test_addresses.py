"""Where an outgoing connection may go."""
# ruff: noqa: S104 - addresses are tried here, nothing is bound

import ipaddress

import pytest

from connectors.kits.addresses import AddressRefusedError, Pinned, allowed, networks
from connectors.kits.posting import Poster, checked_url
from schemas.errors import Misconfigured, Unavailable

FORBIDDEN = [
    "127.0.0.1", "127.8.9.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1",
    "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::",
    "64:ff9b::7f00:1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("text", FORBIDDEN)
def test_what_is_not_public_is_not_met(text: str) -> None:
    """Loopback, private, shared, link-local, multicast, reserved and documentation addresses, also inside IPv6."""
    assert not allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "193.0.6.139", "2001:67c:2e8:22::c100:68b", "::ffff:8.8.8.8"])
def test_public_addresses_are_met(text: str) -> None:
    """A public address needs no setting."""
    assert allowed(ipaddress.ip_address(text))


def test_a_named_network_is_met_and_nothing_beside_it() -> None:
    """A closed network that is named is met, in IPv4 and carried in IPv6; metadata never, whatever is named."""
    named = networks(["10.20.0.0/16", "127.0.0.0/8", "0.0.0.0/0", "::/0"][:2])
    assert allowed(ipaddress.ip_address("10.20.3.4"), named)
    assert allowed(ipaddress.ip_address("::ffff:127.0.0.1"), named)
    assert not allowed(ipaddress.ip_address("10.21.0.1"), named)
    everything = networks(["0.0.0.0/0", "::/0"])
    for text in ("169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"):
        assert not allowed(ipaddress.ip_address(text), everything)


@pytest.mark.parametrize("host", ["0x7f.1", "2130706433", "127.1", "localhost", "0177.0.0.1"])
async def test_odd_spellings_of_the_loopback_are_refused(host: str) -> None:
    """The system's own reading of a host is what is checked, not its spelling."""
    with pytest.raises(AddressRefusedError):
        await Pinned().resolve(host, 80)


async def test_the_checked_address_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers a public address first and the loopback later never gets a connection to the loopback."""
    answers = iter([["203.0.114.1"], ["127.0.0.1"], ["127.0.0.1"]])
    asked: list[str] = []

    async def lookup(self: object, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", (text, port)) for text in next(answers)]

    monkeypatch.setattr("asyncio.base_events.BaseEventLoop.getaddrinfo", lookup)
    found = await Pinned().resolve("rebind.example", 443)
    assert [item["host"] for item in found] == ["203.0.114.1"]
    with pytest.raises(AddressRefusedError):
        await Pinned().resolve("rebind.example", 443)


async def test_a_post_to_a_name_of_the_loopback_is_not_made() -> None:
    """The HTTP client itself refuses: no connection is tried, and the error names no address."""
    poster = Poster("https://localhost/hook", ())
    await poster.open()
    with pytest.raises(Unavailable, match="may be met"):
        await poster.post(b"{}", {})
    await poster.close()


@pytest.mark.parametrize(
    "host", ["①②⑦.0.0.1", "127。0。0。1", "１６９.254.169.254", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"]
)  # fmt: skip
def test_other_spellings_of_an_address_are_read_as_the_client_reads_them(host: str) -> None:
    """Wide digits and full stops become a plain address in the client, which asks no resolver for one."""
    with pytest.raises(Misconfigured, match="may not be met"):
        checked_url(f"https://{host}/hook")


@pytest.mark.parametrize("url", ["https://[/", "https://xn--/", "https://h:99999/", "https:///hook", "ftp://h/"])
def test_what_is_no_address_is_a_mistake_of_the_configuration(url: str) -> None:
    """Never another exception."""
    with pytest.raises(Misconfigured):
        checked_url(url)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "ten", "10.0.0.0/33"])
def test_a_wrong_network_is_refused(text: str) -> None:
    """A network with host bits or of no form is a mistake of the configuration."""
    with pytest.raises(Misconfigured):
        networks([text])
