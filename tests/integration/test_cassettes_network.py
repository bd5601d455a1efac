"""Sockets are refused while recordings answer; event loops still work, and afterwards so does everything."""

import asyncio
import socket
import threading

import aiohttp
import httpx
import pytest

from pytest_llmpref.cassettes import NetworkRefusedError, refuse_sockets


@pytest.fixture
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.mark.parametrize("address", [("192.0.2.1", 443), ("127.0.0.1", 9)])
def test_connections_are_refused_with_the_address_and_the_fix(address):
    with refuse_sockets(), socket.socket() as opened:
        for connect in (opened.connect, opened.connect_ex):
            with pytest.raises(NetworkRefusedError, match=rf"no network.*{address[0]}.*--record-mode new_episodes"):
                connect(address)


def test_http_clients_are_refused(listening):
    url = f"http://{listening[0]}:{listening[1]}"

    async def with_aiohttp():
        async with aiohttp.ClientSession() as session:
            await session.get(url)

    with refuse_sockets():
        with pytest.raises(NetworkRefusedError):
            httpx.get(url)
        with pytest.raises(NetworkRefusedError):
            asyncio.run(with_aiohttp())


def test_event_loops_threads_and_subprocesses_still_work():
    async def work():
        await asyncio.to_thread(lambda: None)
        process = await asyncio.create_subprocess_exec("true")
        return await process.wait()

    with refuse_sockets():
        assert asyncio.run(work()) == 0
        left, right = socket.socketpair()
        left.sendall(b"x")
        assert right.recv(1) == b"x"
        left.close()
        right.close()


def test_unix_sockets_which_worker_processes_talk_over_still_work(tmp_path):
    address = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, refuse_sockets():
        server.bind(address)
        server.listen()
        for connect in ("connect", "connect_ex"):
            with socket.socket(socket.AF_UNIX) as opened:
                assert not getattr(opened, connect)(address)


def test_afterwards_connections_work_even_after_an_error_and_nesting(listening):
    before = socket.socket.connect, socket.socket.connect_ex
    with pytest.raises(ZeroDivisionError), refuse_sockets(), refuse_sockets():
        _ = 1 / 0
    assert (socket.socket.connect, socket.socket.connect_ex) == before
    socket.create_connection(listening).close()


def test_leaving_the_inner_one_keeps_refusing(listening):
    with refuse_sockets():
        with refuse_sockets():
            pass
        with pytest.raises(NetworkRefusedError):
            socket.create_connection(listening)


def test_it_holds_in_other_threads_and_for_sockets_opened_before(listening):
    caught = []

    def connect():
        try:
            opened.connect(listening)
        except NetworkRefusedError as error:
            caught.append(error)

    with socket.socket() as opened, refuse_sockets():
        thread = threading.Thread(target=connect)
        thread.start()
        thread.join()
    assert len(caught) == 1
