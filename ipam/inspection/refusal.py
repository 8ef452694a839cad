"""What an ADD would refuse before it looks at any lease: a config, or a caller, that is wrong."""

from __future__ import annotations

from ipam import cni, config, log
from ipam.errors import CniError
from ipam.inspection.configs import leaves_ranges_open
from ipam.routes import read_dns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ipam.config import Object
    from ipam.model import Attachment


def refusal(conf: Object, who: Attachment | None = None) -> CniError | None:
    """The error of an ADD with this config, as the plugin gets it, for `who`; None where it would look for addresses.

    Ranges that are the runtime's to say are not missed.
    """
    try:
        version = config.version_of(conf)
        config.name_of(conf)
        if who is not None:
            cni.check_attachment(who.container_id, who.ifname)
        ipam = config.ipam_of(conf)
        log.level(ipam.get("loglevel", "none"), strict=True)
        cni.check_version("ADD", version)
        if not leaves_ranges_open(conf):
            config.network(conf, version, None)
        config.store_config(conf)
        path = config.text(ipam, "resolvConf", "ipam.resolvConf")
        if path:
            read_dns(path)
    except CniError as error:
        return error
    return None
