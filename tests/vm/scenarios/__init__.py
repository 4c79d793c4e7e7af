"""What is proved on virtual machines."""

from scenarios.devices import Devices

GROUPS = [Devices]
