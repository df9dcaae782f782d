"""The queries of //cluster:core_to_transport and //cluster:cluster_to_http."""

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

def cluster_to_http():
    """The path from :cluster to a library that only //cluster/admin may need."""
    return "somepath({}, {} + {})".format(
        Label("//cluster:cluster"),
        Label("@libmicrohttpd//:libmicrohttpd"),
        Label("@prometheus-cpp//core:core"),
    )
