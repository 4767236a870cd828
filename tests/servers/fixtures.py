"""The servers as fixtures: each is started when the first test of a process asks for it, and emptied for each test.

A test that needs a server of its own kind, with a login or with TLS, enters the class itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.alertmanager import Alertmanager
    from servers.matrix import Matrix
    from servers.nats import Nats
    from servers.ntfy import Ntfy
    from servers.smtp import Smtp


@pytest.fixture(scope="session")
def matrix_server() -> Iterator[Matrix]:
    from servers.matrix import Matrix

    with Matrix() as server:
        yield server


@pytest.fixture
def matrix(matrix_server: Matrix) -> Matrix:
    """A Matrix server, with a room in which nothing was said."""
    matrix_server.fresh()
    return matrix_server


@pytest.fixture(scope="session")
def alertmanager_server() -> Iterator[Alertmanager]:
    from servers.alertmanager import Alertmanager

    with Alertmanager() as server:
        yield server


@pytest.fixture
def alertmanager(alertmanager_server: Alertmanager) -> Alertmanager:
    """An Alertmanager in which nothing fires."""
    alertmanager_server.fresh()
    return alertmanager_server


@pytest.fixture(scope="session")
def nats_server() -> Iterator[Nats]:
    from servers.nats import Nats

    with Nats() as server:
        yield server


@pytest.fixture
def nats(nats_server: Nats) -> Nats:
    """A NATS server with an empty stream for ``landed.>``."""
    nats_server.fresh()
    return nats_server


@pytest.fixture(scope="session")
def ntfy_server() -> Iterator[Ntfy]:
    from servers.ntfy import Ntfy

    with Ntfy() as server:
        yield server


@pytest.fixture
def ntfy(ntfy_server: Ntfy) -> Ntfy:
    """An ntfy server with a topic to which nothing was published."""
    ntfy_server.fresh()
    return ntfy_server


@pytest.fixture
def smtp() -> Iterator[Smtp]:
    """A mail server without TLS and without a login."""
    from servers.smtp import Smtp

    with Smtp() as server:
        yield server
