"""Where the server listens, how it ends, and what the command prints."""

from __future__ import annotations

import datetime
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harvestdetect.cli.main import run_command
from harvestdetect.errors import InputError, OutputError, UsageError
from harvestdetect.serve import Options, places_of
from harvestdetect.serve.server import check_options, door_of
from tests.cli.support import COMMAND
from tests.serve.running import running, until

PLAIN: dict[str, Any] = {"reviewers": ("ann",), "port": 0}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for this machine and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tls")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "0.0.0.0"}, "reached from other machines, so the page needs TLS"),
        ({"address": "192.0.2.7"}, "needs TLS"),
        ({"address": "::"}, "needs TLS"),
        ({"address": "example.org"}, "must be an IP address"),
        ({"certificate": Path("x")}, "belong together"),
        ({"certificate": Path("no"), "key": Path("no")}, "cannot be used: No such file"),
        ({"certificate": Path(__file__), "key": Path(__file__)}, "cannot be used"),
        ({"reviewers": ("ann", "ann")}, "names somebody twice"),
        ({"reviewers": (" ",)}, "1 to 100 characters"),
        ({"reviewers": ("a" * 101,)}, "1 to 100 characters"),
        ({"reviewers": ("a\udcff",)}, "must be UTF-8"),
    ],
)
def test_what_would_not_be_safe_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_options(Options(**{**PLAIN, **options}))


def test_all_addresses_need_names(tls: tuple[Path, Path]) -> None:
    options = {"address": "0.0.0.0", "certificate": tls[0], "key": tls[1]}
    with pytest.raises(UsageError, match="--host-name"):
        check_options(Options(**{**PLAIN, **options}))
    named = Options(**{**PLAIN, **options, "names": ("Review.example",)})
    check_options(named)
    door = door_of(named, 8765)
    assert door.hosts == {"review.example:8765"}
    assert door.origins == {"https://review.example:8765"}
    assert door.cookie.startswith("__Host-")


def test_hosts_of_an_address() -> None:
    assert door_of(Options(**PLAIN), 8765).hosts == {"127.0.0.1:8765", "localhost:8765", "[::1]:8765"}
    assert "127.0.0.1" in door_of(Options(**PLAIN), 80).hosts
    assert "[::1]:1" in door_of(Options(**{**PLAIN, "address": "::1"}), 1).hosts


def test_https_works_and_marks_the_cookie(folders: tuple[Path, Path], tls: tuple[Path, Path]) -> None:
    more = {"certificate": tls[0], "key": tls[1], "names": ("localhost",)}
    with running(*folders, **more) as server:
        address = server.serving.addresses["ann"]
        assert address.startswith(f"https://localhost:{server.port}/enter")
        context = ssl.create_default_context(cafile=str(tls[0]))
        with urllib.request.urlopen(address, context=context) as reply:
            cookie = reply.headers["set-cookie"]
        assert cookie.startswith("__Host-harvestdetect=")
        assert cookie.endswith("; Path=/; Secure")


def test_a_port_in_use_is_an_error(folders: tuple[Path, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(OutputError, match=f"cannot listen on 127.0.0.1 port {port}.*--port"),
            running(*folders, port=port),
        ):
            pass


def test_nobody_reads_and_the_server_ends(folders: tuple[Path, Path]) -> None:
    with running(*folders, idle=0.5) as server:
        until(lambda: any("nobody read" in note for note in server.notes))
        time.sleep(0.5)
        with pytest.raises(OSError, match=r"refused|reset"):
            server.client()


def test_what_has_neither_results_nor_a_state(tmp_path: Path) -> None:
    for folder, what in (
        (tmp_path, "has neither"),
        (tmp_path / "no", "does not exist"),
        (Path(__file__), "not a folder"),
    ):
        with pytest.raises(InputError, match=what):
            places_of(folder, None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_an_address_and_ends_in_order(
    folders: tuple[Path, Path], environment: Mapping[str, str], number: signal.Signals
) -> None:
    arguments = ["serve", folders[0], "--state", folders[1], "--port", "0", "--reviewer", "ann\x1b[31m"]
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"ann⟨U\+001B⟩\[31m: (http://127\.0\.0\.1:\d+/enter\?token=[\w-]{43})\n", line)
        assert found is not None, line
        with urllib.request.urlopen(found[1]) as reply:
            assert reply.status == 200
    finally:
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, "")
    assert "token" not in err
    assert "Traceback" not in err
    assert "GET" not in err, "no access log"


def test_the_command_refuses_before_it_reads(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["serve", str(folders[0]), "--bind", "0.0.0.0"]) == 2
    assert "needs TLS" in capsys.readouterr().err
    assert run_command(["serve", str(folders[0] / "no"), "--port", "0"]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert run_command(["serve", str(folders[0]), "--state", str(folders[0] / "no"), "--port", "0"]) == 1
    assert "there is no state in" in capsys.readouterr().err
