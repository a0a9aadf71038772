"""What is held in the kernel's packet filter: the agreement between the rule set's text and who puts elements in.

The sets of ``table inet eyas``; each element has a timeout, so that the kernel lets go by itself. They are looked at
before any translation: a packet still has the destination that its sender gave it.

    held4, held6                  address of a container: all of it
    held4_port, held6_port        address . protocol . port: one service of a container
    held_forward                  protocol . port of the host, asked for by the uplink
    held_reflected                the same, asked for by a container or by the host itself
    spared4, spared6              address . protocol . port of the host: a held container that asks for itself
"""

from __future__ import annotations

LINK = "eyas-hold"  # the tun device by which held packets come back; it stands for the place that they came from
GROUP = 5297  # of nflog: where held packets are told of

ADDRESS = {4: "held4", 6: "held6"}
PORT = {4: "held4_port", 6: "held6_port"}
FORWARD = "held_forward"
REFLECTED = "held_reflected"
SPARED = {4: "spared4", 6: "spared6"}

TYPES = {
    **{ADDRESS[family]: f"ipv{family}_addr" for family in (4, 6)},
    **{PORT[family]: f"ipv{family}_addr . inet_proto . inet_service" for family in (4, 6)},
    FORWARD: "inet_proto . inet_service",
    REFLECTED: "inet_proto . inet_service",
    **{SPARED[family]: f"ipv{family}_addr . inet_proto . inet_service" for family in (4, 6)},
}
"""Every set, with the type of its elements (nft(8))."""

REFUSED = {4: "refused4", 6: "refused6"}
"""Sets of what was refused lately: source . destination . protocol . port. The packet filter fills them itself."""
RESETS = "egress_resets"
"""Resets that came to addresses of pools: address . destination, with a count. The packet filter fills it itself."""
LEFT = {
    "left_wires": ("wires", "ifname . ether_addr"),
    "left_places4": ("places4", "ifname . ipv4_addr"),
    "left_places6": ("places6", "ifname . ipv6_addr"),
}
"""Sets of ``table bridge eyas``, for what a container with other addresses may still use until it has restarted: the
set that says what it may use, and the type."""
LEFT_SECONDS = 600  # the longest way to a restart: others go first, and their connections end
TRAFFIC = (*TYPES, *REFUSED.values(), RESETS, *LEFT)
"""Every set whose elements come and go with traffic."""
