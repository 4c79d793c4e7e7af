"""What is proved on virtual machines."""

from scenarios.devices import Devices
from scenarios.sharing import Sharing

GROUPS = [Devices, Sharing]
