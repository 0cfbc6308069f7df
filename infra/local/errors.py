"""What can go wrong on this machine, said in one sentence each.

LocalError
├── MissingPrerequisite   something that a person has to install
├── PortBusy              a port is taken by a process that is not ours
├── AlreadyRunning        this home is in use by another run of ours
├── SetupFailed           an environment or the jars could not be made
└── ServiceFailed         a service did not come up, or went away
"""


class LocalError(Exception):
    """One clear sentence for the person at the terminal; the command line ends with exit 2."""


class MissingPrerequisite(LocalError):
    """Something that this project cannot install by itself is not there."""


class PortBusy(LocalError):
    """A port is in use by somebody else's process, which is left alone."""

    def __init__(self, port: int, service: str) -> None:
        super().__init__(
            f"Port {port}, needed for {service}, is in use by another program:"
            " stop that program or choose another port"
            ' (--port NAME=NUMBER; with make: ARGS="--port NAME=NUMBER").'
        )
        self.port = port
        self.service = service


class AlreadyRunning(LocalError):
    """Another run of ours holds this home folder."""


class SetupFailed(LocalError):
    """An environment or the jars could not be made."""


class ServiceFailed(LocalError):
    """A service did not come up in time, or ended by itself."""
