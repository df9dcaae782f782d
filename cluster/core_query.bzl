"""The query of //cluster:core_to_transport."""

def core_to_transport():
    """The path from :core to a transport.

    A query reads labels from the main workspace, which may be another one, so they name this
    repository.
    """
    return "somepath({}, {} + {})".format(
        Label("//cluster:core"),
        Label("//transport:registry"),
        Label("//transport/memory"),
    )
