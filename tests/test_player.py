"""The played device touches nothing but its own line."""

from __future__ import annotations

import socket

from gateway.trial.device import CytonPlayer, synthetic


def test_a_player_that_is_unplugged_reads_and_writes_no_descriptor_that_comes_after_its_own(tmp_path):
    with CytonPlayer(tmp_path / "port", synthetic(1), speed=1, loop=True) as player:
        player._streaming = True
        for _ in range(300):
            player.unplug()
            other, mine = socket.socketpair()  # most likely under the numbers that the line had
            with mine, other:
                other.settimeout(5)
                mine.sendall(b"answer")
                assert other.recv(4096) == b"answer"
                mine.shutdown(socket.SHUT_WR)
                assert other.recv(4096) == b""
            player.plug()
            player._streaming = True
