import socket

import pytest


def test_another_machine_cannot_be_reached():
    with socket.socket() as client, pytest.raises(AssertionError, match="this machine only"):
        client.connect(("192.0.2.1", 80))
    with (
        socket.socket(type=socket.SOCK_DGRAM) as client,
        pytest.raises(AssertionError, match="this machine only"),
    ):
        client.sendto(b"", ("192.0.2.1", 53))
    with pytest.raises(AssertionError, match="look up"):
        socket.getaddrinfo("erp.example", 443)


@pytest.mark.parametrize(
    ("family", "host"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "localhost"), (socket.AF_INET6, "::1")],
)
def test_this_machine_can(family, host):
    try:
        server = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with server, socket.create_connection((host, server.getsockname()[1])):
        pass


def test_a_unix_socket_can(tmp_path):
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        client.connect(str(tmp_path / "socket"))
