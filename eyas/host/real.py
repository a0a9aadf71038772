"""The machine we stand on, as a System. Parts are made when they are first asked for: a plan needs few of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from eyas.host.accounts import RealAccounts
from eyas.host.containers import RealContainers
from eyas.host.files import RealFiles
from eyas.host.firewall import RealFirewall
from eyas.host.packages import RealPackages
from eyas.host.parts import RealKernel, RealKeys, RealNetwork, RealStore
from eyas.host.units import RealUnits

TYPE_CHECKING = False  # as in typing, whose import we do not pay for
if TYPE_CHECKING:
    from eyas.host.certificates import RealCertificates
    from eyas.host.egress.real import RealEgress
    from eyas.host.traffic import RealTraffic
    from eyas.host.volumes import RealVolumes


class Real:
    """`eyas.core.system.System` for this machine."""

    @cached_property
    def files(self) -> RealFiles:
        return RealFiles()

    @cached_property
    def units(self) -> RealUnits:
        return RealUnits()

    @cached_property
    def firewall(self) -> RealFirewall:
        return RealFirewall()

    @cached_property
    def accounts(self) -> RealAccounts:
        return RealAccounts()

    @cached_property
    def packages(self) -> RealPackages:
        return RealPackages()

    @cached_property
    def store(self) -> RealStore:
        return RealStore()

    @cached_property
    def kernel(self) -> RealKernel:
        return RealKernel()

    @cached_property
    def containers(self) -> RealContainers:
        return RealContainers()

    @cached_property
    def traffic(self) -> RealTraffic:
        from eyas.host.traffic import RealTraffic  # few runs hold anything

        return RealTraffic()

    @cached_property
    def keys(self) -> RealKeys:
        return RealKeys()

    @cached_property
    def network(self) -> RealNetwork:
        return RealNetwork()

    @cached_property
    def certificates(self) -> RealCertificates:
        from eyas.host.certificates import RealCertificates  # few runs ask for one

        return RealCertificates()

    @cached_property
    def volumes(self) -> RealVolumes:
        from eyas.host.volumes import RealVolumes  # few runs make one

        return RealVolumes()

    @cached_property
    def egress(self) -> RealEgress:
        from eyas.host.egress.real import RealEgress  # few hosts have any

        return RealEgress()

    def ahead(self, patterns: Sequence[str]) -> None:
        self.units.ahead(patterns)
        self.firewall.ahead()
